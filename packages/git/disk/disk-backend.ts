/**
 * A Git repository in files, with `git` itself beside us: whatever it writes is seen, whatever we
 * write it sees once a ref names it. Objects last before a ref names them, and a ref when the call
 * that set it resolves. Read first: ../backend.ts, layout.ts, ref-writer.ts, object-files.ts.
 */

import { assert, err, millis, ok, type Result } from '#core';
import type { Clock, CryptoPrimitives, Entropy, FileSystem, Zlib } from '#device';
import type {
  BackendError,
  BrokenRef,
  ObjectBackend,
  PackEntry,
  RefConflict,
  RefEntry,
  RefUpdate,
  RefValue,
  ShallowUpdate,
  StageBounds,
  StagedPack,
} from '../backend.ts';
import { REF_UPDATES_MAX } from '../limits.ts';
import type { GitObject, NamedObject } from '../object.ts';
import type { ObjectHash, ObjectId } from '../object-id.ts';
import type { PackFault } from '../pack/pack-fault.ts';
import { isRefName } from '../ref-name.ts';
import { openAlternates } from './alternates.ts';
import { checkedOut } from './checked-out.ts';
import { configBoolean, configValue } from './config.ts';
import { DirectorySync } from './directories.ts';
import { damaged, fileFailed } from './file-fault.ts';
import { FilesBelow } from './files-below.ts';
import { collectGarbage, type GcOptions, type GcReport } from './gc.ts';
import type { HostProcess } from './gc-lock.ts';
import { type Elsewhere, findLayout, type Layout } from './layout.ts';
import { LOCK_TRIES_MAX } from './limits.ts';
import { LooseWriter } from './loose-writer.ts';
import { ObjectFiles } from './object-files.ts';
import type { ObjectPlace } from './object-place.ts';
import type { OpenFault } from './open-fault.ts';
import { PackWriter } from './pack-writer.ts';
import { packRefs, type RefPackerOptions } from './ref-packer.ts';
import { HEAD, RefReader } from './ref-reader.ts';
import { type Pause, RefWatch } from './ref-watch.ts';
import { RefWriter } from './ref-writer.ts';
import { type RefAuthor, ReflogFiles } from './reflog-files.ts';
import { ShallowFile } from './shallow-file.ts';

export interface DiskBackendOptions {
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  readonly entropy: Entropy;
  /** Who changes refs, and when: for reflogs. */
  readonly author: () => RefAuthor;
  /** Resolves after a while: between tries of a lock, and between looks at watched refs. */
  readonly pause: Pause;
  /**
   * The wall clock, by which the host's files have their times: with it, reads of refs cost less,
   * and `gc` works.
   */
  readonly clock?: Clock;
  /** This process, for others' garbage collections and ours: a dead one doesn't stop the next. */
  readonly process?: HostProcess;
  /** Opens other directories of the host, for alternates and linked work trees. */
  readonly elsewhere?: Elsewhere;
  /** False: nothing is synced; a loss of power may lose or damage what was written last. */
  readonly isSynced?: boolean;
}

const CLOSED = err<BackendError>({ kind: 'closed' });
const LOCK_PAUSE = millis(5);

export class DiskBackend implements ObjectBackend {
  readonly hash: ObjectHash;
  readonly layout: Layout;
  readonly #objects: ObjectFiles;
  readonly #options: DiskBackendOptions;
  readonly #places: readonly ObjectPlace[];
  readonly #objectSync: DirectorySync;
  readonly #packWriter: PackWriter;
  readonly #looseWriter: LooseWriter;
  readonly #logs: ReflogFiles;
  readonly #reader: RefReader;
  readonly #refParts: RefPackerOptions;
  readonly #writer: RefWriter;
  readonly #shallow: ShallowFile;
  readonly #watch: RefWatch;
  readonly #author: () => RefAuthor;
  readonly #pause: Pause;
  #isClosed = false;

  /** The repository at the root of `files`, bare or in its `.git`. */
  static open(files: FileSystem, options: DiskBackendOptions): Result<DiskBackend, OpenFault> {
    const layout = findLayout(files, options.elsewhere ?? (() => null));
    return layout.ok ? ok(new DiskBackend(layout.value, options)) : layout;
  }

  private constructor(layout: Layout, options: DiskBackendOptions) {
    const { common, head, hash, config } = layout;
    const { crypto, zlib, entropy, pause } = options;
    const isSynced = (options.isSynced ?? true) && configValue(config, 'core.fsync') !== 'none';
    this.layout = layout;
    this.hash = hash;
    this.#author = options.author;
    this.#pause = pause;
    const objectFiles = new FilesBelow(common, 'objects');
    const elsewhere = options.elsewhere ?? (() => null);
    const places = openAlternates(objectFiles, zlib, hash, elsewhere);
    const objectSync = new DirectorySync(objectFiles, isSynced);
    this.#looseWriter = new LooseWriter(objectFiles, zlib, entropy, objectSync);
    this.#packWriter = new PackWriter({
      files: objectFiles,
      crypto,
      zlib,
      hash,
      entropy,
      directories: objectSync,
    });
    this.#objects = new ObjectFiles(places, this.#looseWriter, this.#packWriter, objectSync, hash);
    const clock = options.clock ?? null;
    this.#reader = new RefReader(common, head, hash, clock);
    const directories = new DirectorySync(common, isSynced);
    this.#logs = new ReflogFiles(common, head, hash, layout.reflogs);
    this.#refParts = {
      files: common,
      reader: this.#reader,
      directories,
      isSynced,
      clock,
      pause,
      peel: (id) => this.#objects.peel(id),
    };
    this.#writer = new RefWriter({ ...this.#refParts, headFiles: head, logs: this.#logs });
    this.#shallow = new ShallowFile({ files: common, hash, clock, directories, isSynced });
    this.#options = options;
    this.#places = places;
    this.#objectSync = objectSync;
    this.#watch = new RefWatch(common, head, this.#reader, pause);
  }

  /** Repositories that this one borrows objects from. */
  get alternateCount(): number {
    return this.#places.length - 1;
  }

  async readObject(id: ObjectId): Promise<Result<GitObject | null, BackendError>> {
    return this.#isClosed ? CLOSED : this.#objects.read(id);
  }

  async hasObject(id: ObjectId): Promise<Result<boolean, BackendError>> {
    return this.#isClosed ? CLOSED : this.#objects.has(id);
  }

  async writeObjects(objects: readonly NamedObject[]): Promise<Result<void, BackendError>> {
    return this.#isClosed ? CLOSED : this.#objects.write(objects);
  }

  async readRef(name: string): Promise<Result<RefValue | null, BackendError>> {
    if (this.#isClosed) return CLOSED;
    const isName = this.#reader.isRemembered(name) || name === HEAD || isRefName(name);
    return isName ? this.#reader.read(name) : ok(null);
  }

  async listRefs(prefix: string): Promise<Result<readonly RefEntry[], BackendError>> {
    return this.#isClosed ? CLOSED : this.#reader.list(prefix);
  }

  async listBrokenRefs(prefix: string): Promise<Result<readonly BrokenRef[], BackendError>> {
    if (this.#isClosed) return CLOSED;
    const listed = this.#reader.listAll(prefix);
    return listed.ok ? ok(listed.value.broken) : listed;
  }

  async updateRefs(
    updates: readonly RefUpdate[],
    reason: string,
  ): Promise<Result<void, RefConflict | BackendError>> {
    if (this.#isClosed) return CLOSED;
    const refused = this.#refuse(updates);
    if (refused !== null) return err(refused);
    // Objects first: a ref never names what may still be lost.
    const flushed = await this.#objects.flush();
    if (!flushed.ok) return flushed;
    const updated = await this.#unlocked(() =>
      this.#writer.update(updates, reason, this.#author()),
    );
    if (updated.ok) this.#watch.updated(updates);
    return updated;
  }

  async setHead(name: string): Promise<Result<void, BackendError>> {
    if (this.#isClosed) return CLOSED;
    if (!isRefName(name)) return err({ kind: 'bad name', name });
    const reason = `checkout: moving to ${name}`;
    const set = await this.#unlocked(() => this.#writer.setHead(name, reason, this.#author()));
    if (set.ok) this.#watch.headSet(name);
    return set;
  }

  watchRefs(changed: () => void): () => void {
    return this.#watch.add(changed);
  }

  isShallow(commit: ObjectId): boolean {
    const read = this.#shallow.read();
    // What can't be read is told by whoever lists it; a parent that is missing shows it too.
    return read.ok && read.value.has(commit);
  }

  async listShallow(): Promise<Result<ReadonlySet<ObjectId>, BackendError>> {
    return this.#isClosed ? CLOSED : this.#shallow.read();
  }

  async updateShallow(update: ShallowUpdate): Promise<Result<void, BackendError>> {
    if (this.#isClosed) return CLOSED;
    const flushed = await this.#objects.flush();
    return flushed.ok ? this.#unlocked(() => this.#shallow.update(update)) : flushed;
  }

  async *objectIds(): AsyncGenerator<Result<ObjectId, BackendError>> {
    if (this.#isClosed) yield CLOSED;
    else yield* this.#objects.ids();
  }

  async readEntry(
    id: ObjectId,
    isChecked = false,
  ): Promise<Result<PackEntry | null, BackendError>> {
    return this.#isClosed ? CLOSED : this.#objects.readEntry(id, isChecked);
  }

  async addPack(
    pack: AsyncIterable<Uint8Array>,
    shallow?: ReadonlySet<ObjectId>,
  ): Promise<Result<{ readonly objects: number }, BackendError>> {
    return this.#isClosed ? CLOSED : this.#packWriter.add(pack, this, shallow);
  }

  async stagePack(
    pack: AsyncIterable<Uint8Array>,
    bounds: StageBounds,
  ): Promise<Result<StagedPack, PackFault | BackendError>> {
    return this.#isClosed ? CLOSED : this.#packWriter.stage(pack, this, bounds);
  }

  /**
   * Garbage collection, beside whoever writes here and elsewhere. In a repository with work trees
   * what nobody reaches stays; what is borrowed from others is left there.
   */
  async gc(options: GcOptions): Promise<Result<GcReport, BackendError>> {
    if (this.#isClosed) return CLOSED;
    const { layout } = this;
    const { crypto, zlib, pause, clock } = this.#options;
    assert(clock !== undefined, 'gc needs a clock');
    if (layout.isPrecious) return err({ kind: 'read only' });
    const flushed = await this.#objects.flush();
    if (!flushed.ok) return flushed;
    const trees = layout.common.stat('worktrees');
    const hasIndex = !layout.isBare || !trees.ok || trees.value !== null;
    const parts = {
      lock: { files: layout.common, clock, process: this.#options.process ?? null },
      backend: this,
      place: this.#places[0]!,
      alternates: this.#places.slice(1),
      packWriter: this.#packWriter,
      looseWriter: this.#looseWriter,
      crypto,
      zlib,
      pause,
      packRefs: async () => (this.#packsRefs ? this.packRefs() : ok(0)),
      roots: () => this.#roots(),
      sync: async (paths: readonly string[]) => {
        const synced = await this.#objectSync.syncAll([], paths);
        return synced.ok ? synced : fileFailed(synced.error);
      },
    };
    if (!hasIndex) return collectGarbage(parts, options);
    const temporaryBefore = options.pruneBefore;
    return collectGarbage(parts, { temporaryBefore, ...options, pruneBefore: null });
  }

  /** Puts all refs into one file, as `git pack-refs --all`; how many had files of their own. */
  async packRefs(): Promise<Result<number, BackendError>> {
    if (this.#isClosed) return CLOSED;
    return this.#unlocked(() => packRefs(this.#refParts));
  }

  /** Whether a collection packs refs. */
  get #packsRefs(): boolean {
    const { config, isBare } = this.layout;
    const policy = configValue(config, 'gc.packRefs') ?? 'true';
    return policy.toLowerCase() === 'notbare' ? !isBare : configBoolean(policy) !== false;
  }

  /** What refs and their logs name, as far as it is there. What a broken ref named isn't known. */
  async #roots(): Promise<Result<readonly ObjectId[], BackendError>> {
    const listed = this.#reader.listAll('');
    if (!listed.ok) return listed;
    const { refs, broken } = listed.value;
    const [first] = broken;
    if (first !== undefined) {
      return damaged(`${first.name} is a broken ref (${first.what}): set it, or remove its file`);
    }
    const head = this.#reader.resolve(HEAD);
    if (!head.ok) return head;
    const named = new Set(refs.map(({ id }) => id));
    if (head.value.id !== null) named.add(head.value.id);
    const logged = this.#logs.ids(refs.map(({ name }) => name));
    for (const id of logged) {
      const has = named.has(id) ? ok(false) : this.#objects.has(id);
      if (!has.ok) return has;
      if (has.value) named.add(id);
    }
    return ok([...named]);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    // What nobody named yet is kept all the same, where that is possible.
    this.#isClosed = true;
    await this.#objects.flush();
    this.#watch.close();
    this.#objects.close();
  }

  #refuse(updates: readonly RefUpdate[]): BackendError | null {
    if (updates.length > REF_UPDATES_MAX) return { kind: 'bad transaction' };
    const names = new Set<string>();
    for (const { name } of updates) {
      if (!isRefName(name)) return { kind: 'bad name', name };
      if (names.has(name)) return { kind: 'bad transaction' };
      names.add(name);
    }
    return this.#refuseCheckedOut(names);
  }

  /** As receive.denyCurrentBranch: the files of a work tree wouldn't follow. */
  #refuseCheckedOut(names: ReadonlySet<string>): BackendError | null {
    const policy = configValue(this.layout.config, 'receive.denyCurrentBranch') ?? 'refuse';
    // Deviates: updateInstead refuses too.
    if (['ignore', 'warn', 'false', 'no', 'off'].includes(policy.toLowerCase())) return null;
    for (const { branch, where } of checkedOut(this.layout)) {
      if (names.has(branch)) return { kind: 'checked out', name: branch, where };
    }
    return null;
  }

  /** Tries again while another process has a lock, for a while. */
  async #unlocked<T, E extends { readonly kind: string }>(
    work: () => Result<T, E> | Promise<Result<T, E>>,
  ): Promise<Result<T, E>> {
    for (let tries = 1; ; tries++) {
      const done = await work();
      if (done.ok || done.error.kind !== 'busy' || tries === LOCK_TRIES_MAX) return done;
      await this.#pause(LOCK_PAUSE);
    }
  }
}
