/** What packs are made of: streams, heads, deltas, indexes. Whole ones: pack/hostile.test.ts. */

import { err, ok, type Result, type WireFault } from '#core';
import {
  applyDelta,
  DeltaBaseIndex,
  type EntryHead,
  emitEntryHead,
  emitPackIndex,
  ID_BYTES,
  type IndexedEntry,
  makeDelta,
  type ObjectHash,
  type ObjectId,
  PackIndex,
  packHead,
  parseEntryHead,
  parsePackHead,
} from '#git';
import { portableZlib } from '#git/zlib';
import { nodeCrypto } from '#targets/node/crypto';
import type { SimRandom } from '#targets/sim/index';
import { type WireCase, wireCase } from './wire-case.ts';

const SIZE_BYTES_MAX = 4_096;

const put = (to: Uint8Array, bytes: Uint8Array): number => {
  to.set(bytes);
  return bytes.length;
};
const bytesOf = (random: SimRandom, count: number): Uint8Array => {
  const bytes = new Uint8Array(count);
  random.fill(bytes);
  return bytes;
};
/** Bytes that compress, and that have much in common with each other. */
const textOf = (random: SimRandom, count: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, i) => (random.chance(0.05) ? random.below(256) : i % 40));

const zlib = wireCase<Uint8Array>({
  name: 'zlib stream',
  parse(b): Result<Uint8Array, WireFault> {
    const inflated = portableZlib.inflate(b, 0, SIZE_BYTES_MAX);
    if (inflated.ok) return ok(inflated.value.bytes);
    return err({ kind: 'field', offset: 0, value: 0 });
  },
  // Stored: what is inflated can be longer than twice its stream.
  emit: (to, bytes) => put(to, portableZlib.deflate(bytes)),
  seeds: (random) => [
    portableZlib.deflate(new Uint8Array(0)),
    portableZlib.deflate(textOf(random, 900)),
    portableZlib.deflate(bytesOf(random, 200)),
    portableZlib.deflate(textOf(random, 300), 0),
  ],
});

const entryCases = (['SHA-1', 'SHA-256'] as const).map((hash: ObjectHash) =>
  wireCase<Omit<EntryHead, 'headBytes'>>({
    name: `git pack entry, ${hash}`,
    parse(b) {
      const head = parseEntryHead(b, 0, ID_BYTES[hash]);
      if (!head.ok) return head;
      const { kind, sizeBytes, base } = head.value;
      return ok({ kind, sizeBytes, base });
    },
    emit: (to, { kind, sizeBytes, base }) => emitEntryHead(to, 0, kind ?? 'blob', sizeBytes, base),
    seeds() {
      const id = 'ab'.repeat(ID_BYTES[hash]) as ObjectId;
      const heads = [
        ['commit', 0, null],
        ['blob', 2 ** 50, null],
        ['tree', 300, { distance: 1 }],
        ['tag', 16, { distance: 2 ** 40 }],
        ['blob', 70_000, { id }],
      ] as const;
      return heads.map(([kind, sizeBytes, base]) => {
        const to = new Uint8Array(64);
        return to.slice(0, emitEntryHead(to, 0, kind, sizeBytes, base));
      });
    },
  }),
);

const head = wireCase<number>({
  name: 'git pack head',
  parse: parsePackHead,
  emit: (to, count) => put(to, packHead(count)),
  seeds: () => [packHead(0), packHead(2 ** 32 - 1)],
});

const BASE = Uint8Array.from({ length: 500 }, (_, i) => (i * i) % 251);
const index = new DeltaBaseIndex(BASE);

const delta = wireCase<Uint8Array>({
  name: 'git delta',
  parse: (b) => applyDelta(BASE, b, SIZE_BYTES_MAX),
  emit: (to, target) => put(to, makeDelta(index, target, SIZE_BYTES_MAX * 2)!),
  seeds: (random) =>
    [BASE, BASE.subarray(100), textOf(random, 100), new Uint8Array(0)].map(
      (target) => makeDelta(index, target, SIZE_BYTES_MAX)!,
    ),
});

interface IndexRepr {
  readonly entries: readonly IndexedEntry[];
  readonly packChecksum: Uint8Array;
}

const indexCases = (['SHA-1', 'SHA-256'] as const).map((hash: ObjectHash) =>
  wireCase<IndexRepr>({
    name: `git pack index, ${hash}`,
    parse(b) {
      const opened = PackIndex.parse(b, hash);
      if (!opened.ok) return opened;
      const { value: table } = opened;
      const disorder = table.firstDisorder();
      if (disorder >= 0) return err({ kind: 'field', offset: 0, value: disorder });
      const entries: IndexedEntry[] = [];
      for (let i = 0; i < table.count; i++) {
        const offset = table.offsetAt(i);
        if (offset === null) return err({ kind: 'field', offset: 0, value: i });
        const id = table.idAt(i);
        if (table.find(id) !== i) throw new Error('an id that is not found');
        entries.push({ id, offset, crc: table.crcAt(i) ?? 0 });
      }
      return ok({ entries, packChecksum: table.packChecksum.slice() });
    },
    emit: (to, { entries, packChecksum }) =>
      put(to, emitPackIndex(nodeCrypto, hash, entries, packChecksum)),
    seeds: (random) =>
      [0, 1, 9].map((count) => {
        const entries = Array.from({ length: count }, (_, i) => ({
          id: Buffer.from(bytesOf(random, ID_BYTES[hash])).toString('hex') as ObjectId,
          // The last ones need 8 bytes.
          offset: 12 + i * 2 ** 29,
          crc: i * 1_000,
        }));
        return emitPackIndex(nodeCrypto, hash, entries, bytesOf(random, ID_BYTES[hash]));
      }),
  }),
);

export const gitPackCases: readonly WireCase[] = [zlib, ...entryCases, head, delta, ...indexCases];
