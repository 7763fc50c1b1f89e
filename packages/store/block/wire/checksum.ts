/**
 * Checksums of everything but objects (which their ids check): the first bytes of a SHA-256, which
 * is native in images, and no accident makes.
 */

import { hot } from '#core';
import type { CryptoPrimitives } from '#device';

/** Of superblocks, pages, batches. */
export const SUM_BYTES = 8;
/** Of one record: a batch has the longer one around it. */
export const SHORT_SUM_BYTES = 4;

export type Checksum = (bytes: Uint8Array) => Uint8Array;

export const sha256 =
  (crypto: CryptoPrimitives): Checksum =>
  (bytes) =>
    crypto.digest('SHA-256', bytes);

/** Writes the sum of [0, at) and [at + SUM_BYTES, end) at `at`. */
export function putSum(checksum: Checksum, b: Uint8Array, at: number, end: number): void {
  b.fill(0, at, at + SUM_BYTES);
  hot.copy(b, at, checksum(b.subarray(0, end)), 0, SUM_BYTES);
}

/** Whether what `putSum` writes is there. Leaves `b` as it is. */
export function hasSum(checksum: Checksum, b: Uint8Array, at: number, end: number): boolean {
  const copy = b.slice(0, end);
  copy.fill(0, at, at + SUM_BYTES);
  return hot.equal(checksum(copy), 0, b, at, SUM_BYTES);
}
