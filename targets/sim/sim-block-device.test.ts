import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { after, seconds } from '#core';
import { type BlockCase, blockCases, readOnlyBlockCases } from '#device/conformance';
import { SimBlockDevice, SimWorld } from './index.ts';

function rig(isReadOnly: boolean) {
  const world = new SimWorld(7);
  const options = { name: 'disk', blockBytes: 512, blockCount: 32, isReadOnly };
  const disk = new SimBlockDevice(options, world.timers, world.random.fork());
  return { world, disk };
}

/** Lets the world go on until `work` has come to an end. */
async function finish<T>(world: SimWorld, work: Promise<T>): Promise<T> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  done.catch(() => {});
  const limit = after(world.timers.now, seconds(10));
  await world.runAsync(() => isDone, limit, setImmediate);
  return done;
}

const suites: [string, boolean, readonly BlockCase[]][] = [
  ['simulated disk', false, blockCases],
  ['simulated disk, read only', true, readOnlyBlockCases],
];
for (const [kind, isReadOnly, cases] of suites) {
  for (const { name, run } of cases) {
    test(`${kind} › ${name}`, async () => {
      const { world, disk } = rig(isReadOnly);
      await finish(world, run(disk));
    });
  }
}

test('a disk that fails › every operation says so', async () => {
  const { world, disk } = rig(false);
  disk.failure = 5;
  const bytes = new Uint8Array(512);
  const all = Promise.all([disk.read(0, bytes), disk.write(1, bytes), disk.flush()]);
  for (const result of await finish(world, all)) {
    assert.deepEqual(result, { ok: false, error: { kind: 'device', code: 5 } });
  }
});

test('under way › what is lent for reading is poisoned until the answer', async () => {
  const { world, disk } = rig(false);
  const into = new Uint8Array(512);
  const read = disk.read(0, into);
  assert.ok(into.every((byte) => byte === 0xa5));
  await finish(world, read);
  assert.ok(into.every((byte) => byte === 0));
});
