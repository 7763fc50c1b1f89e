/** What rots behind the last checkpoint of a store that wasn't closed. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockBackend } from './block-backend.ts';
import { BROKEN_BATCHES_MAX } from './limits.ts';
import {
  blob,
  freshStore,
  mustRead,
  mustSet,
  mustWrite,
  noise,
  open,
  partsOf,
  simDisk,
} from './test-store.ts';

const COUNT = 6;
const objects = Array.from({ length: COUNT }, (_, i) => blob(`object ${i}`));
const nameOf = (i: number): string => `refs/tags/t${i}`;

/** COUNT changes of refs with an object each, every one a batch that was acknowledged. */
async function written() {
  const { disk, store } = await freshStore();
  for (const [i, object] of objects.entries()) {
    await mustWrite(store, object);
    await mustSet(store, nameOf(i), object);
  }
  const entries = await Promise.all(objects.map(({ id }) => store.readEntry(id)));
  const image = disk.crash(0);
  const payloads = entries.map((entry) => {
    assert.ok(entry.ok && entry.value !== null);
    return Buffer.from(image).indexOf(entry.value.deflated);
  });
  return { image, payloads };
}

const { image, payloads } = await written();
const rotten = (at: number): Uint8Array => {
  const bytes = image.slice();
  bytes[at + 3] = bytes[at + 3]! ^ 1;
  return bytes;
};
const namesOf = async (store: BlockBackend): Promise<string[]> => {
  const refs = await store.listRefs('');
  assert.ok(refs.ok);
  return refs.value.map(({ name }) => name);
};
const names = Array.from({ length: COUNT }, (_, i) => nameOf(i));

test('nothing rotten › opened › nothing dropped', async () => {
  const store = await open(simDisk({ image: image.slice() }));
  assert.deepEqual(await namesOf(store), names);
  assert.equal(store.stats().droppedBytes, 0);
  const check = await store.check();
  assert.ok(check.ok && check.value.droppedBytes === 0);
});

test('the object of a batch with others behind it › damaged; repaired › all but that', async () => {
  for (let i = 0; i < COUNT - 1; i++) {
    const disk = simDisk({ image: rotten(payloads[i]!) });
    const opened = await BlockBackend.open(partsOf(disk));
    assert.ok(!opened.ok && opened.error.kind === 'damaged', `${i}: ${JSON.stringify(opened)}`);
    assert.match(opened.error.what, /^block \d+: a batch of the log that was flushed$/);
    assert.ok((await BlockBackend.repair(partsOf(disk))).ok);
    const store = await open(disk);
    assert.deepEqual(await namesOf(store), names);
    for (const [j, object] of objects.entries()) if (j !== i) await mustRead(store, object);
  }
});

test('the refs of a batch with two or more behind it › damaged; with one › dropped, and told', async () => {
  for (let i = 0; i < COUNT; i++) {
    const disk = simDisk({ image: rotten(Buffer.from(image).lastIndexOf(nameOf(i))) });
    const opened = await BlockBackend.open(partsOf(disk));
    if (i < COUNT - 2) {
      assert.ok(!opened.ok && opened.error.kind === 'damaged', `${i}: ${JSON.stringify(opened)}`);
      continue;
    }
    assert.ok(opened.ok);
    const store = opened.value;
    assert.deepEqual(await namesOf(store), names.slice(0, i));
    const { droppedBytes } = store.stats();
    assert.equal(droppedBytes, 512 * (COUNT - i));
    const check = await store.check();
    assert.ok(check.ok && check.value.droppedBytes === droppedBytes);
    await mustWrite(store, noise(900, 1));
    await mustSet(store, 'refs/tags/more', noise(900, 1));
    await store.close();
    assert.equal((await open(disk)).stats().droppedBytes, 0);
  }
});

test('BROKEN_BATCHES_MAX batches of objects alone, the first rotten › looked at; one more › not', async () => {
  for (const [spills, isTold] of [
    [BROKEN_BATCHES_MAX - 3, true],
    [BROKEN_BATCHES_MAX - 2, false],
  ] as const) {
    const { disk, store } = await freshStore({ bytes: 16 << 20 });
    // Each is written by itself, and not flushed.
    const first = noise(262_200, 1);
    for (let i = 0; i <= spills; i++) await mustWrite(store, noise(262_200, 1 + i));
    for (const i of [0, 1]) {
      await mustWrite(store, objects[i]!);
      await mustSet(store, nameOf(i), objects[i]!);
    }
    const bytes = disk.crash(0);
    const at = Buffer.from(bytes).indexOf(first.bytes.subarray(100, 200));
    bytes[at] = bytes[at]! ^ 1;
    const opened = await BlockBackend.open(partsOf(simDisk({ image: bytes })));
    assert.equal(opened.ok, !isTold, `${spills}: ${JSON.stringify(opened)}`);
  }
});
