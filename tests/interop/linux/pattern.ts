/**
 * The bytes that peers send each other: byte i of a stream is byte i mod BLOCK_BYTES of one block,
 * so that both ends know them by their place. The length is prime: nothing that is a power of two
 * out of place looks right. Images and Node processes both link this.
 */

import { hot } from '#core';

export const BLOCK_BYTES = 65_521;

/** The block twice, so that every stretch of up to BLOCK_BYTES is one piece of it. */
export const PATTERN: Uint8Array = (() => {
  const bytes = new Uint8Array(2 * BLOCK_BYTES);
  let state = 0x12345678;
  for (let i = 0; i < BLOCK_BYTES; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
    bytes[i + BLOCK_BYTES] = state >>> 24;
  }
  return bytes;
})();

/** Bytes [at, at + count) of a stream; `count` is at most BLOCK_BYTES. */
export const patternAt = (at: number, count: number): Uint8Array =>
  PATTERN.subarray(at % BLOCK_BYTES, (at % BLOCK_BYTES) + count);

/** The place of the first byte of `bytes`, which begin at `at`, that is wrong; -1: none is. */
export function firstWrong(bytes: Uint8Array, at: number): number {
  const place = at % BLOCK_BYTES;
  const fits = place + bytes.length <= PATTERN.length;
  if (fits && hot.equal(bytes, 0, PATTERN, place, bytes.length)) return -1;
  for (let i = 0, from = place; i < bytes.length; i++, from++) {
    if (from === 2 * BLOCK_BYTES) from = BLOCK_BYTES;
    if (bytes[i] !== PATTERN[from]) return at + i;
  }
  return -1;
}
