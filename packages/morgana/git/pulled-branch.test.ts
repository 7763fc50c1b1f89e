/**
 * When a branch is pulled, and what of it is on a disk when the program starts again; what comes
 * from stock Git: tests/interop/git-site.test.ts.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { err, instantOfMicros, Log, type Result, TimerQueue, wallTimeOfMillis } from '#core';
import type { GitTransport, TransportError } from '#git';
import { BlockBackend } from '#store/block';
import { nodeCrypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import { SimBlockDevice, SimRandom } from '#targets/sim/index';
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

const BLOCK_BYTES = 512;
const AWAY = "the server can't be reached: no way there";
/** Half of it can be used. */
const SMALL_BYTES = 320 * 1_024;
const storeId = new Uint8Array(16);

function newDisk(bytes = 1 << 20): SimBlockDevice {
  const options = { name: 'kept', blockBytes: BLOCK_BYTES, blockCount: bytes / BLOCK_BYTES };
  return new SimBlockDevice({ ...options, isReadOnly: false }, null, new SimRandom(1));
}

/** As after the power was lost: nobody closed what was there. */
async function open(device: SimBlockDevice): Promise<BlockBackend> {
  const parts = { device, crypto: nodeCrypto, zlib, pause: () => Promise.resolve() };
  const options = { hash: 'SHA-1', storeId, overwrite: false } as const;
  const opened = await BlockBackend.openOrFormat(parts, options);
  assert(opened.ok, JSON.stringify(opened));
  return opened.value;
}

const refsOf = async (backend: BlockBackend): Promise<string[]> => {
  const refs = await backend.listRefs('');
  assert(refs.ok);
  return refs.value.map(({ name }) => name);
};

/** Text that doesn't compress. */
function noise(bytes: number, seed: number): string {
  const all = Buffer.alloc(bytes / 2);
  new SimRandom(seed).fill(all);
  return all.toString('hex');
}

test('started again with the remote away › what was shown last, at once; then what is new', async () => {
  const far = new Far();
  const disk = newDisk();
  const first = new Site(far, [], { backend: await open(disk) });
  await far.write('one');
  await first.pull();
  const head = await far.write('two');
  await first.pull();
  far.isAway = true;
  const again = new Site(far, [], { backend: await open(disk) });
  await again.pull();
  assert.equal(again.page, 'two');
  assert.deepEqual(again.lines, [
    `info shows ${head}: 1 files, as they were kept`,
    `warn pull failed: ${AWAY}; the old content stays, again in 1 s`,
  ]);
  far.isAway = false;
  // Its parent isn't kept, and isn't sent again.
  await far.write('three');
  await again.pull();
  assert.equal(again.page, 'three');
  assert.deepEqual(again.branch.counts, { pulls: 2, failures: 1, changes: 2 });
});

test('a blank disk and no remote › nothing to show', async () => {
  const far = new Far();
  far.isAway = true;
  const site = new Site(far, [], { backend: await open(newDisk()) });
  await site.pull();
  assert.equal(site.page, null);
  assert.match(
    site.lines.join('\n'),
    new RegExp(`^warn pull failed: ${AWAY}; nothing to show yet`),
  );
});

test('a commit that can’t be shown › after a restart still the one before', async () => {
  const far = new Far();
  const disk = newDisk();
  await far.write('one');
  const site = new Site(far, [], { backend: await open(disk) });
  await site.pull();
  const large = await far.write('x'.repeat(2_001));
  await site.pull();
  assert.equal(site.page, 'one');
  const why = `commit ${large}: its files take more than 2000 bytes`;
  assert.equal(site.lines[1], `warn pull failed: ${why}; the old content stays, again in 1 s`);
  const again = new Site(far, [], { backend: await open(disk) });
  await again.pull();
  assert.equal(again.page, 'one');
  await far.write('two');
  await again.pull();
  assert.equal(again.page, 'two');
});

test('another branch is asked for › what was kept of the old one goes when that is shown', async () => {
  const far = new Far();
  const disk = newDisk();
  await far.write('one');
  const before = new Site(far, [], { backend: await open(disk) });
  await before.pull();
  far.isAway = true;
  const backend = await open(disk);
  const site = new Site(far, [], { backend, branch: 'main/side' });
  await site.pull();
  assert.equal(site.page, null);
  far.isAway = false;
  await far.forget();
  await far.write('side', 'main/side');
  await site.pull();
  assert.equal(site.page, 'side');
  assert.deepEqual(await refsOf(backend), ['refs/heads/main/side', 'refs/remotes/pulled/last']);
});

for (const isOrphan of [false, true]) {
  test(`a small disk, ${isOrphan ? 'each commit anew' : 'one upon the other'} › older ones go`, async () => {
    const far = new Far();
    const disk = newDisk(SMALL_BYTES);
    const lines: string[] = [];
    let site: Site | null = null;
    for (let i = 0; i < 11; i++) {
      if (isOrphan && i > 0) await far.forget();
      const head = await far.write(noise(30_000, i));
      if (i % 5 === 0) site = new Site(far, lines, { bytesMax: 30_000, backend: await open(disk) });
      await site!.pull();
      assert.equal(site!.branch.content?.commit, head, `${i}: ${lines.at(-1)}`);
    }
    assert.match(lines.join('\n'), /older content is thrown away/);
    assert.doesNotMatch(lines.join('\n'), /failed/);
  });
}

test('a disk that holds no two of them › said, and what was shown stays', async () => {
  const far = new Far();
  const disk = newDisk(SMALL_BYTES);
  await far.write(noise(30_000, 1));
  const site = new Site(far, [], { bytesMax: 1_000_000, backend: await open(disk) });
  await site.pull();
  const before = site.branch.content;
  await far.write(noise(300_000, 2));
  await site.pull();
  assert.match(site.lines.at(-1)!, /pull failed: there is no room left; the old content stays/);
  assert.equal(site.branch.content, before);
  // The one that doesn't fit isn't needed for the next one.
  const head = await far.write('small');
  await site.pull();
  assert.equal(site.branch.content?.commit, head, site.lines.at(-1));
});
