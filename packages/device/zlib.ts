/**
 * Compression in zlib's format (RFC 1950), as Git's objects and packs have it: synchronous, with
 * bounded output. Types only; a target may bring its own (targets/node/zlib.ts), and
 * packages/git/zlib has the portable one, which is everywhere else.
 *
 * Ownership: arguments are borrowed for the call; results are fresh and the caller's.
 */

import type { Result } from '#core';

/** 0 stores, 1 is the fastest, 9 the smallest. */
export type ZlibLevel = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** What zlib itself takes when nobody says. */
export const ZLIB_LEVEL = 6;

/**
 * `cut`: the input ends before the stream does. `too long`: the stream has more than the bytes that
 * were allowed. `damaged`: no stream of zlib has these bytes (a checksum is among them).
 */
export type ZlibFault = 'cut' | 'damaged' | 'too long';

export interface Inflated {
  readonly bytes: Uint8Array;
  /** Bytes of the stream, its header and its Adler-32 among them; what follows isn't looked at. */
  readonly usedBytes: number;
}

export interface Zlib {
  /** 'node' or 'portable'. */
  readonly name: string;
  /** A whole stream; the same bytes and level give the same stream again. */
  deflate(bytes: Uint8Array, level?: ZlibLevel): Uint8Array;
  /**
   * The stream that begins at `at` (0..input.length). Never allocates more than a small multiple of
   * `sizeBytesMax`, nor of what the stream has; give the exact size when it is known, which is
   * fastest.
   */
  inflate(input: Uint8Array, at: number, sizeBytesMax: number): Result<Inflated, ZlibFault>;
}
