/**
 * A pack that was read in whole and isn't among the repository's yet: a file with a temporary name,
 * its index in memory. Read first: pack-writer.ts.
 */

import type { Result } from '#core';
import type { BackendError, StagedPack } from '../backend.ts';
import type { GitObject, ObjectKind } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import type { IndexedPack } from '../pack/index-pack.ts';
import type { PackFile } from './pack-file.ts';
import type { PackScratch, PackWriter } from './pack-writer.ts';

export class DiskStagedPack implements StagedPack {
  readonly objects: number;
  readonly #writer: PackWriter;
  readonly #scratch: PackScratch;
  readonly #indexed: IndexedPack;
  readonly #pack: PackFile;
  #isOver = false;

  /** `pack` reads what `scratch` has. */
  constructor(writer: PackWriter, scratch: PackScratch, indexed: IndexedPack, pack: PackFile) {
    this.objects = indexed.entries.length;
    this.#writer = writer;
    this.#scratch = scratch;
    this.#indexed = indexed;
    this.#pack = pack;
  }

  kindOf(id: ObjectId): Result<ObjectKind | null, BackendError> {
    return this.#pack.kind(id);
  }

  read(id: ObjectId): Result<GitObject | null, BackendError> {
    return this.#pack.read(id);
  }

  async keep(): Promise<Result<void, BackendError>> {
    this.#isOver = true;
    const { entries, checksum } = this.#indexed;
    const done = await this.#writer.finish(this.#scratch, entries, checksum);
    return done.ok ? { ok: true, value: undefined } : done;
  }

  drop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#writer.abandon(this.#scratch);
  }
}
