/**
 * A repository's objects and refs on a block device: a log of records, an index of them, and
 * superblocks that say where both are. Required reading: docs/internals/block-store-format.md,
 * packages/git/backend.ts. Then log.ts (writing), object-reader.ts (reading), open-store.ts.
 */

import { assert, err, ok, type Result } from '#core';
import {
  type BackendError,
  type GitObject,
  type NewObject,
  type ObjectBackend,
  type ObjectHash,
  type ObjectId,
  type PackEntry,
  type RefConflict,
  type RefEntry,
  type RefUpdate,
  type RefValue,
  RefWatchers,
  type ShallowUpdate,
} from '#git';
import { Checker, type CheckReport } from './check.ts';
import { Checkpoints } from './checkpoint.ts';
import { type Collected, Collection, type CollectOptions } from './collect/collector.ts';
import type { StoreCore, StoreCounters } from './core.ts';
import { backendError, type StoreFault } from './fault.ts';
import { OBJECT_BYTES_MAX, PAGE_BYTES, READER_CACHE_BYTES } from './limits.ts';
import { Log } from './log.ts';
import { ObjectReader } from './object-reader.ts';
import {
  type FormatOptions,
  formatStore,
  type OpenError,
  type OpenedStore,
  openStore,
  readSuperblock,
  type StoreParts,
} from './open-store.ts';
import { type Rebuilt, rebuildStore } from './repair.ts';
import { StoredForms } from './stored-forms.ts';
import { StreamWriter } from './stream-writer.ts';
import { sha256 } from './wire/checksum.ts';
import { fencePages } from './wire/index-page.ts';

/** What a store has and takes. */
export interface BlockStoreStats {
  readonly generation: number;
  readonly segmentBytes: number;
  readonly segments: number;
  readonly segmentsFree: number;
  /** Entries of the index; an object that was written twice may count twice. */
  readonly objects: number;
  readonly runs: number;
  readonly indexBytes: number;
  /** What opening scanned behind the last checkpoint. */
  readonly scannedObjects: number;
  readonly scannedBytes: number;
  /** Bytes at the log's end that weren't whole then: see Scanned. */
  readonly droppedBytes: number;
  /** What objects may still take, compressed, before writes are refused as 'full'. */
  readonly roomBytes: number;
  readonly counters: Readonly<StoreCounters>;
}

export interface RunningCollection {
  readonly cancel: () => void;
  readonly done: Promise<Result<Collected, BackendError | { readonly kind: 'cancelled' }>>;
}

const CLOSED = err<BackendError>({ kind: 'closed' });
const READ_ONLY = err<BackendError>({ kind: 'read only' });

/**
 * A repository on a block device, which is its alone. `openOrFormat` opens one; what nothing leads
 * to stays until `collect`.
 */
export class BlockBackend implements ObjectBackend {
  readonly hash: ObjectHash;
  readonly takesEntries = true;
  readonly #core: StoreCore;
  readonly #log: Log;
  readonly #reader: ObjectReader;
  readonly #checkpoints: Checkpoints;
  readonly #forms: StoredForms;
  readonly #watchers = new RefWatchers();
  readonly #scanned: OpenedStore['scanned'];
  #isClosed = false;
  #collection: Collection | null = null;
  /** Objects that a check found damaged: who writes them again mends them. */
  readonly #damaged = new Set<ObjectId>();

  private constructor({ core, refs, end, scanned }: OpenedStore) {
    this.#core = core;
    this.hash = core.hash;
    const { disk, taker, crypto } = core;
    const writer = new StreamWriter(disk, taker, crypto, { use: 'log', isTemporary: false, end });
    this.#log = new Log(core, writer, refs);
    this.#reader = new ObjectReader(core, READER_CACHE_BYTES);
    this.#checkpoints = new Checkpoints(core, this.#log);
    this.#forms = new StoredForms(core, this.#log, this.#reader);
    this.#scanned = scanned;
    this.#log.tailBytes = scanned.bytes;
    this.#log.changed = () => this.#watchers.changed();
    this.#log.afterTurn = () => this.#checkpoints.afterTurn();
  }

  /** Makes an empty store; what was on the device is lost. */
  static format(parts: StoreParts, options: FormatOptions): Promise<Result<void, OpenError>> {
    return formatStore(parts, options);
  }

  /**
   * For a store that can't be opened, or whose index is damaged: makes a new index and superblocks
   * of all that is found whole. Changes nothing unless it finds a log of a store.
   */
  static async repair(parts: StoreParts): Promise<Result<Rebuilt, OpenError>> {
    const superblock = await readSuperblock(parts.device, sha256(parts.crypto));
    if (!superblock.ok && superblock.error.kind !== 'blank') return superblock;
    return rebuildStore(parts, superblock.ok ? superblock.value : null);
  }

  /**
   * O(index / 1,000 + what came after the last checkpoint). The device is the store's until
   * `close`.
   */
  static async open(parts: StoreParts): Promise<Result<BlockBackend, OpenError>> {
    const opened = await openStore(parts);
    return opened.ok ? ok(new BlockBackend(opened.value)) : opened;
  }

  /** As `open`; a blank device is formatted first, and with `overwrite` one with other data too. */
  static async openOrFormat(
    parts: StoreParts,
    options: FormatOptions & { readonly overwrite: boolean },
  ): Promise<Result<BlockBackend, OpenError>> {
    const opened = await BlockBackend.open(parts);
    if (opened.ok) return opened;
    const { kind } = opened.error;
    // What is ours and damaged, or from the future, is never made a blank store of.
    if (kind !== 'blank' && (kind !== 'foreign' || !options.overwrite)) return opened;
    const formatted = await formatStore(parts, options);
    return formatted.ok ? BlockBackend.open(parts) : formatted;
  }

  async readObject(id: ObjectId): Promise<Result<GitObject | null, BackendError>> {
    if (this.#isClosed) return CLOSED;
    return this.#locate(id, async (place) => this.#reader.object(id, place));
  }

  async hasObject(id: ObjectId): Promise<Result<boolean, BackendError>> {
    if (this.#isClosed) return CLOSED;
    if (this.#log.find(id) !== null) return ok(true);
    for (;;) {
      const { epoch } = this.#core;
      const found = await this.#core.index.find(id);
      // What was found may just have been collected.
      if (epoch !== this.#core.epoch) continue;
      if (!found.ok) return this.#tell(found.error, id);
      if (found.value !== null) this.#collection?.touch(id);
      return ok(found.value !== null);
    }
  }

  async readEntry(id: ObjectId): Promise<Result<PackEntry | null, BackendError>> {
    if (this.#isClosed) return CLOSED;
    if (this.#log.find(id) !== null) return ok(null);
    const record = await this.#locate(id, (place) => this.#reader.record(place));
    if (!record.ok || record.value === null || !('payload' in record.value)) {
      return record.ok ? ok(null) : record;
    }
    const { kind, sizeBytes, base, payload } = record.value;
    return ok({ kind, sizeBytes, base, deflated: payload });
  }

  async writeObjects(objects: readonly NewObject[]): Promise<Result<void, BackendError>> {
    const refused = this.#cannotWrite();
    if (refused !== null) return refused;
    for (const object of objects) {
      const written = await this.#writeObject(object);
      if (!written.ok) return written;
    }
    return this.#log.mustSpill ? this.#spill(false) : ok(undefined);
  }

  async #writeObject(object: NewObject): Promise<Result<void, BackendError>> {
    const { id, bytes } = object;
    if (bytes.length > OBJECT_BYTES_MAX) {
      return err({ kind: 'too big', sizeBytes: bytes.length, bytesMax: OBJECT_BYTES_MAX });
    }
    const found = await this.hasObject(id);
    if (!found.ok) return found;
    const isDamaged = this.#damaged.delete(id);
    if ((found.value && !isDamaged) || this.#log.find(id) !== null) return ok(undefined);
    const { epoch } = this.#core;
    // What is upon a damaged object may be what this would be upon.
    const formed = isDamaged ? ok(this.#forms.whole(object)) : await this.#forms.of(object);
    if (!formed.ok) return this.#tell(formed.error, id);
    let form = formed.value;
    if (form.base !== null) {
      // Its base was just found. It is gone, or else a collection knows from here on that it stays.
      if (epoch !== this.#core.epoch) form = this.#forms.whole(object);
      else this.#collection?.touch(form.base);
    }
    const added = this.#log.add(object, form);
    return added.ok ? added : this.#tell(added.error, id);
  }

  async #spill(isFlush: boolean): Promise<Result<void, BackendError>> {
    const spilled = await this.#log.spill(isFlush);
    return spilled as Result<void, BackendError>;
  }

  async readRef(name: string): Promise<Result<RefValue | null, BackendError>> {
    if (this.#isClosed) return CLOSED;
    const { head, refs } = this.#log.refs;
    if (name === 'HEAD') return ok({ symbolic: head });
    const id = refs.get(name);
    return ok(id === null ? null : { id });
  }

  async listRefs(prefix: string): Promise<Result<readonly RefEntry[], BackendError>> {
    return this.#isClosed ? CLOSED : ok(this.#log.refs.refs.list(prefix));
  }

  async updateRefs(
    updates: readonly RefUpdate[],
    reason: string,
  ): Promise<Result<void, RefConflict | BackendError>> {
    return this.#cannotWrite() ?? this.#log.updateRefs(updates, reason);
  }

  async setHead(name: string): Promise<Result<void, BackendError>> {
    const refused = this.#cannotWrite();
    if (refused !== null) return refused;
    const done = await this.#log.setHead(name);
    return done as Result<void, BackendError>;
  }

  watchRefs(changed: () => void): () => void {
    return this.#watchers.add(changed);
  }

  /** In the order of ids. */
  async *objectIds(): AsyncIterable<Result<ObjectId, BackendError>> {
    if (this.#isClosed) {
      yield CLOSED;
      return;
    }
    const spilled = this.#core.disk.device.isReadOnly ? ok(undefined) : await this.#spill(false);
    if (!spilled.ok && spilled.error.kind !== 'full') {
      yield spilled;
      return;
    }
    let last = '';
    for (let isOver = false; !isOver; ) {
      const { epoch } = this.#core;
      isOver = true;
      for await (const entry of this.#core.index.entries()) {
        if (!entry.ok) {
          // Segments that were given back meanwhile: it goes on from where it was.
          isOver = epoch === this.#core.epoch;
          if (isOver) yield this.#tell(entry.error, null);
          break;
        }
        const { id } = entry.value;
        if (id <= last) continue;
        last = id;
        yield ok(id);
      }
    }
  }

  /**
   * Gives back the room of what nothing leads to, while reading and writing go on. What isn't named
   * by a ref yet stays when it was written a short while ago (RECENT_OBJECTS) or since this began.
   * One at a time: 'busy'.
   */
  collect(options: CollectOptions = {}): RunningCollection {
    const refused = this.#cannotWrite();
    if (refused !== null) return { cancel() {}, done: Promise.resolve(refused) };
    if (this.#collection !== null) {
      const busy: BackendError = { kind: 'busy', what: 'a collection is under way' };
      return { cancel() {}, done: Promise.resolve(err(busy)) };
    }
    const collection = new Collection(this.#core, this.#log, this.#checkpoints, options);
    this.#collection = collection;
    const done = collection.done.then((outcome) => {
      this.#collection = null;
      if (outcome.ok) return outcome;
      const { error } = outcome;
      return error.kind === 'cancelled' ? err(error) : this.#tell(error, null);
    });
    return { cancel: () => collection.cancel(), done };
  }

  /**
   * Reads everything. With `repair`, copies of the superblock that are damaged are written again,
   * and damaged objects may be written again; with `removeRefs`, refs that name such ones are
   * removed. A damaged index wants `BlockBackend.repair`.
   */
  async check(
    options: { readonly repair?: boolean; readonly removeRefs?: boolean } = {},
  ): Promise<Result<CheckReport, BackendError>> {
    if (this.#isClosed) return CLOSED;
    // From the device, not from what was read before.
    const reader = new ObjectReader(this.#core, READER_CACHE_BYTES);
    const checker = new Checker(this.#core, reader, this.#scanned.droppedBytes);
    const checked = await this.#checkAll(checker);
    if (!checked.ok) return this.#tell(checked.error, null);
    if (options.repair === true && checker.count > 0) {
      const repaired = await this.#repair(checker, options.removeRefs === true);
      if (!repaired.ok) return repaired;
    }
    return ok(checker.report);
  }

  async #checkAll(checker: Checker): Promise<Result<void, StoreFault>> {
    if (!this.#core.disk.device.isReadOnly) await this.#log.spill(true);
    const superblocks = await checker.superblocks();
    if (!superblocks.ok) return superblocks;
    const index = await checker.index();
    if (!index.ok) return index;
    const shallow = new Set(this.#log.refs.shallow);
    const { index: places, pause } = this.#core;
    for await (const id of this.objectIds()) {
      if (!id.ok) break;
      const found = await places.find(id.value);
      if (!found.ok || found.value === null) continue;
      const checked = await checker.object(id.value, found.value, shallow.has(id.value));
      if (!checked.ok) return checked;
      await pause();
    }
    return checker.refs(this.#log.refs);
  }

  async #repair(checker: Checker, removeRefs: boolean): Promise<Result<void, BackendError>> {
    const refused = this.#cannotWrite();
    if (refused !== null) return refused;
    const updates: RefUpdate[] = [];
    for (const problem of checker.problems) {
      if (problem.kind === 'superblock') await this.#core.roots.commit(true);
      if (problem.kind === 'object') this.#damaged.add(problem.id);
      if (problem.kind !== 'ref' || !removeRefs) continue;
      updates.push({ name: problem.name, from: problem.id, to: null });
    }
    const done = await this.#log.updateRefs(updates, 'repair');
    return done as Result<void, BackendError>;
  }

  /** A collection cut off its parents, or they never came. */
  isShallow(commit: ObjectId): boolean {
    return this.#log.refs.isShallow(commit);
  }

  /** All of those. */
  get shallowCommits(): readonly ObjectId[] {
    return this.#log.refs.shallow;
  }

  async listShallow(): Promise<Result<ReadonlySet<ObjectId>, BackendError>> {
    return this.#isClosed ? CLOSED : ok(this.#log.refs.shallowSet);
  }

  async updateShallow(update: ShallowUpdate): Promise<Result<void, BackendError>> {
    const refused = this.#cannotWrite();
    if (refused !== null) return refused;
    const done = await this.#log.updateShallow(update);
    return done as Result<void, BackendError>;
  }

  /** Writes what waits, and a checkpoint, so that the next opening has nothing to scan. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watchers.clear();
    this.#collection?.cancel();
    await this.#collection?.done;
    if (!this.#core.disk.device.isReadOnly) {
      await this.#log.spill(true);
      await this.#checkpoint();
    }
    await this.#log.idle();
    await this.#checkpoints.idle();
  }

  async #checkpoint(): Promise<void> {
    await this.#log.alone(async () => {
      await this.#checkpoints.idle();
      return this.#core.index.recentCount === 0 ? ok(undefined) : this.#checkpoints.begin();
    });
    await this.#checkpoints.idle();
  }

  stats(): BlockStoreStats {
    const { disk, index, roots, counters } = this.#core;
    const pages = index.roots.reduce((sum, run) => sum + run.pageCount, 0);
    const fences = index.roots.reduce((sum, run) => sum + fencePages(run.pageCount), 0);
    return {
      generation: roots.generation,
      segmentBytes: disk.geometry.segmentBytes,
      segments: disk.table.count,
      segmentsFree: disk.table.freeCount,
      objects: index.roots.reduce((sum, run) => sum + run.entryCount, index.recentCount),
      runs: index.runs.length,
      indexBytes: PAGE_BYTES * (pages + fences),
      scannedObjects: this.#scanned.objects,
      scannedBytes: this.#scanned.bytes,
      droppedBytes: this.#scanned.droppedBytes,
      roomBytes: Math.max(0, this.#log.roomBytes()),
      counters: { ...counters },
    };
  }

  checkInvariants(): void {
    const { disk, index } = this.#core;
    disk.geometry.checkInvariants();
    disk.table.checkInvariants();
    index.checkInvariants();
    this.#log.checkInvariants();
    assert(this.#core.counters.full >= 0);
  }

  #cannotWrite(): { readonly ok: false; readonly error: BackendError } | null {
    if (this.#isClosed) return CLOSED;
    return this.#core.disk.device.isReadOnly ? READ_ONLY : null;
  }

  /** What `read` gives of the object's record; null when there is no such object. */
  async #locate<T>(
    id: ObjectId,
    read: (place: number) => Promise<Result<T, StoreFault>>,
  ): Promise<Result<T | GitObject | null, BackendError>> {
    const waiting = this.#log.find(id);
    if (waiting !== null) return ok(waiting);
    const done = await this.#retried<T | null>(async () => {
      const found = await this.#core.index.find(id);
      if (!found.ok) return found;
      return found.value === null ? ok(null) : read(found.value);
    });
    return done.ok ? done : this.#tell(done.error, id);
  }

  /** Again when segments were given back meanwhile: it may have read what came after. */
  async #retried<T>(work: () => Promise<Result<T, StoreFault>>): Promise<Result<T, StoreFault>> {
    for (;;) {
      const { epoch } = this.#core;
      const done = await work();
      if (done.ok || epoch === this.#core.epoch) return done;
    }
  }

  #tell(
    fault: StoreFault,
    id: ObjectId | null,
  ): { readonly ok: false; readonly error: BackendError } {
    if (fault.kind === 'damaged') this.#core.counters.damaged += 1;
    if (fault.kind === 'full') this.#core.counters.full += 1;
    return err(backendError(fault, this.#core.disk.device.name, id));
  }
}
