/**
 * Objects that came with a push, until the push is accepted: they can be read beside those that are
 * here, by nobody but the push itself, and are gone when it is refused. Their bytes are bounded.
 */

import { assert, err, ok, type Result } from '#core';
import type { BackendError, NewObject, ObjectBackend } from '../backend.ts';
import type { GitObject } from '../object.ts';
import type { ObjectHash, ObjectId } from '../object-id.ts';
import type { UnpackTarget } from '../pack/unpack-objects.ts';
import { got } from './stop.ts';

/** What walks read. */
export type ObjectReader = Pick<ObjectBackend, 'hash' | 'readObject' | 'hasObject' | 'listShallow'>;

export class Quarantine implements UnpackTarget {
  readonly hash: ObjectHash;
  readonly takesEntries: boolean;
  /** Commits whose parents the pusher lacks. */
  readonly shallow: ReadonlySet<ObjectId>;
  readonly #backend: ObjectBackend;
  readonly #bytesMax: number;
  readonly #objects = new Map<ObjectId, Omit<NewObject, 'id'>>();
  #bytes = 0;
  #entryBytes = 0;
  #keepsEntries = true;

  constructor(
    backend: ObjectBackend,
    bytesMax: number,
    shallow: ReadonlySet<ObjectId> = new Set(),
  ) {
    this.shallow = shallow;
    this.hash = backend.hash;
    this.takesEntries = backend.takesEntries === true;
    this.#backend = backend;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#objects.size;
  }

  /**
   * Keeps them here; 'too big' when there are too many bytes. When entries would make it so, all
   * of them are dropped.
   */
  async writeObjects(objects: readonly NewObject[]): Promise<Result<void, BackendError>> {
    const bytesMax = this.#bytesMax;
    for (const { id, kind, bytes, entry } of objects) {
      if (this.#objects.has(id)) continue;
      const sizeBytes = this.#bytes + bytes.length + OBJECT_COST_BYTES;
      if (sizeBytes > bytesMax) return err({ kind: 'too big', sizeBytes, bytesMax });
      this.#bytes = sizeBytes;
      this.#entryBytes += entry?.deflated.length ?? 0;
      this.#keepsEntries &&= this.#bytes + this.#entryBytes <= bytesMax;
      if (!this.#keepsEntries) this.#dropEntries();
      const keepsEntry = this.#keepsEntries && entry !== undefined;
      this.#objects.set(id, { kind, bytes, ...(keepsEntry && { entry }) });
    }
    return ok(undefined);
  }

  #dropEntries(): void {
    if (this.#entryBytes === 0) return;
    this.#entryBytes = 0;
    for (const [id, { kind, bytes }] of this.#objects) this.#objects.set(id, { kind, bytes });
  }

  /** An object that came with the push; null: it didn't. */
  get(id: ObjectId): GitObject | null {
    return this.#objects.get(id) ?? null;
  }

  async readObject(id: ObjectId): Promise<Result<GitObject | null, BackendError>> {
    const own = this.#objects.get(id);
    return own === undefined ? this.#backend.readObject(id) : ok(own);
  }

  async hasObject(id: ObjectId): Promise<Result<boolean, BackendError>> {
    return this.#objects.has(id) ? ok(true) : this.#backend.hasObject(id);
  }

  async listShallow(): Promise<Result<ReadonlySet<ObjectId>, BackendError>> {
    return (await this.#backend.listShallow?.()) ?? ok(new Set());
  }

  /**
   * Gives these objects to the backend for good, in the order in which they came: what an entry is
   * upon before it. Throws Stop when it fails.
   */
  async release(ids: ReadonlySet<ObjectId>): Promise<void> {
    let batch: NewObject[] = [];
    let bytes = 0;
    let left = ids.size;
    for (const [id, object] of this.#objects) {
      if (!ids.has(id)) continue;
      left -= 1;
      batch.push({ id, ...object });
      bytes += object.bytes.length;
      if (bytes < RELEASE_BYTES) continue;
      got(await this.#backend.writeObjects(batch));
      batch = [];
      bytes = 0;
    }
    assert(left === 0, 'objects of the push');
    if (batch.length > 0) got(await this.#backend.writeObjects(batch));
  }
}

/** What an object costs beside its bytes. */
const OBJECT_COST_BYTES = 200;
/** Bytes that are written at once. */
const RELEASE_BYTES = 16_777_216;
