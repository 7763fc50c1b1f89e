/** When a branch is pulled; what then comes from stock Git: tests/interop/git-site.test.ts. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { err, instantOfMicros, Log, ok, type Result, TimerQueue, wallTimeOfMillis } from '#core';
import { type GitTransport, MemoryBackend, type TransportError, UploadPack } from '#git';
import { Repository } from '#store';
import { nodeCrypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import {
  PULL_MILLIS_MAX,
  PulledBranch,
  RETRY_MILLIS_MAX,
  RETRY_MILLIS_MIN,
} from './pulled-branch.ts';

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
    const far = new MemoryBackend();
    const clock = { wall: () => wallTimeOfMillis(0), monotonic: () => instantOfMicros(0) };
    const author = { name: 'A', email: 'a@b' };
    const repository = Repository.open({
      backend: far,
      crypto: nodeCrypto,
      clock,
      author,
      entropy: null,
    });
    const server = new UploadPack({ backend: far, crypto: nodeCrypto, zlib });
    let shown = '';
    let done = (): void => {};
    const lines: string[] = [];
    const branch = new PulledBranch({
      connect: () => ({
        isStateless: true,
        discover: async (_service, version) => ok(once(await server.advertise(version))),
        call: async (_service, version, body) =>
          ok(server.serve(body, { version, isStateless: true })),
        close: async () => {},
      }),
      branch: 'main',
      bytesMax: 2_000,
      crypto: nodeCrypto,
      zlib,
      clock,
      timers: new TimerQueue(instantOfMicros(0)),
      log: new Log((line) => {
        lines.push(line);
        done();
      }, 'info').source('site'),
      changed(content) {
        shown = content.commit;
      },
    });
    for (let i = 0; i < 12; i++) {
      const from = await repository.headOf('main');
      assert(from.ok);
      if (isOrphan && from.value !== null) {
        await far.updateRefs([{ name: 'refs/heads/main', from: from.value, to: null }], 'gone');
      }
      const text = Buffer.from(`${i} `.repeat(500));
      assert((await repository.branch('main').set(['page'], new Uint8Array(text))).ok);
      const head = await repository.headOf('main');
      const told = new Promise<void>((resolve) => {
        done = resolve;
      });
      branch.pull();
      await told;
      await setImmediate();
      assert(head.ok);
      assert.equal(shown, head.value, lines.at(-1));
    }
    assert.equal(branch.counts.failures, 0);
  });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
