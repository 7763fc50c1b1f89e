/** Integers of 48 bits: places, in bytes from the device's beginning, and numbers that grow. */

import { readU16be, readU32be, writeU16be, writeU32be } from '#core';

export const U48_BYTES = 6;

export const readU48be = (b: Uint8Array, at: number): number =>
  readU16be(b, at) * 0x100000000 + readU32be(b, at + 2);

/** `value`: 0..2^48-1. */
export function writeU48be(b: Uint8Array, at: number, value: number): void {
  writeU16be(b, at, Math.floor(value / 0x100000000));
  writeU32be(b, at + 2, value % 0x100000000);
}
