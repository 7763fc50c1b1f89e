/**
 * What a BlockDevice keeps when its power is lost, as cases for any device whose power can be taken
 * away. Each case is run with many seeds: what a loss leaves is the device's to choose. Required
 * reading: block.ts.
 */

import { assert, hot } from '#core';
import type { BlockDevice } from '#device';
import { expect, pattern, write } from './block.ts';

export interface BlockCrashRig {
  /** 32 blocks at least, all zeros. */
  readonly device: BlockDevice;
  /** Takes the power away, and gives the device as it is afterwards. */
  crash(): Promise<BlockDevice>;
}

export interface BlockCrashCase {
  readonly name: string;
  run(rig: BlockCrashRig): Promise<void>;
}

const flush = async (device: BlockDevice): Promise<void> =>
  assert((await device.flush()).ok, 'flushed');

async function block(device: BlockDevice, number: number): Promise<Uint8Array> {
  const into = new Uint8Array(device.blockBytes);
  assert((await device.read(number, into)).ok, `block ${number}: read`);
  return into;
}

/** The blocks of `from..` that don't hold `want`, by number. */
async function different(device: BlockDevice, from: number, want: Uint8Array): Promise<number[]> {
  const found: number[] = [];
  const { blockBytes } = device;
  for (let at = 0; at < want.length; at += blockBytes) {
    const number = from + at / blockBytes;
    if (!hot.equal(await block(device, number), 0, want, at, blockBytes)) found.push(number);
  }
  return found;
}

const kept: BlockCrashCase = {
  name: 'written, flushed › power lost › there',
  async run({ device, crash }) {
    await write(device, 3, pattern(device, 9, 1));
    await flush(device);
    await expect(await crash(), 3, pattern(device, 9, 1));
  },
};

const beside: BlockCrashCase = {
  name: 'written, not flushed › power lost › those beside are as they were flushed',
  async run({ device, crash }) {
    await write(device, 0, pattern(device, 16, 2));
    await flush(device);
    await write(device, 4, pattern(device, 4, 3));
    const after = await crash();
    const before = pattern(device, 16, 2);
    const touched = await different(after, 0, before);
    assert(
      touched.every((number) => number >= 4 && number < 8),
      'no other block was touched',
    );
  },
};

const rewritten: BlockCrashCase = {
  name: 'written, flushed, over and over › power lost › what was flushed last',
  async run({ device, crash }) {
    for (let round = 0; round < 5; round++) {
      await write(device, round, pattern(device, 6, 10 + round));
      await flush(device);
    }
    const after = await crash();
    await expect(after, 4, pattern(device, 6, 14));
    for (let round = 0; round < 4; round++) {
      await expect(after, round, pattern(device, 1, 10 + round));
    }
  },
};

const together: BlockCrashCase = {
  name: 'writes and flushes at once › power lost › what was done before a flush is there',
  async run({ device, crash }) {
    await Promise.all([0, 1, 2].map((at) => write(device, 2 * at, pattern(device, 1, 20 + at))));
    const flushed = device.flush();
    const later = [3, 4, 5].map((at) => device.write(2 * at, pattern(device, 1, 20 + at)));
    assert((await flushed).ok, 'flushed');
    const after = await crash();
    await Promise.all(later);
    for (const at of [0, 1, 2]) await expect(after, 2 * at, pattern(device, 1, 20 + at));
    for (const at of [1, 3, 5, 7]) await expect(after, at, new Uint8Array(device.blockBytes));
  },
};

const twoFlushes: BlockCrashCase = {
  name: 'a flush that ends behind a later write › power lost › both flushed writes are there',
  async run({ device, crash }) {
    await write(device, 1, pattern(device, 2, 30));
    const first = device.flush();
    await write(device, 2, pattern(device, 2, 31));
    const second = device.flush();
    assert((await first).ok && (await second).ok, 'flushed');
    const after = await crash();
    await expect(after, 1, pattern(device, 1, 30));
    await expect(after, 2, pattern(device, 2, 31));
  },
};

const zeroed: BlockCrashCase = {
  name: 'zeros written, blocks discarded, flushed › power lost › zeros, and others are there',
  async run({ device, crash }) {
    await write(device, 0, pattern(device, 12, 40));
    await flush(device);
    assert((await device.writeZeroes?.(2, 2))?.ok ?? true, 'zeroed');
    assert((await device.discard?.(6, 2))?.ok ?? true, 'discarded');
    await flush(device);
    const after = await crash();
    if (device.writeZeroes !== undefined) {
      await expect(after, 2, new Uint8Array(2 * device.blockBytes));
    }
    const before = pattern(device, 12, 40);
    const touched = await different(after, 0, before);
    assert(
      touched.every((number) => [2, 3, 6, 7].includes(number)),
      'no other block was touched',
    );
  },
};

const again: BlockCrashCase = {
  name: 'power lost › written and flushed again › works',
  async run({ device, crash }) {
    await write(device, 0, pattern(device, 4, 50));
    const after = await crash();
    await write(after, 0, pattern(after, 8, 51));
    await flush(after);
    await expect(after, 0, pattern(after, 8, 51));
  },
};

export const blockCrashCases: readonly BlockCrashCase[] = [
  kept,
  beside,
  rewritten,
  together,
  twoFlushes,
  zeroed,
  again,
];
