/**
 * What stands before each object in a pack: its type, the size of what its stream inflates to, and
 * of a delta what it is one of (Git: gitformat-pack). Read first: ../backend.ts (PackEntry). Not
 * here: the stream (packages/device/zlib.ts), what a delta says (delta.ts).
 */

import { assert, err, ok, type Result, type WireFault } from '#core';
import type { ObjectKind } from '../object.ts';
import { type ObjectId, readId, writeId } from '../object-id.ts';

const TYPES: readonly (ObjectKind | null)[] = [null, 'commit', 'tree', 'blob', 'tag'];
const OFFSET_DELTA = 6;
const ID_DELTA = 7;
const TYPE_OF: Readonly<Record<ObjectKind, number>> = { commit: 1, tree: 2, blob: 3, tag: 4 };
/** Sizes stay exact integers: 4 bits, then 7 for each of 7 more bytes. */
const SIZE_BYTES_MAX = 8;
const OFFSET_BYTES_MAX = 7;
/** Of any head: type and size, and the id of a base in a repository of SHA-256. */
export const ENTRY_HEAD_BYTES_MAX = SIZE_BYTES_MAX + 32;

/** Where a delta's base is: so many bytes before its own head, or under a name. */
export type DeltaBase =
  | { readonly distance: number; readonly id?: undefined }
  | { readonly id: ObjectId; readonly distance?: undefined };

export interface EntryHead {
  /** Null for a delta, whose kind is its base's. */
  readonly kind: ObjectKind | null;
  /** Of what the stream inflates to: the object, or the delta. */
  readonly sizeBytes: number;
  readonly base: DeltaBase | null;
  /** Of the head. */
  readonly headBytes: number;
}

/** The head at `at`; `idBytes` is 20 or 32. 'short' when `b` ends before it does. */
export function parseEntryHead(
  b: Uint8Array,
  at: number,
  idBytes: number,
): Result<EntryHead, WireFault> {
  if (at >= b.length) return short(b, at + 1);
  const first = b[at]!;
  const type = (first >> 4) & 7;
  const kind = TYPES[type] ?? null;
  if (kind === null && type !== OFFSET_DELTA && type !== ID_DELTA) return bad(b, at);
  let sizeBytes = first & 15;
  let scale = 16;
  let next = at + 1;
  let last = first;
  while (last >= 0x80) {
    if (next - at === SIZE_BYTES_MAX) return bad(b, next);
    if (next >= b.length) return short(b, next + 1);
    last = b[next]!;
    sizeBytes += (last & 0x7f) * scale;
    scale *= 128;
    next += 1;
  }
  if (kind !== null) return ok({ kind, sizeBytes, base: null, headBytes: next - at });
  if (type === ID_DELTA) {
    if (next + idBytes > b.length) return short(b, next + idBytes);
    const base = { id: readId(b, next, idBytes) };
    return ok({ kind: null, sizeBytes, base, headBytes: next + idBytes - at });
  }
  return parseDistance(b, at, next, sizeBytes);
}

/** Big-endian groups of 7 bits; each that is followed counts one more, so that no form is spare. */
function parseDistance(
  b: Uint8Array,
  at: number,
  start: number,
  sizeBytes: number,
): Result<EntryHead, WireFault> {
  let next = start;
  let distance = -1;
  let last = 0x80;
  while (last >= 0x80) {
    if (next - start === OFFSET_BYTES_MAX) return bad(b, next);
    if (next >= b.length) return short(b, next + 1);
    last = b[next]!;
    distance = (distance + 1) * 128 + (last & 0x7f);
    next += 1;
  }
  if (distance === 0) return bad(b, start);
  return ok({ kind: null, sizeBytes, base: { distance }, headBytes: next - at });
}

const short = (b: Uint8Array, needBytes: number) =>
  err<WireFault>({ kind: 'short', needBytes, haveBytes: b.length });
const bad = (b: Uint8Array, offset: number) =>
  err<WireFault>({ kind: 'field', offset, value: b[offset] ?? 0 });

/** Writes the head at `at`, of at most ENTRY_HEAD_BYTES_MAX, and returns its length. */
export function emitEntryHead(
  to: Uint8Array,
  at: number,
  kind: ObjectKind,
  sizeBytes: number,
  base: DeltaBase | null,
): number {
  assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, 'a size');
  const type = base === null ? TYPE_OF[kind] : base.id === undefined ? OFFSET_DELTA : ID_DELTA;
  let rest = Math.floor(sizeBytes / 16);
  let next = at;
  to[next++] = (rest > 0 ? 0x80 : 0) + type * 16 + (sizeBytes % 16);
  while (rest > 0) {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    to[next++] = (rest > 0 ? 0x80 : 0) + low;
  }
  if (base === null) return next - at;
  if (base.id !== undefined) return next + writeId(to, next, base.id) - at;
  return next + emitDistance(to, next, base.distance) - at;
}

function emitDistance(to: Uint8Array, at: number, distance: number): number {
  assert(Number.isSafeInteger(distance) && distance > 0, 'a distance');
  const groups = [distance % 128];
  let rest = Math.floor(distance / 128);
  while (rest > 0) {
    rest -= 1;
    groups.push(0x80 + (rest % 128));
    rest = Math.floor(rest / 128);
  }
  for (let i = 0; i < groups.length; i++) to[at + i] = groups[groups.length - 1 - i]!;
  return groups.length;
}
