/** Bounds that nothing else meets: at each, and one past it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type NamedObject,
  type NewObject,
  nameObject,
  type ObjectId,
  REF_NAME_BYTES_MAX,
} from '#git';
import { emitTree } from '#git/wire';
import { nodeCrypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import { Geometry } from './geometry.ts';
import {
  BATCH_BYTES,
  CHECK_PROBLEMS_MAX,
  REASON_BYTES_MAX,
  RECENT_OBJECTS,
  REFS_BYTES_MAX,
  SCAN_BYTES,
  SEGMENT_BYTES_MIN,
  SEGMENTS_MAX,
  SEGMENTS_MIN,
  TAIL_OBJECTS_MAX,
} from './limits.ts';
import { RefState } from './ref-state.ts';
import {
  blob,
  commit,
  freshStore,
  mustRead,
  mustSet,
  mustWrite,
  open,
  tree,
} from './test-store.ts';
import { RECORD_OVERHEAD_MAX } from './wire/record.ts';
import { emitRefChanges, parseRefChanges } from './wire/refs.ts';

/** Of a record beside what is deflated, of a few thousand bytes: tag, two lengths, id, checksum. */
const OVERHEAD_BYTES = 1 + 2 * 3 + 20 + 4;

/** An object whose record has so many bytes: it comes as a stream that stores it. */
function ofRecord(bytes: number, seed: number): NewObject {
  let count = bytes - OVERHEAD_BYTES;
  for (let tries = 0; tries < 9; tries++) {
    const deflated = zlib.deflate(new Uint8Array(count).fill(seed), 0);
    const more = bytes - OVERHEAD_BYTES - deflated.length;
    const object = nameObject(nodeCrypto, 'SHA-1', 'blob', new Uint8Array(count).fill(seed));
    const entry = { kind: object.kind, sizeBytes: count, base: null, deflated };
    if (more === 0) return { ...object, entry };
    count += more;
  }
  throw new Error(`no object has a record of ${bytes}`);
}

test('segments of a device › SEGMENTS_MAX of the smallest; more room › bigger ones; SEGMENTS_MIN', () => {
  const of = (segments: number) =>
    Geometry.for({ blockBytes: 512, blockCount: (segments * SEGMENT_BYTES_MIN + 4 * 4_096) / 512 });
  assert.equal(of(SEGMENTS_MAX)?.segmentCount, SEGMENTS_MAX);
  assert.equal(of(SEGMENTS_MAX)?.segmentBytes, SEGMENT_BYTES_MIN);
  assert.equal(of(SEGMENTS_MAX + 1)?.segmentBytes, 2 * SEGMENT_BYTES_MIN);
  assert.equal(of(SEGMENTS_MIN)?.segmentCount, SEGMENTS_MIN);
  assert.equal(of(SEGMENTS_MIN - 1), null);
});

test('a reason of REASON_BYTES_MAX bytes › kept; longer › cut at a character', () => {
  const reasonOf = (reason: string): string | null => {
    const parsed = parseRefChanges(
      emitRefChanges({ reason, head: null, changes: [], shallow: null }),
      20,
    );
    return parsed.ok ? parsed.value.reason : null;
  };
  const most = 'x'.repeat(REASON_BYTES_MAX);
  assert.equal(reasonOf(most), most);
  assert.equal(reasonOf(`${most}y`), most);
  assert.equal(reasonOf(`${most.slice(1)}ä`), most.slice(1));
});

test('records of BATCH_BYTES › written; one byte fewer › wait', async () => {
  for (const [bytes, batches] of [
    [BATCH_BYTES - 1, 0],
    [BATCH_BYTES, 1],
  ] as const) {
    const { store } = await freshStore({ bytes: 4 << 20 });
    const before = store.stats().counters.batches;
    await mustWrite(store, ofRecord(bytes, 1));
    assert.equal(store.stats().counters.batches - before, batches);
  }
});

test('a batch of SCAN_BYTES, and of one more › read when the store is opened', async () => {
  const { disk, store } = await freshStore({ bytes: 16 << 20 });
  const objects = [SCAN_BYTES, SCAN_BYTES + 1].map((bytes, i) => ofRecord(bytes, i));
  await mustWrite(store, ...objects);
  await mustSet(store, 'refs/tags/t', objects[0]!);
  const again = await open(disk);
  assert.equal(again.stats().scannedObjects, 2);
  for (const object of objects) await mustRead(again, object);
});

test('TAIL_OBJECTS_MAX objects › a checkpoint; one fewer › scanned', async () => {
  const objects = Array.from({ length: TAIL_OBJECTS_MAX }, (_, i) => blob(`${i}`));
  for (const [count, scanned] of [
    [TAIL_OBJECTS_MAX - 1, TAIL_OBJECTS_MAX - 1],
    [TAIL_OBJECTS_MAX, 0],
  ] as const) {
    const { disk, store } = await freshStore({ bytes: 4 << 20 });
    await mustWrite(store, ...objects.slice(0, count));
    await mustSet(store, 'refs/tags/t', objects[0]!);
    // It ends behind the writer's back.
    const isOver = (): boolean => store.stats().counters.checkpoints > 0;
    for (let i = 0; i < 10_000 && !isOver(); i++) await Promise.resolve();
    assert.equal((await open(disk)).stats().scannedObjects, scanned);
  }
});

test('RECENT_OBJECTS that nothing names › stay through a collection; the one before › goes', async () => {
  const { store } = await freshStore({ bytes: 4 << 20 });
  const head = commit(tree(['f', blob('f')]), [], 'kept\n');
  await mustWrite(store, blob('f'), tree(['f', blob('f')]), head);
  await mustSet(store, 'refs/heads/main', head);
  // It forgets the first half each time that it has twice as many: now.
  const objects = Array.from({ length: 2 * RECENT_OBJECTS - 3 }, (_, i) => blob(`${i}`));
  await mustWrite(store, ...objects);
  assert.ok((await store.collect().done).ok);
  const has = async ({ id }: NamedObject): Promise<boolean> => {
    const found = await store.hasObject(id);
    return found.ok && found.value;
  };
  const [last, first] = [objects.at(-RECENT_OBJECTS - 1)!, objects.at(-RECENT_OBJECTS)!];
  assert.deepEqual([await has(last), await has(first)], [false, true]);
});

test('CHECK_PROBLEMS_MAX problems › all told; one more › counted', async () => {
  for (const more of [0, 1]) {
    const { store } = await freshStore();
    const entries = Array.from({ length: CHECK_PROBLEMS_MAX + more }, (_, i) => ({
      mode: 0o100644 as const,
      name: `f${10_000 + i}`,
      id: (10_000 + i).toString().repeat(8) as ObjectId,
    }));
    const root = nameObject(nodeCrypto, 'SHA-1', 'tree', emitTree(entries, 20));
    await mustWrite(store, root);
    const check = await store.check();
    assert.ok(check.ok);
    assert.equal(check.value.problems.length, CHECK_PROBLEMS_MAX);
    assert.equal(check.value.problemCount, CHECK_PROBLEMS_MAX + more);
  }
});

test('refs of REFS_BYTES_MAX in all › fit; one byte more › do not; what makes them fewer does', () => {
  const { id } = blob('x');
  const changesOf = (changes: readonly { name: string; id: ObjectId | null }[]) => ({
    reason: '',
    head: null,
    changes,
    shallow: null,
  });
  const state = new RefState();
  state.apply(changesOf([{ name: 'refs/tags/old', id }]));
  const refBytes = (name: string): number => 1 + 2 + name.length + 20;
  let left = REFS_BYTES_MAX - RECORD_OVERHEAD_MAX - 13 - REF_NAME_BYTES_MAX;
  left -= refBytes('refs/tags/old');
  // Most of it commits whose parents are cut off, the rest one name.
  const shallow = Array.from({ length: Math.floor(left / 20) - 10 }, () => id);
  left -= 20 * shallow.length + refBytes('');
  const fits = (bytes: number) =>
    state.fits({ ...changesOf([{ name: 'y'.repeat(bytes), id }]), shallow });
  assert.deepEqual([fits(left), fits(left + 1)], [true, false]);
  assert.equal(state.fits(changesOf([{ name: 'refs/tags/old', id: null }])), true);
});
