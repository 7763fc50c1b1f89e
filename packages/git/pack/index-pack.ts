/**
 * A pack that somebody sends, kept as one: `git index-pack --strict --fix-thin`. The bytes go into
 * a store as they come, then deltas are resolved from there, depth first from each base. Memory: a
 * record for each object, one object, and the caches of limits.ts, whatever the pack's size. Read
 * first: pack-stream.ts, object-checker.ts, unpack-objects.ts (the other way).
 */

import { assert, err, ok, type Result } from '#core';
import type { BackendError, ObjectBackend } from '../backend.ts';
import { type GitObject, hashObject, type NamedObject, OBJECT_KINDS } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import { crc32 } from './crc32.ts';
import { applyDelta } from './delta.ts';
import { ENTRY_HEAD_BYTES_MAX, emitEntryHead } from './entry-head.ts';
import {
  BASE_CACHE_BYTES_MAX,
  DELTA_CHAIN_MAX,
  EXPANSION_BYTES_MAX,
  EXPANSION_FACTOR_MAX,
} from './limits.ts';
import { ObjectCache } from './object-cache.ts';
import { ObjectChecker } from './object-checker.ts';
import type { PackFault } from './pack-fault.ts';
import { packHead } from './pack-head.ts';
import type { IndexedEntry } from './pack-index.ts';
import { PackStream, type PackTools, type StreamedEntry } from './pack-stream.ts';
import type { UnpackOptions } from './unpack-objects.ts';

/** Where a pack's bytes are while it is read: a file, or memory. */
export interface PackStore {
  /** Behind what is there; the bytes stay as they are. */
  append(bytes: Uint8Array): Result<void, BackendError>;
  /** Over bytes that are there already. */
  write(at: number, bytes: Uint8Array): Result<void, BackendError>;
  /** Bytes that are there; borrowed, or fresh. */
  read(at: number, count: number): Result<Uint8Array, BackendError>;
}

export interface IndexedPack {
  readonly entries: readonly IndexedEntry[];
  /** What the pack ends with: it names the pack's file too. */
  readonly checksum: Uint8Array;
  readonly sizeBytes: number;
}

/** What is read at once to hash a pack again. */
const READ_BYTES = 1_048_576;

type Fault = PackFault | BackendError;

/**
 * Reads the pack into `store`, which is empty. Bases that it lacks come from `backend`, and are
 * written behind its objects. Throws what `pieces` throw. On a fault the store has rubbish.
 */
export function indexPack(
  pieces: AsyncIterable<Uint8Array>,
  store: PackStore,
  backend: ObjectBackend,
  tools: Omit<PackTools, 'hash'>,
  options: UnpackOptions,
): Promise<Result<IndexedPack, Fault>> {
  return new Indexing(pieces, store, backend, { ...tools, hash: backend.hash }, options).run();
}

/** One entry of the pack, by its number in it. */
interface Entry {
  readonly offset: number;
  readonly endOffset: number;
  readonly headBytes: number;
  readonly sizeBytes: number;
  readonly crc: number;
  /** Null until it is known. */
  id: ObjectId | null;
}

/** A delta that waits to be resolved, and what upon. */
interface Step {
  readonly entry: number;
  readonly base: number;
  readonly depth: number;
}

class Indexing {
  private readonly store: PackStore;
  private readonly backend: ObjectBackend;
  private readonly tools: PackTools;
  private readonly options: UnpackOptions;
  private readonly stream: PackStream;
  private readonly checker: ObjectChecker | null;
  private readonly entries: Entry[] = [];
  /** Numbers of OBJECT_KINDS, by entry. */
  private readonly kinds: number[] = [];
  /** Numbers of deltas, by what they are upon: an entry's offset, or an id. */
  private readonly uponOffset = new Map<number, number[]>();
  private readonly uponId = new Map<ObjectId, number[]>();
  /** Which entry a delta is upon, once that is known. */
  private readonly baseOf = new Map<number, number>();
  private readonly cache = new ObjectCache<number>(BASE_CACHE_BYTES_MAX);
  private unresolved = 0;
  private expandedBytes = 0;
  private storeFault: BackendError | null = null;
  private sizeBytes = 0;

  constructor(
    pieces: AsyncIterable<Uint8Array>,
    store: PackStore,
    backend: ObjectBackend,
    tools: PackTools,
    options: UnpackOptions,
  ) {
    this.store = store;
    this.backend = backend;
    this.tools = tools;
    this.options = options;
    this.checker =
      options.check === 'objects' ? new ObjectChecker(tools.hash, options.shallow) : null;
    this.stream = new PackStream(pieces, {
      ...options,
      ...tools,
      sums: true,
      take: (bytes) => this.take(bytes),
    });
  }

  async run(): Promise<Result<IndexedPack, Fault>> {
    try {
      const read = await this.readAll();
      if (!read.ok) return read;
      const resolved = await this.resolveAll();
      if (!resolved.ok) return resolved;
      const completed = await this.complete();
      if (!completed.ok) return completed;
      const checksum = completed.value ?? read.value;
      const linked = await this.checker?.checkLinks(this.backend);
      if (linked !== undefined && !linked.ok) return linked;
      return this.finish(checksum);
    } finally {
      await this.stream.close();
    }
  }

  private take(bytes: Uint8Array): void {
    if (this.storeFault !== null) return;
    const appended = this.store.append(bytes);
    if (!appended.ok) this.storeFault = appended.error;
    this.sizeBytes += bytes.length;
  }

  private async readAll(): Promise<Result<Uint8Array, Fault>> {
    const count = await this.stream.open();
    if (!count.ok) return count;
    for (let done = 1; ; done++) {
      const next = await this.stream.next();
      if (!next.ok) return next;
      if (this.storeFault !== null) return err(this.storeFault);
      if (next.value === null) break;
      const fault = this.note(next.value);
      if (fault !== null) return err(fault);
      this.options.progress?.(done, count.value);
    }
    const end = await this.stream.finish(this.options.isAlone);
    if (!end.ok) return end;
    return this.storeFault === null ? end : err(this.storeFault);
  }

  /** Keeps where an entry is; what it has is read again when a delta wants it. */
  private note(read: StreamedEntry): PackFault | null {
    const { offset, endOffset, headBytes, sizeBytes, crc, id, kind, base, bytes } = read;
    const number = this.entries.length;
    this.entries.push({ offset, endOffset, headBytes, sizeBytes, crc, id });
    this.kinds.push(kind === null ? -1 : OBJECT_KINDS.indexOf(kind));
    if (base !== null) {
      this.unresolved += 1;
      if (base.id === undefined) add(this.uponOffset, offset - base.distance, number);
      else add(this.uponId, base.id, number);
      return null;
    }
    return this.checker?.add({ id: id!, kind: kind!, bytes }) ?? null;
  }

  private async resolveAll(): Promise<Result<void, Fault>> {
    const count = this.entries.length;
    for (let number = 0; number < count; number++) {
      if (this.kinds[number]! < 0 || !this.hasDeltas(number)) continue;
      const resolved = this.resolveFrom(number);
      if (!resolved.ok) return resolved;
    }
    return ok(undefined);
  }

  private hasDeltas(number: number): boolean {
    const { offset, id } = this.entries[number]!;
    return this.uponOffset.has(offset) || this.uponId.has(id!);
  }

  /** All deltas upon an object, and those upon them: depth first. */
  private resolveFrom(root: number): Result<void, Fault> {
    const stack: Step[] = [];
    this.pushDeltas(stack, root, 0);
    for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
      if (step.depth > DELTA_CHAIN_MAX)
        return err({ kind: 'too much', what: 'deltas upon deltas' });
      this.baseOf.set(step.entry, step.base);
      const object = this.objectAt(step.entry);
      if (!object.ok) return object;
      const { kind, bytes } = object.value;
      const entry = this.entries[step.entry]!;
      const id = hashObject(this.tools.crypto, this.tools.hash, kind, bytes);
      entry.id = id;
      this.kinds[step.entry] = OBJECT_KINDS.indexOf(kind);
      this.unresolved -= 1;
      const fault = this.checker?.add({ id, kind, bytes }) ?? null;
      if (fault !== null) return err(fault);
      this.pushDeltas(stack, step.entry, step.depth);
    }
    return ok(undefined);
  }

  private pushDeltas(stack: Step[], base: number, depth: number): void {
    const { offset, id } = this.entries[base]!;
    for (const deltas of [this.uponOffset.get(offset), this.uponId.get(id!)]) {
      for (const entry of deltas ?? []) stack.push({ entry, base, depth: depth + 1 });
    }
    this.uponOffset.delete(offset);
    this.uponId.delete(id!);
  }

  /** The object that an entry is: from the cache, or made again along its chain. */
  private objectAt(number: number): Result<GitObject, Fault> {
    const chain: number[] = [];
    let at = number;
    let object = this.cache.get(at);
    while (object === null && this.baseOf.has(at)) {
      chain.push(at);
      at = this.baseOf.get(at)!;
      object = this.cache.get(at);
    }
    if (object === null) {
      const bytes = this.inflateAt(at);
      if (!bytes.ok) return bytes;
      object = { kind: OBJECT_KINDS[this.kinds[at]!]!, bytes: bytes.value };
      this.cache.add(at, object);
    }
    for (let next = chain.pop(); next !== undefined; next = chain.pop()) {
      const made = this.applyAt(next, object);
      if (!made.ok) return made;
      object = made.value;
      this.cache.add(next, object);
    }
    return ok(object);
  }

  private applyAt(number: number, base: GitObject): Result<GitObject, Fault> {
    const delta = this.inflateAt(number);
    if (!delta.ok) return delta;
    const made = applyDelta(base.bytes, delta.value, this.stream.objectBytesMax);
    if (!made.ok) return err({ kind: 'bad delta', offset: this.entries[number]!.offset });
    this.expandedBytes += made.value.length;
    if (this.expandedBytes > EXPANSION_BYTES_MAX + this.sizeBytes * EXPANSION_FACTOR_MAX) {
      return err({ kind: 'too much', what: 'bytes of all objects' });
    }
    return ok({ kind: base.kind, bytes: made.value });
  }

  /** What the stream of an entry inflates to, which it did before. */
  private inflateAt(number: number): Result<Uint8Array, Fault> {
    const { offset, endOffset, headBytes, sizeBytes } = this.entries[number]!;
    const stored = this.store.read(offset + headBytes, endOffset - offset - headBytes);
    if (!stored.ok) return stored;
    const inflated = this.tools.zlib.inflate(stored.value, 0, sizeBytes);
    if (inflated.ok) return ok(inflated.value.bytes);
    return err({ kind: 'damaged', id: null, what: 'a pack reads back otherwise than written' });
  }

  /** Bases that aren't in the pack are put behind it; then its head and hash are others. */
  private async complete(): Promise<Result<Uint8Array | null, Fault>> {
    if (this.unresolved === 0) return ok(null);
    const before = this.entries.length;
    // Ids in order, so that the same pack is completed to the same bytes.
    for (const id of [...this.uponId.keys()].sort()) {
      if (!this.uponId.has(id)) continue;
      const base = await this.backend.readObject(id);
      if (!base.ok) return base;
      if (base.value === null) continue;
      const added = this.addBase({ id, ...base.value });
      if (!added.ok) return added;
    }
    if (this.unresolved > 0) return err(this.missingBase());
    assert(this.entries.length > before);
    return this.rewriteEnds();
  }

  private addBase(object: NamedObject): Result<void, Fault> {
    const { id, kind, bytes } = object;
    const head = new Uint8Array(ENTRY_HEAD_BYTES_MAX);
    const headBytes = emitEntryHead(head, 0, kind, bytes.length, null);
    const deflated = this.tools.zlib.deflate(bytes);
    const entry = new Uint8Array(headBytes + deflated.length);
    entry.set(head.subarray(0, headBytes));
    entry.set(deflated, headBytes);
    const offset = this.sizeBytes;
    const appended = this.store.append(entry);
    if (!appended.ok) return appended;
    this.sizeBytes += entry.length;
    const number = this.entries.length;
    const crc = crc32(0, entry, 0, entry.length);
    const endOffset = this.sizeBytes;
    this.entries.push({ offset, endOffset, headBytes, sizeBytes: bytes.length, crc, id });
    this.kinds.push(OBJECT_KINDS.indexOf(kind));
    this.cache.add(number, object);
    return this.resolveFrom(number);
  }

  private missingBase(): PackFault {
    const left = [...this.uponOffset.values(), ...this.uponId.values()].flat();
    const offset = left.reduce(
      (least, one) => Math.min(least, this.entries[one]!.offset),
      Infinity,
    );
    return { kind: 'missing base', offset, count: this.unresolved };
  }

  /** The count of the head, and the hash of it all. */
  private rewriteEnds(): Result<Uint8Array, BackendError> {
    const written = this.store.write(0, packHead(this.entries.length));
    if (!written.ok) return written;
    const state = this.tools.crypto.createHash(this.tools.hash);
    for (let at = 0; at < this.sizeBytes; at += READ_BYTES) {
      const piece = this.store.read(at, Math.min(READ_BYTES, this.sizeBytes - at));
      if (!piece.ok) return piece;
      state.update(piece.value);
    }
    return ok(state.digest());
  }

  /** The hash goes behind it all, and no object is there twice. */
  private finish(checksum: Uint8Array): Result<IndexedPack, Fault> {
    const appended = this.store.append(checksum);
    if (!appended.ok) return appended;
    const entries = this.entries.map(({ id, offset, crc }) => ({ id: id!, offset, crc }));
    const seen = new Set<ObjectId>();
    for (const { id } of entries) {
      if (seen.has(id)) return err({ kind: 'duplicate', id });
      seen.add(id);
    }
    return ok({ entries, checksum, sizeBytes: this.sizeBytes + checksum.length });
  }
}

function add<K>(all: Map<K, number[]>, key: K, number: number): void {
  const others = all.get(key);
  if (others === undefined) all.set(key, [number]);
  else others.push(number);
}
