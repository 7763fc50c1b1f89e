/**
 * Looks for deltas among the objects of a pack: each is compared with some that stand before it in
 * the order of kinds, names and ages, and the smallest delta is kept (Git: gitformat-pack,
 * "pack-heuristics"). Deterministic. Memory: the window and what was found, up to limits.ts. Read
 * first: make-delta.ts, selection.ts.
 */

import type { Zlib, ZlibLevel } from '#device';
import { type GitObject, OBJECT_KINDS, type ObjectKind } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import {
  COMPARED_BYTES_MIN,
  DELTA_OBJECT_BYTES_MAX,
  DELTA_OBJECT_BYTES_MIN,
  FOUND_BYTES_MAX,
  WINDOW_BYTES_MAX,
} from './limits.ts';
import { DeltaBaseIndex, makeDelta } from './make-delta.ts';
import type { Selection } from './selection.ts';

export interface DeltaOptions {
  /** Objects that each is compared with; Git takes 10, and 250 when it is to take its time. */
  readonly window: number;
  /** Deltas upon deltas; Git takes 50. */
  readonly depth: number;
}

/** What an object is written as. */
export interface FoundDelta {
  /** An object of the pack, by number, or one that the other side has. */
  readonly base: number | ObjectId;
  readonly depth: number;
  readonly sizeBytes: number;
  /** Null when it isn't held: it is to be made again. */
  readonly deflated: Uint8Array | null;
}

/** Objects that are stored in packs, not as deltas, by number. */
export class StoredWhole {
  /** The pack; -1 for none. */
  readonly packs: Int32Array;
  readonly sizes: Float64Array;
  /** Packs with deltas in them: their makers have compared what is in them. */
  readonly compared = new Set<number>();

  constructor(count: number) {
    this.packs = new Int32Array(count).fill(-1);
    this.sizes = new Float64Array(count);
  }

  put(number: number, pack: number, sizeBytes: number): void {
    this.packs[number] = pack;
    this.sizes[number] = sizeBytes;
  }

  /** Whether these two were compared when they were packed, and have nothing in common. */
  areKnown(number: number, other: number): boolean {
    const pack = this.packs[number]!;
    if (pack < 0 || pack !== this.packs[other]) return false;
    // Deviates from Git: not every packer looks, and what is small costs little.
    return this.compared.has(pack) || this.sizes[number]! >= COMPARED_BYTES_MIN;
  }
}

/** An object that the next ones are compared with. */
interface Candidate {
  readonly base: number | ObjectId;
  readonly kind: ObjectKind;
  /** Null: it wasn't needed yet. */
  object: GitObject | null;
  readonly depth: number;
  index: DeltaBaseIndex | null;
}

/** The object that is compared now. */
interface Current {
  readonly number: number;
  readonly kind: ObjectKind;
  object: GitObject | null;
  /** Place in the window of what it is compared with next. */
  at: number;
  best: Uint8Array | null;
  from: Candidate | null;
}

/** What an entry costs beside its delta: its head. A delta must save more. */
const ENTRY_COST_BYTES = 20;

type Read = (id: ObjectId) => Promise<GitObject | null>;

export class DeltaSearch {
  readonly found = new Map<number, FoundDelta>();
  private readonly selection: Selection;
  private readonly order: readonly number[];
  private readonly read: Read;
  private readonly zlib: Zlib;
  private readonly options: DeltaOptions;
  private readonly level: ZlibLevel | undefined;
  private readonly isThin: boolean;
  private readonly stored: StoredWhole;
  private next = 0;
  private current: Current | null = null;
  private readonly window: Candidate[] = [];
  private windowBytes = 0;
  private foundBytes = 0;

  /** Among `numbers` of the selection; `read` throws when the backend fails. */
  constructor(
    selection: Selection,
    numbers: readonly number[],
    read: Read,
    zlib: Zlib,
    options: DeltaOptions & {
      readonly level?: ZlibLevel | undefined;
      readonly isThin: boolean;
      readonly stored: StoredWhole;
    },
  ) {
    this.stored = options.stored;
    this.selection = selection;
    this.order = deltaOrder(selection, numbers);
    this.read = read;
    this.zlib = zlib;
    this.options = options;
    this.level = options.level;
    this.isThin = options.isThin;
  }

  get isDone(): boolean {
    return this.next === this.order.length && this.current === null;
  }

  /** Objects that were compared. */
  get done(): number {
    return this.next;
  }

  /** Reads the next object, or compares it with one other: some bytes' work, which it tells. */
  step(): number | Promise<number> {
    return this.current === null ? this.begin() : this.compareNext(this.current);
  }

  private begin(): number | Promise<number> {
    const number = this.order[this.next++]!;
    const { selection, stored } = this;
    const kind = selection.kindAt(number);
    const theirs = this.isThin ? selection.theirs.get(number) : undefined;
    const current = { number, kind, object: null, at: 0, best: null, from: null };
    const isStored = stored.packs[number]! >= 0;
    if (isStored && !isInBounds(stored.sizes[number]!)) return ENTRY_COST_BYTES;
    if (isStored && theirs === undefined) return this.compareFrom(current);
    return this.beginRead(current, theirs);
  }

  private async beginRead(current: Current, theirs: ObjectId | undefined): Promise<number> {
    const cost = await this.load(current);
    if (current.object === null || !isInBounds(current.object.bytes.length)) return cost;
    if (theirs !== undefined) await this.addTheirs(theirs);
    return cost + this.compareFrom(current);
  }

  private compareFrom(current: Current): number {
    current.at = this.window.length - 1;
    this.current = current;
    return ENTRY_COST_BYTES;
  }

  /** Its bytes, which weren't needed before; null stays where it isn't here. What that costs. */
  private async load(one: Current | Candidate): Promise<number> {
    const base = 'number' in one ? one.number : one.base;
    const id = typeof base === 'number' ? this.selection.idAt(base) : base;
    one.object = await this.read(id);
    return ENTRY_COST_BYTES + (one.object?.bytes.length ?? 0);
  }

  /** A version that the other side has is compared as if it were of the pack. */
  private async addTheirs(id: ObjectId): Promise<void> {
    if (this.window.some(({ base }) => base === id)) return;
    const object = await this.read(id);
    if (object === null || !isInBounds(object.bytes.length)) return;
    this.push({ base: id, kind: object.kind, object, depth: 0, index: null });
  }

  /** With the nearest first, while they are of its kind. */
  private compareNext(current: Current): number | Promise<number> {
    const candidate = this.window[current.at];
    if (candidate === undefined || candidate.kind !== current.kind) {
      this.current = null;
      this.settle(current);
      return current.best?.length ?? 0;
    }
    const { base } = candidate;
    const isKnown = typeof base === 'number' && this.stored.areKnown(current.number, base);
    if (!isKnown && current.object === null) return this.loadCurrent(current);
    if (!isKnown && candidate.object === null) return this.loadCandidate(candidate, current);
    current.at -= 1;
    if (isKnown) return ENTRY_COST_BYTES;
    return this.compareWith(candidate, current);
  }

  private async loadCurrent(current: Current): Promise<number> {
    const cost = await this.load(current);
    // Whoever writes it says that it is missing.
    if (current.object === null) this.current = null;
    return cost;
  }

  private async loadCandidate(candidate: Candidate, current: Current): Promise<number> {
    const cost = await this.load(candidate);
    this.windowBytes += candidate.object?.bytes.length ?? 0;
    if (candidate.object === null) current.at -= 1;
    while (this.windowBytes > WINDOW_BYTES_MAX && this.window[0] !== candidate) {
      this.drop();
      current.at -= 1;
    }
    return cost;
  }

  private compareWith(candidate: Candidate, current: Current): number {
    const { bytes } = current.object!;
    const isNew = candidate.index === null;
    const delta = this.tryDelta(candidate, bytes, current.best, current.from?.depth ?? 0);
    if (delta !== null) {
      current.best = delta;
      current.from = candidate;
    }
    return bytes.length + (isNew ? candidate.object!.bytes.length : 0);
  }

  private settle({ number, kind, object, best, from }: Current): void {
    const depth = from === null ? 0 : from.depth + 1;
    if (from !== null && best !== null) this.keep(number, from, best);
    // Upon one of the greatest depth nothing can be made.
    if (depth < this.options.depth) this.push({ base: number, kind, object, depth, index: null });
    if (from === null) return;
    const at = this.window.indexOf(from);
    if (at < 0) return;
    // A base that was good is tried first, and stays for longer: chains become bushes.
    this.window.splice(at, 1);
    this.window.push(from);
  }

  /** A delta that is better than `best`, where depth counts as Git counts it. */
  private tryDelta(
    candidate: Candidate,
    target: Uint8Array,
    best: Uint8Array | null,
    bestDepth: number,
  ): Uint8Array | null {
    const source = candidate.object!.bytes;
    if (candidate.depth >= this.options.depth) return null;
    const limit = best === null ? target.length / 2 - ENTRY_COST_BYTES : best.length;
    const levels = this.options.depth - (best === null ? 0 : bestDepth);
    const bytesMax = Math.floor((limit * (this.options.depth - candidate.depth)) / levels);
    if (bytesMax <= 0 || target.length - source.length >= bytesMax) return null;
    if (target.length < source.length / 32) return null;
    if (candidate.index === null) {
      candidate.index = new DeltaBaseIndex(source);
      this.windowBytes += candidate.index.indexBytes;
    }
    const delta = makeDelta(candidate.index, target, bytesMax);
    if (delta === null || best === null) return delta;
    const isSame = delta.length === best.length && candidate.depth >= bestDepth;
    return isSame ? null : delta;
  }

  private keep(number: number, from: Candidate, delta: Uint8Array): void {
    const deflated = this.zlib.deflate(delta, this.level);
    const isHeld = this.foundBytes + deflated.length <= FOUND_BYTES_MAX;
    if (isHeld) this.foundBytes += deflated.length;
    this.found.set(number, {
      base: from.base,
      depth: from.depth + 1,
      sizeBytes: delta.length,
      deflated: isHeld ? deflated : null,
    });
  }

  private push(candidate: Candidate): void {
    const { window } = this;
    const last = window.at(-1);
    if (last !== undefined && last.kind !== candidate.kind) {
      window.length = 0;
      this.windowBytes = 0;
    }
    window.push(candidate);
    this.windowBytes += candidate.object?.bytes.length ?? 0;
    while (window.length > this.options.window) this.drop();
    while (window.length > 1 && this.windowBytes > WINDOW_BYTES_MAX) this.drop();
  }

  private drop(): void {
    const { object, index } = this.window.shift()!;
    this.windowBytes -= (object?.bytes.length ?? 0) + (index?.indexBytes ?? 0);
  }
}

const isInBounds = (sizeBytes: number): boolean =>
  sizeBytes >= DELTA_OBJECT_BYTES_MIN && sizeBytes <= DELTA_OBJECT_BYTES_MAX;

/** By kind, by name, then as they were met: the newest first, from which older ones are made. */
function deltaOrder(selection: Selection, numbers: readonly number[]): number[] {
  const kinds = new Map(OBJECT_KINDS.map((kind, i) => [kind, i]));
  return numbers.toSorted(
    (a, b) =>
      kinds.get(selection.kindAt(a))! - kinds.get(selection.kindAt(b))! ||
      selection.nameHashAt(a) - selection.nameHashAt(b) ||
      a - b,
  );
}
