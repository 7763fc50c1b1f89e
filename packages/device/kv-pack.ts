/**
 * A directory of files as one array of bytes: made at build time, opened in the image without
 * copying. Required reading: kv.ts. Not here: reading directories, compressing
 * (targets/base/build.ts).
 *
 * Version 1, all integers little-endian, all offsets from the pack's first byte:
 *
 *     header   magic "MKVP" | version u32 | entry count u32 | pack bytes u32
 *     records  count of 64 bytes, in byte order of their paths:
 *              path at u32, bytes u32 | content at u32, bytes u32 | gzip at u32, bytes u32 |
 *              br at u32, bytes u32 | modified seconds u32 low, high | 8 bytes zero |
 *              digest 16 bytes
 *     bytes    paths in UTF-8, then contents, each content at a multiple of 16
 *
 * A variant of 0 bytes is absent. Equal entries give equal packs. Byte offsets end below 2^32.
 */

import { assert, err, hot, ok, type Result, readU32le, writeU32le } from '#core';
import type { KvEncoding, KvEntry, KvReadOnly } from './kv.ts';
import { comparePaths } from './kv-path.ts';

const MAGIC = 0x50564b4d;
const VERSION = 1;
const HEADER_BYTES = 16;
const RECORD_BYTES = 64;
const ALIGN_BYTES = 16;
/** Later times fit no HTTP date. */
const YEAR_9999_END_SECONDS = 253_402_300_799;
/** More entries than this belong on a disk; a record and a map entry each cost memory at start. */
export const KV_PACK_ENTRIES_MAX = 65_536;

const at = {
  path: 0,
  content: 8,
  gzip: 16,
  br: 24,
  modifiedLow: 32,
  modifiedHigh: 36,
  zero: 40,
  digest: 48,
} as const;

export type KvPackFault =
  | { readonly kind: 'not a pack' }
  | { readonly kind: 'version'; readonly version: number }
  | { readonly kind: 'short'; readonly needBytes: number; readonly haveBytes: number }
  | { readonly kind: 'record'; readonly index: number; readonly field: string };

/** The fault as the second half of a sentence that begins with the pack's name. */
export function formatKvPackFault(fault: KvPackFault): string {
  switch (fault.kind) {
    case 'not a pack':
      return "isn't a key-value pack";
    case 'version':
      return `is a key-value pack of version ${fault.version}, and we read version ${VERSION}`;
    case 'short':
      return `is cut short: ${fault.haveBytes} of ${fault.needBytes} bytes`;
    case 'record':
      return `has a bad ${fault.field} in record ${fault.index}`;
  }
}

/** One file to pack; `path` as in KvReadOnly.get, `digest` as in KvEntry. */
export interface KvPackInput extends KvEntry {
  readonly path: string;
}

interface Placed {
  readonly path: Uint8Array;
  readonly file: KvPackInput;
}

/**
 * The pack of `files`, in any order, with distinct paths; borrows their bytes. O(bytes + n log n).
 */
export function emitKvPack(files: readonly KvPackInput[]): Uint8Array {
  assert(files.length <= KV_PACK_ENTRIES_MAX, 'too many files for a pack');
  const placed: Placed[] = files.map((file) => ({ path: hot.utf8Encode(file.path), file }));
  placed.sort((a, b) => compareBytes(a.path, b.path));
  const pathsAt = HEADER_BYTES + RECORD_BYTES * placed.length;
  let end = pathsAt;
  for (const { path } of placed) end += path.length;
  for (const { file } of placed) {
    for (const bytes of contentsOf(file)) end = align(end) + bytes.length;
  }
  assert(end < 2 ** 32, 'a pack ends below 4 GiB');
  const pack = new Uint8Array(end);
  writeU32le(pack, 0, MAGIC);
  writeU32le(pack, 4, VERSION);
  writeU32le(pack, 8, placed.length);
  writeU32le(pack, 12, end);
  let pathAt = pathsAt;
  for (const [index, { path }] of placed.entries()) {
    writeRange(pack, HEADER_BYTES + RECORD_BYTES * index + at.path, pathAt, path);
    pathAt += path.length;
  }
  let contentAt = pathAt;
  for (const [index, { file }] of placed.entries()) {
    const record = HEADER_BYTES + RECORD_BYTES * index;
    const fields = [at.content, at.gzip, at.br] as const;
    for (const [i, bytes] of contentsOf(file).entries()) {
      contentAt = align(contentAt);
      writeRange(pack, record + fields[i]!, contentAt, bytes);
      contentAt += bytes.length;
    }
    writeU32le(pack, record + at.modifiedLow, file.modifiedSeconds % 2 ** 32);
    writeU32le(pack, record + at.modifiedHigh, Math.floor(file.modifiedSeconds / 2 ** 32));
    for (let i = 0; i < 16; i++) {
      pack[record + at.digest + i] = Number.parseInt(file.digest.slice(2 * i, 2 * i + 2), 16);
    }
  }
  return pack;
}

const NOTHING = new Uint8Array(0);

/** Content, gzip, br; an empty array where there is no such variant. */
function contentsOf(file: KvEntry): readonly [Uint8Array, Uint8Array, Uint8Array] {
  const variant = (encoding: KvEncoding): Uint8Array =>
    file.variants.find((v) => v.encoding === encoding)?.bytes ?? NOTHING;
  return [file.bytes, variant('gzip'), variant('br')];
}

const align = (offset: number): number => Math.ceil(offset / ALIGN_BYTES) * ALIGN_BYTES;

function writeRange(pack: Uint8Array, field: number, offset: number, bytes: Uint8Array): void {
  writeU32le(pack, field, offset);
  writeU32le(pack, field + 4, bytes.length);
  pack.set(bytes, offset);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const count = Math.min(a.length, b.length);
  for (let i = 0; i < count; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/**
 * Checks every record, O(entries); the pack's bytes are shared with the entries and must not
 * change.
 */
export function openKvPack(pack: Uint8Array): Result<KvReadOnly, KvPackFault> {
  const short = (needBytes: number) =>
    err({ kind: 'short', needBytes, haveBytes: pack.length } as const);
  if (pack.length < HEADER_BYTES) return short(HEADER_BYTES);
  if (readU32le(pack, 0) !== MAGIC) return err({ kind: 'not a pack' });
  const version = readU32le(pack, 4);
  if (version !== VERSION) return err({ kind: 'version', version });
  const count = readU32le(pack, 8);
  const packBytes = readU32le(pack, 12);
  const recordsEnd = HEADER_BYTES + RECORD_BYTES * count;
  if (packBytes > pack.length) return short(packBytes);
  if (recordsEnd > packBytes) return short(recordsEnd);
  if (count > KV_PACK_ENTRIES_MAX) return err({ kind: 'record', index: count, field: 'number' });
  const entries = new Map<string, KvEntry | number>();
  for (let index = 0; index < count; index++) {
    const record = HEADER_BYTES + RECORD_BYTES * index;
    const field = badField(pack, record, recordsEnd, packBytes);
    if (field !== null) return err({ kind: 'record', index, field });
    const pathAt = readU32le(pack, record + at.path);
    const path = hot.utf8Decode(pack, pathAt, pathAt + readU32le(pack, record + at.path + 4), true);
    if (path === null || entries.has(path)) return err({ kind: 'record', index, field: 'path' });
    entries.set(path, record);
  }
  return ok(new KvPack(pack, entries));
}

/** The name of the first field of the record at `record` that can't be right. */
function badField(pack: Uint8Array, record: number, start: number, end: number): string | null {
  for (const field of ['path', 'content', 'gzip', 'br'] as const) {
    const from = readU32le(pack, record + at[field]);
    const bytes = readU32le(pack, record + at[field] + 4);
    if (from < start || from + bytes > end) return field;
  }
  for (let i = at.zero; i < at.digest; i++) if (pack[record + i] !== 0) return 'reserved field';
  const low = readU32le(pack, record + at.modifiedLow);
  const seconds = readU32le(pack, record + at.modifiedHigh) * 2 ** 32 + low;
  return seconds > YEAR_9999_END_SECONDS ? 'modification time' : null;
}

class KvPack implements KvReadOnly {
  private readonly pack: Uint8Array;
  /** Entries once asked for; before, the offset of their record. */
  private readonly entries: Map<string, KvEntry | number>;
  private sorted: readonly string[] | null = null;

  constructor(pack: Uint8Array, entries: Map<string, KvEntry | number>) {
    this.pack = pack;
    this.entries = entries;
  }

  get(path: string): KvEntry | null {
    const found = this.entries.get(path);
    if (found === undefined) return null;
    if (typeof found !== 'number') return found;
    const entry = this.read(found);
    this.entries.set(path, entry);
    return entry;
  }

  paths(): readonly string[] {
    // A pack that another wrote may have its records in any order: nothing else depends on it.
    this.sorted ??= [...this.entries.keys()].sort(comparePaths);
    return this.sorted;
  }

  private read(record: number): KvEntry {
    const { pack } = this;
    const variants: { encoding: KvEncoding; bytes: Uint8Array }[] = [];
    for (const encoding of ['gzip', 'br'] as const) {
      const bytes = this.range(record + at[encoding]);
      if (bytes.length > 0) variants.push({ encoding, bytes });
    }
    let digest = '';
    for (let i = 0; i < 16; i++) {
      digest += pack[record + at.digest + i]!.toString(16).padStart(2, '0');
    }
    return {
      bytes: this.range(record + at.content),
      modifiedSeconds:
        readU32le(pack, record + at.modifiedLow) +
        readU32le(pack, record + at.modifiedHigh) * 2 ** 32,
      digest,
      variants,
    };
  }

  private range(field: number): Uint8Array {
    const from = readU32le(this.pack, field);
    return this.pack.subarray(from, from + readU32le(this.pack, field + 4));
  }
}
