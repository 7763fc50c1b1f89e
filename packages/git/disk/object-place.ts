/** One "objects" directory: its loose objects and its packs. Its owner's, or an alternate's. */

import { ok, type Result } from '#core';
import type { FileSystem, Zlib } from '#device';
import type { BackendError } from '../backend.ts';
import type { GitObject } from '../object.ts';
import { ID_BYTES, type ObjectHash, type ObjectId, parseObjectId } from '../object-id.ts';
import { damaged, fileFailed } from './file-fault.ts';
import { OBJECT_BYTES_MAX } from './limits.ts';
import { loosePath, parseLooseObject } from './loose-object.ts';

export class ObjectPlace {
  readonly files: FileSystem;
  readonly #zlib: Zlib;
  readonly #hash: ObjectHash;

  constructor(files: FileSystem, zlib: Zlib, hash: ObjectHash) {
    this.files = files;
    this.#zlib = zlib;
    this.#hash = hash;
  }

  readLoose(id: ObjectId): Result<GitObject | null, BackendError> {
    const path = loosePath(id);
    const read = this.files.readFile(path, OBJECT_BYTES_MAX);
    if (!read.ok) {
      const { error } = read;
      if (error.kind === 'absent') return ok(null);
      if (error.kind !== 'too long') return fileFailed(error);
      const { sizeBytes } = error;
      return { ok: false, error: { kind: 'too big', sizeBytes, bytesMax: OBJECT_BYTES_MAX } };
    }
    const parsed = parseLooseObject(this.#zlib, read.value);
    return parsed.ok ? parsed : damaged(`${path} is no loose object`, id);
  }

  hasLoose(id: ObjectId): Result<boolean, BackendError> {
    const found = this.files.stat(loosePath(id));
    return found.ok ? ok(found.value !== null) : fileFailed(found.error);
  }

  /** In no order. */
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
}
