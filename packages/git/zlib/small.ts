/**
 * A platform's zlib, but for what is so small that a call into it costs more than our own work: a
 * pack's deltas mostly (docs/decisions/, zlib).
 */

import type { Zlib } from '#device';
import { inflate } from './inflate.ts';

/** Output up to which our inflate, compiled, is faster than a call of node:zlib: measured. */
const SMALL_BYTES_MAX = 200;

export function withSmall(zlib: Zlib): Zlib {
  if (zlib.name === 'portable') return zlib;
  return {
    name: zlib.name,
    deflate: (bytes, level) => zlib.deflate(bytes, level),
    inflate: (input, at, sizeBytesMax) =>
      sizeBytesMax <= SMALL_BYTES_MAX
        ? inflate(input, at, sizeBytesMax)
        : zlib.inflate(input, at, sizeBytesMax),
  };
}
