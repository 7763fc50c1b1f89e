/**
 * Writes a pack of what was selected, in steps: what is stored as a pack's entry is copied without
 * inflating it, the rest is made deltas of, where asked, or compressed. Git's order: commits, tags,
 * trees, files, each with the newest first, and a base before what is upon it. Read first:
 * selection.ts, find-deltas.ts, ../backend.ts (readEntry).
 */

import { assert } from '#core';
import type { ZlibLevel } from '#device';
import type { BackendError, ObjectBackend, PackEntry } from '../backend.ts';
import type { GitObject, ObjectKind } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import { crc32 } from './crc32.ts';
import { type DeltaBase, ENTRY_HEAD_BYTES_MAX, emitEntryHead } from './entry-head.ts';
import { type DeltaOptions, DeltaSearch, StoredWhole } from './find-deltas.ts';
import { DeltaBaseIndex, makeDelta } from './make-delta.ts';
import { PackBuffer } from './pack-buffer.ts';
import { packHead } from './pack-head.ts';
import type { IndexedEntry } from './pack-index.ts';
import type { PackTools } from './pack-stream.ts';
import type { Selection } from './selection.ts';

export interface WriteOptions {
  /** Bases in the pack are named by their distance, which is shorter than an id. */
  readonly ofsDelta: boolean;
  /** Deltas may be upon objects that the other side has. */
  readonly thin: boolean;
  /** Deltas that are looked for, among objects that aren't stored as ones; null for none. */
  readonly deltas: DeltaOptions | null;
  /** Entries that are stored are copied. */
  readonly reuse: boolean;
  readonly level?: ZlibLevel;
  /** Whether the end tells every entry, for an index: their checksums cost an interpreter much. */
  readonly indexed?: boolean;
}

/** Every so much work: the pack's next bytes, or null while deltas are looked for. */
export interface PackStep {
  readonly phase: 'comparing' | 'writing';
  readonly done: number;
  readonly total: number;
  readonly bytes: Uint8Array | null;
}

export interface WrittenPack {
  readonly objects: number;
  readonly deltas: number;
  /** Entries that were copied as they were stored. */
  readonly reused: number;
  readonly sizeBytes: number;
  readonly checksum: Uint8Array;
  /** In the pack's order; none unless asked for. */
  readonly entries: readonly IndexedEntry[];
}

/** The backend failed while a pack was under way: what was sent is none. */
export class PackStopped extends Error {
  override readonly name = 'PackStopped';
  readonly error: BackendError;

  constructor(error: BackendError) {
    super(`a pack ended early: ${error.kind}`);
    this.error = error;
  }
}

const KIND_ORDER: readonly ObjectKind[] = ['commit', 'tag', 'tree', 'blob'];
/**
 * Work between two steps: bytes that are compared, compressed or copied. In an image's interpreter
 * that is some milliseconds.
 */
const STEP_BYTES = 65_536;
/** What an object costs whatever its size. */
const OBJECT_COST_BYTES = 1_024;

/** What an object is written as. */
interface Planned {
  readonly number: number;
  readonly kind: ObjectKind;
  readonly sizeBytes: number;
  /** An object of the pack, by number; one that the other side has; or none. */
  readonly base: number | ObjectId | null;
  readonly deflated: Uint8Array;
  readonly isReused: boolean;
}

/** The pack, piece by piece, as fast as they are taken. Throws PackStopped. */
export async function* packPieces(
  backend: ObjectBackend,
  tools: Omit<PackTools, 'hash'>,
  selection: Selection,
  options: WriteOptions,
): AsyncGenerator<Uint8Array, WrittenPack> {
  const steps = packSteps(backend, tools, selection, options);
  for (;;) {
    const next = await steps.next();
    if (next.done === true) return next.value;
    if (next.value.bytes !== null) yield next.value.bytes;
  }
}

/** As `packPieces`, with steps in between that have no bytes yet. */
export function packSteps(
  backend: ObjectBackend,
  tools: Omit<PackTools, 'hash'>,
  selection: Selection,
  options: WriteOptions,
): AsyncGenerator<PackStep, WrittenPack> {
  return new Writing(backend, { ...tools, hash: backend.hash }, selection, options).steps();
}

class Writing {
  private readonly backend: ObjectBackend;
  private readonly tools: PackTools;
  private readonly selection: Selection;
  private readonly options: WriteOptions;
  private readonly buffer: PackBuffer;
  /** Where each object begins, by number; 0 while it isn't written. */
  private readonly offsets: Float64Array;
  /** Numbers by number in the selection's table; -1 for what isn't chosen. */
  private readonly numbers: Int32Array;
  private search: DeltaSearch | null = null;
  private readonly entries: IndexedEntry[] = [];
  private deltas = 0;
  private reused = 0;
  /** Since the last step, as STEP_BYTES counts it. */
  private work = 0;

  constructor(
    backend: ObjectBackend,
    tools: PackTools,
    selection: Selection,
    options: WriteOptions,
  ) {
    this.backend = backend;
    this.tools = tools;
    this.selection = selection;
    this.options = options;
    this.buffer = new PackBuffer(tools.crypto, tools.hash);
    this.offsets = new Float64Array(selection.count);
    this.numbers = new Int32Array(selection.table.count).fill(-1);
    for (let number = 0; number < selection.count; number++) {
      this.numbers[selection.indexAt(number)] = number;
    }
  }

  async *steps(): AsyncGenerator<PackStep, WrittenPack> {
    const { selection, buffer, options } = this;
    if (options.deltas !== null) yield* this.compare(options.deltas);
    const total = selection.count;
    buffer.put(packHead(total));
    let done = 0;
    for (const kind of KIND_ORDER) {
      for (let number = 0; number < total; number++) {
        if (selection.kindAt(number) !== kind || this.offsets[number] !== 0) continue;
        done += await this.write(number);
        const ready = buffer.take();
        for (const bytes of ready) yield { phase: 'writing', done, total, bytes };
        if (ready.length > 0) this.work = 0;
        else if (this.hasWorked()) yield { phase: 'writing', done, total, bytes: null };
      }
    }
    const checksum = buffer.finish();
    for (const bytes of buffer.take()) yield { phase: 'writing', done, total, bytes };
    assert(done === total);
    const { deltas, reused, entries } = this;
    return { objects: total, deltas, reused, sizeBytes: buffer.offset, checksum, entries };
  }

  private async *compare(deltas: DeltaOptions): AsyncGenerator<PackStep, void> {
    const { selection, options } = this;
    const numbers: number[] = [];
    const whole = new StoredWhole(selection.count);
    for (let number = 0; number < selection.count; number++) {
      // What is stored as a delta that can be copied stays one.
      const stored = options.reuse ? await this.storedOf(number) : null;
      if (stored === null || stored.base === null) numbers.push(number);
      const pack = stored?.entry.pack;
      if (pack !== undefined && stored?.base !== null) whole.compared.add(pack);
      else if (pack !== undefined) whole.put(number, pack, stored!.entry.sizeBytes);
      this.work += OBJECT_COST_BYTES;
      if (this.hasWorked()) {
        yield { phase: 'comparing', done: 0, total: selection.count, bytes: null };
      }
    }
    const { level } = options;
    const read = (id: ObjectId) => this.read(id);
    const search = new DeltaSearch(selection, numbers, read, this.tools.zlib, {
      ...deltas,
      level,
      isThin: options.thin,
      stored: whole,
    });
    this.search = search;
    while (!search.isDone) {
      const work = search.step();
      this.work += typeof work === 'number' ? work : await work;
      if (!this.hasWorked()) continue;
      yield { phase: 'comparing', done: search.done, total: numbers.length, bytes: null };
    }
  }

  /** Whether it is time for a step; then the next one begins. */
  private hasWorked(): boolean {
    if (this.work < STEP_BYTES) return false;
    this.work = 0;
    return true;
  }

  /** Writes an object, before it the bases that it needs and aren't written; how many in all. */
  private async write(first: number): Promise<number> {
    const chain: Planned[] = [];
    const inChain = new Set<number>();
    let number = first;
    for (;;) {
      inChain.add(number);
      const planned = await this.plan(number, inChain);
      chain.push(planned);
      if (typeof planned.base !== 'number' || this.offsets[planned.base] !== 0) break;
      number = planned.base;
    }
    const count = chain.length;
    for (let next = chain.pop(); next !== undefined; next = chain.pop()) this.emit(next);
    return count;
  }

  private async plan(number: number, inChain: ReadonlySet<number>): Promise<Planned> {
    const { selection, options } = this;
    const kind = selection.kindAt(number);
    const found = this.search?.found.get(number);
    if (found !== undefined && !inChain.has(found.base as number)) {
      const { base, sizeBytes } = found;
      const deflated = found.deflated ?? (await this.deltaAgain(number, base));
      return { number, kind, sizeBytes, base, deflated, isReused: false };
    }
    // What goes into a pack to be kept takes the place of others that may be whole: looked at.
    const stored = options.reuse ? await this.storedOf(number, options.indexed) : null;
    if (stored !== null && (typeof stored.base !== 'number' || !inChain.has(stored.base))) {
      const { sizeBytes, deflated } = stored.entry;
      return { number, kind, sizeBytes, base: stored.base, deflated, isReused: true };
    }
    const { bytes } = await this.need(selection.idAt(number));
    const deflated = this.tools.zlib.deflate(bytes, options.level);
    return { number, kind, sizeBytes: bytes.length, base: null, deflated, isReused: false };
  }

  /** A stored entry that can be copied, and what its base is here. */
  private async storedOf(
    number: number,
    isChecked = false,
  ): Promise<{ entry: PackEntry; base: number | ObjectId | null } | null> {
    const { selection, backend } = this;
    if (backend.readEntry === undefined) return null;
    const entry = await backend.readEntry(selection.idAt(number), isChecked);
    if (!entry.ok) throw new PackStopped(entry.error);
    if (entry.value === null) return null;
    const { base } = entry.value;
    if (base === null) return { entry: entry.value, base: null };
    const index = selection.table.findId(base);
    if (index < 0) return null;
    const baseNumber = this.numbers[index]!;
    if (baseNumber >= 0) return { entry: entry.value, base: baseNumber };
    return this.options.thin && selection.isTheirs(index) ? { entry: entry.value, base } : null;
  }

  /** A delta that was found and not held. */
  private async deltaAgain(number: number, base: number | ObjectId): Promise<Uint8Array> {
    const baseId = typeof base === 'number' ? this.selection.idAt(base) : base;
    const source = await this.need(baseId);
    const target = await this.need(this.selection.idAt(number));
    const delta = makeDelta(new DeltaBaseIndex(source.bytes), target.bytes, target.bytes.length);
    assert(delta !== null, 'what was made once is made again');
    return this.tools.zlib.deflate(delta, this.options.level);
  }

  private emit({ number, kind, sizeBytes, base, deflated, isReused }: Planned): void {
    const { buffer } = this;
    const { offset } = buffer;
    const head = new Uint8Array(ENTRY_HEAD_BYTES_MAX);
    const count = emitEntryHead(head, 0, kind, sizeBytes, this.baseOf(base, offset));
    this.offsets[number] = offset;
    buffer.put(head.subarray(0, count));
    buffer.put(deflated);
    this.work += OBJECT_COST_BYTES + (isReused ? 0 : sizeBytes);
    if (base !== null) this.deltas += 1;
    if (isReused) this.reused += 1;
    if (this.options.indexed !== true) return;
    const crc = crc32(crc32(0, head, 0, count), deflated, 0, deflated.length);
    this.entries.push({ id: this.selection.idAt(number), offset, crc });
  }

  private baseOf(base: number | ObjectId | null, offset: number): DeltaBase | null {
    if (base === null) return null;
    if (typeof base !== 'number') return { id: base };
    if (!this.options.ofsDelta) return { id: this.selection.idAt(base) };
    return { distance: offset - this.offsets[base]! };
  }

  private async read(id: ObjectId): Promise<GitObject | null> {
    const object = await this.backend.readObject(id);
    if (!object.ok) throw new PackStopped(object.error);
    return object.value;
  }

  private async need(id: ObjectId): Promise<GitObject> {
    const object = await this.read(id);
    if (object !== null) return object;
    throw new PackStopped({ kind: 'damaged', id, what: 'an object is missing' });
  }
}
