/**
 * Copies what stays to a stream of its own, as deltas where that is shorter: upon one of the
 * objects that were copied just before, as `git repack` does (window 10, depth 50). What is a delta
 * already stays one when its base was copied before it. Read first: order.ts,
 * packages/git/pack/make-delta.ts.
 */

import { ok, type Result } from '#core';
import { DeltaBaseIndex, type GitObject, makeDelta, type ObjectId } from '#git';
import type { StoreCore } from '../core.ts';
import type { StoreFault } from '../fault.ts';
import { DELTA_DEPTH_MAX } from '../limits.ts';
import type { ObjectReader } from '../object-reader.ts';
import type { StreamWriter } from '../stream-writer.ts';
import { emitRecord, type ObjectRecord } from '../wire/record.ts';
import type { OldObject, OldSpace } from './old-space.ts';

const WINDOW = 10;
/** Objects that are more are kept whole: finding what two of them share takes too long at once. */
const DELTA_BYTES_MAX = 4 * 1_024 * 1_024;
const WINDOW_BYTES_MAX = 8 * 1_024 * 1_024;
const DELTA_BYTES_MIN = 50;
const BATCH_BYTES = 128 * 1_024;
/** A delta this many times shorter than its object, or this short, is good enough. */
const GOOD_FACTOR = 16;
const GOOD_BYTES = 40;

interface Candidate {
  readonly id: ObjectId;
  readonly depth: number;
  readonly object: GitObject;
  index: DeltaBaseIndex | null;
}

export class Copier {
  /** Records and their bytes so far. */
  copied = 0;
  bytes = 0;
  /** By number: where it is now; 0: nowhere yet. */
  readonly places: Float64Array;
  readonly #core: StoreCore;
  readonly #reader: ObjectReader;
  readonly #old: OldSpace;
  readonly #writer: StreamWriter;
  /** By number: deltas that it is made of; what was copied has a place. */
  readonly #depths: Uint8Array;
  #window: Candidate[] = [];
  #windowBytes = 0;
  #batch: Uint8Array[] = [];
  #batchNumbers: number[] = [];
  #batchBytes = 0;

  constructor(core: StoreCore, reader: ObjectReader, old: OldSpace, writer: StreamWriter) {
    this.#core = core;
    this.#reader = reader;
    this.#old = old;
    this.#writer = writer;
    this.places = new Float64Array(old.count);
    this.#depths = new Uint8Array(old.count);
  }

  async copy(number: number): Promise<Result<void, StoreFault>> {
    const at = await this.#old.at(number);
    if (!at.ok) return at;
    const record = await this.#record(at.value);
    if (!record.ok) return record;
    const bytes = emitRecord(this.#core.checksum, { ...record.value, id: null });
    this.#batch.push(bytes);
    this.#batchNumbers.push(number);
    this.#batchBytes += bytes.length;
    this.copied += 1;
    this.bytes += bytes.length;
    return this.#batchBytes < BATCH_BYTES ? ok(undefined) : this.flush();
  }

  /** Writes what waits. */
  async flush(): Promise<Result<void, StoreFault>> {
    if (this.#batch.length === 0) return ok(undefined);
    const reserved = await this.#writer.reserve(this.#batchBytes);
    if (!reserved.ok) return reserved;
    const places = await this.#writer.append(this.#batch);
    if (!places.ok) return places;
    this.#batchNumbers.forEach((number, i) => {
      this.places[number] = places.value[i]!;
    });
    this.#batch = [];
    this.#batchNumbers = [];
    this.#batchBytes = 0;
    await this.#core.pause();
    return ok(undefined);
  }

  async #record(at: OldObject): Promise<Result<ObjectRecord, StoreFault>> {
    const stored = await this.#reader.record(at.place);
    if (!stored.ok) return stored;
    const { number } = at;
    const object = await this.#reader.object(at.id, at.place, stored.value);
    if (!object.ok) return object;
    if (stored.value.base !== null) {
      const depth = await this.#baseDepth(stored.value.base);
      if (!depth.ok) return depth;
      if (depth.value < DELTA_DEPTH_MAX) {
        // It is in the window too: the next version is likely a delta upon it.
        this.#depths[number] = depth.value + 1;
        this.#push({ id: at.id, depth: depth.value + 1, object: object.value, index: null });
        return stored;
      }
    }
    const found = this.#delta(object.value);
    const candidate = found ?? this.#whole(object.value, stored.value);
    this.#depths[number] = found === null ? 0 : found.depth;
    this.#push({ id: at.id, depth: this.#depths[number], object: object.value, index: null });
    const { kind } = object.value;
    return ok({ ...candidate, kind, id: null });
  }

  /** How deep what was copied lies; DELTA_DEPTH_MAX when it wasn't. */
  async #baseDepth(base: ObjectId): Promise<Result<number, StoreFault>> {
    const found = await this.#old.find(base);
    if (!found.ok) return found;
    if (found.value === null || !this.#isCopied(found.value.number)) return ok(DELTA_DEPTH_MAX);
    return ok(this.#depths[found.value.number]!);
  }

  #isCopied(number: number): boolean {
    return this.places[number] !== 0 || this.#batchNumbers.includes(number);
  }

  #whole(object: GitObject, stored: ObjectRecord): Omit<ObjectRecord, 'kind' | 'id'> {
    if (stored.base === null) {
      return { base: null, sizeBytes: stored.sizeBytes, payload: stored.payload };
    }
    const payload = this.#core.zlib.deflate(object.bytes);
    return { base: null, sizeBytes: object.bytes.length, payload };
  }

  /** The shortest delta upon what is in the window; null when none is much shorter. */
  #delta(
    object: GitObject,
  ): (Omit<ObjectRecord, 'kind' | 'id'> & { readonly depth: number }) | null {
    const { bytes, kind } = object;
    if (bytes.length < DELTA_BYTES_MIN || bytes.length > DELTA_BYTES_MAX) return null;
    let best: Uint8Array | null = null;
    let base: Candidate | null = null;
    for (let i = this.#window.length - 1; i >= 0; i--) {
      const candidate = this.#window[i]!;
      if (candidate.object.kind !== kind || candidate.depth >= DELTA_DEPTH_MAX) continue;
      if (candidate.object.bytes.length < bytes.length / 32) continue;
      // As Git: deep chains must be worth more.
      const most = Math.floor(
        ((bytes.length / 2 - this.#core.idBytes) * (DELTA_DEPTH_MAX - candidate.depth)) /
          DELTA_DEPTH_MAX,
      );
      const bytesMax = Math.min(most, best === null ? most : best.length - 1);
      if (bytesMax < 1) continue;
      candidate.index ??= new DeltaBaseIndex(candidate.object.bytes);
      const delta = makeDelta(candidate.index, bytes, bytesMax);
      if (delta === null) continue;
      best = delta;
      base = candidate;
      if (delta.length <= Math.max(GOOD_BYTES, bytes.length / GOOD_FACTOR)) break;
    }
    if (best === null || base === null) return null;
    const payload = this.#core.zlib.deflate(best);
    return { base: base.id, sizeBytes: best.length, payload, depth: base.depth + 1 };
  }

  #push(candidate: Candidate): void {
    const { length } = candidate.object.bytes;
    if (length > DELTA_BYTES_MAX) return;
    this.#window.push(candidate);
    this.#windowBytes += length;
    while (this.#window.length > WINDOW || this.#windowBytes > WINDOW_BYTES_MAX) {
      this.#windowBytes -= this.#window.shift()!.object.bytes.length;
    }
  }
}
