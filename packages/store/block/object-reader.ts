/**
 * Reads objects: their record, and those of the objects that it is a delta upon. What is served has
 * the hash that it is asked for by. Read first: wire/record.ts, core.ts.
 */

import { err, hot, ok, type Result } from '#core';
import { applyDelta, type GitObject, isIdAt, type ObjectId, objectHeader } from '#git';
import { joinBytes } from '#git/wire';
import type { StoreCore } from './core.ts';
import type { StoreFault } from './fault.ts';
import { CHAIN_LENGTH_MAX, OBJECT_BYTES_MAX, READ_AHEAD_BYTES, SCAN_BYTES } from './limits.ts';
import { SHORT_SUM_BYTES } from './wire/checksum.ts';
import { isObjectRecord, type ObjectRecord, parseRecord, parseRecordHead } from './wire/record.ts';

interface Delta {
  readonly place: number;
  readonly data: Uint8Array;
}

export class ObjectReader {
  readonly #core: StoreCore;
  readonly #cacheBytesMax: number;
  /** By place: what deltas may be upon. */
  readonly #cache = new Map<number, GitObject>();
  #cacheBytes = 0;
  /** Of the store, when the cache was filled: later a place may have something else. */
  #epoch = 0;

  /** `cacheBytesMax`: of objects held for deltas upon them. */
  constructor(core: StoreCore, cacheBytesMax = 0) {
    this.#core = core;
    this.#cacheBytesMax = cacheBytesMax;
  }

  /** The record at `place`, its checksum checked; the payload is the caller's. */
  async record(place: number): Promise<Result<ObjectRecord, StoreFault>> {
    const { disk, idBytes, checksum } = this.#core;
    const ahead = await disk.read(place, READ_AHEAD_BYTES);
    if (!ahead.ok) return ahead;
    const head = parseRecordHead(ahead.value, 0, idBytes);
    if (!head.ok) return this.#damaged(place, `no record (${head.error.kind})`);
    const { recordBytes } = head.value;
    let bytes = ahead.value;
    if (recordBytes > bytes.length) {
      const rest = await this.#rest(place, recordBytes, bytes);
      if (!rest.ok) return rest;
      bytes = rest.value;
    }
    const parsed = parseRecord(checksum, bytes, 0, idBytes);
    if (!parsed.ok) return this.#damaged(place, `a record (${parsed.error.kind})`);
    const { record } = parsed.value;
    return isObjectRecord(record) ? ok(record) : this.#damaged(place, 'a record of refs');
  }

  /** A length that says much is believed when its record's checksum holds, not before. */
  async #rest(
    place: number,
    recordBytes: number,
    ahead: Uint8Array,
  ): Promise<Result<Uint8Array, StoreFault>> {
    const { disk, crypto } = this.#core;
    if (recordBytes > disk.room(place)) return this.#damaged(place, 'a record behind the end');
    if (recordBytes > SCAN_BYTES) {
      const state = crypto.createHash('SHA-256');
      const sumAt = recordBytes - SHORT_SUM_BYTES;
      for (let done = 0; done < sumAt; done += SCAN_BYTES) {
        const count = Math.min(SCAN_BYTES, sumAt - done);
        const piece = await disk.read(disk.advance(place, done), count);
        if (!piece.ok) return piece;
        state.update(piece.value);
      }
      const sum = await disk.read(disk.advance(place, sumAt), SHORT_SUM_BYTES);
      if (!sum.ok) return sum;
      if (!hot.equal(state.digest(), 0, sum.value, 0, SHORT_SUM_BYTES)) {
        return this.#damaged(place, 'a record (checksum)');
      }
    }
    const have = ahead.length;
    const rest = await disk.read(disk.advance(place, have), recordBytes - have);
    return rest.ok ? ok(joinBytes([ahead, rest.value])) : rest;
  }

  /** The object `id`, whose record is at `place`; `known`: that record, if it was just read. */
  async object(
    id: ObjectId,
    place: number,
    known: ObjectRecord | null = null,
  ): Promise<Result<GitObject, StoreFault>> {
    const whole = await this.#whole(place, known);
    if (!whole.ok) return whole;
    return this.#isNamed(id, whole.value)
      ? whole
      : this.#damaged(place, 'an object that its name is not the hash of');
  }

  #isNamed(id: ObjectId, { kind, bytes }: GitObject): boolean {
    const state = this.#core.crypto.createHash(this.#core.hash);
    state.update(objectHeader(kind, bytes.length));
    state.update(bytes);
    return isIdAt(state.digest(), 0, id);
  }

  /** As `object`, of an object whose id isn't known. */
  async #whole(place: number, known: ObjectRecord | null): Promise<Result<GitObject, StoreFault>> {
    const { epoch } = this.#core;
    if (epoch !== this.#epoch) this.#forget(epoch);
    const deltas: Delta[] = [];
    let at = place;
    for (;;) {
      const cached = this.#cache.get(at);
      if (cached !== undefined) return this.#applyAll(cached, deltas, epoch);
      const record = known !== null && at === place ? ok(known) : await this.record(at);
      if (!record.ok) return record;
      const data = this.inflate(record.value);
      if (data === null) return this.#damaged(at, 'a record that does not inflate');
      const { base, kind } = record.value;
      if (base === null) {
        const whole = { kind, bytes: data };
        this.#remember(at, whole, epoch);
        return this.#applyAll(whole, deltas, epoch);
      }
      deltas.push({ place: at, data });
      if (deltas.length > CHAIN_LENGTH_MAX) return this.#damaged(place, 'a chain of deltas');
      const found = await this.#core.index.find(base);
      if (!found.ok) return found;
      if (found.value === null) return this.#damaged(at, `a delta upon ${base}, which is absent`);
      at = found.value;
    }
  }

  /** All that are on the way are remembered: the next one asked for may be upon any of them. */
  #applyAll(
    base: GitObject,
    deltas: readonly Delta[],
    epoch: number,
  ): Result<GitObject, StoreFault> {
    let object = base;
    for (let i = deltas.length - 1; i >= 0; i--) {
      const { place: at, data } = deltas[i]!;
      const applied = applyDelta(object.bytes, data, OBJECT_BYTES_MAX);
      if (!applied.ok) return this.#damaged(at, 'a delta that does not fit its base');
      object = { kind: base.kind, bytes: applied.value };
      this.#remember(at, object, epoch);
    }
    return ok(object);
  }

  #forget(epoch: number): void {
    this.#epoch = epoch;
    this.#cache.clear();
    this.#cacheBytes = 0;
  }

  /** Unless segments were given back while it was read. */
  #remember(place: number, object: GitObject, epoch: number): void {
    const { length } = object.bytes;
    if (epoch !== this.#core.epoch || epoch !== this.#epoch) return;
    if (4 * length > this.#cacheBytesMax || this.#cache.has(place)) return;
    this.#cache.set(place, object);
    this.#cacheBytes += length;
    for (const [oldest, { bytes }] of this.#cache) {
      if (this.#cacheBytes <= this.#cacheBytesMax) break;
      this.#cache.delete(oldest);
      this.#cacheBytes -= bytes.length;
    }
  }

  /** Null: it isn't a zlib stream of the size it says. */
  inflate({ payload, sizeBytes }: ObjectRecord): Uint8Array | null {
    const inflated = this.#core.zlib.inflate(payload, 0, sizeBytes);
    if (!inflated.ok) return null;
    const { bytes, usedBytes } = inflated.value;
    return bytes.length === sizeBytes && usedBytes === payload.length ? bytes : null;
  }

  #damaged(place: number, what: string): Result<never, StoreFault> {
    return err(this.#core.disk.damaged(place, what));
  }
}
