/**
 * A segment's header, its first block: whose it is, and where it stands in its stream, for when no
 * superblock is left. Read first: superblock.ts.
 */

import {
  err,
  hot,
  ok,
  type Result,
  readU16be,
  readU32be,
  type WireFault,
  writeU16be,
  writeU32be,
} from '#core';
import { type Checksum, hasSum, putSum, SUM_BYTES } from './checksum.ts';
import { readU48be, writeU48be } from './places.ts';
import { SEGMENT_USES, type SegmentUse, STORE_ID_BYTES } from './superblock.ts';

const at = {
  magic: 0,
  use: 4,
  reserved: 5,
  number: 6,
  storeId: 8,
  allocation: 24,
  previous: 30,
  chain: 32,
  blockShift: 40,
  hash: 41,
  segmentCount: 42,
  segmentBytes: 44,
  checksum: 48,
} as const;

export const SEGMENT_HEAD_BYTES = 56;
const MAGIC = 0x4d475347; // "MGSG"

export interface SegmentHead {
  readonly use: SegmentUse;
  readonly number: number;
  readonly storeId: Uint8Array;
  /** Counts all segments ever taken: of two with one number, the later is the one that is. */
  readonly allocation: number;
  /** The segment before it in its stream, or NO_SEGMENT. */
  readonly previous: number;
  /** With no segment before it: what the chain of checksums begins with. */
  readonly chain: Uint8Array;
  readonly blockBytes: number;
  readonly hash: 'SHA-1' | 'SHA-256';
  readonly segmentCount: number;
  readonly segmentBytes: number;
}

export function parseSegmentHead(
  checksum: Checksum,
  b: Uint8Array,
): Result<SegmentHead, WireFault> {
  if (b.length < SEGMENT_HEAD_BYTES) {
    return err({ kind: 'short', needBytes: SEGMENT_HEAD_BYTES, haveBytes: b.length });
  }
  const magic = readU32be(b, at.magic);
  if (magic !== MAGIC) return err({ kind: 'field', offset: at.magic, value: magic });
  if (!hasSum(checksum, b, at.checksum, SEGMENT_HEAD_BYTES)) {
    return err({ kind: 'checksum', offset: at.checksum });
  }
  const use = SEGMENT_USES[b[at.use]!];
  if (use === undefined) return err({ kind: 'field', offset: at.use, value: b[at.use]! });
  const hash = b[at.hash]!;
  if (hash !== 1 && hash !== 2) return err({ kind: 'field', offset: at.hash, value: hash });
  const shift = b[at.blockShift]!;
  if (shift > 16) return err({ kind: 'field', offset: at.blockShift, value: shift });
  return ok({
    use,
    number: readU16be(b, at.number),
    storeId: b.slice(at.storeId, at.storeId + STORE_ID_BYTES),
    allocation: readU48be(b, at.allocation),
    previous: readU16be(b, at.previous),
    chain: b.slice(at.chain, at.chain + SUM_BYTES),
    blockBytes: 2 ** shift,
    hash: hash === 1 ? 'SHA-1' : 'SHA-256',
    segmentCount: readU16be(b, at.segmentCount),
    segmentBytes: readU32be(b, at.segmentBytes),
  });
}

export function emitSegmentHead(checksum: Checksum, to: Uint8Array, repr: SegmentHead): number {
  to.fill(0, 0, SEGMENT_HEAD_BYTES);
  writeU32be(to, at.magic, MAGIC);
  to[at.use] = SEGMENT_USES.indexOf(repr.use);
  writeU16be(to, at.number, repr.number);
  hot.copy(to, at.storeId, repr.storeId, 0, STORE_ID_BYTES);
  writeU48be(to, at.allocation, repr.allocation);
  writeU16be(to, at.previous, repr.previous);
  hot.copy(to, at.chain, repr.chain, 0, SUM_BYTES);
  to[at.blockShift] = Math.log2(repr.blockBytes);
  to[at.hash] = repr.hash === 'SHA-1' ? 1 : 2;
  writeU16be(to, at.segmentCount, repr.segmentCount);
  writeU32be(to, at.segmentBytes, repr.segmentBytes);
  putSum(checksum, to, at.checksum, SEGMENT_HEAD_BYTES);
  return SEGMENT_HEAD_BYTES;
}
