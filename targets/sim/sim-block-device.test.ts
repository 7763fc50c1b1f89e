import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { after, seconds } from '#core';
import {
  type BlockCase,
  type BlockCrashCase,
  blockCases,
  blockCrashCases,
  readOnlyBlockCases,
} from '#device/conformance';
import { SimBlockDevice, type SimBlockOptions, SimRandom, SimWorld } from './index.ts';

const OPTIONS = { name: 'disk', blockBytes: 512, blockCount: 32, isReadOnly: false } as const;
const SEEDS = 60;

function rig(isReadOnly: boolean) {
  const world = new SimWorld(7);
  const options = { ...OPTIONS, isReadOnly };
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
      disk.checkInvariants();
    });
  }
}

/** A disk that answers at once. */
const quick = (options: Partial<SimBlockOptions> = {}, seed = 1): SimBlockDevice =>
  new SimBlockDevice({ ...OPTIONS, ...options }, null, new SimRandom(seed));

async function runCrash({ run }: BlockCrashCase, seed: number, flushLies = false): Promise<void> {
  const world = new SimWorld(seed);
  // Every other disk answers at once, in order.
  const timers = seed % 2 === 0 ? world.timers : null;
  const device = new SimBlockDevice({ ...OPTIONS, flushLies }, timers, world.random.fork());
  const crash = async (): Promise<SimBlockDevice> => {
    device.checkInvariants();
    const image = device.crash(seed);
    return new SimBlockDevice({ ...OPTIONS, image }, timers, world.random.fork());
  };
  await finish(world, run({ device, crash }));
}

for (const crashCase of blockCrashCases) {
  test(`simulated disk › ${crashCase.name}`, async () => {
    for (let seed = 0; seed < SEEDS; seed++) await runCrash(crashCase, seed);
  });
}

test('a disk whose flush lies › the suite on crashes finds it', async () => {
  const failed: string[] = [];
  for (const crashCase of blockCrashCases) {
    for (let seed = 0; seed < SEEDS && failed.at(-1) !== crashCase.name; seed++) {
      await runCrash(crashCase, seed, true).catch(() => failed.push(crashCase.name));
    }
  }
  // All cases but the one in which nothing has to survive.
  assert.equal(failed.length, blockCrashCases.length - 1);
});

const filled = (byte: number, blocks = 1): Uint8Array => new Uint8Array(512 * blocks).fill(byte);

/** Every byte that one block may hold after a loss of power, over many seeds; -1: a mix. */
function outcomes(disk: SimBlockDevice, block: number): Set<number> {
  const found = new Set<number>();
  for (let seed = 0; seed < 400; seed++) {
    const left = disk.crash(seed).subarray(512 * block, 512 * (block + 1));
    found.add(left.every((byte) => byte === left[0]) ? left[0]! : -1);
  }
  return found;
}

test('power lost › of a block any version since the flush is left, or a mix; no other', async () => {
  const disk = quick();
  for (const byte of [1, 2]) await disk.write(5, filled(byte));
  await disk.flush();
  for (const byte of [3, 4]) await disk.write(5, filled(byte));
  assert.deepEqual([...outcomes(disk, 5)].sort(), [-1, 2, 3, 4]);
  assert.deepEqual([...outcomes(disk, 4)], [0]);
});

test('power lost › writes of several blocks are torn, and overtake each other', async () => {
  const disk = quick();
  await disk.write(0, filled(1, 4));
  await disk.write(8, filled(2, 4));
  const seen = new Set<string>();
  for (let seed = 0; seed < 400; seed++) {
    const image = disk.crash(seed);
    seen.add([0, 1, 2, 3, 8, 9, 10, 11].map((block) => image[512 * block]).join(''));
  }
  for (const left of ['00000000', '11112222', '11110000', '00002222']) assert.ok(seen.has(left));
  assert.ok(seen.size > 40);
});

test('power fails in the middle of change N › what came before and after, for each N', async () => {
  for (let n = 0; n < 6; n++) {
    const disk = quick();
    disk.powerFailsAt = n;
    const answers = [];
    for (const block of [0, 1, 2]) {
      answers.push((await disk.write(block, filled(7))).ok, (await disk.flush()).ok);
    }
    assert.deepEqual(
      answers,
      [0, 1, 2, 3, 4, 5].map((change) => change < n),
    );
    const lost = { ok: false, error: { kind: 'gone' } };
    assert.deepEqual(await disk.read(0, filled(0)), lost);
    for (const block of [0, 1, 2]) {
      const isFlushed = n > 2 * block + 1;
      const isWritten = n >= 2 * block;
      const left = outcomes(disk, block);
      assert.equal(left.has(7), isWritten);
      assert.equal(left.has(0), !isFlushed);
    }
  }
});

test('a write that fails › parts of it are done', async () => {
  const disk = quick();
  disk.failure = 5;
  await disk.write(0, filled(9, 32));
  disk.failure = 0;
  const image = filled(0, 32);
  await disk.read(0, image);
  const firsts = Array.from({ length: 32 }, (_, block) => image.subarray(512 * block));
  assert.deepEqual(new Set(firsts.map(([first]) => first)), new Set([0, 9]));
});

test('time › one bit of each of as many blocks is another, of flushed ones too', async () => {
  const disk = quick();
  await disk.write(0, filled(0, 32));
  await disk.flush();
  const blocks = disk.rot(3, 4);
  assert.equal(blocks.length, 4);
  const image = filled(0, 32);
  await disk.read(0, image);
  assert.equal(image.filter((byte) => byte !== 0).length, 4);
  for (const block of blocks) {
    assert.ok(image.subarray(512 * block, 512 * (block + 1)).some((byte) => byte !== 0));
  }
  assert.deepEqual(disk.crash(1), image);
  disk.checkInvariants();
});

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
