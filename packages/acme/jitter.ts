/** Chance for waits, so that many machines that failed together don't come back together. */

import { type Duration, readU32be } from '#core';
import type { Entropy } from '#device';

/** 0 <= x < 1. */
export function chance(entropy: Entropy): number {
  const bytes = new Uint8Array(4);
  entropy.fill(bytes);
  return readU32be(bytes, 0) / 0x1_0000_0000;
}

/** `wait`, and up to a quarter of it more. */
export const jittered = (wait: Duration, entropy: Entropy): Duration =>
  Math.round(wait * (1 + chance(entropy) / 4)) as Duration;

/** `first`, doubled `times` times, `max` at most. */
export const backOff = (first: Duration, times: number, max: Duration): Duration =>
  Math.min(first * 2 ** Math.min(times, 30), max) as Duration;
