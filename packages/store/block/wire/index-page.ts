/**
 * A page of a run of the index: ids in order, each with the place of its record. Behind a run's
 * pages come fence pages: the first 32 bits of each page's first id, which are kept in memory.
 */

import {
  err,
  ok,
  type Result,
  readU16be,
  readU32be,
  type WireFault,
  writeU16be,
  writeU32be,
} from '#core';
import { PAGE_BYTES } from '../limits.ts';
import { type Checksum, hasSum, putSum } from './checksum.ts';
import { U48_BYTES } from './places.ts';

const at = { magic: 0, kind: 2, count: 4, number: 6, checksum: 10, entries: 18 } as const;
const MAGIC = 0x4d49; // "MI"
const KIND_ENTRIES = 0;
const KIND_FENCES = 1;
const FENCE_BYTES = 4;

export const FENCES_PER_PAGE = Math.floor((PAGE_BYTES - at.entries) / FENCE_BYTES);

export const entryBytes = (idBytes: number): number => idBytes + U48_BYTES;
export const entriesPerPage = (idBytes: number): number =>
  Math.floor((PAGE_BYTES - at.entries) / entryBytes(idBytes));
export const fencePages = (pages: number): number => Math.ceil(pages / FENCES_PER_PAGE);

/** Null when `b`, a whole page, is page `number` of entries. Their order isn't looked at. */
export function checkIndexPage(
  checksum: Checksum,
  b: Uint8Array,
  number: number,
  idBytes: number,
): WireFault | null {
  const wrong = checkHead(checksum, b, number, KIND_ENTRIES, entriesPerPage(idBytes));
  if (wrong !== null) return wrong;
  return indexCount(b) === 0 ? { kind: 'field', offset: at.count, value: 0 } : null;
}

/** Whether a checked page's ids are in strict order, and behind those of the page before. */
export function checkIndexOrder(b: Uint8Array, before: Uint8Array | null, idBytes: number) {
  const count = indexCount(b);
  if (before !== null) {
    const last = indexEntryAt(indexCount(before) - 1, idBytes);
    if (compareBytes(before, last, b, at.entries, idBytes) >= 0) return false;
  }
  for (let i = 1; i < count; i++) {
    const p = indexEntryAt(i, idBytes);
    if (compareBytes(b, p - entryBytes(idBytes), b, p, idBytes) >= 0) return false;
  }
  return true;
}

function checkHead(
  checksum: Checksum,
  b: Uint8Array,
  number: number,
  kind: number,
  countMax: number,
): WireFault | null {
  if (b.length !== PAGE_BYTES) {
    return b.length < PAGE_BYTES
      ? { kind: 'short', needBytes: PAGE_BYTES, haveBytes: b.length }
      : { kind: 'field', offset: 0, value: b.length };
  }
  const magic = readU16be(b, at.magic);
  if (magic !== MAGIC) return { kind: 'field', offset: at.magic, value: magic };
  if (!hasSum(checksum, b, at.checksum, PAGE_BYTES)) {
    return { kind: 'checksum', offset: at.checksum };
  }
  if (readU16be(b, at.kind) !== kind) return { kind: 'field', offset: at.kind, value: b[at.kind]! };
  if (readU32be(b, at.number) !== number) {
    return { kind: 'field', offset: at.number, value: readU32be(b, at.number) };
  }
  const count = readU16be(b, at.count);
  return count <= countMax ? null : { kind: 'field', offset: at.count, value: count };
}

/** Of a page that was checked. */
export const indexCount = (b: Uint8Array): number => readU16be(b, at.count);
export const indexEntryAt = (index: number, idBytes: number): number =>
  at.entries + index * entryBytes(idBytes);

/** Where in a checked page `id` (its bytes) stands, or -1. */
export function findInPage(b: Uint8Array, id: Uint8Array): number {
  let low = 0;
  let high = indexCount(b) - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const order = compareBytes(b, indexEntryAt(middle, id.length), id, 0, id.length);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

export function compareBytes(
  a: Uint8Array,
  aAt: number,
  b: Uint8Array,
  bAt: number,
  count: number,
): number {
  for (let i = 0; i < count; i++) {
    const order = a[aAt + i]! - b[bAt + i]!;
    if (order !== 0) return order;
  }
  return 0;
}

/** Finishes a page whose entries are written already. */
export function sealIndexPage(
  checksum: Checksum,
  b: Uint8Array,
  number: number,
  count: number,
  idBytes: number,
): void {
  b.fill(0, indexEntryAt(count, idBytes));
  seal(checksum, b, number, count, KIND_ENTRIES);
}

function seal(checksum: Checksum, b: Uint8Array, number: number, count: number, kind: number) {
  writeU16be(b, at.magic, MAGIC);
  writeU16be(b, at.kind, kind);
  writeU16be(b, at.count, count);
  writeU32be(b, at.number, number);
  putSum(checksum, b, at.checksum, PAGE_BYTES);
}

/** Page `number` of the fences, of `values` from `from` on. */
export function emitFencePage(
  checksum: Checksum,
  b: Uint8Array,
  number: number,
  values: Uint32Array,
): void {
  b.fill(0);
  const from = number * FENCES_PER_PAGE;
  const count = Math.min(FENCES_PER_PAGE, values.length - from);
  for (let i = 0; i < count; i++) writeU32be(b, at.entries + FENCE_BYTES * i, values[from + i]!);
  seal(checksum, b, number, count, KIND_FENCES);
}

/** Reads page `number` of the fences into `values`. */
export function parseFencePage(
  checksum: Checksum,
  b: Uint8Array,
  number: number,
  values: Uint32Array,
): Result<void, WireFault> {
  const wrong = checkHead(checksum, b, number, KIND_FENCES, FENCES_PER_PAGE);
  if (wrong !== null) return err(wrong);
  const from = number * FENCES_PER_PAGE;
  const count = readU16be(b, at.count);
  if (count !== Math.min(FENCES_PER_PAGE, values.length - from)) {
    return err({ kind: 'field', offset: at.count, value: count });
  }
  for (let i = 0; i < count; i++) values[from + i] = readU32be(b, at.entries + FENCE_BYTES * i);
  return ok(undefined);
}
