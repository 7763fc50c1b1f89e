/**
 * A record: an object as an entry of a pack (deflated, whole or a delta upon another object), or
 * what refs became. In the log an object's record has its id; a collection leaves it out, since the
 * index and the object itself have it.
 */

import { err, hot, ok, type Result, type WireFault } from '#core';
import { type ObjectId, type ObjectKind, readId, writeId } from '#git';
import { OBJECT_BYTES_MAX } from '../limits.ts';
import { type Checksum, SHORT_SUM_BYTES } from './checksum.ts';

/** The tag's low four bits say what it is, the others what stands in it. */
const OBJECT_TAGS: readonly (ObjectKind | null)[] = [null, 'commit', 'tree', 'blob', 'tag'];
const TAG_REFS = 8;
const TAG_SNAPSHOT = 9;
const KIND_MASK = 0x0f;
const HAS_ID_BIT = 0x10;
const IS_DELTA_BIT = 0x20;
const RESERVED_MASK = 0xc0;
const LENGTH_DIGITS_MAX = 5;
/** Tag, two lengths, two ids, checksum. */
export const RECORD_OVERHEAD_MAX = 1 + 2 * LENGTH_DIGITS_MAX + 2 * 32 + SHORT_SUM_BYTES;

export interface ObjectRecord {
  readonly kind: ObjectKind;
  /** Null: who looks for it knows. */
  readonly id: ObjectId | null;
  readonly base: ObjectId | null;
  /** Of what `payload` inflates to. */
  readonly sizeBytes: number;
  /** A whole zlib stream. */
  readonly payload: Uint8Array;
}

/** `refs`: what became of some; `snapshot`: all of them, at the beginning of a log's tail. */
export interface RefsRecord {
  readonly kind: 'refs' | 'snapshot';
  readonly payload: Uint8Array;
}

export type StoredRecord = ObjectRecord | RefsRecord;

export const isObjectRecord = (record: StoredRecord): record is ObjectRecord =>
  record.kind !== 'refs' && record.kind !== 'snapshot';

/** What stands before the payload. */
export interface RecordHead {
  readonly kind: StoredRecord['kind'];
  readonly id: ObjectId | null;
  readonly base: ObjectId | null;
  readonly sizeBytes: number;
  readonly payloadBytes: number;
  /** Where the payload begins. */
  readonly headBytes: number;
  /** All of it, its checksum too. */
  readonly recordBytes: number;
}

const short = (needBytes: number, haveBytes: number): Result<never, WireFault> =>
  err({ kind: 'short', needBytes, haveBytes });

/** The head of the record at `at`; not its checksum. `idBytes`: 20 or 32. */
export function parseRecordHead(
  b: Uint8Array,
  at: number,
  idBytes: number,
): Result<RecordHead, WireFault> {
  if (at >= b.length) return short(at + 1, b.length);
  const tag = b[at]!;
  const kind = kindOfTag(tag);
  if (kind === null) return err({ kind: 'field', offset: at, value: tag });
  const payload = readLength(b, at + 1);
  if (!payload.ok) return payload;
  const size = readLength(b, payload.value.end);
  if (!size.ok) return size;
  let end = size.value.end;
  const idAt = end;
  if ((tag & HAS_ID_BIT) !== 0) end += idBytes;
  const baseAt = end;
  if ((tag & IS_DELTA_BIT) !== 0) end += idBytes;
  if (end > b.length) return short(end, b.length);
  const payloadBytes = payload.value.length;
  return ok({
    kind,
    id: (tag & HAS_ID_BIT) === 0 ? null : readId(b, idAt, idBytes),
    base: (tag & IS_DELTA_BIT) === 0 ? null : readId(b, baseAt, idBytes),
    sizeBytes: size.value.length,
    payloadBytes,
    headBytes: end - at,
    recordBytes: end - at + payloadBytes + SHORT_SUM_BYTES,
  });
}

function kindOfTag(tag: number): StoredRecord['kind'] | null {
  if ((tag & RESERVED_MASK) !== 0) return null;
  const low = tag & KIND_MASK;
  if (low === TAG_REFS || low === TAG_SNAPSHOT) {
    if (tag !== low) return null;
    return low === TAG_REFS ? 'refs' : 'snapshot';
  }
  return OBJECT_TAGS[low] ?? null;
}

/** Little-endian, seven bits a byte, as short as can be. */
function readLength(
  b: Uint8Array,
  at: number,
): Result<{ readonly length: number; readonly end: number }, WireFault> {
  let length = 0;
  for (let i = 0, scale = 1; i < LENGTH_DIGITS_MAX; i++, scale *= 128) {
    if (at + i >= b.length) return short(at + i + 1, b.length);
    const byte = b[at + i]!;
    length += (byte & 0x7f) * scale;
    if (byte >= 0x80) continue;
    const isShortest = i === 0 || byte !== 0;
    // Deflating makes what can't be made shorter longer by 5 bytes in 16 KiB.
    if (!isShortest || length > OBJECT_BYTES_MAX + OBJECT_BYTES_MAX / 1_024) {
      return err({ kind: 'field', offset: at, value: byte });
    }
    return ok({ length, end: at + i + 1 });
  }
  return err({ kind: 'field', offset: at, value: b[at]! });
}

/** The record at `at`, its checksum checked. The payload is a view of `b`. */
export function parseRecord(
  checksum: Checksum,
  b: Uint8Array,
  at: number,
  idBytes: number,
): Result<{ readonly record: StoredRecord; readonly recordBytes: number }, WireFault> {
  const parsed = parseRecordHead(b, at, idBytes);
  if (!parsed.ok) return parsed;
  const { kind, id, base, sizeBytes, headBytes, payloadBytes, recordBytes } = parsed.value;
  if (at + recordBytes > b.length) return short(at + recordBytes, b.length);
  const sumAt = at + recordBytes - SHORT_SUM_BYTES;
  if (!hot.equal(checksum(b.subarray(at, sumAt)), 0, b, sumAt, SHORT_SUM_BYTES)) {
    return err({ kind: 'checksum', offset: sumAt });
  }
  const payload = b.subarray(at + headBytes, at + headBytes + payloadBytes);
  if (kind === 'refs' || kind === 'snapshot') {
    if (sizeBytes !== 0) return err({ kind: 'field', offset: at, value: sizeBytes });
    return ok({ record: { kind, payload }, recordBytes });
  }
  return ok({ record: { kind, id, base, sizeBytes, payload }, recordBytes });
}

/** A fresh array with the whole record. */
export function emitRecord(checksum: Checksum, record: StoredRecord): Uint8Array {
  const { payload } = record;
  const isObject = isObjectRecord(record);
  const id = isObject ? record.id : null;
  const base = isObject ? record.base : null;
  const head = new Uint8Array(RECORD_OVERHEAD_MAX);
  let tag: number;
  if (record.kind === 'refs') tag = TAG_REFS;
  else if (record.kind === 'snapshot') tag = TAG_SNAPSHOT;
  else tag = OBJECT_TAGS.indexOf(record.kind);
  head[0] = tag | (id === null ? 0 : HAS_ID_BIT) | (base === null ? 0 : IS_DELTA_BIT);
  let end = writeLength(head, 1, payload.length);
  end = writeLength(head, end, isObject ? record.sizeBytes : 0);
  if (id !== null) end += writeId(head, end, id);
  if (base !== null) end += writeId(head, end, base);
  const bytes = new Uint8Array(end + payload.length + SHORT_SUM_BYTES);
  hot.copy(bytes, 0, head, 0, end);
  hot.copy(bytes, end, payload, 0, payload.length);
  const sumAt = end + payload.length;
  hot.copy(bytes, sumAt, checksum(bytes.subarray(0, sumAt)), 0, SHORT_SUM_BYTES);
  return bytes;
}

function writeLength(to: Uint8Array, at: number, length: number): number {
  let rest = length;
  let end = at;
  for (; rest >= 128; end++) {
    to[end] = 0x80 + (rest % 128);
    rest = Math.floor(rest / 128);
  }
  to[end] = rest;
  return end + 1;
}
