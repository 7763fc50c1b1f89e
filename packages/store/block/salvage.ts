/**
 * What is on a device whose superblocks, index or log are spoiled: every batch that its segments
 * have, found by their headers. Read first: wire/segment.ts, wire/batch.ts. Not here: making a
 * store of it again (repair.ts).
 */

import { hot, ok, type Result } from '#core';
import type { BlockDevice, CryptoPrimitives } from '#device';
import { ID_BYTES } from '#git';
import { Disk } from './disk.ts';
import type { StoreFault } from './fault.ts';
import { Geometry, SLOTS } from './geometry.ts';
import { PAGE_BYTES, SEGMENT_BYTES_MIN } from './limits.ts';
import { SegmentTable } from './segment-table.ts';
import type { StreamEnd } from './stream-writer.ts';
import { BATCH_HEAD_BYTES, BatchSum, parseBatchHead } from './wire/batch.ts';
import { SUM_BYTES, sha256 } from './wire/checksum.ts';
import { parseRecord, parseRecordHead, type StoredRecord } from './wire/record.ts';
import { parseSegmentHead, SEGMENT_HEAD_BYTES, type SegmentHead } from './wire/segment.ts';
import { NO_SEGMENT, type Superblock } from './wire/superblock.ts';

export interface SalvagedRecord {
  readonly place: number;
  readonly record: StoredRecord;
}

export interface SalvagedBatch {
  readonly sequence: number;
  /** Its checksum holds: it is the one that came after the batch before. */
  isWhole: boolean;
  readonly records: readonly SalvagedRecord[];
}

export interface SalvagedStream {
  readonly use: 'log' | 'collected';
  readonly segments: readonly number[];
  readonly batches: readonly SalvagedBatch[];
  readonly end: StreamEnd;
}

export interface Salvage {
  readonly geometry: Geometry;
  readonly head: SegmentHead;
  /** The log's streams in order of time, then those of collections. */
  readonly streams: readonly SalvagedStream[];
  /** Records whose checksums are wrong, and batches that lost their header. */
  readonly damaged: number;
  readonly allocations: number;
}

export async function salvage(
  device: BlockDevice,
  crypto: CryptoPrimitives,
  known: Superblock | null,
): Promise<Result<Salvage | null, StoreFault>> {
  const found = known === null ? await findGeometry(device, crypto) : ok(geometryOf(known));
  if (!found.ok || found.value === null) return found as Result<null, StoreFault>;
  const geometry = found.value;
  const heads = await readHeads(device, crypto, geometry, known);
  if (!heads.ok) return heads;
  const first = heads.value.find((head) => head !== null);
  if (first === undefined || first === null) return ok(null);
  const next = linksOf(heads.value);
  const table = new SegmentTable(
    heads.value.map((head, i) => ({ use: head?.use ?? 'free', next: next[i]! })),
  );
  const disk = new Disk(device, geometry, table);
  const tools: Tools = { disk, crypto, idBytes: ID_BYTES[first.hash] };
  const state = { damaged: 0 };
  const streams: SalvagedStream[] = [];
  for (const head of heads.value) {
    if (head === null || (head.use !== 'log' && head.use !== 'collected')) continue;
    const isStart = head.previous === NO_SEGMENT || head.chain.some((byte) => byte !== 0);
    if (!isStart) continue;
    const stream = await salvageStream(tools, head, state);
    if (!stream.ok) return stream;
    streams.push(stream.value);
  }
  const order = (stream: SalvagedStream): number =>
    stream.use === 'log' ? (stream.batches[0]?.sequence ?? 0) : Number.MAX_SAFE_INTEGER;
  streams.sort((a, b) => order(a) - order(b));
  const allocations = Math.max(...heads.value.map((head) => head?.allocation ?? 0));
  return ok({ geometry, head: first, streams, damaged: state.damaged, allocations });
}

const geometryOf = ({ blockBytes, deviceBytes, segmentBytes }: Superblock): Geometry =>
  new Geometry(blockBytes, deviceBytes, segmentBytes);

/** Some segment's header says what all of them are like. */
async function findGeometry(
  device: BlockDevice,
  crypto: CryptoPrimitives,
): Promise<Result<Geometry | null, StoreFault>> {
  const { blockBytes, blockCount } = device;
  const slotBytes = Math.max(PAGE_BYTES, blockBytes);
  const base = (SLOTS / 2) * slotBytes;
  const step = Math.max(SEGMENT_BYTES_MIN, 8 * blockBytes);
  const bytes = new Uint8Array(blockBytes);
  for (let at = base; at + step <= blockBytes * blockCount; at += step) {
    const read = await device.read(at / blockBytes, bytes);
    if (!read.ok) continue;
    const head = parseSegmentHead(sha256(crypto), bytes.subarray(0, SEGMENT_HEAD_BYTES));
    if (!head.ok || head.value.blockBytes !== blockBytes) continue;
    const { segmentBytes, number, segmentCount } = head.value;
    const geometry = new Geometry(blockBytes, blockBytes * blockCount, segmentBytes);
    const fits = geometry.segmentCount === segmentCount && geometry.segmentAt(number) === at;
    if (fits) return ok(geometry);
  }
  return ok(null);
}

/** Headers by number; null where none is, or another store's, or the superblock has it as free. */
async function readHeads(
  device: BlockDevice,
  crypto: CryptoPrimitives,
  geometry: Geometry,
  known: Superblock | null,
): Promise<Result<(SegmentHead | null)[], StoreFault>> {
  const heads: (SegmentHead | null)[] = [];
  const bytes = new Uint8Array(geometry.blockBytes);
  for (let number = 0; number < geometry.segmentCount; number++) {
    const read = await device.read(geometry.blockOf(geometry.segmentAt(number)), bytes);
    const head = read.ok ? parseSegmentHead(sha256(crypto), bytes) : null;
    const isOurs = head?.ok === true && head.value.number === number;
    const isFree = known !== null && known.segments[number]?.use === 'free';
    heads.push(isOurs && !isFree ? head.value : null);
  }
  const newest = heads.reduce(
    (a, b) => ((b?.allocation ?? -1) > (a?.allocation ?? -1) ? b : a),
    null,
  );
  const id = known?.storeId ?? newest?.storeId;
  return ok(
    heads.map((head) =>
      head !== null && id !== undefined && hot.equal(head.storeId, 0, id, 0, id.length)
        ? head
        : null,
    ),
  );
}

/** The segment behind each one: the last one taken of those that say so. */
function linksOf(heads: readonly (SegmentHead | null)[]): number[] {
  const next = heads.map(() => NO_SEGMENT);
  const sorted = heads.flatMap((head) => head ?? []).sort((a, b) => a.allocation - b.allocation);
  for (const head of sorted) {
    const before = heads[head.previous];
    const isStart = head.chain.some((byte) => byte !== 0);
    // One that was taken again since is another stream's.
    if (before === null || before === undefined || before.allocation > head.allocation) continue;
    if (!isStart && before.use === head.use) next[head.previous] = head.number;
  }
  return next;
}

interface Tools {
  readonly disk: Disk;
  readonly crypto: CryptoPrimitives;
  readonly idBytes: number;
}

async function salvageStream(
  tools: Tools,
  head: SegmentHead,
  state: { damaged: number },
): Promise<Result<SalvagedStream, StoreFault>> {
  const { disk } = tools;
  const { geometry, table } = disk;
  const segments = table.stream(head.number);
  const batches: SalvagedBatch[] = [];
  const start = geometry.startOf(head.number);
  const end: StreamEnd = { place: start, sequence: 0, chain: head.chain };
  let place = start;
  for (let left = segments.length * geometry.streamBytes; left > 0; ) {
    const batch = await salvageBatch(tools, place, end, batches.length === 0);
    if (!batch.ok) return batch;
    const step = batch.value === null ? geometry.blockBytes : batch.value.bytes;
    if (batch.value !== null) {
      state.damaged += batch.value.damaged;
      batches.push(batch.value.batch);
      end.sequence = batch.value.batch.sequence + 1;
      end.chain = batch.value.chain;
      end.place = disk.advance(place, step);
    }
    place = disk.advance(place, step);
    left -= step;
  }
  return ok({ use: head.use === 'log' ? 'log' : 'collected', segments, batches, end });
}

interface FoundBatch {
  readonly batch: SalvagedBatch;
  readonly chain: Uint8Array;
  readonly bytes: number;
  readonly damaged: number;
}

async function salvageBatch(
  tools: Tools,
  place: number,
  end: Readonly<StreamEnd>,
  isFirst: boolean,
): Promise<Result<FoundBatch | null, StoreFault>> {
  const { disk, crypto } = tools;
  const headBytes = await disk.read(place, BATCH_HEAD_BYTES);
  // A block that can't be read is a gap.
  if (!headBytes.ok) return ok(null);
  const head = parseBatchHead(headBytes.value);
  if (!head.ok) return ok(null);
  const { bodyBytes, sequence, chain } = head.value;
  const isLater = isFirst || sequence >= end.sequence;
  if (!isLater || BATCH_HEAD_BYTES + bodyBytes > disk.room(place)) return ok(null);
  const body = await disk.read(disk.advance(place, BATCH_HEAD_BYTES), bodyBytes);
  if (!body.ok) return ok(null);
  const sum = new BatchSum(crypto, end.chain, { bodyBytes, sequence });
  sum.update(body.value);
  const isWhole = hot.equal(sum.digest(), 0, chain, 0, SUM_BYTES);
  const { records, damaged } = recordsOf(tools, place, body.value);
  if (!isWhole && records.length === 0) return ok(null);
  const bytes = disk.geometry.roundUp(BATCH_HEAD_BYTES + bodyBytes);
  return ok({ batch: { sequence, isWhole, records }, chain, bytes, damaged });
}

/** Records that are whole. What is behind a head that makes no sense is lost. */
function recordsOf(
  { disk, crypto, idBytes }: Tools,
  place: number,
  body: Uint8Array,
): { records: SalvagedRecord[]; damaged: number } {
  const records: SalvagedRecord[] = [];
  let damaged = 0;
  for (let at = 0; at < body.length; ) {
    const parsed = parseRecord(sha256(crypto), body, at, idBytes);
    if (!parsed.ok) {
      // Its head may be right: then the next one begins where it says.
      damaged += 1;
      const head = parseRecordHead(body, at, idBytes);
      if (!head.ok) break;
      at += head.value.recordBytes;
      continue;
    }
    const { record, recordBytes } = parsed.value;
    records.push({ place: disk.advance(place, BATCH_HEAD_BYTES + at), record });
    at += recordBytes;
  }
  return { records, damaged };
}
