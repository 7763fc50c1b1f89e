/**
 * Appends batches of records to a stream, taking segments as it goes. Read first: disk.ts,
 * wire/batch.ts. Not here: when to flush; whoever appends does not append again before it is done.
 */

import { assert, err, hot, ok, type Result } from '#core';
import type { CryptoPrimitives } from '#device';
import type { Disk } from './disk.ts';
import type { StoreFault } from './fault.ts';
import type { Roots } from './roots.ts';
import { BATCH_HEAD_BYTES, BatchSum, emitBatchHead } from './wire/batch.ts';
import { SUM_BYTES, sha256 } from './wire/checksum.ts';
import { emitSegmentHead } from './wire/segment.ts';
import { NO_SEGMENT, type SegmentUse } from './wire/superblock.ts';

/** Where a stream ends, and what the next batch's header must have. */
export interface StreamEnd {
  place: number;
  sequence: number;
  chain: Uint8Array;
}

/** What stands in the heads of the segments that one store takes. */
export class SegmentTaker {
  readonly #disk: Disk;
  readonly #roots: Roots;
  readonly #checksum;

  constructor(disk: Disk, roots: Roots, crypto: CryptoPrimitives) {
    this.#disk = disk;
    this.#roots = roots;
    this.#checksum = sha256(crypto);
  }

  /** Takes a segment and writes its header; null: none is free. */
  async take(
    use: SegmentUse,
    previous: number,
    chain: Uint8Array,
    isTemporary: boolean,
  ): Promise<Result<number, StoreFault>> {
    const { geometry, table, device } = this.#disk;
    const number = table.take(use, previous, isTemporary);
    if (number === null) return err({ kind: 'full' });
    this.#roots.state.allocations += 1;
    const head = new Uint8Array(geometry.blockBytes);
    emitSegmentHead(this.#checksum, head, {
      use,
      number,
      storeId: this.#roots.storeId,
      allocation: this.#roots.state.allocations,
      previous,
      chain,
      blockBytes: geometry.blockBytes,
      hash: this.#roots.hash,
      segmentCount: geometry.segmentCount,
      segmentBytes: geometry.segmentBytes,
    });
    const written = await device.write(geometry.blockOf(geometry.segmentAt(number)), head);
    return written.ok ? ok(number) : err({ kind: 'device', error: written.error });
  }
}

export const NO_CHAIN = new Uint8Array(SUM_BYTES);

export class StreamWriter {
  readonly end: StreamEnd;
  readonly #disk: Disk;
  readonly #taker: SegmentTaker;
  readonly #crypto: CryptoPrimitives;
  readonly #use: SegmentUse;
  readonly #isTemporary: boolean;
  #isBusy = false;

  constructor(
    disk: Disk,
    taker: SegmentTaker,
    crypto: CryptoPrimitives,
    stream: { readonly use: SegmentUse; readonly isTemporary: boolean; readonly end: StreamEnd },
  ) {
    this.#disk = disk;
    this.#taker = taker;
    this.#crypto = crypto;
    this.#use = stream.use;
    this.#isTemporary = stream.isTemporary;
    this.end = { ...stream.end };
  }

  /** Goes on at the beginning of a fresh segment, and gives its number. */
  async startSegment(): Promise<Result<number, StoreFault>> {
    const { geometry, table } = this.#disk;
    const last = table.stream(geometry.segmentOf(this.end.place)).at(-1)!;
    const taken = await this.#taker.take(this.#use, last, this.end.chain, this.#isTemporary);
    if (taken.ok) this.end.place = geometry.startOf(taken.value);
    return taken;
  }

  /** Segments that a batch of so many bytes would take. */
  segmentsFor(bodyBytes: number): number {
    const { geometry } = this.#disk;
    const bytes = geometry.roundUp(BATCH_HEAD_BYTES + bodyBytes) - this.#disk.room(this.end.place);
    return Math.max(0, Math.ceil(bytes / geometry.streamBytes));
  }

  /** Makes sure that a batch of so many bytes has room; says how many segments it took. */
  async reserve(bodyBytes: number): Promise<Result<number, StoreFault>> {
    const { geometry, table } = this.#disk;
    const count = this.segmentsFor(bodyBytes);
    if (count > table.freeCount) return err({ kind: 'full' });
    let last = geometry.segmentOf(this.end.place);
    while (table.next(last) !== NO_SEGMENT) last = table.next(last);
    for (let i = 0; i < count; i++) {
      const taken = await this.#taker.take(this.#use, last, NO_CHAIN, this.#isTemporary);
      if (!taken.ok) return taken;
      last = taken.value;
    }
    return ok(count);
  }

  /**
   * Writes one batch, which `reserve` made room for, and gives the place of each record. It is on
   * the device when a flush that comes later is done.
   */
  async append(records: readonly Uint8Array[]): Promise<Result<number[], StoreFault>> {
    assert(!this.#isBusy, 'one batch at a time');
    this.#isBusy = true;
    const { geometry } = this.#disk;
    const bodyBytes = records.reduce((sum, record) => sum + record.length, 0);
    const bytes = new Uint8Array(geometry.roundUp(BATCH_HEAD_BYTES + bodyBytes));
    let at = BATCH_HEAD_BYTES;
    const start = this.end.place;
    const places: number[] = [];
    for (const record of records) {
      places.push(this.#disk.advance(start, at));
      hot.copy(bytes, at, record, 0, record.length);
      at += record.length;
    }
    const { sequence } = this.end;
    const sum = new BatchSum(this.#crypto, this.end.chain, { bodyBytes, sequence });
    sum.update(bytes.subarray(BATCH_HEAD_BYTES, at));
    const chain = sum.digest();
    emitBatchHead(bytes, { bodyBytes, sequence, chain });
    this.end.place = this.#disk.advance(start, bytes.length);
    this.end.sequence = sequence + 1;
    this.end.chain = chain;
    const written = await this.#disk.write(start, bytes);
    this.#isBusy = false;
    return written.ok ? ok(places) : written;
  }
}
