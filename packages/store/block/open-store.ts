/**
 * From a device to what is on it: which superblock counts, the index, and what the log has behind
 * its last checkpoint. Read first: roots.ts, stream-scan.ts. Not here: repair (repair.ts).
 */

import { err, ok, type Result } from '#core';
import type { BlockDevice, BlockError, CryptoPrimitives, Zlib } from '#device';
import { formatBlockError } from '#device';
import { ID_BYTES, type ObjectHash } from '#git';
import { BlockIndex } from './block-index.ts';
import { brokenTail } from './broken-tail.ts';
import type { StoreCore } from './core.ts';
import { Disk } from './disk.ts';
import type { StoreFault } from './fault.ts';
import { Geometry, SLOTS } from './geometry.ts';
import { PageCache, type RunContext } from './index-run.ts';
import { PAGE_BYTES, SEGMENTS_MIN, TAIL_OBJECTS_MAX } from './limits.ts';
import { RefState } from './ref-state.ts';
import { Roots } from './roots.ts';
import { SegmentTable } from './segment-table.ts';
import { scanStream } from './stream-scan.ts';
import { NO_CHAIN, SegmentTaker, type StreamEnd, StreamWriter } from './stream-writer.ts';
import { type Checksum, sha256 } from './wire/checksum.ts';
import { emitRecord } from './wire/record.ts';
import { emitRefChanges, parseRefChanges } from './wire/refs.ts';
import {
  FORMAT_VERSION,
  NO_SEGMENT,
  parseSuperblock,
  type SegmentEntry,
  STORE_ID_BYTES,
  type Superblock,
} from './wire/superblock.ts';

export type OpenError =
  /** Nothing but zeros where a store begins: `formatBlockStore` makes one. */
  | { readonly kind: 'blank' }
  /** Something else is on it. */
  | { readonly kind: 'foreign' }
  /** A store of a later version of the format. */
  | { readonly kind: 'future'; readonly version: number }
  /** A store whose superblocks, index or log were spoiled; a repair may help. */
  | { readonly kind: 'damaged'; readonly what: string }
  | { readonly kind: 'device'; readonly what: string }
  | { readonly kind: 'too small'; readonly bytes: number };

/** One sentence's end, without a dot. */
export function formatOpenError(error: OpenError): string {
  switch (error.kind) {
    case 'blank':
      return 'it is blank';
    case 'foreign':
      return 'it has other data, which is left alone';
    case 'future':
      return `it has a store of format ${error.version}, and this is made for ${FORMAT_VERSION}: update it`;
    case 'damaged':
      return `its store is damaged: ${error.what}`;
    case 'device':
      return error.what;
    case 'too small':
      return `${error.bytes} bytes are too few for ${SEGMENTS_MIN} segments, or its blocks too big`;
  }
}

export interface StoreParts {
  readonly device: BlockDevice;
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  /** Lets others go on, by way of the event loop: long work calls it after bounded steps. */
  readonly pause: () => Promise<void>;
  /** Objects between two checkpoints: what opening scans, at most twice. */
  readonly tailObjectsMax?: number;
}

/** Behind the last checkpoint. */
export interface Scanned {
  readonly objects: number;
  readonly bytes: number;
  /** At the log's end, which weren't whole: what was being written, or the last batch, rotten. */
  readonly droppedBytes: number;
}

export interface OpenedStore {
  readonly core: StoreCore;
  readonly refs: RefState;
  readonly end: StreamEnd;
  readonly scanned: Scanned;
}

const deviceError = (name: string, error: BlockError): OpenError => ({
  kind: 'device',
  what: `${name}: ${formatBlockError(error)}`,
});

export function openError(name: string, fault: StoreFault): OpenError {
  switch (fault.kind) {
    case 'device':
      return deviceError(name, fault.error);
    case 'damaged':
      return { kind: 'damaged', what: `block ${fault.block}: ${fault.what}` };
    case 'full':
      return { kind: 'damaged', what: 'no segment is free' };
  }
}

interface Slot {
  readonly superblock: Superblock | null;
  readonly state: 'whole' | 'blank' | 'foreign' | 'future' | 'damaged';
  readonly version: number;
}

/** All slots of the device, as if it had been formatted with the size it has now. */
async function readSlots(
  device: BlockDevice,
  checksum: Checksum,
): Promise<Result<Slot[], OpenError>> {
  const deviceBytes = device.blockBytes * device.blockCount;
  const geometry = new Geometry(device.blockBytes, deviceBytes, deviceBytes);
  const { slotBytes } = geometry;
  if (deviceBytes < 2 * SLOTS * slotBytes || deviceBytes % device.blockBytes !== 0) {
    return err({ kind: 'too small', bytes: deviceBytes });
  }
  const slots: Slot[] = [];
  for (let slot = 0; slot < SLOTS; slot++) {
    const bytes = new Uint8Array(slotBytes);
    const read = await device.read(geometry.blockOf(geometry.slotAt(slot)), bytes);
    if (!read.ok) return err(deviceError(device.name, read.error));
    slots.push(slotOf(checksum, bytes, device.blockBytes, deviceBytes));
  }
  return ok(slots);
}

function slotOf(
  checksum: Checksum,
  bytes: Uint8Array,
  blockBytes: number,
  deviceBytes: number,
): Slot {
  const none = { superblock: null, version: 0 };
  const parsed = parseSuperblock(checksum, bytes.subarray(0, PAGE_BYTES));
  if (parsed.ok) {
    const superblock = parsed.value;
    const fits = superblock.blockBytes === blockBytes && superblock.deviceBytes <= deviceBytes;
    return fits && isInside(superblock)
      ? { superblock, state: 'whole', version: FORMAT_VERSION }
      : { ...none, state: 'damaged' };
  }
  if (bytes.every((byte) => byte === 0)) return { ...none, state: 'blank' };
  const fault = parsed.error;
  if (fault.kind === 'foreign') return { ...none, state: 'foreign' };
  if (fault.kind !== 'future') return { ...none, state: 'damaged' };
  return { ...none, state: 'future', version: fault.version };
}

/** Its segments fit the device it says, and its tail lies in one of them. */
function isInside({ blockBytes, deviceBytes, segmentBytes, segments, tail }: Superblock): boolean {
  const geometry = new Geometry(blockBytes, deviceBytes, segmentBytes);
  if (segmentBytes < 2 * blockBytes || geometry.segmentCount !== segments.length) return false;
  if (!geometry.isPlace(tail.place)) return false;
  return segments[geometry.segmentOf(tail.place)]!.use === 'log';
}

interface Choice {
  readonly superblock: Superblock;
  /** Slots that should have it, or the one before, and have not. */
  readonly lost: readonly number[];
}

/**
 * The superblock of the highest generation. Damaged when both copies of a later one may be lost,
 * which no crash does: the first copy is flushed before the second one is written.
 */
function chooseSlot(slots: readonly Slot[]): Result<Choice, OpenError> {
  const future = slots.find(({ state }) => state === 'future');
  if (future !== undefined) return err({ kind: 'future', version: future.version });
  const whole = slots.flatMap(({ superblock }) => superblock ?? []);
  whole.sort((a, b) => b.generation - a.generation);
  const best = whole[0];
  if (best === undefined) {
    if (slots.every(({ state }) => state === 'blank')) return err({ kind: 'blank' });
    const ours = slots.some(({ state }) => state === 'damaged');
    return ours
      ? err({ kind: 'damaged', what: 'no superblock is whole' })
      : err({ kind: 'foreign' });
  }
  const half = SLOTS / 2;
  const other = 1 - (best.generation % 2);
  const bothLost = [other, other + half].every((slot) => {
    const { state } = slots[slot]!;
    return state === 'damaged' || state === 'foreign';
  });
  if (bothLost) {
    return err({ kind: 'damaged', what: 'both copies of the last superblock may be lost' });
  }
  const own = [best.generation % 2, (best.generation % 2) + half];
  const lost = own.filter((slot) => slots[slot]!.superblock?.generation !== best.generation);
  return ok({ superblock: best, lost });
}

/** The superblock that counts; null when none does, though there was something. */
export async function readSuperblock(
  device: BlockDevice,
  checksum: Checksum,
): Promise<Result<Superblock | null, OpenError>> {
  const slots = await readSlots(device, checksum);
  if (!slots.ok) return slots;
  const choice = chooseSlot(slots.value);
  if (choice.ok) return ok(choice.value.superblock);
  const { kind } = choice.error;
  return kind === 'damaged' || kind === 'foreign' ? ok(null) : choice;
}

export async function openStore(parts: StoreParts): Promise<Result<OpenedStore, OpenError>> {
  const { device, crypto } = parts;
  const checksum = sha256(crypto);
  const slots = await readSlots(device, checksum);
  if (!slots.ok) return slots;
  const choice = chooseSlot(slots.value);
  if (!choice.ok) return choice;
  return openAt(parts, choice.value.superblock, choice.value.lost);
}

/** What `superblock` leads to; `lost` slots are written again. */
export async function openAt(
  parts: StoreParts,
  superblock: Superblock,
  lost: readonly number[],
): Promise<Result<OpenedStore, OpenError>> {
  const { device } = parts;
  const core = makeCore(parts, superblock);
  const opened = await core.index.open(superblock.runs);
  if (!opened.ok) return err(openError(device.name, opened.error));
  const refs = new RefState();
  const scanned = { objects: 0, bytes: 0 };
  const end = await scanTail(core, refs, scanned);
  if (!end.ok) return err(openError(device.name, end.error));
  if (end.value === null) {
    return err({ kind: 'damaged', what: 'the refs of the last checkpoint are not whole' });
  }
  const broken = await brokenTail(core, end.value);
  if (!broken.ok) return err(openError(device.name, broken.error));
  if (broken.value.wasFlushed) {
    const fault = core.disk.damaged(end.value.place, 'a batch of the log that was flushed');
    return err(openError(device.name, fault));
  }
  if (!device.isReadOnly) {
    // What was read may not have been flushed by who wrote it; from here on it is relied on.
    const flushed = await core.disk.flush();
    if (!flushed.ok) return err(openError(device.name, flushed.error));
    for (const slot of lost) {
      const healed = await core.roots.heal(slot);
      if (!healed.ok) return err(openError(device.name, healed.error));
    }
  }
  const droppedBytes = broken.value.bytes;
  return ok({ core, refs, end: end.value, scanned: { ...scanned, droppedBytes } });
}

/** The log behind the last checkpoint; null when that one's refs, its first record, are lost. */
async function scanTail(
  core: StoreCore,
  refs: RefState,
  scanned: { objects: number; bytes: number },
): Promise<Result<StreamEnd | null, StoreFault>> {
  let hasSnapshot = false;
  let isBroken = false;
  const end = await scanStream(
    {
      disk: core.disk,
      crypto: core.crypto,
      idBytes: core.idBytes,
      record({ place, head, payload }) {
        scanned.bytes += head.recordBytes;
        if (payload === null) {
          scanned.objects += 1;
          if (head.id !== null) core.index.add(head.id, place);
          return;
        }
        const changes = parseRefChanges(payload, core.idBytes);
        if (!changes.ok) isBroken = true;
        else if (head.kind === 'snapshot') refs.reset(changes.value);
        else refs.apply(changes.value);
        if (head.kind === 'snapshot') hasSnapshot = true;
      },
    },
    core.roots.state.tail,
  );
  if (!end.ok) return end;
  return ok(hasSnapshot && !isBroken ? end.value : null);
}

export function makeCore(parts: StoreParts, superblock: Superblock): StoreCore {
  const { device, crypto, zlib, pause } = parts;
  const checksum = sha256(crypto);
  const { blockBytes, deviceBytes, segmentBytes, hash } = superblock;
  const geometry = new Geometry(blockBytes, deviceBytes, segmentBytes);
  const disk = new Disk(device, geometry, new SegmentTable(superblock.segments));
  const roots = new Roots(disk, checksum, superblock);
  const taker = new SegmentTaker(disk, roots, crypto);
  const idBytes = ID_BYTES[hash];
  const runs: RunContext = { disk, crypto, taker, cache: new PageCache(), idBytes, pause };
  const counters = {
    batches: 0,
    flushes: 0,
    checkpoints: 0,
    collections: 0,
    shared: 0,
    full: 0,
    damaged: 0,
  };
  const index = new BlockIndex(runs);
  return {
    disk,
    roots,
    taker,
    index,
    runs,
    crypto,
    zlib,
    checksum,
    hash,
    idBytes,
    pause,
    counters,
    tailObjectsMax: parts.tailObjectsMax ?? TAIL_OBJECTS_MAX,
    epoch: 0,
  };
}

export interface FormatOptions {
  readonly hash?: ObjectHash;
  /** 16 bytes that no other store has. */
  readonly storeId: Uint8Array;
}

/** Makes an empty store, whatever is on the device. */
export async function formatStore(
  parts: StoreParts,
  { hash = 'SHA-1', storeId }: FormatOptions,
): Promise<Result<void, OpenError>> {
  const { device } = parts;
  const geometry = Geometry.for(device);
  if (geometry === null || storeId.length !== STORE_ID_BYTES) {
    return err({ kind: 'too small', bytes: device.blockBytes * device.blockCount });
  }
  const cleared = await clearSlots(device, geometry);
  if (!cleared.ok) return cleared;
  const free: SegmentEntry = { use: 'free', next: NO_SEGMENT };
  const core = makeCore(parts, {
    generation: 0,
    storeId,
    hash,
    blockBytes: geometry.blockBytes,
    deviceBytes: geometry.deviceBytes,
    segmentBytes: geometry.segmentBytes,
    logFirst: NO_SEGMENT,
    collectedFirst: NO_SEGMENT,
    tail: { place: 0, sequence: 0, chain: NO_CHAIN },
    allocations: 0,
    collections: 0,
    runs: [],
    segments: Array.from({ length: geometry.segmentCount }, () => free),
  });
  const done = await writeFirst(core);
  return done.ok ? done : err(openError(device.name, done.error));
}

/** So that an older store's superblocks are never taken for this one's. */
async function clearSlots(
  device: BlockDevice,
  geometry: Geometry,
): Promise<Result<void, OpenError>> {
  const zeros = new Uint8Array(geometry.slotBytes);
  for (let slot = 0; slot < SLOTS; slot++) {
    const written = await device.write(geometry.blockOf(geometry.slotAt(slot)), zeros);
    if (!written.ok) return err(deviceError(device.name, written.error));
  }
  const flushed = await device.flush();
  return flushed.ok ? flushed : err(deviceError(device.name, flushed.error));
}

/** A log with no refs in it, then the first superblock. */
async function writeFirst(core: StoreCore): Promise<Result<void, StoreFault>> {
  const { disk, roots, taker, crypto } = core;
  const first = await taker.take('log', NO_SEGMENT, NO_CHAIN, false);
  if (!first.ok) return first;
  const end: StreamEnd = {
    place: disk.geometry.startOf(first.value),
    sequence: 1,
    chain: NO_CHAIN,
  };
  const writer = new StreamWriter(disk, taker, crypto, { use: 'log', isTemporary: false, end });
  const payload = emitRefChanges(new RefState().snapshot());
  const written = await writer.append([emitRecord(core.checksum, { kind: 'snapshot', payload })]);
  if (!written.ok) return written;
  const flushed = await disk.flush();
  if (!flushed.ok) return flushed;
  roots.state.logFirst = first.value;
  roots.state.tail = end;
  const committed = await roots.commit(true);
  if (!committed.ok) return committed;
  return disk.flush();
}
