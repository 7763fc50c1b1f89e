/**
 * Objects that came with a push, until the push is accepted: they can be read beside those that are
 * here, by nobody but the push itself, and are gone when it is refused. They wait in memory, where
 * their bytes are bounded, or as a pack of the backend's.
 */

import { assert, err, ok, type Result } from '#core';
import type { BackendError, NewObject, ObjectBackend, StagedPack } from '../backend.ts';
import type { GitObject, ObjectKind } from '../object.ts';
import type { ObjectHash, ObjectId } from '../object-id.ts';
import type { PackFault } from '../pack/pack-fault.ts';
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
  /** Where a long pack waits, in place of `#objects`. */
  #staged: StagedPack | null = null;
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

  get canStage(): boolean {
    return this.#backend.stagePack !== undefined;
  }

  /** All of the push as one pack, which takes no memory here but for what each object costs. */
  async stage(
    pack: AsyncIterable<Uint8Array>,
    packBytesMax: number,
  ): Promise<Result<StagedPack, PackFault | BackendError>> {
    assert(this.#staged === null && this.#objects.size === 0);
    const { shallow } = this;
    const objectsMax = Math.floor(this.#bytesMax / OBJECT_COST_BYTES);
    const staged = await this.#backend.stagePack!(pack, { packBytesMax, objectsMax, shallow });
    if (staged.ok) this.#staged = staged.value;
    return staged;
  }

  /** Of an object that came with the push; null: it didn't. Throws Stop. */
  kindOf(id: ObjectId): ObjectKind | null {
    const own = this.#objects.get(id)?.kind;
    if (own !== undefined) return own;
    return this.#staged === null ? null : got(this.#staged.kindOf(id));
  }

  async readObject(id: ObjectId): Promise<Result<GitObject | null, BackendError>> {
    const own = this.#objects.get(id) ?? null;
    const found = own !== null || this.#staged === null ? ok(own) : this.#staged.read(id);
    return !found.ok || found.value !== null ? found : this.#backend.readObject(id);
  }

  async hasObject(id: ObjectId): Promise<Result<boolean, BackendError>> {
    if (this.#objects.has(id)) return ok(true);
    const staged = this.#staged?.kindOf(id) ?? ok(null);
    if (!staged.ok) return staged;
    return staged.value === null ? this.#backend.hasObject(id) : ok(true);
  }

  async listShallow(): Promise<Result<ReadonlySet<ObjectId>, BackendError>> {
    return (await this.#backend.listShallow?.()) ?? ok(new Set());
  }

  /** It is over: what wasn't given to the backend is gone. */
  drop(): void {
    this.#staged?.drop();
    this.#objects.clear();
  }

  /**
   * Gives these objects to the backend for good (of a pack that waits as one all of them, unless
   * some aren't whole), in the order in which they came: what an entry is upon before it. Throws
   * Stop when it fails.
   */
  async release(ids: ReadonlySet<ObjectId>): Promise<void> {
    if (this.#staged !== null && ids.size > 0) {
      if (this.#isWhole(this.#staged, ids)) got(await this.#staged.keep());
      else await this.#writeAll(chosenFrom(this.#staged, ids));
      return;
    }
    await this.#writeAll(this.#chosen(ids));
  }

  *#chosen(ids: ReadonlySet<ObjectId>): Generator<NewObject> {
    let left = ids.size;
    for (const [id, object] of this.#objects) {
      if (!ids.has(id)) continue;
      left -= 1;
      yield { id, ...object };
    }
    assert(left === 0, 'objects of the push');
  }

  /** A pack is looked through when it comes, but for the parents of shallow commits. */
  #isWhole(staged: StagedPack, ids: ReadonlySet<ObjectId>): boolean {
    for (const id of this.shallow)
      if (!ids.has(id) && got(staged.kindOf(id)) !== null) return false;
    return true;
  }

  async #writeAll(objects: Iterable<NewObject>): Promise<void> {
    let batch: NewObject[] = [];
    let bytes = 0;
    for (const object of objects) {
      batch.push(object);
      bytes += object.bytes.length;
      if (bytes < RELEASE_BYTES) continue;
      got(await this.#backend.writeObjects(batch));
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0) got(await this.#backend.writeObjects(batch));
  }
}

/** Without the others: whoever names one of them later would be believed that it is whole. */
function* chosenFrom(staged: StagedPack, ids: ReadonlySet<ObjectId>): Generator<NewObject> {
  for (const id of ids) {
    const object = got(staged.read(id));
    assert(object !== null, 'objects of the push');
    yield { id, ...object };
  }
}

/** What an object costs beside its bytes. */
const OBJECT_COST_BYTES = 200;
/** Bytes that are written at once. */
const RELEASE_BYTES = 16_777_216;
