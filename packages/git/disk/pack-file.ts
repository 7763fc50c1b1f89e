/**
 * A pack in a file, with its index: objects by id, deltas resolved. The file is opened when it is
 * first read and stays open, so that it can be read to the end of a repack that removes it. Read
 * first: ../pack/pack-index.ts, ../pack/entry-head.ts. Not here: packs that somebody sends.
 */

import { err, hot, ok, type Result } from '#core';
import type { FileSystem, OpenFile, Zlib } from '#device';
import type { BackendError, PackEntry } from '../backend.ts';
import { type GitObject, OBJECT_KINDS, type ObjectKind } from '../object.ts';
import { ID_BYTES, type ObjectHash, type ObjectId } from '../object-id.ts';
import { crc32 } from '../pack/crc32.ts';
import { applyDelta } from '../pack/delta.ts';
import { ENTRY_HEAD_BYTES_MAX, type EntryHead, parseEntryHead } from '../pack/entry-head.ts';
import { DELTA_CHAIN_MAX } from '../pack/limits.ts';
import { ObjectCache } from '../pack/object-cache.ts';
import { PACK_HEAD_BYTES, parsePackHead } from '../pack/pack-head.ts';
import { PackIndex } from '../pack/pack-index.ts';
import { withSmall } from '../zlib/index.ts';
import { damaged, fileFailed } from './file-fault.ts';
import { type BlockCache, FileWindow } from './file-window.ts';
import { INDEX_BYTES_MAX, OBJECT_BYTES_MAX, STAGED_CACHE_BYTES_MAX } from './limits.ts';
import { ReverseIndex } from './reverse-index.ts';

/** Null: the file is gone, because somebody packed anew. */
type Found<T> = Result<T | null, BackendError>;

/** Read at once with an entry's head: most entries end within it. */
const FIRST_READ_BYTES = 4_096;
/** Packs are told apart in the cache by their number times this. */
const PACK_STEP = 2 ** 40;

export interface StagedTools {
  readonly files: FileSystem;
  readonly name: string;
  readonly zlib: Zlib;
  readonly hash: ObjectHash;
}

interface Entry {
  readonly head: EntryHead;
  /** Where the stream begins. */
  readonly at: number;
  /** What was read from the head's beginning on. */
  readonly read: Uint8Array;
}

export class PackFile {
  /** "pack-1234": without what tells the pack from its index. */
  readonly name: string;
  readonly #files: FileSystem;
  readonly #zlib: Zlib;
  readonly #hash: ObjectHash;
  readonly #cache: ObjectCache<number>;
  readonly #cacheAt: number;
  readonly #blocks: BlockCache;
  #index: PackIndex | null = null;
  #reverse: ReverseIndex | null = null;
  #file: OpenFile | null = null;
  #window: FileWindow | null = null;
  /** By place in the pack: 1 + the number of the kind, once it is known. */
  #kinds: Uint8Array | null = null;
  #sizeBytes = 0;

  /** `number` is unique among those that share `cache` and `blocks`. */
  constructor(
    files: FileSystem,
    name: string,
    zlib: Zlib,
    hash: ObjectHash,
    cache: ObjectCache<number>,
    blocks: BlockCache,
    number: number,
  ) {
    this.name = name;
    this.#files = files;
    this.#zlib = withSmall(zlib);
    this.#hash = hash;
    this.#cache = cache;
    this.#blocks = blocks;
    this.#cacheAt = number * PACK_STEP;
  }

  /** One that has no name yet: its open file, whose end and index were just written. */
  static staged(file: OpenFile, index: PackIndex, sizeBytes: number, tools: StagedTools): PackFile {
    const { files, name, zlib, hash } = tools;
    const cache = new ObjectCache<number>(STAGED_CACHE_BYTES_MAX);
    const blocks: BlockCache = new ObjectCache(STAGED_CACHE_BYTES_MAX);
    const pack = new PackFile(files, name, zlib, hash, cache, blocks, 0);
    pack.#index = index;
    pack.#file = file;
    pack.#window = new FileWindow(file, blocks, 0);
    pack.#sizeBytes = sizeBytes;
    return pack;
  }

  get path(): string {
    return `pack/${this.name}.pack`;
  }

  index(): Found<PackIndex> {
    if (this.#index !== null) return ok(this.#index);
    const path = `pack/${this.name}.idx`;
    const bytes = this.#files.readFile(path, INDEX_BYTES_MAX);
    if (!bytes.ok) return bytes.error.kind === 'absent' ? ok(null) : fileFailed(bytes.error);
    const parsed = PackIndex.parse(bytes.value, this.#hash);
    if (!parsed.ok) return damaged(`${path} is no index of a pack`);
    this.#index = parsed.value;
    return parsed;
  }

  /** As they lie in the pack: to read all of them so keeps their bases at hand. */
  ids(): Found<Iterable<ObjectId>> {
    const index = this.index();
    return index.ok && index.value !== null ? ok(this.#reversed().ids()) : (index as Found<never>);
  }

  has(id: ObjectId): Found<boolean> {
    const index = this.index();
    if (!index.ok || index.value === null) return index as Found<boolean>;
    return ok(index.value.find(id) >= 0);
  }

  /** Null also when it isn't in this pack. */
  read(id: ObjectId): Found<GitObject> {
    const at = this.#find(id);
    return at.ok && at.value !== null ? this.#resolve(at.value, id) : (at as Found<GitObject>);
  }

  /** Null also when it isn't in this pack. */
  kind(id: ObjectId): Found<ObjectKind> {
    const at = this.#find(id);
    return at.ok && at.value !== null ? this.#kindOf(at.value, id) : (at as Found<ObjectKind>);
  }

  /** As it is stored, by the index's checksum if asked; null also when it isn't in this pack. */
  readEntry(id: ObjectId, isChecked: boolean): Found<PackEntry> {
    const at = this.#find(id);
    if (!at.ok || at.value === null) return at as Found<PackEntry>;
    const entry = this.#entryAt(at.value, id);
    if (!entry.ok) return entry;
    const kind = this.#kindOf(at.value, id);
    if (!kind.ok) return kind;
    const { head, at: streamAt } = entry.value;
    const reverse = this.#reversed();
    const end = reverse.endOf(at.value, this.#sizeBytes - ID_BYTES[this.#hash]);
    let base: ObjectId | null = null;
    if (head.base?.id !== undefined) base = head.base.id;
    else if (head.base !== null) {
      base = reverse.idAt(at.value - head.base.distance);
      if (base === null) return damaged(`${this.path}: a delta of nothing at ${at.value}`, id);
    }
    if (end === null) return damaged(`${this.path}: the index has no entry at ${at.value}`, id);
    const whole = this.#view(at.value, end - at.value);
    if (!whole.ok) return whole;
    if (isChecked && !this.#isAsIndexed(id, whole.value)) {
      return damaged(`${this.path} has another entry at ${at.value} than its index says`, id);
    }
    const { sizeBytes } = head;
    const pack = this.#cacheAt / PACK_STEP;
    const deflated = whole.value.subarray(streamAt - at.value);
    return ok({ kind: kind.value, sizeBytes, base, deflated, pack });
  }

  #isAsIndexed(id: ObjectId, entry: Uint8Array): boolean {
    const index = this.#index!;
    const crc = index.crcAt(index.find(id));
    return crc === null || crc === crc32(0, entry, 0, entry.length);
  }

  /** The pack's own file; null when it is gone. Stays this one's to close. */
  open(): Found<OpenFile> {
    if (this.#file !== null) return ok(this.#file);
    const opened = this.#files.open(this.path, 'read');
    if (!opened.ok) {
      return opened.error.kind === 'absent' ? ok(null) : fileFailed(opened.error);
    }
    const wrong = this.#checkEnds(opened.value);
    if (wrong !== null) {
      opened.value.close();
      return err(wrong);
    }
    this.#file = opened.value;
    this.#window = new FileWindow(opened.value, this.#blocks, this.#cacheAt);
    return opened;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  close(): void {
    this.#file?.close();
    this.#file = null;
    this.#window = null;
    this.#kinds = null;
    this.#index = null;
    this.#reverse = null;
  }

  /** Where the entry begins, with the file open. */
  #find(id: ObjectId): Found<number> {
    const index = this.index();
    if (!index.ok || index.value === null) return index as Found<number>;
    const number = index.value.find(id);
    if (number < 0) return ok(null);
    const opened = this.open();
    if (!opened.ok || opened.value === null) return opened as Found<number>;
    const at = index.value.offsetAt(number);
    return at === null ? damaged(`pack/${this.name}.idx has no offset`, id) : ok(at);
  }

  /** Whether the file is the one that the index is of: its head, and the hash at its end. */
  #checkEnds(file: OpenFile): BackendError | null {
    const stat = file.stat();
    if (!stat.ok) return fileFailed(stat.error).error;
    this.#sizeBytes = stat.value.sizeBytes;
    const index = this.#index!;
    const idBytes = ID_BYTES[this.#hash];
    const head = new Uint8Array(PACK_HEAD_BYTES);
    const tail = new Uint8Array(idBytes);
    const first = file.read(0, head);
    const last = file.read(Math.max(0, this.#sizeBytes - idBytes), tail);
    if (!first.ok || !last.ok) return { kind: 'device', what: `${this.path} can't be read` };
    const count = parsePackHead(head.subarray(0, first.value));
    const isWhole = last.value === idBytes && this.#sizeBytes >= PACK_HEAD_BYTES + idBytes;
    const isIt = isWhole && hot.equal(tail, 0, index.packChecksum, 0, idBytes);
    if (count.ok && count.value === index.count && isIt) return null;
    return damaged(`${this.path} isn't the pack of its index`).error;
  }

  /** Borrowed, and not to be changed. */
  #view(at: number, count: number): Result<Uint8Array, BackendError> {
    const read = this.#window!.read(at, count);
    if (!read.ok) return fileFailed(read.error);
    return read.value.length === count ? read : damaged(`${this.path} was cut`);
  }

  #entryAt(offset: number, id: ObjectId): Result<Entry, BackendError> {
    const end = this.#sizeBytes - ID_BYTES[this.#hash];
    if (offset < PACK_HEAD_BYTES || offset >= end) {
      return damaged(`${this.path} has no entry at ${offset}`, id);
    }
    const view = this.#window!.readSome(offset, Math.min(FIRST_READ_BYTES, end - offset));
    if (!view.ok) return fileFailed(view.error);
    const read = view.value;
    const head = parseEntryHead(read, 0, ID_BYTES[this.#hash]);
    if (!head.ok) return damaged(`${this.path} has a bad entry at ${offset}`, id);
    return ok({ head: head.value, at: offset + head.value.headBytes, read });
  }

  #inflate(entry: Entry, id: ObjectId): Result<Uint8Array, BackendError> {
    const { sizeBytes, headBytes } = entry.head;
    if (sizeBytes > OBJECT_BYTES_MAX) {
      return err({ kind: 'too big', sizeBytes, bytesMax: OBJECT_BYTES_MAX });
    }
    const end = this.#sizeBytes - ID_BYTES[this.#hash];
    const most = Math.min(end - entry.at, deflatedBytesMax(sizeBytes));
    let input = entry.read;
    let at = headBytes;
    if (input.length - headBytes < most) {
      const inflated = this.#zlib.inflate(input, at, sizeBytes);
      if (inflated.ok && inflated.value.bytes.length === sizeBytes) return ok(inflated.value.bytes);
      const view = this.#view(entry.at, most);
      if (!view.ok) return view;
      input = view.value;
      at = 0;
    }
    const inflated = this.#zlib.inflate(input, at, sizeBytes);
    if (inflated.ok && inflated.value.bytes.length === sizeBytes) return ok(inflated.value.bytes);
    return damaged(`${this.path} has a bad stream at ${entry.at}`, id);
  }

  /** The object whose entry is at `offset`: from the bottom of its deltas up. */
  #resolve(offset: number, id: ObjectId): Result<GitObject, BackendError> {
    const deltas: { offset: number; delta: Uint8Array }[] = [];
    let at = offset;
    let object: GitObject | null = null;
    while (object === null) {
      object = this.#cache.get(this.#cacheAt + at);
      if (object !== null) break;
      const entry = this.#entryAt(at, id);
      if (!entry.ok) return entry;
      const bytes = this.#inflate(entry.value, id);
      if (!bytes.ok) return bytes;
      const { kind } = entry.value.head;
      if (kind !== null) {
        object = { kind, bytes: bytes.value };
        this.#cache.add(this.#cacheAt + at, object);
        break;
      }
      deltas.push({ offset: at, delta: bytes.value });
      const base = this.#baseOf(entry.value.head, at, id);
      if (!base.ok) return base;
      if (deltas.length > DELTA_CHAIN_MAX) return damaged(`${this.path}: deltas in a circle`, id);
      at = base.value;
    }
    for (let i = deltas.length - 1; i >= 0; i--) {
      const { offset: deltaAt, delta } = deltas[i]!;
      const bytes = applyDelta(object.bytes, delta, OBJECT_BYTES_MAX);
      if (!bytes.ok) return damaged(`${this.path} has a bad delta at ${deltaAt}`, id);
      object = { kind: object.kind, bytes: bytes.value };
      this.#cache.add(this.#cacheAt + deltaAt, object);
    }
    return ok(object);
  }

  #baseOf({ base }: EntryHead, at: number, id: ObjectId): Result<number, BackendError> {
    if (base?.distance !== undefined) return ok(at - base.distance);
    const number = base === null ? -1 : this.#index!.find(base.id);
    const offset = number < 0 ? null : this.#index!.offsetAt(number);
    return offset === null ? damaged(`${this.path}: a delta of nothing at ${at}`, id) : ok(offset);
  }

  /** Along its chain, of which each place is asked once. */
  #kindOf(offset: number, id: ObjectId): Result<ObjectKind, BackendError> {
    const reverse = this.#reversed();
    this.#kinds ??= new Uint8Array(this.#index!.count);
    const ranks: number[] = [];
    let at = offset;
    let number = 0;
    while (number === 0) {
      const rank = reverse.rankOf(at);
      const entry = this.#entryAt(at, id);
      if (!entry.ok) return entry;
      const { head } = entry.value;
      number = rank < 0 ? 0 : this.#kinds[rank]!;
      if (head.kind !== null) number = 1 + OBJECT_KINDS.indexOf(head.kind);
      if (rank >= 0) ranks.push(rank);
      if (number !== 0) break;
      if (ranks.length > DELTA_CHAIN_MAX) return damaged(`${this.path}: deltas in a circle`, id);
      const base = this.#baseOf(head, at, id);
      if (!base.ok) return base;
      at = base.value;
    }
    for (const rank of ranks) this.#kinds[rank] = number;
    return ok(OBJECT_KINDS[number - 1]!);
  }

  #reversed(): ReverseIndex {
    this.#reverse ??= new ReverseIndex(this.#index!);
    return this.#reverse;
  }
}

/** A stream that zlib makes of so many bytes is no longer, at any level. */
const deflatedBytesMax = (sizeBytes: number): number =>
  sizeBytes + 5 * Math.ceil(sizeBytes / 1_024) + 64 + ENTRY_HEAD_BYTES_MAX;
