/**
 * Garbage collection beside the writer. What refs and other roots lead to is copied to segments
 * that no superblock has; then one superblock makes them count, and gives back all that there was
 * when it began. Until then a crash, an error or `cancel` gives back what was made instead. Read
 * first: ../../../../docs/internals/block-store-format.md, marker.ts, copier.ts, ../log.ts.
 *
 * What is written meanwhile is in segments of its own, and stays. So does what it names, and what
 * somebody was told is there: an old object that nothing named may be named from now on.
 */

import { assert, err, ok, type Result } from '#core';
import type { GitObject, ObjectId } from '#git';
import { Merge, type MergedEntry } from '../block-index.ts';
import type { Checkpoints } from '../checkpoint.ts';
import type { StoreCore } from '../core.ts';
import type { StoreFault } from '../fault.ts';
import { IndexRun, RunWriter } from '../index-run.ts';
import { RUNS_MAX } from '../limits.ts';
import type { Log } from '../log.ts';
import { ObjectReader } from '../object-reader.ts';
import { NO_CHAIN, StreamWriter } from '../stream-writer.ts';
import { entryBytes } from '../wire/index-page.ts';
import { writeU48be } from '../wire/places.ts';
import { NO_SEGMENT, type RunRoot } from '../wire/superblock.ts';
import { Copier } from './copier.ts';
import { Marker } from './marker.ts';
import { OldSpace } from './old-space.ts';
import { keepingOrder } from './order.ts';

export interface CollectOptions {
  /** What else stays: commits that no ref names. */
  readonly roots?: readonly ObjectId[];
  /** Commits of each root that stay, from the tip on; older ones are cut off. All unless given. */
  readonly depth?: number;
  /**
   * Objects that were written last stay, as they may be on their way to a ref; false: whoever
   * collects knows that none is.
   */
  readonly sparesRecent?: boolean;
}

export interface Collected {
  /** Objects that were copied, and what their records take. */
  readonly objects: number;
  readonly bytes: number;
  /** Named and nowhere; a check says which. */
  readonly missing: number;
  /** Commits whose parents were cut off. */
  readonly shallow: number;
  readonly segmentsBefore: number;
  readonly segmentsAfter: number;
}

export type CollectError = StoreFault | { readonly kind: 'cancelled' };

/** Objects held for deltas upon them. */
const CACHE_BYTES = 4 * 1_024 * 1_024;
/** Copied before others go on. */
const STEP_OBJECTS = 16;
/** So many that came late may be walked while the writer waits. */
const LATE_OBJECTS = 64;

export class Collection {
  readonly done: Promise<Result<Collected, CollectError>>;
  readonly #core: StoreCore;
  readonly #log: Log;
  readonly #checkpoints: Checkpoints;
  readonly #options: CollectOptions;
  readonly #reader: ObjectReader;
  readonly #segmentsBefore: number;
  /** Taken since it began, or asked for and old: what they lead to stays. */
  #late: ObjectId[] = [];
  readonly #fresh = new Set<ObjectId>();
  /** Where histories ended when it began. */
  #shallowBefore: ReadonlySet<ObjectId> = new Set();
  #isCancelled = false;
  #cutSegment = NO_SEGMENT;
  #writer: StreamWriter | null = null;
  #firstSegment = NO_SEGMENT;
  #runs: IndexRun[] = [];
  #steps = 0;

  constructor(core: StoreCore, log: Log, checkpoints: Checkpoints, options: CollectOptions) {
    this.#core = core;
    this.#log = log;
    this.#checkpoints = checkpoints;
    this.#options = options;
    this.#reader = new ObjectReader(core, CACHE_BYTES);
    this.#segmentsBefore = core.disk.table.keptCount;
    this.#log.added = (id) => {
      this.#fresh.add(id);
      this.#late.push(id);
    };
    this.done = this.#run();
  }

  /** Ends it soon; `done` says 'cancelled', unless it was too late. */
  cancel(): void {
    this.#isCancelled = true;
  }

  /** Somebody relies on an object that may be old. */
  touch(id: ObjectId): void {
    this.#late.push(id);
  }

  async #run(): Promise<Result<Collected, CollectError>> {
    const done = await this.#collect();
    this.#checkpoints.keptRuns = 0;
    this.#log.added = () => {};
    if (!done.ok) this.#abandon();
    return done;
  }

  #abandon(): void {
    const { table } = this.#core.disk;
    for (const { root } of this.#runs) table.release(root.firstSegment);
    if (this.#firstSegment !== NO_SEGMENT) table.release(this.#firstSegment);
  }

  async #collect(): Promise<Result<Collected, CollectError>> {
    const cut = await this.#cut();
    if (!cut.ok) return cut;
    const old = new OldSpace(this.#core, cut.value);
    const opened = await this.#openStream();
    if (!opened.ok) return opened;
    const marker = this.#marker(old);
    const copier = new Copier(this.#core, this.#reader, old, opened.value);
    const rooted = await this.#roots(marker);
    if (!rooted.ok) return rooted;
    const walked = await marker.walk();
    if (!walked.ok) return walked;
    const copied = await this.#copyAll(await keepingOrder(marker, this.#pause), copier);
    if (!copied.ok) return copied;
    let from = marker.found.count;
    const caughtUp = await this.#catchUp(marker, copier, from, LATE_OBJECTS);
    if (!caughtUp.ok) return caughtUp;
    from = marker.found.count;
    const indexed = await this.#writeRun(old, copier, null);
    return indexed.ok ? this.#finish(old, marker, copier, from) : indexed;
  }

  /** The last part, which has the log for itself. */
  async #finish(
    old: OldSpace,
    marker: Marker,
    copier: Copier,
    from: number,
  ): Promise<Result<Collected, CollectError>> {
    const caughtUp = await this.#catchUp(marker, copier, from, LATE_OBJECTS);
    if (!caughtUp.ok) return caughtUp;
    let outcome: Result<Collected, CollectError> = err({ kind: 'cancelled' });
    await this.#log.alone(async () => {
      outcome = await this.#switch(old, marker, copier, from);
      if (outcome.ok || outcome.error.kind === 'cancelled') return ok(undefined);
      // What is on the device is uncertain only when the device failed.
      return outcome.error.kind === 'device' ? err(outcome.error) : ok(undefined);
    });
    return outcome;
  }

  /**
   * A checkpoint whose tail begins in a fresh segment: what is before is old, and nothing will be
   * added to it. Gives its runs.
   */
  async #cut(): Promise<Result<readonly IndexRun[], CollectError>> {
    let runs: Result<readonly IndexRun[], CollectError> = err({ kind: 'full' });
    const { index } = this.#core;
    await this.#log.spill(false);
    const done = await this.#log.alone(async () => {
      await this.#checkpoints.idle();
      const marked = await this.#markCut();
      if (!marked.ok) return marked;
      const finished = await this.#checkpoints.start(
        marked.value,
        index.runs.length >= RUNS_MAX / 2,
      );
      if (!finished.ok) return finished;
      runs = ok([...index.runs]);
      this.#checkpoints.keptRuns = index.runs.length;
      if (this.#options.sparesRecent !== false) this.#late.push(...this.#log.recent);
      return ok(undefined);
    });
    if (!done.ok && this.#log.failed !== null) return err(this.#log.failed);
    return runs;
  }

  async #markCut() {
    const { writer } = this.#log;
    const started = await writer.startSegment();
    if (!started.ok) return started;
    this.#cutSegment = started.value;
    return this.#checkpoints.mark();
  }

  async #openStream(): Promise<Result<StreamWriter, CollectError>> {
    const { disk, taker, crypto } = this.#core;
    const first = await taker.take('collected', NO_SEGMENT, NO_CHAIN, true);
    if (!first.ok) return first;
    this.#firstSegment = first.value;
    const end = { place: disk.geometry.startOf(first.value), sequence: 1, chain: NO_CHAIN };
    this.#writer = new StreamWriter(disk, taker, crypto, {
      use: 'collected',
      isTemporary: true,
      end,
    });
    return ok(this.#writer);
  }

  #marker(old: OldSpace): Marker {
    const shallow = this.#log.refs.shallowSet;
    this.#shallowBefore = shallow;
    return new Marker({
      old,
      idBytes: this.#core.idBytes,
      read: ({ id, place }) => this.#reader.object(id, place),
      isFresh: (id) => this.#fresh.has(id),
      isShallow: (id) => shallow.has(id),
      depthMax: this.#options.depth ?? Number.MAX_SAFE_INTEGER,
      pause: this.#pause,
    });
  }

  readonly #pause = (): Promise<void> => this.#core.pause();

  async #roots(marker: Marker): Promise<Result<void, CollectError>> {
    for (const { id } of this.#log.refs.refs.list('')) {
      const marked = await marker.root(id);
      if (!marked.ok) return marked;
    }
    for (const id of this.#options.roots ?? []) {
      const marked = await marker.root(id);
      if (!marked.ok) return marked;
    }
    return this.#isCancelled ? err({ kind: 'cancelled' }) : ok(undefined);
  }

  async #copyAll(order: Uint32Array, copier: Copier): Promise<Result<void, CollectError>> {
    for (const number of order) {
      if (this.#isCancelled) return err({ kind: 'cancelled' });
      const copied = await copier.copy(number);
      if (!copied.ok) return copied;
      this.#steps += 1;
      if (this.#steps % STEP_OBJECTS === 0) await this.#pause();
    }
    return copier.flush();
  }

  /** Walks and copies what came late, until few are left. */
  async #catchUp(
    marker: Marker,
    copier: Copier,
    from: number,
    fewMax: number,
  ): Promise<Result<void, CollectError>> {
    let copied = from;
    do {
      const late = this.#late;
      this.#late = [];
      for (const id of late) {
        const marked = await this.#markLate(marker.old, marker, id);
        if (!marked.ok) return marked;
      }
      const rooted = await this.#roots(marker);
      if (!rooted.ok) return rooted;
      const walked = await marker.walk();
      if (!walked.ok) return walked;
      const done = await this.#copyAll(marker.found.values.slice(copied), copier);
      if (!done.ok) return done;
      copied = marker.found.count;
    } while (this.#late.length > fewMax);
    return ok(undefined);
  }

  async #markLate(old: OldSpace, marker: Marker, id: ObjectId): Promise<Result<void, StoreFault>> {
    const found = await old.find(id);
    if (!found.ok) return found;
    // One that nobody has is somebody's to name, not ours to miss.
    if (found.value !== null) return marker.root(id);
    if (!this.#fresh.has(id)) return ok(undefined);
    const object = await this.#read(id);
    return object.ok ? marker.fresh(object.value) : object;
  }

  async #read(id: ObjectId): Promise<Result<GitObject, StoreFault>> {
    const waiting = this.#log.find(id);
    if (waiting !== null) return ok(waiting);
    const found = await this.#core.index.find(id);
    if (!found.ok) return found;
    assert(found.value !== null, 'what was taken is there');
    return this.#reader.object(id, found.value);
  }

  /** A run of what was copied, or of `wanted` alone, in order of ids, with the new places. */
  async #writeRun(
    old: OldSpace,
    copier: Copier,
    wanted: ReadonlySet<number> | null,
  ): Promise<Result<void, CollectError>> {
    const { runs: context, idBytes } = this.#core;
    const writer = new RunWriter(context);
    const written = await this.#copyRun(new Merge(context, new Map(), old.runs), writer, (at) => {
      const number = old.numberOf(at.run!, at.entry);
      if (wanted === null ? copier.places[number] === 0 : !wanted.has(number)) return null;
      const entry = at.page.slice(at.offset, at.offset + entryBytes(idBytes));
      writeU48be(entry, idBytes, copier.places[number]!);
      return entry;
    });
    const run =
      written.ok && written.value !== null ? await IndexRun.open(context, written.value) : written;
    if (!run.ok) writer.abandon();
    else if (run.value instanceof IndexRun) this.#runs.push(run.value);
    return run.ok ? ok(undefined) : run;
  }

  async #copyRun(
    merge: Merge,
    writer: RunWriter,
    entryOf: (at: MergedEntry) => Uint8Array | null,
  ): Promise<Result<RunRoot | null, CollectError>> {
    for (;;) {
      if (this.#isCancelled) return err({ kind: 'cancelled' });
      const at = await merge.next();
      if (!at.ok) return at;
      if (at.value === null) return writer.finish();
      const entry = entryOf(at.value);
      const added = entry === null ? ok(undefined) : await writer.add(entry, 0);
      if (!added.ok) return added;
    }
  }

  async #switch(
    old: OldSpace,
    marker: Marker,
    copier: Copier,
    from: number,
  ): Promise<Result<Collected, CollectError>> {
    await this.#checkpoints.idle();
    const { disk, index, counters } = this.#core;
    let shallow = 0;
    let indexed = from;
    // Who asks for an old object while the last of this is written makes it go round once more.
    do {
      const caughtUp = await this.#catchUp(marker, copier, marker.found.count, 0);
      if (!caughtUp.ok) return caughtUp;
      const later = new Set(marker.found.values.slice(indexed));
      indexed = marker.found.count;
      const written = later.size === 0 ? ok(undefined) : await this.#writeRun(old, copier, later);
      if (!written.ok) return written;
      // From here on it is too late: what is cut off gets noted.
      if (this.#isCancelled) return err({ kind: 'cancelled' });
      const cutOff = await this.#setShallow(marker);
      if (!cutOff.ok) return cutOff;
      shallow = cutOff.value;
      const flushed = await disk.flush();
      if (!flushed.ok) return flushed;
    } while (this.#late.length > 0);
    const committed = await this.#install(old);
    if (!committed.ok) return committed;
    counters.collections += 1;
    index.checkInvariants();
    return ok({
      objects: copier.copied,
      bytes: copier.bytes,
      missing: marker.missing,
      shallow,
      segmentsBefore: this.#segmentsBefore,
      segmentsAfter: disk.table.keptCount,
    });
  }

  /** Commits that have lost their parents are noted before they lose them. */
  async #setShallow(marker: Marker): Promise<Result<number, StoreFault>> {
    const found = await marker.shallow();
    if (!found.ok) return found;
    const now = this.#log.refs.shallowSet;
    // What became shallow while it ran is so, and what no longer was isn't.
    const before = this.#shallowBefore;
    const meanwhile = [...now].filter((id) => !before.has(id));
    const still = found.value.filter((id) => now.has(id) || !before.has(id));
    const shallow = [...new Set([...still, ...meanwhile])];
    const isSame = shallow.length === now.size && shallow.every((id) => now.has(id));
    if (isSame) return ok(now.size);
    const changes = { reason: 'cut off', head: null, changes: [], shallow };
    const written = await this.#log.appendChanges(changes);
    if (!written.ok) return written;
    return ok(shallow.length);
  }

  /** One superblock: from then on the new segments count, and the old ones are free. */
  async #install(old: OldSpace): Promise<Result<void, StoreFault>> {
    const { disk, index, roots } = this.#core;
    const { table } = disk;
    const { state } = roots;
    const oldLog = table.stream(state.logFirst);
    table.unlink(oldLog[oldLog.indexOf(this.#cutSegment) - 1]!);
    const doomed = [...table.doom(state.logFirst), ...table.doom(state.collectedFirst)];
    const replaced = index.replaceFirst(old.runs.length, this.#runs);
    // Whoever has just found something in them looks again.
    this.#core.epoch += 1;
    for (const { root } of replaced) {
      doomed.push(...table.doom(root.firstSegment));
    }
    table.keep(this.#firstSegment);
    for (const { root } of this.#runs) table.keep(root.firstSegment);
    state.logFirst = this.#cutSegment;
    state.collectedFirst = this.#firstSegment;
    state.collections += 1;
    state.runs = index.roots;
    this.#firstSegment = NO_SEGMENT;
    this.#runs = [];
    const committed = await roots.commit(true);
    if (!committed.ok) return committed;
    // Its second copy too, before anything of the old is overwritten.
    const flushed = await disk.flush();
    if (!flushed.ok) return flushed;
    await this.#discard(doomed);
    this.#core.epoch += 1;
    table.releaseDoomed(doomed);
    return ok(undefined);
  }

  /** Tells the device, when it wants to know; what it says to that changes nothing. */
  async #discard(segments: readonly number[]): Promise<void> {
    const { device, geometry } = this.#core.disk;
    if (device.discard === undefined) return;
    const blocks = geometry.segmentBytes / geometry.blockBytes;
    for (const segment of segments) {
      await device.discard(geometry.blockOf(geometry.segmentAt(segment)), blocks);
    }
  }
}
