/**
 * Makes a store again of what salvage finds: all objects that are whole, refs as the log has them,
 * a new index, new superblocks. Objects that nothing leads to come back too: the next collection
 * has them. Read first: salvage.ts.
 */

import { err, ok, type Result } from '#core';
import { applyDelta, type GitObject, hashObject, type ObjectId } from '#git';
import { Checkpoints } from './checkpoint.ts';
import type { StoreCore } from './core.ts';
import type { StoreFault } from './fault.ts';
import { OBJECT_BYTES_MAX } from './limits.ts';
import { Log } from './log.ts';
import { ObjectReader } from './object-reader.ts';
import { makeCore, type OpenError, openError, type StoreParts } from './open-store.ts';
import { RefState } from './ref-state.ts';
import { type Salvage, type SalvagedStream, salvage } from './salvage.ts';
import type { SegmentTable } from './segment-table.ts';
import { NO_CHAIN, StreamWriter } from './stream-writer.ts';
import { isObjectRecord, type ObjectRecord } from './wire/record.ts';
import { parseRefChanges } from './wire/refs.ts';
import { NO_SEGMENT, type SegmentEntry, type Superblock } from './wire/superblock.ts';

export interface Rebuilt {
  /** Objects that were found whole. */
  readonly objects: number;
  readonly refs: number;
  /** Records that were not, deltas upon them among these. */
  readonly lost: number;
}

/** `known`: a superblock that is whole, when there is one; only what it has in use is looked at. */
export async function rebuildStore(
  parts: StoreParts,
  known: Superblock | null,
): Promise<Result<Rebuilt, OpenError>> {
  const { device, crypto } = parts;
  const found = await salvage(device, crypto, known);
  if (!found.ok) return err(openError(device.name, found.error));
  if (found.value === null) return err({ kind: 'foreign' });
  const rebuilt = await rebuild(parts, found.value, known);
  return rebuilt.ok ? rebuilt : err(openError(device.name, rebuilt.error));
}

async function rebuild(
  parts: StoreParts,
  found: Salvage,
  known: Superblock | null,
): Promise<Result<Rebuilt, StoreFault>> {
  const logs = found.streams.filter(({ use, batches }) => use === 'log' && batches.length > 0);
  const newest = logs.at(-1);
  if (newest === undefined) {
    return err({ kind: 'damaged', block: 0, what: 'nothing of the log is left' });
  }
  const core = makeCore(parts, superblockOf(found, logs, known));
  keepOldIndex(core.disk.table, known);
  const refs = refsOf(core, logs);
  const lost = found.damaged + (await indexAll(core, found.streams));
  const objects = core.index.recentCount;
  const { disk, taker, crypto } = core;
  const end = newest.end;
  const writer = new StreamWriter(disk, taker, crypto, { use: 'log', isTemporary: false, end });
  const log = new Log(core, writer, refs);
  const written = await writeCheckpoint(core, log);
  return written.ok ? ok({ objects, refs: refs.refs.count, lost }) : written;
}

/**
 * Until a new superblock counts, the old one does, should the power be lost: nothing is written
 * over its index. No superblock from here on has that.
 */
function keepOldIndex(table: SegmentTable, known: Superblock | null): void {
  known?.segments.forEach(({ use }, number) => {
    if (use === 'index') table.doom(number);
  });
}

/** Twice, so that every slot has one that is whole. */
async function writeCheckpoint(core: StoreCore, log: Log): Promise<Result<void, StoreFault>> {
  // In a fresh segment: what is behind the log's end may be anything.
  const started = await log.writer.startSegment();
  if (!started.ok) return started;
  const checkpoints = new Checkpoints(core, log);
  const marked = await checkpoints.mark();
  if (!marked.ok) return marked;
  const done = await checkpoints.start(marked.value, true);
  if (!done.ok) return done;
  const again = await core.roots.commit(true);
  if (!again.ok) return again;
  return core.disk.flush();
}

/** A superblock with all streams: those of one use as one, the newest of the log last. */
function superblockOf(
  { geometry, head, streams, allocations }: Salvage,
  logs: readonly SalvagedStream[],
  known: Superblock | null,
): Superblock {
  const segments: SegmentEntry[] = Array.from({ length: geometry.segmentCount }, () => ({
    use: 'free',
    next: NO_SEGMENT,
  }));
  const chain = (use: 'log' | 'collected', numbers: readonly number[]): number => {
    numbers.forEach((number, i) => {
      segments[number] = { use, next: numbers[i + 1] ?? NO_SEGMENT };
    });
    return numbers[0] ?? NO_SEGMENT;
  };
  const collected = streams.filter(({ use, batches }) => use === 'collected' && batches.length > 0);
  known?.segments.forEach(({ use }, number) => {
    if (use === 'index') segments[number] = { use, next: NO_SEGMENT };
  });
  return {
    generation: (known?.generation ?? allocations) + 2,
    storeId: head.storeId,
    hash: head.hash,
    blockBytes: geometry.blockBytes,
    deviceBytes: geometry.deviceBytes,
    segmentBytes: geometry.segmentBytes,
    logFirst: chain(
      'log',
      logs.flatMap((stream) => stream.segments),
    ),
    collectedFirst: chain(
      'collected',
      collected.flatMap((stream) => stream.segments),
    ),
    tail: { place: 0, sequence: 0, chain: NO_CHAIN },
    allocations,
    collections: known?.collections ?? 0,
    runs: [],
    segments,
  };
}

/**
 * Refs as the log's records say, in their order. Those of a batch that isn't whole count when the
 * next one is, whose checksum goes over it: else it may be one that was never acknowledged.
 */
function refsOf(core: StoreCore, logs: readonly SalvagedStream[]): RefState {
  const refs = new RefState();
  const batches = logs.flatMap((stream) => stream.batches);
  batches.forEach((batch, i) => {
    const next = batches[i + 1];
    const isPart = next?.isWhole === true && next.sequence === batch.sequence + 1;
    if (!batch.isWhole && !isPart) return;
    for (const { record } of batch.records) {
      if (record.kind !== 'refs' && record.kind !== 'snapshot') continue;
      const changes = parseRefChanges(record.payload, core.idBytes);
      if (!changes.ok) continue;
      if (record.kind === 'snapshot') refs.reset(changes.value);
      else refs.apply(changes.value);
    }
  });
  return refs;
}

/** Puts every object that is whole into the index; says how many are not. */
async function indexAll(core: StoreCore, streams: readonly SalvagedStream[]): Promise<number> {
  const waiting: { place: number; record: ObjectRecord }[] = [];
  for (const stream of streams) {
    for (const { place, record } of stream.batches.flatMap(({ records }) => records)) {
      if (!isObjectRecord(record)) continue;
      if (record.id !== null && record.base === null) core.index.add(record.id, place);
      else waiting.push({ place, record });
    }
  }
  const reader = new ObjectReader(core, 16 * 1_024 * 1_024);
  let left = waiting;
  // A base may come behind a delta upon it, when several collections are found.
  for (let before = left.length + 1; left.length > 0 && left.length < before; ) {
    before = left.length;
    const still: typeof waiting = [];
    for (const item of left) {
      const id = await nameOf(core, reader, item.record);
      if (id === null) still.push(item);
      // A delta never takes the place of what is here, which may be upon it.
      else if (item.record.base === null || core.index.findRecent(id) === null) {
        core.index.add(id, item.place);
      }
      await core.pause();
    }
    left = still;
  }
  return left.length;
}

/** What an object is called that has no id, or is a delta; null: it can't be made (yet). */
async function nameOf(
  core: StoreCore,
  reader: ObjectReader,
  record: ObjectRecord,
): Promise<ObjectId | null> {
  const data = reader.inflate(record);
  if (data === null) return null;
  let object: GitObject = { kind: record.kind, bytes: data };
  if (record.base !== null) {
    const place = core.index.findRecent(record.base);
    const base = place === null ? null : await reader.object(record.base, place);
    if (base === null || !base.ok) return null;
    const applied = applyDelta(base.value.bytes, data, OBJECT_BYTES_MAX);
    if (!applied.ok) return null;
    object = { kind: record.kind, bytes: applied.value };
  }
  return hashObject(core.crypto, core.hash, object.kind, object.bytes);
}
