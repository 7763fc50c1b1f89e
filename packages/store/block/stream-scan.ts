/**
 * Reads the batches of a stream one after another, and stops where the first one isn't whole or
 * isn't the next: there the stream ends, whatever a crash left behind it. Read first:
 * wire/batch.ts.
 */

import { hot, ok, type Result } from '#core';
import type { CryptoPrimitives } from '#device';
import { joinBytes } from '#git/wire';
import type { Disk } from './disk.ts';
import type { StoreFault } from './fault.ts';
import { REFS_BYTES_MAX, SCAN_BYTES } from './limits.ts';
import type { StreamEnd } from './stream-writer.ts';
import { BATCH_HEAD_BYTES, BatchSum, parseBatchHead } from './wire/batch.ts';
import { SUM_BYTES } from './wire/checksum.ts';
import {
  parseRecord,
  parseRecordHead,
  RECORD_OVERHEAD_MAX,
  type RecordHead,
  type RefsRecord,
} from './wire/record.ts';

export interface ScannedRecord {
  readonly place: number;
  readonly head: RecordHead;
  /** Of a record of refs. */
  readonly payload: RefsRecord['payload'] | null;
}

export interface ScanOptions {
  readonly disk: Disk;
  readonly crypto: CryptoPrimitives;
  readonly idBytes: number;
  /** Called for each record of a whole batch, in their order. */
  readonly record: (record: ScannedRecord) => void;
}

/** Where the stream that goes on from `from` ends. O(bytes behind `from`). */
export async function scanStream(
  options: ScanOptions,
  from: Readonly<StreamEnd>,
): Promise<Result<StreamEnd, StoreFault>> {
  const window = new Window(options.disk);
  const end: StreamEnd = { ...from };
  for (;;) {
    const bodyBytes = await scanBatch(options, window, end);
    if (!bodyBytes.ok) return bodyBytes;
    if (bodyBytes.value === null) return ok(end);
  }
}

/** Null when there is no further batch; moves `end` behind it else. */
async function scanBatch(
  options: ScanOptions,
  window: Window,
  end: StreamEnd,
): Promise<Result<number | null, StoreFault>> {
  const { disk, crypto } = options;
  const headBytes = await window.read(end.place, BATCH_HEAD_BYTES);
  if (!headBytes.ok) return headBytes;
  const head = parseBatchHead(headBytes.value);
  if (!head.ok || head.value.sequence !== end.sequence) return ok(null);
  const { bodyBytes, sequence, chain } = head.value;
  if (BATCH_HEAD_BYTES + bodyBytes > disk.room(end.place)) return ok(null);
  const bodyPlace = disk.advance(end.place, BATCH_HEAD_BYTES);
  const sum = new BatchSum(crypto, end.chain, { bodyBytes, sequence });
  const records: ScannedRecord[] = [];
  if (bodyBytes <= SCAN_BYTES) {
    const body = await window.read(bodyPlace, bodyBytes);
    if (!body.ok) return body;
    sum.update(body.value);
    if (!hot.equal(sum.digest(), 0, chain, 0, SUM_BYTES)) return ok(null);
    if (!readRecords(options, bodyPlace, body.value, records)) return ok(null);
  } else {
    const one = await scanBig(options, bodyPlace, bodyBytes, sum);
    if (!one.ok) return one;
    if (one.value === null || !hot.equal(sum.digest(), 0, chain, 0, SUM_BYTES)) return ok(null);
    records.push(one.value);
  }
  for (const record of records) options.record(record);
  end.place = disk.advance(end.place, disk.geometry.roundUp(BATCH_HEAD_BYTES + bodyBytes));
  end.sequence = sequence + 1;
  end.chain = chain;
  return ok(bodyBytes);
}

/** The records of a whole body; false when they don't fill it. */
function readRecords(
  { disk, crypto, idBytes }: Omit<ScanOptions, 'record'>,
  bodyPlace: number,
  body: Uint8Array,
  into: ScannedRecord[],
): boolean {
  const checksum = (bytes: Uint8Array) => crypto.digest('SHA-256', bytes);
  for (let at = 0; at < body.length; ) {
    const head = parseRecordHead(body, at, idBytes);
    if (!head.ok || at + head.value.recordBytes > body.length) return false;
    const { kind } = head.value;
    let payload: Uint8Array | null = null;
    if (kind === 'refs' || kind === 'snapshot') {
      const whole = parseRecord(checksum, body, at, idBytes);
      if (!whole.ok) return false;
      payload = whole.value.record.payload.slice();
    }
    into.push({ place: disk.advance(bodyPlace, at), head: head.value, payload });
    at += head.value.recordBytes;
  }
  return true;
}

/** A body that is one big record, read in pieces: of an object only the head is looked at. */
async function scanBig(
  { disk, idBytes }: ScanOptions,
  bodyPlace: number,
  bodyBytes: number,
  sum: BatchSum,
): Promise<Result<ScannedRecord | null, StoreFault>> {
  let head: RecordHead | null = null;
  let isRefs = false;
  const pieces: Uint8Array[] = [];
  for (let done = 0; done < bodyBytes; done += SCAN_BYTES) {
    const count = Math.min(SCAN_BYTES, bodyBytes - done);
    const piece = await disk.read(disk.advance(bodyPlace, done), count);
    if (!piece.ok) return piece;
    if (done === 0) {
      const parsed = parseRecordHead(piece.value.subarray(0, RECORD_OVERHEAD_MAX), 0, idBytes);
      if (!parsed.ok || parsed.value.recordBytes !== bodyBytes) return ok(null);
      head = parsed.value;
      isRefs = head.kind === 'refs' || head.kind === 'snapshot';
      if (isRefs && bodyBytes > REFS_BYTES_MAX) return ok(null);
    }
    sum.update(piece.value);
    if (isRefs) pieces.push(piece.value);
  }
  if (head === null) return ok(null);
  const { headBytes, payloadBytes } = head;
  const payload = isRefs ? joinBytes(pieces).subarray(headBytes, headBytes + payloadBytes) : null;
  return ok({ place: bodyPlace, head, payload });
}

/** Reads ahead, so that small batches don't cost a read each. */
class Window {
  static readonly #AHEAD_BYTES_MAX = 128 * 1_024;
  /** Little at first: a store that was closed has one small batch to scan. */
  #aheadBytes = 4_096;
  readonly #disk: Disk;
  #segment = -1;
  #place = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async read(place: number, count: number): Promise<Result<Uint8Array, StoreFault>> {
    const { geometry } = this.#disk;
    const segment = geometry.segmentOf(place);
    const here = geometry.endOf(segment) - place;
    if (count > here) return this.#disk.read(place, count);
    if (segment !== this.#segment || place < this.#place || !this.#holds(place, count)) {
      const bytes = Math.min(here, Math.max(count, this.#aheadBytes));
      this.#aheadBytes = Math.min(Window.#AHEAD_BYTES_MAX, 2 * this.#aheadBytes);
      const read = await this.#disk.read(place, bytes);
      if (!read.ok) return read;
      this.#segment = segment;
      this.#place = place;
      this.#bytes = read.value;
    }
    const at = place - this.#place;
    return ok(this.#bytes.subarray(at, at + count));
  }

  #holds(place: number, count: number): boolean {
    return place + count <= this.#place + this.#bytes.length;
  }
}
