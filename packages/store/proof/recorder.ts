/**
 * The objects of another backend, or those of a proof, read through a witness: it knows which were
 * read, and which were asked for and weren't there. Nothing can be written.
 */

import { err, ok, type Result } from '#core';
import type {
  BackendError,
  GitObject,
  NamedObject,
  ObjectBackend,
  ObjectHash,
  ObjectId,
  RefEntry,
  RefValue,
} from '#git';

type Read = (id: ObjectId) => Promise<Result<GitObject | null, BackendError>>;

const READ_ONLY: Result<never, BackendError> = err({ kind: 'read only' });

export class Recorder implements ObjectBackend {
  readonly hash: ObjectHash;
  /** In the order of their first reading. */
  readonly read = new Map<ObjectId, GitObject>();
  /** The first object that wasn't there. */
  missing: ObjectId | null = null;
  readonly #below: Read;

  constructor(hash: ObjectHash, below: Read) {
    this.hash = hash;
    this.#below = below;
  }

  async readObject(id: ObjectId): Promise<Result<GitObject | null, BackendError>> {
    const before = this.read.get(id);
    if (before !== undefined) return ok(before);
    const object = await this.#below(id);
    if (!object.ok) return object;
    if (object.value === null) this.missing ??= id;
    else this.read.set(id, object.value);
    return object;
  }

  async hasObject(id: ObjectId): Promise<Result<boolean, BackendError>> {
    const object = await this.readObject(id);
    return object.ok ? ok(object.value !== null) : object;
  }

  async writeObjects(_objects: readonly NamedObject[]): Promise<Result<void, BackendError>> {
    return READ_ONLY;
  }

  async readRef(_name: string): Promise<Result<RefValue | null, BackendError>> {
    return ok(null);
  }

  async listRefs(_prefix: string): Promise<Result<readonly RefEntry[], BackendError>> {
    return ok([]);
  }

  async updateRefs(): Promise<Result<void, BackendError>> {
    return READ_ONLY;
  }

  async setHead(_name: string): Promise<Result<void, BackendError>> {
    return READ_ONLY;
  }

  watchRefs(_changed: () => void): () => void {
    return () => {};
  }

  async close(): Promise<void> {}
}
