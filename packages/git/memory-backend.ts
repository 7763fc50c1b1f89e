/**
 * Objects and refs in memory: for tests, caches, and what need not last. Read first: backend.ts.
 */

import { err, ok, type Result } from '#core';
import type {
  BackendError,
  ObjectBackend,
  RefConflict,
  RefEntry,
  RefUpdate,
  RefValue,
  ShallowUpdate,
} from './backend.ts';
import type { GitObject, NamedObject } from './object.ts';
import type { ObjectHash, ObjectId } from './object-id.ts';
import { isRefName } from './ref-name.ts';
import { RefTable } from './ref-table.ts';
import { RefWatchers } from './ref-watchers.ts';

export interface MemoryBackendOptions {
  readonly hash?: ObjectHash;
  /** Of all objects' bytes: past it they are refused as 'full'. */
  readonly bytesMax?: number;
}

const CLOSED = err<BackendError>({ kind: 'closed' });

/** A repository that is gone when the program ends. Objects are held as they are, uncompressed. */
export class MemoryBackend implements ObjectBackend {
  readonly hash: ObjectHash;
  readonly #bytesMax: number;
  readonly #objects = new Map<ObjectId, GitObject>();
  readonly #refs = new RefTable();
  readonly #watchers = new RefWatchers();
  #shallow: ReadonlySet<ObjectId> = new Set();
  /** What was here at the last collection. */
  #old = new Set<ObjectId>();
  #bytes = 0;
  #head = 'refs/heads/main';
  #isClosed = false;

  constructor(options: MemoryBackendOptions = {}) {
    this.hash = options.hash ?? 'SHA-1';
    this.#bytesMax = options.bytesMax ?? Number.MAX_SAFE_INTEGER;
  }

  /** What its objects take. */
  get objectBytes(): number {
    return this.#bytes;
  }

  async readObject(id: ObjectId): Promise<Result<GitObject | null, BackendError>> {
    return this.#isClosed ? CLOSED : ok(this.#objects.get(id) ?? null);
  }

  async hasObject(id: ObjectId): Promise<Result<boolean, BackendError>> {
    return this.#isClosed ? CLOSED : ok(this.#objects.has(id));
  }

  async writeObjects(objects: readonly NamedObject[]): Promise<Result<void, BackendError>> {
    if (this.#isClosed) return CLOSED;
    for (const { id, kind, bytes } of objects) {
      if (this.#objects.has(id)) continue;
      if (this.#bytes + bytes.length > this.#bytesMax) return err({ kind: 'full' });
      this.#objects.set(id, { kind, bytes });
      this.#bytes += bytes.length;
    }
    return ok(undefined);
  }

  /**
   * Drops what isn't in `reached`, but for what was written since the last call: it may be on its
   * way to a ref. Returns the bytes that are free.
   */
  keepOnly(reached: ReadonlySet<ObjectId>): number {
    const before = this.#bytes;
    for (const id of this.#old) {
      const object = this.#objects.get(id);
      if (object === undefined || reached.has(id)) continue;
      this.#objects.delete(id);
      this.#bytes -= object.bytes.length;
    }
    this.#old = new Set(this.#objects.keys());
    return before - this.#bytes;
  }

  async readRef(name: string): Promise<Result<RefValue | null, BackendError>> {
    if (this.#isClosed) return CLOSED;
    if (name === 'HEAD') return ok({ symbolic: this.#head });
    const id = this.#refs.get(name);
    return ok(id === null ? null : { id });
  }

  async listRefs(prefix: string): Promise<Result<readonly RefEntry[], BackendError>> {
    return this.#isClosed ? CLOSED : ok(this.#refs.list(prefix));
  }

  async updateRefs(
    updates: readonly RefUpdate[],
    _reason: string,
  ): Promise<Result<void, RefConflict | BackendError>> {
    if (this.#isClosed) return CLOSED;
    const done = this.#refs.apply(updates);
    if (done.ok && updates.length > 0) this.#watchers.changed();
    return done;
  }

  async setHead(name: string): Promise<Result<void, BackendError>> {
    if (this.#isClosed) return CLOSED;
    if (!isRefName(name)) return err({ kind: 'bad name', name });
    this.#head = name;
    this.#watchers.changed();
    return ok(undefined);
  }

  watchRefs(changed: () => void): () => void {
    return this.#watchers.add(changed);
  }

  isShallow(commit: ObjectId): boolean {
    return this.#shallow.has(commit);
  }

  async listShallow(): Promise<Result<ReadonlySet<ObjectId>, BackendError>> {
    return this.#isClosed ? CLOSED : ok(this.#shallow);
  }

  async updateShallow({ add, remove }: ShallowUpdate): Promise<Result<void, BackendError>> {
    if (this.#isClosed) return CLOSED;
    const shallow = new Set(this.#shallow);
    for (const id of remove) shallow.delete(id);
    for (const id of add) shallow.add(id);
    this.#shallow = shallow;
    return ok(undefined);
  }

  async *objectIds(): AsyncIterable<Result<ObjectId, BackendError>> {
    for (const id of [...this.#objects.keys()]) {
      if (this.#isClosed) yield CLOSED;
      if (this.#isClosed) return;
      yield ok(id);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#objects.clear();
    this.#watchers.clear();
  }
}
