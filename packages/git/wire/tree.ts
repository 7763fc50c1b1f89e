/**
 * Trees, as Git keeps them: entries "mode SP name NUL id" in the order of their names, where a
 * directory's name counts as ending in "/" (git fsck: treeNotSorted). A tree stays the bytes that
 * it is, with an index beside them, so that a change of one entry in ten thousand copies the
 * rest and reads none of it. Read first: object.ts, text.ts. Not here: what may be a name on
 * somebody's disk (".git", ".."), which is for who writes there.
 */

import { assert, err, hot, ok, type Result } from '#core';
import { MODE_DIGITS_MAX, MODE_DIGITS_MIN, NAME_BYTES_MAX } from '../limits.ts';
import {
  type FileMode,
  MODE_DIRECTORY,
  MODE_EXECUTABLE,
  MODE_FILE,
  MODE_GROUP_FILE,
  MODE_LINK,
  MODE_SUBMODULE,
  type ObjectFault,
} from '../object.ts';
import { type ObjectId, readId, writeId } from '../object-id.ts';
import { byteString, decodeText, encodeText } from './text.ts';

export interface TreeEntry {
  readonly mode: FileMode;
  /** As decodeText gives it. */
  readonly name: string;
  readonly id: ObjectId;
}

/** What becomes of a name: another entry, or none. */
export interface TreeEdit {
  readonly name: string;
  readonly entry: { readonly mode: FileMode; readonly id: ObjectId } | null;
}

const SPACE = 0x20;
const SLASH = 0x2f;
const ZERO = 0x30;
const TYPE_MASK = 0o170000;
const TYPE_FILE = 0o100000;
const USER_EXECUTE_BIT = 0o100;

/** As Git reads modes (canon_mode): what isn't one of ours stands for one. */
function canonicalMode(mode: number): FileMode {
  if (mode === MODE_GROUP_FILE) return MODE_GROUP_FILE;
  switch (mode & TYPE_MASK) {
    case TYPE_FILE:
      return (mode & USER_EXECUTE_BIT) === 0 ? MODE_FILE : MODE_EXECUTABLE;
    case MODE_LINK:
      return MODE_LINK;
    case MODE_DIRECTORY:
      return MODE_DIRECTORY;
    default:
      return MODE_SUBMODULE;
  }
}

/** Where each entry begins, and behind the last one the end of `b`; or what is malformed. */
function indexTree(b: Uint8Array, idBytes: number): Result<Uint32Array, ObjectFault> {
  // An entry has at least a digit, a space, a byte of a name, a NUL, and an id.
  const starts = new Uint32Array(Math.floor(b.length / (idBytes + 4)) + 1);
  let count = 0;
  for (let at = 0; at < b.length; ) {
    const end = entryEnd(b, at, idBytes);
    if (typeof end !== 'number') return err(end);
    starts[count] = at;
    if (count > 0 && compareEntries(b, starts[count - 1]!, at, idBytes, at, end) >= 0) {
      return err({ kind: 'field', offset: at, value: b[at]! });
    }
    count++;
    at = end;
    starts[count] = at;
  }
  return ok(starts.subarray(0, count + 1));
}

/** Where the entry at `at` ends, or what is malformed. */
function entryEnd(b: Uint8Array, at: number, idBytes: number): number | ObjectFault {
  let digits = 0;
  while (digits <= MODE_DIGITS_MAX && at + digits < b.length && isOctal(b[at + digits]!)) digits++;
  const nameAt = at + digits + 1;
  if (nameAt > b.length) return short(b, nameAt);
  if (digits < MODE_DIGITS_MIN || digits > MODE_DIGITS_MAX || b[nameAt - 1] !== SPACE) {
    return { kind: 'field', offset: nameAt - 1, value: b[nameAt - 1]! };
  }
  const nameEnd = hot.indexOf(b, 0, nameAt, Math.min(b.length, nameAt + NAME_BYTES_MAX + 1));
  if (nameEnd < 0 && b.length <= nameAt + NAME_BYTES_MAX) return short(b, b.length + 1);
  const slash = nameEnd < 0 ? -1 : hot.indexOf(b, SLASH, nameAt, nameEnd);
  if (nameEnd < 0 || nameEnd === nameAt) return { kind: 'field', offset: nameAt, value: 0 };
  if (slash >= 0) return { kind: 'field', offset: slash, value: SLASH };
  const end = nameEnd + 1 + idBytes;
  return end <= b.length ? end : short(b, end);
}

const isOctal = (byte: number): boolean => byte >= ZERO && byte < ZERO + 8;
const short = (b: Uint8Array, needBytes: number): ObjectFault => ({
  kind: 'short',
  needBytes,
  haveBytes: b.length,
});

/** Negative when the entry at `a` stands before the one at `b`, in one tree. */
function compareEntries(
  bytes: Uint8Array,
  a: number,
  aEnd: number,
  idBytes: number,
  b: number,
  bEnd: number,
): number {
  const aName = nameStart(bytes, a);
  const bName = nameStart(bytes, b);
  const aCount = aEnd - idBytes - 1 - aName;
  const bCount = bEnd - idBytes - 1 - bName;
  const common = Math.min(aCount, bCount);
  for (let i = 0; i < common; i++) {
    const difference = bytes[aName + i]! - bytes[bName + i]!;
    if (difference !== 0) return difference;
  }
  if (aCount === bCount) return 0;
  return tailAt(bytes, a, aName, aCount, common) - tailAt(bytes, b, bName, bCount, common);
}

/** The byte of a name at `i`, at its end what stands for the end: "/" of a directory, or 0. */
function tailAt(b: Uint8Array, at: number, nameAt: number, count: number, i: number): number {
  if (i < count) return b[nameAt + i]!;
  return isDirectoryAt(b, at) ? SLASH : 0;
}

/** Behind the space; the entry has been checked, so that there are five digits at least. */
function nameStart(b: Uint8Array, at: number): number {
  let i = at + MODE_DIGITS_MIN;
  while (b[i] !== SPACE) i++;
  return i + 1;
}

function modeNumber(b: Uint8Array, at: number): number {
  let mode = 0;
  for (let i = at; b[i] !== SPACE; i++) mode = mode * 8 + b[i]! - ZERO;
  return mode;
}

function isDirectoryAt(b: Uint8Array, at: number): boolean {
  // What Git writes needs no arithmetic: "40000 ", "100644 " and its kin.
  if (b[at] === 0x31 && b[at + 6] === SPACE) return false;
  if (b[at] === 0x34 && b[at + 5] === SPACE) return true;
  return canonicalMode(modeNumber(b, at)) === MODE_DIRECTORY;
}

/** Of an id as text, with its place in an array. */
const ID_TEXT_BYTES = 72;

/** A name as it is looked for: one code a byte. */
type Key = string;

/** One tree, indexed. Immutable; `bytes` are shared. */
export class TreeTable {
  readonly bytes: Uint8Array;
  readonly #idBytes: number;
  readonly #starts: Uint32Array;
  /** Ids that were asked for, as text: whoever reads a tree again asks for the same ones. */
  #ids: (ObjectId | undefined)[] | null = null;

  private constructor(bytes: Uint8Array, idBytes: number, starts: Uint32Array) {
    this.bytes = bytes;
    this.#idBytes = idBytes;
    this.#starts = starts;
  }

  /** O(bytes); `idBytes` is 20 or 32. Shares `bytes`. */
  static parse(bytes: Uint8Array, idBytes: number): Result<TreeTable, ObjectFault> {
    const starts = indexTree(bytes, idBytes);
    if (!starts.ok) return starts;
    const table = new TreeTable(bytes, idBytes, starts.value);
    const twice = table.#duplicate();
    return twice < 0 ? ok(table) : err({ kind: 'field', offset: twice, value: bytes[twice]! });
  }

  static empty(idBytes: number): TreeTable {
    return new TreeTable(new Uint8Array(0), idBytes, new Uint32Array(1));
  }

  get count(): number {
    return this.#starts.length - 1;
  }

  /** What the table may come to hold in memory, beside its bytes. */
  get indexBytes(): number {
    return this.#starts.byteLength + this.count * ID_TEXT_BYTES;
  }

  nameAt(index: number): string {
    const at = nameStart(this.bytes, this.#starts[index]!);
    return decodeText(this.bytes, at, this.#nameEnd(index));
  }

  modeAt(index: number): FileMode {
    return canonicalMode(modeNumber(this.bytes, this.#starts[index]!));
  }

  isDirectory(index: number): boolean {
    return isDirectoryAt(this.bytes, this.#starts[index]!);
  }

  idAt(index: number): ObjectId {
    this.#ids ??= new Array<ObjectId | undefined>(this.count);
    const known = this.#ids[index];
    if (known !== undefined) return known;
    const id = readId(this.bytes, this.#nameEnd(index) + 1, this.#idBytes);
    this.#ids[index] = id;
    return id;
  }

  entryAt(index: number): TreeEntry {
    return { mode: this.modeAt(index), name: this.nameAt(index), id: this.idAt(index) };
  }

  /** All of them, in Git's order. */
  entries(): TreeEntry[] {
    return Array.from({ length: this.count }, (_, index) => this.entryAt(index));
  }

  /** The index of the entry with this name, or -1. O(log entries). */
  find(name: string): number {
    const key = byteString(name);
    const asFile = this.#search(key, false);
    if (asFile >= 0) return asFile;
    const asDirectory = this.#search(key, true);
    return asDirectory >= 0 ? asDirectory : -1;
  }

  /** The entry with this name; null when there is none. */
  get(name: string): TreeEntry | null {
    const index = this.find(name);
    return index < 0 ? null : this.entryAt(index);
  }

  /** Negative, zero or positive, as an entry of ours stands before one of `other`, in one tree. */
  compareEntry(index: number, other: TreeTable, otherIndex: number): number {
    const a = this.bytes;
    const b = other.bytes;
    const aStart = this.#starts[index]!;
    const bStart = other.#starts[otherIndex]!;
    const aName = nameStart(a, aStart);
    const bName = nameStart(b, bStart);
    const aCount = this.#nameEnd(index) - aName;
    const bCount = other.#nameEnd(otherIndex) - bName;
    const common = Math.min(aCount, bCount);
    for (let i = 0; i < common; i++) {
      const difference = a[aName + i]! - b[bName + i]!;
      if (difference !== 0) return difference;
    }
    return tailAt(a, aStart, aName, aCount, common) - tailAt(b, bStart, bName, bCount, common);
  }

  /** Whether both entries are the same bytes. */
  sameEntry(index: number, other: TreeTable, otherIndex: number): boolean {
    const at = this.#starts[index]!;
    const count = this.#starts[index + 1]! - at;
    const otherAt = other.#starts[otherIndex]!;
    if (other.#starts[otherIndex + 1]! - otherAt !== count) return false;
    return hot.equal(this.bytes, at, other.bytes, otherAt, count);
  }

  /**
   * The tree with these edits, each of another name. Entries that no edit names are copied as
   * they stand. O(bytes + edits · log entries). Asserts that a name is one.
   */
  with(edits: readonly TreeEdit[]): TreeTable {
    const [first] = edits;
    if (edits.length === 1 && first !== undefined && first.entry !== null) {
      const same = this.#overwrite(first.name, first.entry.mode, first.entry.id);
      if (same !== null) return same;
    }
    return this.#splice(edits);
  }

  /** One entry with another id and the same mode: nothing moves. */
  #overwrite(name: string, mode: FileMode, id: ObjectId): TreeTable | null {
    const index = this.find(name);
    if (index < 0 || modeNumber(this.bytes, this.#starts[index]!) !== mode) return null;
    const bytes = this.bytes.slice();
    assert(writeId(bytes, this.#nameEnd(index) + 1, id) === this.#idBytes, 'ids of one hash');
    return new TreeTable(bytes, this.#idBytes, this.#starts);
  }

  #splice(edits: readonly TreeEdit[]): TreeTable {
    const changes: Change[] = [];
    for (const { name, entry } of edits) {
      const index = this.find(name);
      if (index >= 0) changes.push({ index, removes: 1, bytes: null, order: '' });
      if (entry === null) continue;
      const order = byteString(name) + (entry.mode === MODE_DIRECTORY ? '/' : '');
      const bytes = emitEntry({ ...entry, name }, this.#idBytes);
      const place = this.#search(byteString(name), entry.mode === MODE_DIRECTORY);
      changes.push({ index: place < 0 ? -place - 1 : place, removes: 0, bytes, order });
    }
    // What is put in stands before what is taken out at the same place.
    changes.sort(
      (a, b) => a.index - b.index || a.removes - b.removes || (a.order < b.order ? -1 : 1),
    );
    return this.#apply(changes);
  }

  #apply(changes: readonly Change[]): TreeTable {
    let bytesCount = this.bytes.length;
    let count = this.count;
    for (const { index, removes, bytes } of changes) {
      if (removes > 0) bytesCount -= this.#starts[index + 1]! - this.#starts[index]!;
      count += bytes === null ? -1 : 1;
      bytesCount += bytes?.length ?? 0;
    }
    const to = new Uint8Array(bytesCount);
    const starts = new Uint32Array(count + 1);
    let at = 0;
    let made = 0;
    let next = 0;
    const keep = (until: number): void => {
      const from = this.#starts[next]!;
      const shift = at - from;
      const copied = this.#starts[until]! - from;
      hot.copy(to, at, this.bytes, from, copied);
      for (; next < until; next++) starts[made++] = this.#starts[next]! + shift;
      at += copied;
    };
    for (const { index, bytes } of changes) {
      keep(index);
      if (bytes === null) {
        next++;
        continue;
      }
      starts[made++] = at;
      hot.copy(to, at, bytes, 0, bytes.length);
      at += bytes.length;
    }
    keep(this.count);
    starts[made] = at;
    assert(at === bytesCount, 'every byte written');
    assert(made === count, 'every entry indexed');
    return new TreeTable(to, this.#idBytes, starts);
  }

  #nameEnd(index: number): number {
    return this.#starts[index + 1]! - this.#idBytes - 1;
  }

  /** The index of the entry, or -1 - the index of the one that it would stand before. */
  #search(key: Key, isDirectory: boolean): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      const order = this.#compare(middle, key, isDirectory);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return -1 - low;
  }

  #compare(index: number, key: Key, isDirectory: boolean): number {
    const b = this.bytes;
    const start = this.#starts[index]!;
    const at = nameStart(b, start);
    const count = this.#nameEnd(index) - at;
    const common = Math.min(count, key.length);
    for (let i = 0; i < common; i++) {
      const difference = b[at + i]! - key.charCodeAt(i);
      if (difference !== 0) return difference;
    }
    const tail = tailAt(b, start, at, count, common);
    if (common < key.length) return tail - key.charCodeAt(common);
    return tail - (isDirectory ? SLASH : 0);
  }

  /** The offset of an entry whose name another one has too, as a file and a directory; or -1. */
  #duplicate(): number {
    const b = this.bytes;
    for (let index = 1; index < this.count; index++) {
      const start = this.#starts[index]!;
      if (!isDirectoryAt(b, start)) continue;
      const at = nameStart(b, start);
      const count = this.#nameEnd(index) - at;
      // Between "x" and "x/" stand only names that begin with "x".
      for (let before = index - 1; before >= 0; before--) {
        const other = nameStart(b, this.#starts[before]!);
        const otherCount = this.#nameEnd(before) - other;
        if (otherCount < count || !hot.equal(b, at, b, other, count)) break;
        if (otherCount === count) return start;
      }
    }
    return -1;
  }
}

interface Change {
  readonly index: number;
  readonly removes: 0 | 1;
  readonly bytes: Uint8Array | null;
  readonly order: string;
}

/** Whether `name` can be a tree's entry: not empty, without "/" and NUL, not too long. */
export function isEntryName(name: string): boolean {
  if (name === '' || name.includes('/') || name.includes('\0')) return false;
  return name.length <= NAME_BYTES_MAX && byteString(name).length <= NAME_BYTES_MAX;
}

function emitEntry(entry: TreeEntry, idBytes: number): Uint8Array {
  assert(isEntryName(entry.name), 'a name of an entry');
  assert(entry.id.length === 2 * idBytes, 'ids of one hash');
  const name = encodeText(entry.name);
  const mode = entry.mode.toString(8);
  const bytes = new Uint8Array(mode.length + name.length + 2 + idBytes);
  let at = hot.writeLatin1(bytes, 0, mode);
  bytes[at++] = SPACE;
  hot.copy(bytes, at, name, 0, name.length);
  at += name.length + 1;
  writeId(bytes, at, entry.id);
  return bytes;
}

/** The entries of a tree in Git's order; `idBytes` is 20 or 32. */
export function parseTree(b: Uint8Array, idBytes: number): Result<TreeEntry[], ObjectFault> {
  const table = TreeTable.parse(b, idBytes);
  return table.ok ? ok(table.value.entries()) : table;
}

/** The tree of these entries, in any order, each of another name. */
export function emitTree(entries: readonly TreeEntry[], idBytes: number): Uint8Array {
  const table = TreeTable.empty(idBytes).with(
    entries.map((entry) => ({ name: entry.name, entry })),
  );
  return table.bytes;
}

export function formatTree(entries: readonly TreeEntry[]): string {
  return entries
    .map(({ mode, name, id }) => `${mode.toString(8).padStart(6, '0')} ${id}\t${name}`)
    .join('\n');
}
