/** One "objects" directory: its loose objects and its packs. Its owner's, or an alternate's. */

import { err, ok, type Result } from '#core';
import type { FileSystem, Zlib } from '#device';
import type { BackendError, PackEntry } from '../backend.ts';
import type { GitObject } from '../object.ts';
import { ID_BYTES, type ObjectHash, type ObjectId, parseObjectId } from '../object-id.ts';
import { damaged, fileFailed } from './file-fault.ts';
import { OBJECT_BYTES_MAX } from './limits.ts';
import { loosePath, parseLooseObject } from './loose-object.ts';
import { PackSet } from './pack-set.ts';

export class ObjectPlace {
  readonly files: FileSystem;
  readonly packs: PackSet;
  readonly #zlib: Zlib;
  readonly #hash: ObjectHash;

  constructor(files: FileSystem, zlib: Zlib, hash: ObjectHash) {
    this.files = files;
    this.packs = new PackSet(files, zlib, hash);
    this.#zlib = zlib;
    this.#hash = hash;
  }

  /** As far as its packs are known. */
  read(id: ObjectId): Result<GitObject | null, BackendError> {
    const packed = this.packs.read(id);
    return !packed.ok || packed.value !== null ? packed : this.readLoose(id);
  }

  readEntry(id: ObjectId, isChecked: boolean): Result<PackEntry | null, BackendError> {
    return this.packs.find((pack) => pack.readEntry(id, isChecked));
  }

  has(id: ObjectId): Result<boolean, BackendError> {
    const packed = this.packs.packOf(id);
    if (!packed.ok) return packed;
    return packed.value !== null ? ok(true) : this.hasLoose(id);
  }

  readLoose(id: ObjectId): Result<GitObject | null, BackendError> {
    const path = loosePath(id);
    const read = this.files.readFile(path, OBJECT_BYTES_MAX);
    if (!read.ok) {
      const { error } = read;
      if (error.kind === 'absent') return ok(null);
      if (error.kind !== 'too long') return fileFailed(error);
      return err({ kind: 'too big', sizeBytes: error.sizeBytes, bytesMax: OBJECT_BYTES_MAX });
    }
    const parsed = parseLooseObject(this.#zlib, read.value);
    return parsed.ok ? parsed : damaged(`${path} is no loose object`, id);
  }

  hasLoose(id: ObjectId): Result<boolean, BackendError> {
    const found = this.files.stat(loosePath(id));
    return found.ok ? ok(found.value !== null) : fileFailed(found.error);
  }

  /**
   * The file that has this object, now as young as if it were written now: `git prune` spares it.
   * Null when there is none.
   */
  refresh(id: ObjectId): Result<string | null, BackendError> {
    const packed = this.packs.packOf(id);
    if (!packed.ok) return packed;
    const path = packed.value?.path ?? loosePath(id);
    const touched = this.files.touch(path);
    if (touched.ok) return ok(path);
    const { kind } = touched.error;
    if (kind === 'absent') return ok(null);
    // Somebody else's: that it is there is all that can be had.
    return kind === 'read only' ? ok(path) : fileFailed(touched.error);
  }

  /** Each once, as of now, in no order. */
  *ids(): Generator<Result<ObjectId, BackendError>> {
    const scanned = this.packs.scan();
    if (!scanned.ok) yield scanned;
    const packs = [...this.packs.packs];
    for (const [at, pack] of packs.entries()) {
      const ids = pack.ids();
      if (!ids.ok) yield ids;
      if (!ids.ok || ids.value === null) continue;
      for (const id of ids.value) {
        const isKnown = packs.slice(0, at).some((other) => {
          const has = other.has(id);
          return has.ok && has.value === true;
        });
        if (!isKnown) yield ok(id);
      }
    }
    for (const listed of this.looseIds()) {
      const packed = listed.ok ? this.packs.packOf(listed.value) : null;
      if (packed?.ok && packed.value !== null) continue;
      yield listed;
    }
  }

  *looseIds(): Generator<Result<ObjectId, BackendError>> {
    const digits = 2 * ID_BYTES[this.#hash];
    for (let byte = 0; byte < 256; byte++) {
      const fan = byte.toString(16).padStart(2, '0');
      const listed = this.files.list(fan);
      if (!listed.ok) {
        if (listed.error.kind !== 'absent') yield fileFailed(listed.error);
        continue;
      }
      for (const { name } of listed.value) {
        const id = parseObjectId(fan + name);
        if (id !== null && id.length === digits) yield ok(id);
      }
    }
  }

  close(): void {
    this.packs.close();
  }
}
