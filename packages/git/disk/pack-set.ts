/**
 * The packs of an "objects" directory. Others add and remove them at any time: what is known is
 * looked at again when something isn't found, and before anything is decided from its being there.
 * Read first: pack-file.ts.
 */

import { ok, type Result } from '#core';
import type { FileSystem, Zlib } from '#device';
import type { BackendError } from '../backend.ts';
import type { GitObject } from '../object.ts';
import type { ObjectHash, ObjectId } from '../object-id.ts';
import { ObjectCache } from '../pack/object-cache.ts';
import { fileFailed } from './file-fault.ts';
import type { BlockCache } from './file-window.ts';
import { PACK_BLOCKS_BYTES_MAX, PACK_CACHE_BYTES_MAX } from './limits.ts';
import { PackFile } from './pack-file.ts';

const INDEX = '.idx';

export class PackSet {
  readonly #files: FileSystem;
  readonly #zlib: Zlib;
  readonly #hash: ObjectHash;
  readonly #cache = new ObjectCache<number>(PACK_CACHE_BYTES_MAX);
  readonly #blocks: BlockCache = new ObjectCache(PACK_BLOCKS_BYTES_MAX);
  /** The one that something was found in last comes first. */
  #packs: PackFile[] = [];
  #number = 0;
  #isScanned = false;

  constructor(files: FileSystem, zlib: Zlib, hash: ObjectHash) {
    this.#files = files;
    this.#zlib = zlib;
    this.#hash = hash;
  }

  /** As of the last look. */
  get packs(): readonly PackFile[] {
    return this.#packs;
  }

  /** Looks which packs there are; whether there are some that weren't known. */
  scan(): Result<boolean, BackendError> {
    const listed = this.#files.list('pack');
    if (!listed.ok && listed.error.kind !== 'absent') return fileFailed(listed.error);
    const names = new Set<string>();
    for (const { name } of listed.ok ? listed.value : []) {
      if (name.endsWith(INDEX)) names.add(name.slice(0, -INDEX.length));
    }
    const kept: PackFile[] = [];
    for (const pack of this.#packs) {
      if (names.delete(pack.name)) kept.push(pack);
      else pack.close();
    }
    const fresh = [...names].sort().map((name) => {
      const number = this.#number++;
      const caches = [this.#cache, this.#blocks] as const;
      return new PackFile(this.#files, name, this.#zlib, this.#hash, ...caches, number);
    });
    this.#packs = [...fresh, ...kept];
    this.#isScanned = true;
    return ok(fresh.length > 0);
  }

  /** What the first pack gives that has it. */
  find<T>(
    look: (pack: PackFile) => Result<T | null, BackendError>,
  ): Result<T | null, BackendError> {
    if (!this.#isScanned) {
      const scanned = this.scan();
      if (!scanned.ok) return scanned;
    }
    for (let i = 0; i < this.#packs.length; i++) {
      const pack = this.#packs[i]!;
      const found = look(pack);
      if (found.ok && found.value === null) continue;
      if (i > 0) {
        this.#packs.splice(i, 1);
        this.#packs.unshift(pack);
      }
      return found;
    }
    return ok(null);
  }

  read(id: ObjectId): Result<GitObject | null, BackendError> {
    return this.find((pack) => pack.read(id));
  }

  /** The pack that has it. */
  packOf(id: ObjectId): Result<PackFile | null, BackendError> {
    return this.find((pack) => {
      const has = pack.has(id);
      return has.ok ? ok(has.value === true ? pack : null) : has;
    });
  }

  close(): void {
    for (const pack of this.#packs) pack.close();
    this.#packs = [];
    this.#isScanned = false;
  }
}
