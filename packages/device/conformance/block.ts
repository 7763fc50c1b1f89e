/**
 * What every BlockDevice must do, as cases that any target can run: in a test runner, in the
 * simulator, in an image. A case fails by throwing. Required reading: block.ts. Not here: what
 * survives a loss of power (block-crash.ts), which needs a device that can lose it.
 */

import { assert, hot, writeU32le } from '#core';
import type { BlockDevice, BlockError } from '#device';

export interface BlockCase {
  readonly name: string;
  /** `device` has 16 blocks at least; what is on it is the case's to overwrite. */
  run(device: BlockDevice): Promise<void>;
}

const BLOCKS_MIN = 16;

const LABEL_EVERY_BYTES = 128;

/**
 * `count` blocks, their content drawn from `seed`: the same byte everywhere, but for labels that
 * count. An image's interpreter is slow.
 */
export function pattern(device: BlockDevice, count: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(count * device.blockBytes).fill(seed);
  for (let at = 0; at < bytes.length; at += LABEL_EVERY_BYTES) {
    writeU32le(bytes, at, seed + at);
  }
  return bytes;
}

export async function write(device: BlockDevice, first: number, bytes: Uint8Array): Promise<void> {
  const written = await device.write(first, bytes);
  assert(written.ok, `block ${first}: written`);
}

export async function expect(device: BlockDevice, first: number, want: Uint8Array): Promise<void> {
  const got = new Uint8Array(want.length).fill(0xa5);
  const read = await device.read(first, got);
  assert(read.ok, `block ${first}: read`);
  assert(hot.equal(got, 0, want, 0, want.length), `block ${first}: holds what was written`);
}

function expectError(
  result: Awaited<ReturnType<BlockDevice['read']>>,
  kind: BlockError['kind'],
): void {
  assert(!result.ok && result.error.kind === kind, `refused: ${kind}`);
}

const identity: BlockCase = {
  name: 'size › makes sense',
  async run({ blockBytes, physicalBlockBytes, blockCount, name }) {
    assert(blockBytes >= 512 && (blockBytes & (blockBytes - 1)) === 0, 'a power of two');
    const ratio = physicalBlockBytes / blockBytes;
    assert(ratio >= 1 && (ratio & (ratio - 1)) === 0 && Number.isInteger(ratio), 'times another');
    assert(Number.isSafeInteger(blockCount) && blockCount >= BLOCKS_MIN, 'blocks to test with');
    assert(name.length > 0, 'a name');
  },
};

const readBack: BlockCase = {
  name: 'written › read back, from one block to sixteen',
  async run(device) {
    for (let count = 1; count <= BLOCKS_MIN; count++) {
      const bytes = pattern(device, count, count);
      await write(device, BLOCKS_MIN - count, bytes);
      await expect(device, BLOCKS_MIN - count, bytes);
    }
  },
};

const ends: BlockCase = {
  name: 'first and last block › written › read back',
  async run(device) {
    const last = device.blockCount - 1;
    await write(device, 0, pattern(device, 1, 1));
    await write(device, last, pattern(device, 1, 2));
    await expect(device, 0, pattern(device, 1, 1));
    await expect(device, last, pattern(device, 1, 2));
  },
};

const neighbours: BlockCase = {
  name: 'blocks beside › unchanged',
  async run(device) {
    await write(device, 0, pattern(device, 8, 10));
    await write(device, 3, pattern(device, 2, 20));
    const before = pattern(device, 8, 10);
    await expect(device, 0, before.subarray(0, 3 * device.blockBytes));
    await expect(device, 3, pattern(device, 2, 20));
    await expect(device, 5, before.subarray(5 * device.blockBytes));
  },
};

const together: BlockCase = {
  name: 'many at once › all are done',
  async run(device) {
    const numbers = Array.from({ length: BLOCKS_MIN }, (_, number) => number);
    await Promise.all(numbers.map((at) => write(device, at, pattern(device, 1, 30 + at))));
    await Promise.all(numbers.map((at) => expect(device, at, pattern(device, 1, 30 + at))));
    await Promise.all([device.flush(), expect(device, 5, pattern(device, 1, 35)), device.flush()]);
  },
};

const outside: BlockCase = {
  name: 'behind the end, before the beginning › refused, and nothing is touched',
  async run(device) {
    const { blockCount, blockBytes } = device;
    await write(device, blockCount - 1, pattern(device, 1, 40));
    const untouched = new Uint8Array(blockBytes).fill(0xa5);
    const firsts = [blockCount, blockCount + 1, -1, 0.5, 2 ** 52, Number.NaN, -0.5, Infinity];
    for (const first of firsts) {
      const into = new Uint8Array(blockBytes).fill(0xa5);
      expectError(await device.read(first, into), 'out of range');
      assert(hot.equal(into, 0, untouched, 0, blockBytes), 'the memory is untouched');
      expectError(await device.write(first, into), 'out of range');
    }
    // One past the end, from inside.
    expectError(await device.read(blockCount - 1, new Uint8Array(2 * blockBytes)), 'out of range');
    expectError(await device.write(blockCount - 1, pattern(device, 2, 50)), 'out of range');
    await expect(device, blockCount - 1, pattern(device, 1, 40));
  },
};

const partial: BlockCase = {
  name: 'not a whole number of blocks › refused, and nothing is touched',
  async run(device) {
    const { blockBytes } = device;
    await write(device, 0, pattern(device, 2, 60));
    for (const bytes of [0, 1, blockBytes - 1, blockBytes + 1]) {
      expectError(await device.read(0, new Uint8Array(bytes)), 'partial block');
      expectError(await device.write(0, new Uint8Array(bytes)), 'partial block');
    }
    await expect(device, 0, pattern(device, 2, 60));
  },
};

const flushed: BlockCase = {
  name: 'flush › done, with and without writes before',
  async run(device) {
    assert((await device.flush()).ok, 'nothing to flush');
    await write(device, 1, pattern(device, 1, 70));
    assert((await device.flush()).ok, 'flushed');
    await expect(device, 1, pattern(device, 1, 70));
  },
};

const large: BlockCase = {
  name: 'all blocks at once › written › read back',
  async run(device) {
    const count = Math.min(device.blockCount, 8_192);
    const bytes = pattern(device, count, 80);
    await write(device, device.blockCount - count, bytes);
    await expect(device, device.blockCount - count, bytes);
  },
};

const zeroed: BlockCase = {
  name: 'zeros written › read as zeros, and those beside unchanged; outside › refused',
  async run(device) {
    // A device that can't has no such method.
    if (device.writeZeroes === undefined) return;
    await write(device, 0, pattern(device, 8, 90));
    assert((await device.writeZeroes(2, 3)).ok, 'zeroed');
    await expect(device, 2, new Uint8Array(3 * device.blockBytes));
    const before = pattern(device, 8, 90);
    await expect(device, 0, before.subarray(0, 2 * device.blockBytes));
    await expect(device, 5, before.subarray(5 * device.blockBytes));
    for (const [first, count] of outsideRanges(device)) {
      expectError(await device.writeZeroes(first, count), 'out of range');
    }
  },
};

const discarded: BlockCase = {
  name: 'discarded › those beside unchanged, and written again as ever; outside › refused',
  async run(device) {
    if (device.discard === undefined) return;
    await write(device, 0, pattern(device, 8, 100));
    assert((await device.discard(2, 3)).ok, 'discarded');
    const into = new Uint8Array(3 * device.blockBytes);
    assert((await device.read(2, into)).ok, 'anything may be read');
    const before = pattern(device, 8, 100);
    await expect(device, 0, before.subarray(0, 2 * device.blockBytes));
    await expect(device, 5, before.subarray(5 * device.blockBytes));
    await write(device, 3, pattern(device, 1, 110));
    await expect(device, 3, pattern(device, 1, 110));
    for (const [first, count] of outsideRanges(device)) {
      expectError(await device.discard(first, count), 'out of range');
    }
  },
};

const outsideRanges = ({ blockCount }: BlockDevice): readonly (readonly [number, number])[] => [
  [blockCount, 1],
  [blockCount - 1, 2],
  [-1, 1],
  [0.5, 1],
  [0, 0],
  [0, -1],
  [0, 1.5],
  [0, Number.NaN],
  [1, 2 ** 53],
];

/** For a device that can be written. */
export const blockCases: readonly BlockCase[] = [
  identity,
  readBack,
  ends,
  neighbours,
  together,
  outside,
  partial,
  flushed,
  large,
  zeroed,
  discarded,
];

/** For one that can't. */
export const readOnlyBlockCases: readonly BlockCase[] = [
  identity,
  {
    name: 'read only › written › refused, and unchanged',
    async run(device) {
      const before = new Uint8Array(device.blockBytes);
      assert((await device.read(2, before)).ok, 'read');
      const other = before.map((byte) => byte ^ 0xff);
      expectError(await device.write(2, other), 'read only');
      const zeroed = (await device.writeZeroes?.(2, 1)) ?? null;
      if (zeroed !== null) expectError(zeroed, 'read only');
      const discarded = (await device.discard?.(2, 1)) ?? null;
      if (discarded !== null) expectError(discarded, 'read only');
      await expect(device, 2, before);
      assert((await device.flush()).ok, 'flushed');
    },
  },
];
