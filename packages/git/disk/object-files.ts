/**
 * A repository's objects in files. What is written waits in memory until a ref needs it (`flush`),
 * or there is too much of it: then all of it is written, and synced, at once. Read first:
 * object-place.ts, loose-writer.ts.
 */

import { ok, type Result } from '#core';
import { directoryOf } from '#device';
import type { BackendError, PackEntry } from '../backend.ts';
import { TAG_CHAIN_MAX } from '../limits.ts';
import type { GitObject, NamedObject } from '../object.ts';
import { ID_BYTES, type ObjectHash, type ObjectId } from '../object-id.ts';
import { parseTag } from '../wire/tag.ts';
import type { DirectorySync } from './directories.ts';
import { fileFailed } from './file-fault.ts';
import {
  PACKED_OBJECTS_MIN,
  PENDING_BYTES_MAX,
  PENDING_OBJECTS_MAX,
  RESCANS_MAX,
} from './limits.ts';
import type { LooseWriter } from './loose-writer.ts';
import type { ObjectPlace } from './object-place.ts';
import type { PackWriter } from './pack-writer.ts';

export class ObjectFiles {
  /** Its own first, then alternates. */
  readonly #places: readonly ObjectPlace[];
  readonly #writer: LooseWriter;
  readonly #packWriter: PackWriter;
  readonly #directories: DirectorySync;
  readonly #hash: ObjectHash;
  #pending = new Map<ObjectId, NamedObject>();
  #pendingBytes = 0;
  /** Those that are being written. */
  #flushing: ReadonlyMap<ObjectId, NamedObject> = new Map();
  /** The last flush that was asked for. */
  #last: Promise<Result<void, BackendError>> = Promise.resolve(ok(undefined));

  constructor(
    places: readonly ObjectPlace[],
    writer: LooseWriter,
    packWriter: PackWriter,
    directories: DirectorySync,
    hash: ObjectHash,
  ) {
    this.#directories = directories;
    this.#packWriter = packWriter;
    this.#hash = hash;
    this.#places = places;
    this.#writer = writer;
  }

  read(id: ObjectId): Result<GitObject | null, BackendError> {
    const waiting = this.#pending.get(id) ?? this.#flushing.get(id);
    return waiting === undefined ? this.#look((place) => place.read(id)) : ok(waiting);
  }

  readEntry(id: ObjectId, isChecked: boolean): Result<PackEntry | null, BackendError> {
    for (const place of this.#places) {
      const found = place.readEntry(id, isChecked);
      if (!found.ok || found.value !== null) return found;
    }
    return ok(null);
  }

  has(id: ObjectId): Result<boolean, BackendError> {
    if (this.#isWaiting(id)) return ok(true);
    const found = this.#look((place) => {
      const has = place.has(id);
      return has.ok && !has.value ? ok(null) : has;
    });
    return found.ok ? ok(found.value === true) : found;
  }

  async write(objects: readonly NamedObject[]): Promise<Result<void, BackendError>> {
    if (this.#isMuch) {
      // What couldn't be written waits: nothing joins it until it could.
      const flushed = await this.flush();
      if (!flushed.ok) return flushed;
    }
    for (const object of objects) {
      if (this.#isWaiting(object.id)) continue;
      this.#pending.set(object.id, object);
      this.#pendingBytes += object.bytes.length;
    }
    return this.#isMuch ? this.flush() : ok(undefined);
  }

  get #isMuch(): boolean {
    return this.#pending.size > PENDING_OBJECTS_MAX || this.#pendingBytes > PENDING_BYTES_MAX;
  }

  /** Everything that was written before lasts when it resolves. One at a time, in turn. */
  flush(): Promise<Result<void, BackendError>> {
    this.#last = this.#last.then(() => this.#flushPending());
    return this.#last;
  }

  async #flushPending(): Promise<Result<void, BackendError>> {
    if (this.#pending.size === 0) return ok(undefined);
    const batch = this.#pending;
    this.#flushing = batch;
    this.#pending = new Map();
    this.#pendingBytes = 0;
    const done = await this.#storeNew([...batch.values()]);
    this.#flushing = new Map();
    if (done.ok) return done;
    // They wait for the next try.
    this.#pending = new Map([...batch, ...this.#pending]);
    this.#pendingBytes = 0;
    for (const { bytes } of this.#pending.values()) this.#pendingBytes += bytes.length;
    return done;
  }

  async #storeNew(objects: readonly NamedObject[], tries = 1): Promise<Result<void, BackendError>> {
    // What was known to be there may have been pruned.
    for (const { packs } of this.#places) {
      const scanned = packs.scan();
      if (!scanned.ok) return scanned;
    }
    const fresh: NamedObject[] = [];
    const directories = new Set<string>();
    for (const object of objects) {
      const stored = this.#isStored(object.id, directories);
      if (!stored.ok) return stored;
      if (!stored.value) fresh.push(object);
    }
    // Whoever put it there may have failed, or died, before that would last.
    const synced = await this.#directories.syncAll([], directories);
    if (synced.ok) return this.#store(fresh);
    // `git gc` moved what was there into a pack just now.
    const isMoved = synced.error.kind === 'absent' && tries < RESCANS_MAX;
    return isMoved ? this.#storeNew(objects, tries + 1) : fileFailed(synced.error);
  }

  /** What the tag at `id` leads to; null when it is no tag, undefined when that can't be told. */
  peel(id: ObjectId): ObjectId | null | undefined {
    let at = id;
    for (let depth = 0; depth <= TAG_CHAIN_MAX; depth++) {
      const found = this.read(at);
      if (!found.ok || found.value === null) return undefined;
      if (found.value.kind !== 'tag') return at === id ? null : at;
      const tag = parseTag(found.value.bytes, ID_BYTES[this.#hash]);
      if (!tag.ok) return undefined;
      at = tag.value.object;
    }
    return undefined;
  }

  /** Few in a file each; many as a pack, which is one file to sync. */
  async #store(objects: readonly NamedObject[]): Promise<Result<void, BackendError>> {
    if (objects.length >= PACKED_OBJECTS_MIN) return this.#packWriter.write(objects);
    const written = await this.#writer.write(objects);
    return written.ok ? written : fileFailed(written.error);
  }

  /** Each once. */
  *ids(): Generator<Result<ObjectId, BackendError>> {
    for (const [at, place] of this.#places.entries()) {
      for (const listed of place.ids()) {
        if (listed.ok && this.#isWaiting(listed.value)) continue;
        if (listed.ok && at > 0 && this.#isIn(listed.value, at)) continue;
        yield listed;
      }
    }
    for (const id of [...this.#pending.keys(), ...this.#flushing.keys()]) yield ok(id);
  }

  close(): void {
    this.#pending = new Map();
    for (const place of this.#places) place.close();
  }

  /**
   * What the first place gives that has it. When none does, `git` may just have moved it from loose
   * objects to a pack, or to another pack: as long as there are packs that are new, looks again.
   */
  #look<T>(
    look: (place: ObjectPlace) => Result<T | null, BackendError>,
  ): Result<T | null, BackendError> {
    for (let tries = 1; ; tries++) {
      for (const place of this.#places) {
        const found = look(place);
        if (!found.ok || found.value !== null) return found;
      }
      let isNew = false;
      for (const { packs } of this.#places) {
        const scanned = packs.scan();
        if (!scanned.ok) return scanned;
        isNew ||= scanned.value;
      }
      if (!isNew || tries === RESCANS_MAX) return ok(null);
    }
  }

  #isWaiting(id: ObjectId): boolean {
    return this.#pending.has(id) || this.#flushing.has(id);
  }

  #isIn(id: ObjectId, places: number): boolean {
    return this.#places.slice(0, places).some((place) => {
      const found = place.has(id);
      return found.ok && found.value;
    });
  }

  /**
   * Whether it is there, and was made as young as if it were written now; adds the directory, when
   * it is one of ours.
   */
  #isStored(id: ObjectId, directories: Set<string>): Result<boolean, BackendError> {
    for (const [at, place] of this.#places.entries()) {
      const found = place.has(id);
      if (!found.ok) return found;
      if (!found.value) continue;
      const refreshed = place.refresh(id);
      if (!refreshed.ok) return refreshed;
      if (refreshed.value === null) continue;
      if (at === 0) directories.add(directoryOf(refreshed.value));
      return ok(true);
    }
    return ok(false);
  }
}
