/**
 * The superblock: the root of everything on the device. There are four places for it; which is
 * valid and has the highest generation counts. The first 32 bytes keep their meaning in every
 * version, so that what comes from the future isn't taken for damage. Layout and versions:
 * docs/internals/block-store-format.md.
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
import { PAGE_BYTES, RUNS_MAX, SEGMENTS_MAX, SEGMENTS_MIN } from '../limits.ts';
import { type Checksum, hasSum, putSum, SUM_BYTES } from './checksum.ts';
import { readU48be, writeU48be } from './places.ts';

const at = {
  magic: 0,
  version: 16,
  usedBytes: 20,
  checksum: 24,
  generation: 32,
  storeId: 40,
  hash: 56,
  blockShift: 57,
  runCount: 58,
  segmentBytes: 60,
  segmentCount: 64,
  logFirst: 66,
  deviceBytes: 68,
  tailPlace: 74,
  tailSequence: 80,
  tailChain: 86,
  allocations: 94,
  collectedFirst: 100,
  collections: 102,
  runs: 108,
} as const;

export const FORMAT_VERSION = 1;
/** Never changes: "morgana-store", and bytes that a transfer as text would spoil. */
const MAGIC = 'morgana-store\r\n\x1a';
const RUN_BYTES = 12;
const SEGMENT_ENTRY_BYTES = 4;
const FIXED_BYTES = 32;
export const STORE_ID_BYTES = 16;
/** "No segment": the end of a chain. */
export const NO_SEGMENT = 0xffff;

/** What a segment is used for, in a table and in its own header. */
export type SegmentUse = 'free' | 'log' | 'collected' | 'index';
/** By their numbers on the device. */
export const SEGMENT_USES: readonly SegmentUse[] = ['free', 'log', 'collected', 'index'];

export interface SegmentEntry {
  readonly use: SegmentUse;
  /** The segment that goes on where this one ends, or NO_SEGMENT. */
  readonly next: number;
}

/** A sorted part of the index. */
export interface RunRoot {
  readonly firstSegment: number;
  readonly pageCount: number;
  readonly entryCount: number;
}

export interface Superblock {
  readonly generation: number;
  readonly storeId: Uint8Array;
  readonly hash: 'SHA-1' | 'SHA-256';
  readonly blockBytes: number;
  readonly deviceBytes: number;
  readonly segmentBytes: number;
  /** The log from its first segment on, and what the last collection kept. */
  readonly logFirst: number;
  readonly collectedFirst: number;
  /** Where scanning begins: everything before is in `runs`. */
  readonly tail: { readonly place: number; readonly sequence: number; readonly chain: Uint8Array };
  /** Segments taken since the store was made. */
  readonly allocations: number;
  readonly collections: number;
  /** Oldest first. */
  readonly runs: readonly RunRoot[];
  readonly segments: readonly SegmentEntry[];
}

export type SuperblockFault =
  | WireFault
  /** Not one of ours. */
  | { readonly kind: 'foreign' }
  /** Ours, whole, and of a later format. */
  | { readonly kind: 'future'; readonly version: number };

const usedBytes = (runs: number, segments: number): number =>
  at.runs + RUN_BYTES * runs + SEGMENT_ENTRY_BYTES * segments;

/** Null when the checksum holds over a superblock of this version. */
function checkSuperblock(checksum: Checksum, b: Uint8Array): SuperblockFault | null {
  if (b.length < FIXED_BYTES) {
    return { kind: 'short', needBytes: FIXED_BYTES, haveBytes: b.length };
  }
  if (hot.latin1(b, at.magic, at.magic + MAGIC.length) !== MAGIC) return { kind: 'foreign' };
  const used = readU32be(b, at.usedBytes);
  if (used < FIXED_BYTES || used > PAGE_BYTES) {
    return { kind: 'field', offset: at.usedBytes, value: used };
  }
  if (used > b.length) return { kind: 'short', needBytes: used, haveBytes: b.length };
  if (!hasSum(checksum, b, at.checksum, used)) return { kind: 'checksum', offset: at.checksum };
  const version = readU32be(b, at.version);
  if (version > FORMAT_VERSION) return { kind: 'future', version };
  if (version < 1) return { kind: 'field', offset: at.version, value: version };
  return used < at.runs ? { kind: 'field', offset: at.usedBytes, value: used } : null;
}

/** The checksum holds and every field makes sense: places lie inside, chains come to an end. */
export function parseSuperblock(
  checksum: Checksum,
  b: Uint8Array,
): Result<Superblock, SuperblockFault> {
  const fault = checkSuperblock(checksum, b) ?? checkFields(b);
  if (fault !== null) return err(fault);
  const runCount = b[at.runCount]!;
  const segmentCount = readU16be(b, at.segmentCount);
  const segments: SegmentEntry[] = [];
  for (let i = 0, p = at.runs + RUN_BYTES * runCount; i < segmentCount; i++, p += 4) {
    const use = SEGMENT_USES[b[p + 2]!];
    if (use === undefined || b[p + 3] !== 0) {
      return err({ kind: 'field', offset: p + 2, value: b[p + 2]! });
    }
    segments.push({ use, next: readU16be(b, p) });
  }
  const superblock: Superblock = {
    generation: readU48be(b, at.generation),
    storeId: b.slice(at.storeId, at.storeId + STORE_ID_BYTES),
    hash: b[at.hash] === 1 ? 'SHA-1' : 'SHA-256',
    blockBytes: 2 ** b[at.blockShift]!,
    deviceBytes: readU48be(b, at.deviceBytes),
    segmentBytes: readU32be(b, at.segmentBytes),
    logFirst: readU16be(b, at.logFirst),
    collectedFirst: readU16be(b, at.collectedFirst),
    tail: {
      place: readU48be(b, at.tailPlace),
      sequence: readU48be(b, at.tailSequence),
      chain: b.slice(at.tailChain, at.tailChain + SUM_BYTES),
    },
    allocations: readU48be(b, at.allocations),
    collections: readU48be(b, at.collections),
    runs: readRuns(b, runCount),
    segments,
  };
  const wrong = checkChains(superblock);
  return wrong === null ? ok(superblock) : err(wrong);
}

function readRuns(b: Uint8Array, count: number): RunRoot[] {
  const runs: RunRoot[] = [];
  for (let i = 0, p = at.runs; i < count; i++, p += RUN_BYTES) {
    const firstSegment = readU16be(b, p);
    const pageCount = readU32be(b, p + 2);
    runs.push({ firstSegment, pageCount, entryCount: readU48be(b, p + 6) });
  }
  return runs;
}

function checkFields(b: Uint8Array): WireFault | null {
  const field = (offset: number, value: number): WireFault => ({ kind: 'field', offset, value });
  const hash = b[at.hash]!;
  if (hash !== 1 && hash !== 2) return field(at.hash, hash);
  const shift = b[at.blockShift]!;
  if (shift < 9 || shift > 16) return field(at.blockShift, shift);
  const runs = b[at.runCount]!;
  if (runs > RUNS_MAX) return field(at.runCount, runs);
  const segments = readU16be(b, at.segmentCount);
  if (segments < SEGMENTS_MIN || segments > SEGMENTS_MAX) return field(at.segmentCount, segments);
  const used = readU32be(b, at.usedBytes);
  if (used !== usedBytes(runs, segments)) return field(at.usedBytes, used);
  const segmentBytes = readU32be(b, at.segmentBytes);
  const isWhole = segmentBytes > 0 && segmentBytes % 2 ** shift === 0;
  return isWhole ? null : field(at.segmentBytes, segmentBytes);
}

/** Every chain goes through segments of its own use, each once, and ends. */
function checkChains({ segments, runs, logFirst, collectedFirst }: Superblock): WireFault | null {
  const seen = new Uint8Array(segments.length);
  const walk = (first: number, use: SegmentUse): WireFault | null => {
    for (let number = first; number !== NO_SEGMENT; number = segments[number]!.next) {
      const entry = segments[number];
      if (entry === undefined || entry.use !== use || seen[number] !== 0) {
        return { kind: 'field', offset: at.runs, value: number };
      }
      seen[number] = 1;
    }
    return null;
  };
  let wrong = walk(logFirst, 'log') ?? walk(collectedFirst, 'collected');
  for (const run of runs) wrong ??= walk(run.firstSegment, 'index');
  if (wrong !== null) return wrong;
  const stray = segments.findIndex(({ use, next }, number) =>
    use === 'free' ? next !== NO_SEGMENT : seen[number] === 0,
  );
  return stray < 0 ? null : { kind: 'field', offset: at.runs, value: stray };
}

/** Writes it from offset 0 and returns its length: PAGE_BYTES at most. */
export function emitSuperblock(checksum: Checksum, to: Uint8Array, repr: Superblock): number {
  const used = usedBytes(repr.runs.length, repr.segments.length);
  to.fill(0, 0, used);
  hot.writeLatin1(to, at.magic, MAGIC);
  writeU32be(to, at.version, FORMAT_VERSION);
  writeU32be(to, at.usedBytes, used);
  writeU48be(to, at.generation, repr.generation);
  hot.copy(to, at.storeId, repr.storeId, 0, STORE_ID_BYTES);
  to[at.hash] = repr.hash === 'SHA-1' ? 1 : 2;
  to[at.blockShift] = Math.log2(repr.blockBytes);
  to[at.runCount] = repr.runs.length;
  writeU32be(to, at.segmentBytes, repr.segmentBytes);
  writeU16be(to, at.segmentCount, repr.segments.length);
  writeU16be(to, at.logFirst, repr.logFirst);
  writeU48be(to, at.deviceBytes, repr.deviceBytes);
  writeU48be(to, at.tailPlace, repr.tail.place);
  writeU48be(to, at.tailSequence, repr.tail.sequence);
  hot.copy(to, at.tailChain, repr.tail.chain, 0, SUM_BYTES);
  writeU48be(to, at.allocations, repr.allocations);
  writeU16be(to, at.collectedFirst, repr.collectedFirst);
  writeU48be(to, at.collections, repr.collections);
  let p: number = at.runs;
  for (const { firstSegment, pageCount, entryCount } of repr.runs) {
    writeU16be(to, p, firstSegment);
    writeU32be(to, p + 2, pageCount);
    writeU48be(to, p + 6, entryCount);
    p += RUN_BYTES;
  }
  for (const { use, next } of repr.segments) {
    writeU16be(to, p, next);
    to[p + 2] = SEGMENT_USES.indexOf(use);
    p += SEGMENT_ENTRY_BYTES;
  }
  putSum(checksum, to, at.checksum, used);
  return used;
}

export function formatSuperblock(repr: Superblock): string {
  const free = repr.segments.filter(({ use }) => use === 'free').length;
  return `generation ${repr.generation}, ${repr.runs.length} runs, ${free} of ${repr.segments.length} segments free`;
}
