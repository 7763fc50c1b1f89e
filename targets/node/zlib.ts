/** Zlib by node:zlib, for programs on Node and for tests. */

import { deflateSync, inflateSync } from 'node:zlib';
import { assert, err, ok } from '#core';
import { type Inflated, ZLIB_LEVEL, type Zlib, type ZlibFault } from '#device';

/** Bytes that Node makes room for at a time: its least, and what it takes when nobody says. */
const CHUNK_BYTES_MIN = 64;
const CHUNK_BYTES_MAX = 65_536;
/** Of zlib's MIN_LOOKAHEAD: matches reach no further back than the window less these. */
const LOOK_AHEAD_BYTES = 262;

export const zlib: Zlib = {
  name: 'node',
  deflate: (bytes, level = ZLIB_LEVEL) =>
    plain(deflateSync(bytes, { level, ...room(bytes.length) })),
  inflate(input, at, sizeBytesMax) {
    assert(at >= 0 && at <= input.length && sizeBytesMax >= 0);
    const chunkSize = Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, sizeBytesMax));
    try {
      // One byte more than allowed tells a stream that is too long from one that just fits.
      const maxOutputLength = sizeBytesMax + 1;
      const options = { info: true, chunkSize, maxOutputLength } as const;
      const { buffer, engine } = inflateSync(input.subarray(at), options) as unknown as Whole;
      return buffer.length > sizeBytesMax
        ? err('too long')
        : ok({ bytes: plain(buffer), usedBytes: engine.bytesWritten } satisfies Inflated);
    } catch (error) {
      return err(faultOf(error as NodeJS.ErrnoException));
    }
  },
};

/**
 * What of its 400 KB zlib needs for so few bytes: a window that they fit, with the look-ahead; as
 * many symbols in a block as they have. Most objects are small, and clearing the rest would take
 * longer than deflating them.
 */
function room(sizeBytes: number) {
  const windowBits = Math.min(15, Math.max(9, Math.ceil(Math.log2(sizeBytes + LOOK_AHEAD_BYTES))));
  const memLevel = Math.min(8, Math.max(1, Math.ceil(Math.log2(sizeBytes + 1)) - 6));
  const most = sizeBytes + Math.ceil(sizeBytes / 8) + CHUNK_BYTES_MIN;
  return { windowBits, memLevel, chunkSize: Math.min(CHUNK_BYTES_MAX, most) };
}

/** Not a Buffer, whose `slice` shares; and no large array kept for a small content. */
function plain(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset, length } = bytes;
  const isTight = buffer.byteLength <= length * 2;
  return isTight ? new Uint8Array(buffer, byteOffset, length) : new Uint8Array(bytes);
}

/** What `info` makes of the result. */
interface Whole {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

function faultOf(error: NodeJS.ErrnoException): ZlibFault {
  switch (error.code) {
    case 'Z_BUF_ERROR':
      return 'cut';
    case 'ERR_BUFFER_TOO_LARGE':
      return 'too long';
    // A stream with a preset dictionary, which Git has none of.
    case 'Z_NEED_DICT':
    case 'Z_DATA_ERROR':
      return 'damaged';
    default:
      throw error;
  }
}
