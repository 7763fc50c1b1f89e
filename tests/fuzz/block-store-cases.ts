/**
 * The formats of a store on a block device: what a rotten or hostile disk may hold. With a checksum
 * mended (`repair`) mutations get past it, as an attacker's do.
 */

import { err, hot, ok, type Result, type WireFault } from '#core';
import { readId, writeId } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import type { SimRandom } from '#targets/sim/index';
import {
  type BatchHead,
  emitBatchHead,
  parseBatchHead,
} from '../../packages/store/block/wire/batch.ts';
import { putSum, SHORT_SUM_BYTES, sha256 } from '../../packages/store/block/wire/checksum.ts';
import {
  checkIndexPage,
  emitFencePage,
  FENCES_PER_PAGE,
  findInPage,
  indexCount,
  indexEntryAt,
  parseFencePage,
  sealIndexPage,
} from '../../packages/store/block/wire/index-page.ts';
import { readU48be, writeU48be } from '../../packages/store/block/wire/places.ts';
import {
  emitRecord,
  parseRecord,
  parseRecordHead,
  type StoredRecord,
} from '../../packages/store/block/wire/record.ts';
import {
  emitRefChanges,
  parseRefChanges,
  type RefChanges,
} from '../../packages/store/block/wire/refs.ts';
import {
  emitSegmentHead,
  parseSegmentHead,
  SEGMENT_HEAD_BYTES,
  type SegmentHead,
} from '../../packages/store/block/wire/segment.ts';
import {
  emitSuperblock,
  formatSuperblock,
  NO_SEGMENT,
  parseSuperblock,
  type Superblock,
} from '../../packages/store/block/wire/superblock.ts';
import { bytesOf, type WireCase, wireCase } from './wire-case.ts';

const checksum = sha256(nodeCrypto);
const PAGE_BYTES = 4_096;
const ID_BYTES = 20;

function superblockOf(random: SimRandom): Superblock {
  const free = { use: 'free', next: NO_SEGMENT } as const;
  const segments: Superblock['segments'] = [
    { use: 'log', next: 1 },
    { use: 'log', next: NO_SEGMENT },
    { use: 'collected', next: NO_SEGMENT },
    { use: 'index', next: NO_SEGMENT },
    ...Array.from({ length: 14 }, () => free),
  ];
  return {
    generation: random.u32(),
    storeId: bytesOf(random, 16),
    hash: random.pick(['SHA-1', 'SHA-256']),
    blockBytes: 512,
    deviceBytes: 1 << 20,
    segmentBytes: 16_384,
    logFirst: 0,
    collectedFirst: 2,
    tail: { place: 9_000, sequence: random.u32(), chain: bytesOf(random, 8) },
    allocations: 4,
    collections: 1,
    runs: [{ firstSegment: 3, pageCount: 2, entryCount: 200 }],
    segments,
  };
}

const superblock = wireCase<Superblock>({
  name: 'superblock of a block store',
  parse(b) {
    const parsed = parseSuperblock(checksum, b);
    if (parsed.ok) return parsed;
    const { error } = parsed;
    if (error.kind !== 'foreign' && error.kind !== 'future') return err(error);
    return err({ kind: 'field', offset: 0, value: b[0] ?? 0 });
  },
  emit: (to, repr) => emitSuperblock(checksum, to, repr),
  seeds: (random) => [written((to) => emitSuperblock(checksum, to, superblockOf(random)))],
  repair(b) {
    if (b.length > 32) putSum(checksum, b, 24, Math.min(b.length, (b[22]! << 8) + b[23]!));
  },
  format: formatSuperblock,
});

function written(emit: (to: Uint8Array) => number): Uint8Array {
  const to = new Uint8Array(PAGE_BYTES);
  return to.slice(0, emit(to));
}

const segmentHead = wireCase<SegmentHead>({
  name: 'segment of a block store',
  parse: (b) => parseSegmentHead(checksum, b),
  emit: (to, repr) => emitSegmentHead(checksum, to, repr),
  seeds: (random) => [
    written((to) =>
      emitSegmentHead(checksum, to, {
        use: 'log',
        number: random.below(512),
        storeId: bytesOf(random, 16),
        allocation: random.u32(),
        previous: NO_SEGMENT,
        chain: bytesOf(random, 8),
        blockBytes: 512,
        hash: 'SHA-1',
        segmentCount: 60,
        segmentBytes: 16_384,
      }),
    ),
  ],
  repair(b) {
    if (b.length >= SEGMENT_HEAD_BYTES) putSum(checksum, b, 48, SEGMENT_HEAD_BYTES);
  },
});

const batchHead = wireCase<BatchHead>({
  name: 'batch of a block store',
  parse: parseBatchHead,
  emit: emitBatchHead,
  seeds: (random) => [
    written((to) =>
      emitBatchHead(to, { bodyBytes: 300, sequence: random.u32(), chain: bytesOf(random, 8) }),
    ),
  ],
});

const idOf = (random: SimRandom) => readId(bytesOf(random, ID_BYTES), 0, ID_BYTES);

const record = wireCase<StoredRecord>({
  name: 'record of a block store',
  parse(b) {
    // What a reader asks first agrees with what it gets.
    const head = parseRecordHead(b, 0, ID_BYTES);
    const parsed = parseRecord(checksum, b, 0, ID_BYTES);
    if (!parsed.ok) return parsed;
    if (!head.ok || head.value.recordBytes !== parsed.value.recordBytes) {
      throw new Error('head and record differ');
    }
    return ok({ ...parsed.value.record, payload: parsed.value.record.payload.slice() });
  },
  emit(to, repr) {
    const bytes = emitRecord(checksum, repr);
    hot.copy(to, 0, bytes, 0, bytes.length);
    return bytes.length;
  },
  seeds: (random) => {
    const payload = bytesOf(random, 40);
    const base = { kind: 'blob', id: idOf(random), base: null, sizeBytes: 300, payload } as const;
    const records: StoredRecord[] = [
      base,
      { ...base, kind: 'tree', id: null, base: idOf(random) },
      { kind: 'refs', payload },
    ];
    return records.map((one) => emitRecord(checksum, one));
  },
  repair(b) {
    const head = parseRecordHead(b, 0, ID_BYTES);
    if (!head.ok || head.value.recordBytes > b.length) return;
    const sumAt = head.value.recordBytes - SHORT_SUM_BYTES;
    hot.copy(b, sumAt, checksum(b.subarray(0, sumAt)), 0, SHORT_SUM_BYTES);
  },
});

const refChanges = wireCase<RefChanges>({
  name: 'refs of a block store',
  parse: (b) => parseRefChanges(b, ID_BYTES),
  emit(to, repr) {
    const bytes = emitRefChanges(repr);
    hot.copy(to, 0, bytes, 0, bytes.length);
    return bytes.length;
  },
  seeds: (random) => [
    emitRefChanges({
      reason: 'set',
      head: 'refs/heads/main',
      changes: [
        { name: 'refs/heads/main', id: idOf(random) },
        { name: 'refs/tags/ü', id: null },
      ],
      shallow: [idOf(random)],
    }),
    emitRefChanges({ reason: '', head: null, changes: [], shallow: null }),
  ],
});

type Entries = readonly (readonly [string, number])[];

const indexPage = wireCase<Entries>({
  name: 'index page of a block store',
  parse(b): Result<Entries, WireFault> {
    const fault = checkIndexPage(checksum, b, 3, ID_BYTES);
    if (fault !== null) return err(fault);
    // Also in a page whose order an attacker chose.
    findInPage(b, new Uint8Array(ID_BYTES).fill(0x42));
    const entries = Array.from({ length: indexCount(b) }, (_, i) => {
      const at = indexEntryAt(i, ID_BYTES);
      return [readId(b, at, ID_BYTES), readU48be(b, at + ID_BYTES)] as const;
    });
    return ok(entries);
  },
  emit(to, entries) {
    const page = new Uint8Array(PAGE_BYTES);
    entries.forEach(([id, place], i) => {
      const at = indexEntryAt(i, ID_BYTES);
      writeId(page, at, id as ReturnType<typeof readId>);
      writeU48be(page, at + ID_BYTES, place);
    });
    sealIndexPage(checksum, page, 3, entries.length, ID_BYTES);
    hot.copy(to, 0, page, 0, PAGE_BYTES);
    return PAGE_BYTES;
  },
  seeds: (random) => {
    const page = new Uint8Array(PAGE_BYTES);
    hot.copy(page, indexEntryAt(0, ID_BYTES), bytesOf(random, 78), 0, 78);
    sealIndexPage(checksum, page, 3, 3, ID_BYTES);
    return [page];
  },
  repair(b) {
    if (b.length === PAGE_BYTES) putSum(checksum, b, 10, PAGE_BYTES);
  },
});

const fencePage = wireCase<readonly number[]>({
  name: 'fences of a block store',
  parse(b) {
    const values = new Uint32Array(FENCES_PER_PAGE + 5);
    const parsed = parseFencePage(checksum, b, 1, values);
    return parsed.ok ? ok([...values.subarray(FENCES_PER_PAGE)]) : parsed;
  },
  emit(to, values) {
    const page = new Uint8Array(PAGE_BYTES);
    const all = new Uint32Array(FENCES_PER_PAGE + 5);
    all.set(values, FENCES_PER_PAGE);
    emitFencePage(checksum, page, 1, all);
    hot.copy(to, 0, page, 0, PAGE_BYTES);
    return PAGE_BYTES;
  },
  seeds: (random) => {
    const page = new Uint8Array(PAGE_BYTES);
    const values = new Uint32Array(FENCES_PER_PAGE + 5);
    for (let i = 0; i < 5; i++) values[FENCES_PER_PAGE + i] = random.u32();
    emitFencePage(checksum, page, 1, values);
    return [page];
  },
  repair(b) {
    if (b.length === PAGE_BYTES) putSum(checksum, b, 10, PAGE_BYTES);
  },
});

export const blockStoreCases: readonly WireCase[] = [
  superblock,
  segmentHead,
  batchHead,
  record,
  refChanges,
  indexPage,
  fencePage,
];
