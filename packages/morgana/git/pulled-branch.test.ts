/** When a branch is pulled; what then comes from stock Git: tests/interop/git-site.test.ts. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { err, instantOfMicros, Log, type Result, TimerQueue, wallTimeOfMillis } from '#core';
import type { GitTransport, TransportError } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import {
  PULL_MILLIS_MAX,
  PulledBranch,
  RETRY_MILLIS_MAX,
  RETRY_MILLIS_MIN,
} from './pulled-branch.ts';
import { Far, Site } from './test-far.ts';

type Answer = Result<AsyncIterable<Uint8Array>, TransportError>;
const UNREACHABLE: Answer = err({ kind: 'unreachable', message: 'no way there' });

/** A remote that answers when the test says so; closing it ends what waits. */
class Remote {
  readonly timers = new TimerQueue(instantOfMicros(0));
  readonly lines: string[] = [];
  readonly branch: PulledBranch;
  opened = 0;
  closed = 0;
  private answer: ((answer: Answer) => void) | null = null;

  constructor() {
    const log = new Log((line) => this.lines.push(line), 'info').source('site');
    this.branch = new PulledBranch({
      connect: () => this.connect(),
      branch: 'main',
      bytesMax: 1_000,
      crypto: nodeCrypto,
      zlib,
      clock: { wall: () => wallTimeOfMillis(0) },
      timers: this.timers,
      log,
      changed: () => assert.fail('nothing ever comes'),
    });
  }

  private connect(): GitTransport {
    this.opened++;
    return {
      isStateless: true,
      discover: () =>
        new Promise((resolve) => {
          this.answer = resolve;
        }),
      call: async () => UNREACHABLE,
      close: async () => {
        this.closed++;
        this.answer?.(UNREACHABLE);
      },
    };
  }

  /** The pull under way fails. */
  async fail(): Promise<void> {
    await setImmediate();
    this.answer!(UNREACHABLE);
    await setImmediate();
    this.branch.checkInvariants();
  }

  async wait(millis: number): Promise<void> {
    this.timers.run(instantOfMicros(this.timers.now + millis * 1_000));
    await setImmediate();
  }
}

test('pulls that fail › again later each time, up to a bound, and said so', async () => {
  const remote = new Remote();
  remote.branch.pull();
  let wait = RETRY_MILLIS_MIN;
  for (let pulls = 1; pulls <= 10; pulls++) {
    await remote.fail();
    assert.equal(remote.opened, pulls);
    const said = `no way there; nothing to show yet, again in ${wait / 1_000} s`;
    assert.ok(remote.lines.at(-1)?.endsWith(said), remote.lines.at(-1));
    await remote.wait(wait - 1);
    assert.equal(remote.opened, pulls, 'not before');
    await remote.wait(1);
    assert.equal(remote.opened, pulls + 1);
    wait = Math.min(2 * wait, RETRY_MILLIS_MAX);
  }
  assert.equal(wait, RETRY_MILLIS_MAX);
});

test('asked while one is under way › one more, however often', async () => {
  const remote = new Remote();
  for (let i = 0; i < 100; i++) remote.branch.pull();
  await setImmediate();
  assert.equal(remote.opened, 1);
  await remote.fail();
  assert.equal(remote.opened, 2);
  await remote.fail();
  assert.equal(remote.opened, 2);
  assert.deepEqual(remote.branch.counts, { pulls: 2, failures: 2, changes: 0 });
});

test('asked while it waits to try again › at once, and no second time', async () => {
  const remote = new Remote();
  remote.branch.pull();
  await remote.fail();
  remote.branch.pull();
  await remote.fail();
  assert.equal(remote.opened, 2);
  await remote.wait(2 * RETRY_MILLIS_MIN);
  assert.equal(remote.opened, 3);
});

test('a remote that never answers › given up, and tried again', async () => {
  const remote = new Remote();
  remote.branch.pull();
  await remote.wait(PULL_MILLIS_MAX - 1);
  assert.equal(remote.closed, 0);
  await remote.wait(1);
  await setImmediate();
  assert.ok(remote.closed >= 1);
  assert.equal(remote.lines.length, 1);
  await remote.wait(RETRY_MILLIS_MIN);
  assert.equal(remote.opened, 2);
});

for (const [title, isOrphan] of [
  ['a branch that is written anew each time', true],
  ['a branch that grows', false],
] as const) {
  test(`${title}, past what is kept › each is shown: what was is thrown away`, async () => {
    const far = new Far();
    const site = new Site(far, []);
    for (let i = 0; i < 12; i++) {
      if (isOrphan && i > 0) await far.forget();
      const head = await far.write(`${i} `.repeat(500));
      await site.pull();
      assert.equal(site.branch.content?.commit, head, site.lines.at(-1));
    }
    assert.equal(site.branch.counts.failures, 0);
  });
}
