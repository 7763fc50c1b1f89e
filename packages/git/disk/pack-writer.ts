/**
 * Puts packs among a repository's objects: one that somebody sends, or one of what is to be written
 * when that is much. The pack is written under a temporary name that `git gc` knows, then its
 * index; the index gets its name last, because it is what makes a pack be there. Read first:
 * ../pack/index-pack.ts. Not here: choosing and deltas (../pack/), removing packs (gc.ts).
 */

import { assert, err, ok, type Result } from '#core';
import type { CryptoPrimitives, Entropy, FileError, FileSystem, OpenFile, Zlib } from '#device';
import type { BackendError, ObjectBackend, StageBounds, StagedPack } from '../backend.ts';
import type { NamedObject } from '../object.ts';
import { ID_BYTES, type ObjectHash, type ObjectId, readId } from '../object-id.ts';
import { crc32 } from '../pack/crc32.ts';
import { ENTRY_HEAD_BYTES_MAX, emitEntryHead } from '../pack/entry-head.ts';
import { indexPack, type PackStore } from '../pack/index-pack.ts';
import { formatPackFault, type PackFault } from '../pack/pack-fault.ts';
import { packHead } from '../pack/pack-head.ts';
import { emitPackIndex, type IndexedEntry, PackIndex } from '../pack/pack-index.ts';
import type { DirectorySync } from './directories.ts';
import { fileFailed, fileFault } from './file-fault.ts';
import { PackFile } from './pack-file.ts';
import { DiskStagedPack } from './staged-pack.ts';
import { randomName } from './temporary.ts';

const TRIES_MAX = 4;
/** Of our own packs: as loose objects have. `git gc` and ours deflate anew. */
const LEVEL = 1;

export interface PackWriterOptions {
  /** Of the directory "objects". */
  readonly files: FileSystem;
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  readonly hash: ObjectHash;
  readonly entropy: Entropy;
  readonly directories: DirectorySync;
}

/** A pack that is being written: a file with a temporary name. */
export class PackScratch implements PackStore {
  readonly path: string;
  readonly file: OpenFile;

  constructor(path: string, file: OpenFile) {
    this.path = path;
    this.file = file;
  }

  append(bytes: Uint8Array): Result<void, BackendError> {
    const done = this.file.append(bytes);
    return done.ok ? done : fileFailed(done.error);
  }

  write(at: number, bytes: Uint8Array): Result<void, BackendError> {
    const done = this.file.write(at, bytes);
    return done.ok ? done : fileFailed(done.error);
  }

  read(at: number, count: number): Result<Uint8Array, BackendError> {
    const bytes = new Uint8Array(count);
    const read = this.file.read(at, bytes);
    if (!read.ok) return fileFailed(read.error);
    if (read.value === count) return ok(bytes);
    return err({ kind: 'device', what: `${this.path} was cut` });
  }
}

export class PackWriter {
  readonly #options: PackWriterOptions;

  constructor(options: PackWriterOptions) {
    this.#options = options;
  }

  /** A pack that is sent. `backend` has the objects that it is thin of. */
  async add(
    pieces: AsyncIterable<Uint8Array>,
    backend: ObjectBackend,
    shallow: ReadonlySet<ObjectId> = new Set(),
  ): Promise<Result<{ readonly objects: number }, BackendError>> {
    const scratch = this.begin();
    if (!scratch.ok) return scratch;
    const { crypto, zlib } = this.#options;
    const tools = { crypto, zlib };
    const indexed = await indexPack(pieces, scratch.value, backend, tools, {
      check: 'objects',
      shallow,
    }).catch((thrown: unknown) => err<BackendError>({ kind: 'device', what: String(thrown) }));
    if (!indexed.ok) {
      this.abandon(scratch.value);
      return err(asBackendError(indexed.error));
    }
    const { entries, checksum } = indexed.value;
    const done = await this.finish(scratch.value, entries, checksum);
    return done.ok ? ok({ objects: entries.length }) : done;
  }

  /** As `add`, up to where it is kept or dropped. Rejects with what `pieces` reject with. */
  async stage(
    pieces: AsyncIterable<Uint8Array>,
    backend: ObjectBackend,
    bounds: StageBounds,
  ): Promise<Result<StagedPack, PackFault | BackendError>> {
    const { files, crypto, zlib, hash } = this.#options;
    const begun = this.begin();
    if (!begun.ok) return begun;
    const scratch = begun.value;
    let isIn = false;
    try {
      const options = { check: 'objects', ...bounds } as const;
      const indexed = await indexPack(pieces, scratch, backend, { crypto, zlib }, options);
      if (!indexed.ok) return indexed;
      isIn = true;
      const { entries, checksum, sizeBytes } = indexed.value;
      const index = PackIndex.parse(emitPackIndex(crypto, hash, entries, checksum), hash);
      assert(index.ok, 'an index that was just made');
      const tools = { files, name: scratch.path, zlib, hash };
      const pack = PackFile.staged(scratch.file, index.value, sizeBytes, tools);
      return ok(new DiskStagedPack(this, scratch, indexed.value, pack));
    } finally {
      if (!isIn) this.abandon(scratch);
    }
  }

  /** A pack of these, each as it is; they last when it resolves. No id may be there twice. */
  async write(objects: readonly NamedObject[]): Promise<Result<void, BackendError>> {
    const begun = this.begin();
    if (!begun.ok) return begun;
    const scratch = begun.value;
    const { crypto, zlib, hash } = this.#options;
    const state = crypto.createHash(hash);
    const entries: IndexedEntry[] = [];
    let offset = 0;
    const append = (bytes: Uint8Array): Result<void, BackendError> => {
      state.update(bytes);
      offset += bytes.length;
      return scratch.append(bytes);
    };
    let done = append(packHead(objects.length));
    for (const { id, kind, bytes } of objects) {
      if (!done.ok) break;
      const deflated = zlib.deflate(bytes, LEVEL);
      const entry = new Uint8Array(ENTRY_HEAD_BYTES_MAX + deflated.length);
      const headBytes = emitEntryHead(entry, 0, kind, bytes.length, null);
      entry.set(deflated, headBytes);
      const whole = entry.subarray(0, headBytes + deflated.length);
      entries.push({ id, offset, crc: crc32(0, whole, 0, whole.length) });
      done = append(whole);
    }
    const checksum = state.digest();
    if (done.ok) done = scratch.append(checksum);
    if (!done.ok) {
      this.abandon(scratch);
      return done;
    }
    const finished = await this.finish(scratch, entries, checksum);
    return finished.ok ? ok(undefined) : finished;
  }

  begin(): Result<PackScratch, BackendError> {
    const { files, entropy } = this.#options;
    for (let tries = 1; ; tries++) {
      const path = `pack/tmp_pack_${randomName(entropy)}`;
      const opened = files.open(path, 'scratch');
      if (opened.ok) return ok(new PackScratch(path, opened.value));
      const { kind } = opened.error;
      if (tries === TRIES_MAX || (kind !== 'absent' && kind !== 'exists')) {
        return fileFailed(opened.error);
      }
      if (kind === 'absent') files.makeDirectory('pack');
    }
  }

  abandon(scratch: PackScratch): void {
    scratch.file.close();
    this.#options.files.remove(scratch.path);
  }

  /** Gives a whole pack its index and its name, which is its checksum; it lasts then. */
  async finish(
    scratch: PackScratch,
    entries: readonly IndexedEntry[],
    checksum: Uint8Array,
  ): Promise<Result<string, BackendError>> {
    const { files, crypto, hash, directories } = this.#options;
    const name = `pack-${readId(checksum, 0, ID_BYTES[hash])}`;
    const index = emitPackIndex(crypto, hash, entries, checksum);
    const indexPath = scratch.path.replace('tmp_pack_', 'tmp_idx_');
    let done = await this.#writeIndex(scratch, indexPath, index);
    scratch.file.close();
    if (done.ok) done = files.rename(scratch.path, `pack/${name}.pack`);
    if (done.ok) done = files.rename(indexPath, `pack/${name}.idx`);
    if (done.ok) done = await directories.syncAll([], ['pack']);
    if (done.ok) return ok(name);
    files.remove(scratch.path);
    files.remove(indexPath);
    return err(fileFault(done.error));
  }

  /** Synced with the pack. */
  async #writeIndex(
    scratch: PackScratch,
    path: string,
    bytes: Uint8Array,
  ): Promise<Result<void, FileError>> {
    const { files, directories } = this.#options;
    const opened = files.open(path, 'sealed');
    if (!opened.ok) return opened;
    const written = opened.value.append(bytes);
    const done = written.ok ? await directories.syncAll([scratch.file, opened.value], []) : written;
    opened.value.close();
    return done;
  }
}

/** A pack that is bad is as good as damaged objects. */
function asBackendError(fault: PackFault | BackendError): BackendError {
  switch (fault.kind) {
    case 'damaged':
    case 'device':
    case 'full':
    case 'read only':
    case 'busy':
    case 'too big':
    case 'bad transaction':
    case 'bad name':
    case 'checked out':
    case 'closed':
      return fault;
    default:
      return { kind: 'damaged', id: null, what: formatPackFault(fault) };
  }
}
