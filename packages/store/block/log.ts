/**
 * The writer: objects wait in memory and go to the log in batches; changes of refs that wait go
 * together, with one flush for all of them. Read first: core.ts, stream-writer.ts. Not here:
 * reading (object-reader.ts), checkpoints (checkpoint.ts).
 */

import { assert, err, ok, type Result } from '#core';
import {
  type BackendError,
  type GitObject,
  isRefName,
  type NamedObject,
  type ObjectId,
  type RefConflict,
  type RefUpdate,
  type ShallowUpdate,
} from '#git';
import type { StoreCore } from './core.ts';
import { backendError, type StoreFault } from './fault.ts';
import { BATCH_BYTES, RECENT_OBJECTS, REFS_BYTES_MAX, SCAN_BYTES } from './limits.ts';
import { changesOf, type RefState } from './ref-state.ts';
import type { StreamWriter } from './stream-writer.ts';
import { BATCH_HEAD_BYTES } from './wire/batch.ts';
import { emitRecord, type ObjectRecord, RECORD_OVERHEAD_MAX } from './wire/record.ts';
import { emitRefChanges, type RefChanges } from './wire/refs.ts';

export type RefsOutcome = Result<void, RefConflict | BackendError>;

type Request =
  | {
      readonly kind: 'refs';
      readonly updates: readonly RefUpdate[];
      readonly reason: string;
      readonly resolve: (outcome: RefsOutcome) => void;
    }
  | {
      readonly kind: 'head';
      readonly name: string;
      readonly resolve: (outcome: RefsOutcome) => void;
    }
  | {
      readonly kind: 'shallow';
      readonly update: ShallowUpdate;
      readonly resolve: (outcome: RefsOutcome) => void;
    }
  /** Objects to the device, flushed when `isFlush`. */
  | {
      readonly kind: 'spill';
      readonly isFlush: boolean;
      readonly resolve: (outcome: RefsOutcome) => void;
    }
  /** `work` has the log for itself, behind everything that was asked for before. */
  | {
      readonly kind: 'alone';
      readonly work: () => Promise<Result<void, StoreFault>>;
      readonly resolve: (outcome: RefsOutcome) => void;
    };

/** An object as it is kept: deflated, or a delta upon another one. */
export type StoredForm = Pick<ObjectRecord, 'base' | 'sizeBytes' | 'payload'>;

/** An object that waits to be written. */
interface Waiting {
  readonly object: GitObject;
  readonly base: ObjectId | null;
  readonly record: Uint8Array;
}

type Batch = readonly { readonly id: ObjectId | null; readonly record: Uint8Array }[];

/** Small records together; a big one alone, so that a scan need not hold it. */
function batchesOf(objects: ReadonlyMap<ObjectId, Waiting>, last: readonly Uint8Array[]): Batch[] {
  const batches: { id: ObjectId | null; record: Uint8Array }[][] = [];
  let bytes = 0;
  const put = (id: ObjectId | null, record: Uint8Array): void => {
    bytes += record.length;
    if (batches.length === 0 || bytes > SCAN_BYTES / 2) {
      batches.push([]);
      bytes = record.length;
    }
    batches.at(-1)!.push({ id, record });
  };
  for (const [id, { record }] of objects) put(id, record);
  for (const record of last) put(null, record);
  return batches;
}

export class Log {
  readonly writer: StreamWriter;
  readonly refs: RefState;
  /** Bytes appended since the last checkpoint began. */
  tailBytes = 0;
  /** Once something couldn't be written, what is on the device is uncertain: nothing more is. */
  failed: StoreFault | null = null;
  /** Called when refs changed. */
  changed: () => void = () => {};
  /** Called after each turn of the writer, which waits for what it gives. */
  afterTurn: () => Promise<void> | null = () => null;
  /** Called for each object that is taken. */
  added: (id: ObjectId) => void = () => {};
  /** The objects that were taken last, the oldest first. */
  readonly recent: ObjectId[] = [];
  readonly #core: StoreCore;
  #next: RefState;
  #waiting = new Map<ObjectId, Waiting>();
  /** What is being written. */
  #leaving = new Map<ObjectId, Waiting>();
  #waitingBytes = 0;
  #requests: Request[] = [];
  #running: Promise<void> | null = null;

  constructor(core: StoreCore, writer: StreamWriter, refs: RefState) {
    this.#core = core;
    this.writer = writer;
    this.refs = refs;
    this.#next = refs.copy();
  }

  /** An object that isn't on the device yet. */
  find(id: ObjectId): GitObject | null {
    return (this.#waiting.get(id) ?? this.#leaving.get(id))?.object ?? null;
  }

  /** What one that isn't on the device yet is a delta upon; undefined when it is none of those. */
  baseOf(id: ObjectId): ObjectId | null | undefined {
    return (this.#waiting.get(id) ?? this.#leaving.get(id))?.base;
  }

  /** Takes an object, of which the store has none; 'full' when it has no room. */
  add({ id, kind, bytes }: NamedObject, form: StoredForm): Result<void, StoreFault> {
    if (this.failed !== null) return err(this.failed);
    const { base, sizeBytes, payload } = form;
    const record = emitRecord(this.#core.checksum, { kind, id, base, sizeBytes, payload });
    if (record.length > this.roomBytes()) return err({ kind: 'full' });
    this.#waiting.set(id, { object: { kind, bytes }, base, record });
    this.#waitingBytes += record.length;
    this.recent.push(id);
    if (this.recent.length >= 2 * RECENT_OBJECTS) this.recent.splice(0, RECENT_OBJECTS);
    this.added(id);
    return ok(undefined);
  }

  /** What objects may still take. A segment is left for changes of refs. */
  roomBytes(): number {
    const { disk } = this.#core;
    const { geometry, table } = disk;
    const segments = Math.max(0, segmentsMost(table.count) - 1 - table.keptCount);
    const free = Math.max(0, Math.min(segments, table.freeCount - 1)) * geometry.streamBytes;
    // Each batch but the last has a quarter of SCAN_BYTES at least, and ends with part of a block.
    const batches = 4 + Math.floor((4 * this.#waitingBytes) / SCAN_BYTES);
    const waits = this.#waitingBytes + batches * (geometry.blockBytes + BATCH_HEAD_BYTES);
    return free + disk.room(this.writer.end.place) - waits;
  }

  /** Whether so many bytes in whole blocks may go to the log, changes of refs among them. */
  mayTake(bytes: number): boolean {
    const { table } = this.#core.disk;
    const most = Math.min(segmentsMost(table.count) - table.keptCount, table.freeCount);
    return this.writer.segmentsFor(bytes) <= Math.max(0, most);
  }

  get mustSpill(): boolean {
    return this.#waitingBytes >= BATCH_BYTES;
  }

  spill(isFlush: boolean): Promise<RefsOutcome> {
    return this.#ask((resolve) => ({ kind: 'spill', isFlush, resolve }));
  }

  updateRefs(updates: readonly RefUpdate[], reason: string): Promise<RefsOutcome> {
    return this.#ask((resolve) => ({ kind: 'refs', updates, reason, resolve }));
  }

  setHead(name: string): Promise<RefsOutcome> {
    return this.#ask((resolve) => ({ kind: 'head', name, resolve }));
  }

  updateShallow(update: ShallowUpdate): Promise<RefsOutcome> {
    return this.#ask((resolve) => ({ kind: 'shallow', update, resolve }));
  }

  alone(work: () => Promise<Result<void, StoreFault>>): Promise<RefsOutcome> {
    return this.#ask((resolve) => ({ kind: 'alone', work, resolve }));
  }

  #ask(request: (resolve: (outcome: RefsOutcome) => void) => Request): Promise<RefsOutcome> {
    const { promise, resolve } = Promise.withResolvers<RefsOutcome>();
    this.#requests.push(request(resolve));
    this.#running ??= this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    // What is asked for in the same job goes together.
    await Promise.resolve();
    while (this.#requests.length > 0) {
      await this.#turn();
      const wait = this.afterTurn();
      if (wait !== null) await wait;
    }
    this.#running = null;
  }

  /** Answers what waits: one batch or a few, and one flush. */
  async #turn(): Promise<void> {
    const alone = this.#requests.findIndex(({ kind }) => kind === 'alone');
    if (alone === 0) return this.#turnAlone();
    const requests = this.#requests.splice(0, alone < 0 ? this.#requests.length : alone);
    const answers: [Request, RefsOutcome][] = [];
    const applied: RefChanges[] = [];
    for (const request of requests) {
      const change = this.#evaluate(request);
      if (!change.ok) answers.push([request, change]);
      else answers.push([request, ok(undefined)]);
      if (change.ok && change.value !== null) applied.push(change.value);
    }
    const isFlush = requests.some((request) => request.kind === 'spill' && request.isFlush);
    const written = await this.#write(applied, isFlush || applied.length > 0);
    if (!written.ok) {
      this.#next = this.refs.copy();
      const error = this.#tell(written.error);
      for (const [request, outcome] of answers) request.resolve(outcome.ok ? error : outcome);
      return;
    }
    for (const changes of applied) this.refs.apply(changes);
    if (applied.length > 1) this.#core.counters.shared += applied.length - 1;
    for (const [request, outcome] of answers) request.resolve(outcome);
    if (applied.length > 0) this.changed();
  }

  async #turnAlone(): Promise<void> {
    const request = this.#requests.shift()!;
    assert(request.kind === 'alone', 'what has the log for itself');
    const done = this.failed === null ? await request.work() : err(this.failed);
    if (!done.ok && done.error.kind !== 'full') this.failed ??= done.error;
    request.resolve(done.ok ? done : this.#tell(done.error));
  }

  #tell(fault: StoreFault): { readonly ok: false; readonly error: BackendError } {
    if (fault.kind === 'full') this.#core.counters.full += 1;
    return err(backendError(fault, this.#core.disk.device.name, null));
  }

  /** What a request changes, when it may: null when that is nothing. */
  #evaluate(request: Request): Result<RefChanges | null, RefConflict | BackendError> {
    switch (request.kind) {
      case 'spill':
      case 'alone':
        return ok(null);
      case 'head': {
        const { name } = request;
        if (!isRefName(name)) return err({ kind: 'bad name', name });
        this.#next.head = name;
        return ok({ reason: 'HEAD', head: name, changes: [], shallow: null });
      }
      case 'shallow': {
        return this.#take(this.#next.shallowChange(request.update));
      }
      case 'refs': {
        const refused = this.#next.refs.check(request.updates);
        if (refused !== null) return err(refused);
        // Also one that names nothing makes objects durable.
        return this.#take(changesOf(request.updates, request.reason));
      }
    }
  }

  #take(changes: RefChanges): Result<RefChanges, BackendError> {
    if (!this.#next.fits(changes)) return this.#tell({ kind: 'full' });
    this.#next.apply(changes);
    return ok(changes);
  }

  async #write(
    changes: readonly RefChanges[],
    isFlush: boolean,
  ): Promise<Result<void, StoreFault>> {
    if (this.failed !== null) return err(this.failed);
    const records = changes.map((one) =>
      emitRecord(this.#core.checksum, { kind: 'refs', payload: emitRefChanges(one) }),
    );
    const refsBytes = records.reduce((sum, { length }) => sum + length, 0);
    if (refsBytes > REFS_BYTES_MAX) return err({ kind: 'full' });
    const batches = batchesOf(this.#waiting, records);
    const overhead = this.#core.disk.geometry.blockBytes + BATCH_HEAD_BYTES;
    const bytes = this.#waitingBytes + refsBytes + batches.length * overhead;
    if (batches.length > 0 && !this.mayTake(bytes)) return err({ kind: 'full' });
    this.#leaving = this.#waiting;
    this.#waiting = new Map();
    this.#waitingBytes = 0;
    const written = await this.#append(batches);
    if (!written.ok) {
      this.failed = written.error;
      return written;
    }
    const done = isFlush ? await this.flush(written.value) : written;
    if (!done.ok) this.failed = done.error;
    return done.ok ? ok(undefined) : done;
  }

  /** Writes what is leaving. Gives the generation that names new segments, if any. */
  async #append(batches: readonly Batch[]): Promise<Result<number | null, StoreFault>> {
    let generation: number | null = null;
    for (const batch of batches) {
      const written = await this.appendBatch(
        batch.map(({ record }) => record),
        batch.map(({ id }) => id),
      );
      if (!written.ok) return written;
      generation = written.value ?? generation;
    }
    this.#leaving = new Map();
    return ok(generation);
  }

  /** One batch; `ids` are those of its records, null where it is none of an object. */
  async appendBatch(
    records: readonly Uint8Array[],
    ids: readonly (ObjectId | null)[],
  ): Promise<Result<number | null, StoreFault>> {
    const bytes = records.reduce((sum, { length }) => sum + length, 0);
    const taken = await this.writer.reserve(bytes);
    if (!taken.ok) return taken;
    const places = await this.writer.append(records);
    if (!places.ok) return places;
    this.#core.counters.batches += 1;
    this.tailBytes += bytes;
    ids.forEach((id, i) => {
      if (id === null) return;
      this.#core.index.add(id, places.value[i]!);
    });
    return taken.value === 0 ? ok(null) : this.#core.roots.commit(false);
  }

  /** Adds a change of refs that nobody asked for, to be flushed by the caller. */
  async appendChanges(changes: RefChanges): Promise<Result<number | null, StoreFault>> {
    const payload = emitRefChanges(changes);
    const isFull = !this.refs.fits(changes) || !this.mayTake(payload.length + RECORD_OVERHEAD_MAX);
    if (isFull) return err({ kind: 'full' });
    const record = emitRecord(this.#core.checksum, { kind: 'refs', payload });
    const written = await this.appendBatch([record], [null]);
    if (!written.ok) return written;
    this.refs.apply(changes);
    this.#next.apply(changes);
    return written;
  }

  /** `generation`: of a superblock that this flush makes count. */
  async flush(generation: number | null): Promise<Result<void, StoreFault>> {
    const flushed = await this.#core.disk.flush();
    this.#core.counters.flushes += 1;
    if (!flushed.ok || generation === null) return flushed;
    return this.#core.roots.settle(generation);
  }

  /** Waits for all that was asked for. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  checkInvariants(): void {
    let bytes = 0;
    for (const { record } of this.#waiting.values()) bytes += record.length;
    assert(bytes === this.#waitingBytes, 'waiting bytes are counted');
  }
}

/**
 * Segments that may be in use: half of them but for what a collection begins with, so that it,
 * which copies what it keeps, has room for everything whatever there is.
 */
const segmentsMost = (count: number): number => Math.floor(count / 2) - 2;
