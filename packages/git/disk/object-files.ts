/**
 * A repository's objects in files. What is written waits in memory until a ref needs it (`flush`),
 * or there is too much of it: then all of it is written, and synced, at once. Read first:
 * object-place.ts, loose-writer.ts.
 */

import { ok, type Result } from '#core';
import type { BackendError } from '../backend.ts';
import type { GitObject, NamedObject } from '../object.ts';
import { ID_BYTES, type ObjectHash, type ObjectId } from '../object-id.ts';
import { parseTag } from '../wire/tag.ts';
import { fileFailed } from './file-fault.ts';
import { PENDING_BYTES_MAX, PENDING_OBJECTS_MAX, TAG_DEPTH_MAX } from './limits.ts';
import type { LooseWriter } from './loose-writer.ts';
import type { ObjectPlace } from './object-place.ts';

export class ObjectFiles {
  /** Its own first, then alternates. */
  readonly #places: readonly ObjectPlace[];
  readonly #writer: LooseWriter;
  readonly #hash: ObjectHash;
  #pending = new Map<ObjectId, NamedObject>();
  #pendingBytes = 0;

  constructor(places: readonly ObjectPlace[], writer: LooseWriter, hash: ObjectHash) {
    this.#hash = hash;
    this.#places = places;
    this.#writer = writer;
  }

  read(id: ObjectId): Result<GitObject | null, BackendError> {
    const waiting = this.#pending.get(id);
    if (waiting !== undefined) return ok(waiting);
    for (const place of this.#places) {
      const found = place.readLoose(id);
      if (!found.ok || found.value !== null) return found;
    }
    return ok(null);
  }

  has(id: ObjectId): Result<boolean, BackendError> {
    return this.#pending.has(id) ? ok(true) : this.#isStored(id);
  }

  write(objects: readonly NamedObject[]): Result<void, BackendError> {
    for (const object of objects) {
      if (this.#pending.has(object.id)) continue;
      this.#pending.set(object.id, object);
      this.#pendingBytes += object.bytes.length;
    }
    const isMuch =
      this.#pending.size > PENDING_OBJECTS_MAX || this.#pendingBytes > PENDING_BYTES_MAX;
    return isMuch ? this.flush() : ok(undefined);
  }

  /** Everything that was written lasts when it returns. */
  flush(): Result<void, BackendError> {
    if (this.#pending.size === 0) return ok(undefined);
    const fresh: NamedObject[] = [];
    for (const object of this.#pending.values()) {
      const stored = this.#isStored(object.id);
      if (!stored.ok) return stored;
      if (!stored.value) fresh.push(object);
    }
    const written = this.#writer.write(fresh);
    if (!written.ok) return fileFailed(written.error);
    this.#pending = new Map();
    this.#pendingBytes = 0;
    return ok(undefined);
  }

  /** What the tag at `id` leads to; null when it is no tag, undefined when that can't be told. */
  peel(id: ObjectId): ObjectId | null | undefined {
    let at = id;
    for (let depth = 0; depth < TAG_DEPTH_MAX; depth++) {
      const found = this.read(at);
      if (!found.ok || found.value === null) return undefined;
      if (found.value.kind !== 'tag') return at === id ? null : at;
      const tag = parseTag(found.value.bytes, ID_BYTES[this.#hash]);
      if (!tag.ok) return undefined;
      at = tag.value.object;
    }
    return undefined;
  }

  close(): void {
    this.#pending = new Map();
  }

  /** Each once. */
  *ids(): Generator<Result<ObjectId, BackendError>> {
    for (const [at, place] of this.#places.entries()) {
      for (const listed of place.looseIds()) {
        if (listed.ok && this.#pending.has(listed.value)) continue;
        if (listed.ok && at > 0 && this.#isIn(listed.value, at)) continue;
        yield listed;
      }
    }
    for (const id of [...this.#pending.keys()]) yield ok(id);
  }

  #isIn(id: ObjectId, places: number): boolean {
    return this.#places.slice(0, places).some((place) => {
      const found = place.hasLoose(id);
      return found.ok && found.value;
    });
  }

  #isStored(id: ObjectId): Result<boolean, BackendError> {
    for (const place of this.#places) {
      const found = place.hasLoose(id);
      if (!found.ok || found.value) return found;
    }
    return ok(false);
  }
}
