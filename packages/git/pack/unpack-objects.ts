/**
 * A pack that somebody sends, taken apart into a backend's objects, as `git unpack-objects
 * --strict` does: for small packs, and for backends that keep no packs. Memory: one object, its base, a batch
 * and the caches of limits.ts. Read first: pack-stream.ts, check-object.ts.
 *
 * Objects are written as they come: when the pack turns out bad, those before stay, as objects that
 * nothing names; each of them has passed every check.
 */

import { assert, err, ok, type Result } from '#core';
import type { BackendError, NewObject, ObjectBackend, PackEntry } from '../backend.ts';
import type { GitObject, NamedObject } from '../object.ts';
import { hashObject } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import { applyDelta } from './delta.ts';
import {
  BASE_CACHE_BYTES_MAX,
  BATCH_BYTES_MAX,
  BATCH_OBJECTS_MAX,
  DELTA_CHAIN_MAX,
  EXPANSION_BYTES_MAX,
  EXPANSION_FACTOR_MAX,
  WAITING_BYTES_MAX,
} from './limits.ts';
import { ObjectCache } from './object-cache.ts';
import { ObjectChecker } from './object-checker.ts';
import type { PackFault } from './pack-fault.ts';
import { type PackBounds, PackStream, type PackTools, type StreamedEntry } from './pack-stream.ts';

export interface UnpackOptions extends PackBounds {
  /**
   * `objects` as `git index-pack --strict`: each is one that Git lets in, and what they name is in
   * the pack or here. `nothing`: only that they are whole.
   */
  readonly check: 'objects' | 'nothing';
  /** Commits whose parents may be missing: a history that ends there. */
  readonly shallow?: ReadonlySet<ObjectId>;
  /** Nothing may follow the pack. */
  readonly isAlone?: boolean;
  /** Called after each entry that was read. */
  readonly progress?: (done: number, total: number) => void;
}

/** What a pack is unpacked into. */
export type UnpackTarget = Pick<
  ObjectBackend,
  'hash' | 'readObject' | 'hasObject' | 'writeObjects' | 'takesEntries'
>;

export interface Unpacked {
  readonly objects: number;
}

/** A delta whose base hasn't come. */
interface Waiting {
  readonly offset: number;
  readonly delta: Uint8Array;
  readonly deflated: Uint8Array | null;
}

/** Throws what `pieces` throw. */
export function unpackObjects(
  pieces: AsyncIterable<Uint8Array>,
  backend: UnpackTarget,
  tools: Omit<PackTools, 'hash'>,
  options: UnpackOptions,
): Promise<Result<Unpacked, PackFault | BackendError>> {
  return new Unpacking(pieces, backend, tools, options).run();
}

class Unpacking {
  private readonly backend: UnpackTarget;
  private readonly tools: PackTools;
  private readonly options: UnpackOptions;
  private readonly stream: PackStream;
  private readonly checker: ObjectChecker | null;
  private readonly recent = new ObjectCache<ObjectId>(BASE_CACHE_BYTES_MAX);
  private batch = new Map<ObjectId, NewObject>();
  private batchBytes = 0;
  private readonly idAt = new Map<number, ObjectId>();
  private readonly depthOf = new Map<ObjectId, number>();
  private readonly waitingForOffset = new Map<number, Waiting[]>();
  private readonly waitingForId = new Map<ObjectId, Waiting[]>();
  /** Deltas whose base has come. */
  private readonly ready: { readonly baseId: ObjectId; readonly waiting: Waiting }[] = [];
  private waitingCount = 0;
  private waitingBytes = 0;
  private expandedBytes = 0;

  constructor(
    pieces: AsyncIterable<Uint8Array>,
    backend: UnpackTarget,
    tools: Omit<PackTools, 'hash'>,
    options: UnpackOptions,
  ) {
    this.backend = backend;
    this.tools = { ...tools, hash: backend.hash };
    this.options = options;
    this.checker =
      options.check === 'objects' ? new ObjectChecker(backend.hash, options.shallow) : null;
    const entries = backend.takesEntries === true;
    this.stream = new PackStream(pieces, { ...options, ...this.tools, entries });
  }

  async run(): Promise<Result<Unpacked, PackFault | BackendError>> {
    try {
      return await this.readAll();
    } finally {
      await this.stream.close();
    }
  }

  private async readAll(): Promise<Result<Unpacked, PackFault | BackendError>> {
    const count = await this.stream.open();
    if (!count.ok) return count;
    for (let done = 1; ; done++) {
      const entry = await this.stream.next();
      if (!entry.ok) return entry;
      if (entry.value === null) break;
      const taken = await this.takeEntry(entry.value);
      if (!taken.ok) return taken;
      this.options.progress?.(done, count.value);
    }
    const end = await this.stream.finish(this.options.isAlone);
    if (!end.ok) return end;
    if (this.waitingCount > 0) return err(this.missingBase());
    const flushed = await this.flush();
    if (!flushed.ok) return flushed;
    const linked = await this.checker?.checkLinks(this.backend);
    if (linked !== undefined && !linked.ok) return linked;
    return ok({ objects: count.value });
  }

  private async takeEntry(entry: StreamedEntry): Promise<Result<void, PackFault | BackendError>> {
    const { kind, base, offset, id, bytes, deflated } = entry;
    if (base === null) {
      const object = { id: id!, kind: kind!, bytes };
      const added = await this.addObject(withEntry(object, deflated, null), offset, 0);
      return added.ok ? this.resolveReady() : added;
    }
    const baseId = base.id ?? this.idAt.get(offset - base.distance);
    const object = baseId === undefined ? ok(null) : await this.find(baseId);
    if (!object.ok) return object;
    if (object.value !== null) {
      const added = await this.addDelta(object.value, baseId!, { offset, delta: bytes, deflated });
      return added.ok ? this.resolveReady() : added;
    }
    this.waitingBytes += bytes.length + (deflated?.length ?? 0);
    if (this.waitingBytes > WAITING_BYTES_MAX) {
      return err({ kind: 'too much', what: 'deltas that wait for their base' });
    }
    this.waitingCount += 1;
    const waiting = { offset, delta: bytes, deflated };
    if (baseId === undefined) wait(this.waitingForOffset, offset - base.distance!, waiting);
    else wait(this.waitingForId, baseId, waiting);
    return ok(undefined);
  }

  /** Depth first, so that a base is likely still held when the next delta upon it comes. */
  private async resolveReady(): Promise<Result<void, PackFault | BackendError>> {
    for (let next = this.ready.pop(); next !== undefined; next = this.ready.pop()) {
      this.waitingCount -= 1;
      const { delta, deflated } = next.waiting;
      this.waitingBytes -= delta.length + (deflated?.length ?? 0);
      const base = await this.find(next.baseId);
      if (!base.ok) return base;
      assert(base.value !== null, 'what was written is here');
      const added = await this.addDelta(base.value, next.baseId, next.waiting);
      if (!added.ok) return added;
    }
    return ok(undefined);
  }

  private async addDelta(
    base: GitObject,
    baseId: ObjectId,
    { offset, delta, deflated }: Waiting,
  ): Promise<Result<void, PackFault | BackendError>> {
    const depth = (this.depthOf.get(baseId) ?? 0) + 1;
    if (depth > DELTA_CHAIN_MAX) return err({ kind: 'too much', what: 'deltas upon deltas' });
    const made = applyDelta(base.bytes, delta, this.stream.objectBytesMax);
    if (!made.ok) return err({ kind: 'bad delta', offset });
    const bytes = made.value;
    this.expandedBytes += bytes.length;
    if (this.expandedBytes > EXPANSION_BYTES_MAX + offset * EXPANSION_FACTOR_MAX) {
      return err({ kind: 'too much', what: 'bytes of all objects' });
    }
    const { kind } = base;
    const id = hashObject(this.tools.crypto, this.backend.hash, kind, bytes);
    const from = { base: baseId, sizeBytes: delta.length };
    return this.addObject(withEntry({ id, kind, bytes }, deflated, from), offset, depth);
  }

  private async addObject(
    object: NewObject,
    offset: number,
    depth: number,
  ): Promise<Result<void, PackFault | BackendError>> {
    const { id } = object;
    const fault = this.checker?.add(object) ?? null;
    if (fault !== null) return err(fault);
    this.idAt.set(offset, id);
    if (depth > 0) this.depthOf.set(id, depth);
    this.batch.set(id, object);
    this.recent.add(id, object);
    this.batchBytes += object.bytes.length;
    if (this.batchBytes > BATCH_BYTES_MAX || this.batch.size >= BATCH_OBJECTS_MAX) {
      const flushed = await this.flush();
      if (!flushed.ok) return flushed;
    }
    for (const waiting of [
      ...take(this.waitingForOffset, offset),
      ...take(this.waitingForId, id),
    ]) {
      this.ready.push({ baseId: id, waiting });
    }
    return ok(undefined);
  }

  private missingBase(): PackFault {
    const left = [...this.waitingForOffset.values(), ...this.waitingForId.values()].flat();
    const offset = left.reduce((least, one) => Math.min(least, one.offset), Infinity);
    return { kind: 'missing base', offset, count: left.length };
  }

  private async find(id: ObjectId): Promise<Result<GitObject | null, BackendError>> {
    const known = this.batch.get(id) ?? this.recent.get(id);
    if (known !== undefined && known !== null) return ok(known);
    const object = await this.backend.readObject(id);
    if (object.ok && object.value !== null) this.recent.add(id, object.value);
    return object;
  }

  private async flush(): Promise<Result<void, BackendError>> {
    if (this.batch.size === 0) return ok(undefined);
    const objects = [...this.batch.values()];
    this.batch = new Map();
    this.batchBytes = 0;
    return this.backend.writeObjects(objects);
  }
}

/** `delta`: what is deflated, when it isn't the object. */
function withEntry(
  object: NamedObject,
  deflated: Uint8Array | null,
  delta: Pick<PackEntry, 'base' | 'sizeBytes'> | null,
): NewObject {
  if (deflated === null) return object;
  const { kind, bytes } = object;
  const { base, sizeBytes } = delta ?? { base: null, sizeBytes: bytes.length };
  return { ...object, entry: { kind, sizeBytes, base, deflated } };
}

function wait<K>(all: Map<K, Waiting[]>, key: K, one: Waiting): void {
  const others = all.get(key);
  if (others === undefined) all.set(key, [one]);
  else others.push(one);
}

function take<K>(all: Map<K, Waiting[]>, key: K): readonly Waiting[] {
  const found = all.get(key);
  if (found === undefined) return [];
  all.delete(key);
  return found;
}
