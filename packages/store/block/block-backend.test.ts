import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readU32be, writeU32be } from '#core';
import type { NewObject } from '#git';
import { backendCases } from '#git/conformance';
import { nodeCrypto } from '#targets/node/crypto';
import { BlockBackend } from './block-backend.ts';
import { Geometry } from './geometry.ts';
import { formatOpenError } from './open-store.ts';
import {
  blob,
  format,
  freshStore,
  mustRead,
  mustSet,
  mustWrite,
  noise,
  open,
  partsOf,
  STORE_ID,
  simDisk,
} from './test-store.ts';
import { putSum, sha256 } from './wire/checksum.ts';

const full = { ok: false, error: { kind: 'full' } } as const;

for (const hash of ['SHA-1', 'SHA-256'] as const) {
  for (const { name, run } of backendCases) {
    // What is about refs alone is the same for both.
    if (hash === 'SHA-256' && !/object|id/.test(name)) continue;
    test(`block store, ${hash} › ${name}`, async () => {
      const disk = simDisk({ bytes: 9 << 20 });
      await format(disk, hash);
      const backend = await open(disk);
      await run({ backend, crypto: nodeCrypto, settle: () => Promise.resolve() });
      backend.checkInvariants();
      await backend.close();
    });
  }
}

test('a blank disk › opened › blank, and left so', async () => {
  const disk = simDisk();
  const opened = await BlockBackend.open(partsOf(disk));
  assert.deepEqual(opened, { ok: false, error: { kind: 'blank' } });
  assert.equal(disk.changes, 0);
});

test('a store of a later format › opened, repaired › refused as such, and left so', async () => {
  const { disk } = await freshStore();
  const image = disk.crash(0);
  const slots = [0, 1, 2, 3].map((slot) => new Geometry(512, image.length, 16_384).slotAt(slot));
  for (const at of slots) {
    const slot = image.subarray(at, at + 4_096);
    writeU32be(slot, 16, 2);
    if (slot[0] !== 0) putSum(sha256(nodeCrypto), slot, 24, readU32be(slot, 20));
  }
  const later = simDisk({ image });
  const refused = { ok: false, error: { kind: 'future', version: 2 } } as const;
  assert.deepEqual(await BlockBackend.open(partsOf(later)), refused);
  assert.deepEqual(await BlockBackend.repair(partsOf(later)), refused);
  assert.match(formatOpenError(refused.error), /format 2, and this is made for 1/);
  assert.equal(later.changes, 0);
});

test('other data › opened › foreign', async () => {
  const image = new Uint8Array(1 << 20).fill(0x41);
  const opened = await BlockBackend.open(partsOf(simDisk({ image })));
  assert.deepEqual(opened, { ok: false, error: { kind: 'foreign' } });
});

test('blank or other data › opened or formatted › as was told; ours stays ours', async () => {
  const options = { storeId: STORE_ID, overwrite: false };
  const blank = simDisk();
  assert.ok((await BlockBackend.openOrFormat(partsOf(blank), options)).ok);
  const other = simDisk({ image: new Uint8Array(1 << 20).fill(0x41) });
  const refused = await BlockBackend.openOrFormat(partsOf(other), options);
  assert.deepEqual(refused, { ok: false, error: { kind: 'foreign' } });
  assert.equal(other.changes, 0);
  const bold = { ...options, overwrite: true };
  const made = await BlockBackend.openOrFormat(partsOf(other), bold);
  assert.ok(made.ok);
  await mustWrite(made.value, blob('x'));
  await mustSet(made.value, 'refs/heads/main', blob('x'));
  await made.value.close();
  const again = await BlockBackend.openOrFormat(partsOf(other), bold);
  assert.ok(again.ok);
  await mustRead(again.value, blob('x'));
});

for (const [blocks, fits] of [
  [32 + 512 + 32, true],
  [31 + 512, false],
] as const) {
  test(`a disk of ${blocks} blocks › formatted › ${fits ? 'done' : 'too small'}`, async () => {
    const disk = simDisk({ bytes: blocks * 512 });
    const done = await BlockBackend.format(partsOf(disk), { storeId: STORE_ID });
    assert.equal(done.ok, fits);
  });
}

for (const blockBytes of [512, 4_096, 16_384]) {
  test(`blocks of ${blockBytes} › written, closed, opened › all there`, async () => {
    const { disk, store } = await freshStore({ blockBytes, bytes: 8 << 20 });
    const objects = Array.from({ length: 300 }, (_, i) => blob(`object ${i}`));
    await mustWrite(store, ...objects, noise(300_000, 1), noise(700_000, 2));
    await mustSet(store, 'refs/heads/main', objects[0]!);
    await store.setHead('refs/heads/other');
    await store.close();
    const again = await open(disk);
    for (const object of [...objects, noise(300_000, 1), noise(700_000, 2)]) {
      await mustRead(again, object);
    }
    assert.equal(again.stats().scannedObjects, 0);
    assert.deepEqual(await again.readRef('HEAD'), {
      ok: true,
      value: { symbolic: 'refs/heads/other' },
    });
    assert.deepEqual(await again.listRefs(''), {
      ok: true,
      value: [{ name: 'refs/heads/main', id: objects[0]!.id }],
    });
    again.checkInvariants();
  });
}

test('not closed › opened › what was acknowledged is there, by scanning the tail', async () => {
  const { disk, store } = await freshStore();
  const objects = Array.from({ length: 100 }, (_, i) => blob(`object ${i}`));
  await mustWrite(store, ...objects);
  await mustSet(store, 'refs/heads/main', objects[99]!);
  const again = await open(disk);
  for (const object of objects) await mustRead(again, object);
  assert.equal(again.stats().scannedObjects, 100);
});

test('many objects › several checkpoints › few runs, all there, nothing scanned', async () => {
  const disk = simDisk({ bytes: 4 << 20 });
  await format(disk);
  const opened = await BlockBackend.open({ ...partsOf(disk), tailObjectsMax: 300 });
  assert.ok(opened.ok);
  const store = opened.value;
  const objects = Array.from({ length: 2_500 }, (_, i) => blob(`object ${i}`));
  for (let i = 0; i < objects.length; i += 50) {
    await mustWrite(store, ...objects.slice(i, i + 50));
    await mustSet(store, 'refs/heads/main', objects[i]!);
  }
  store.checkInvariants();
  assert.ok(store.stats().counters.checkpoints >= 3, JSON.stringify(store.stats()));
  await store.close();
  const again = await open(disk);
  assert.ok(again.stats().runs <= 4, `${again.stats().runs} runs`);
  for (let i = 0; i < objects.length; i += 7) await mustRead(again, objects[i]!);
  assert.deepEqual(await again.readObject(blob('never').id), { ok: true, value: null });
  const ids: string[] = [];
  for await (const id of again.objectIds()) ids.push(id.ok ? id.value : 'wrong');
  assert.deepEqual(ids, objects.map(({ id }) => id as string).sort());
});

test('changes of refs at once › one flush', async () => {
  const { store } = await freshStore();
  const { flushes } = store.stats().counters;
  await mustWrite(store, blob('x'));
  const names = Array.from({ length: 20 }, (_, i) => `refs/heads/b${i}`);
  await Promise.all(names.map((name) => mustSet(store, name, blob('x'))));
  assert.equal(store.stats().counters.flushes - flushes, 1);
  assert.equal(store.stats().counters.shared, 19);
});

test('full › writes refused › nothing lost, refs can still be removed', async () => {
  const { disk, store } = await freshStore({ bytes: 1 << 20 });
  const kept = [];
  for (let i = 0; ; i++) {
    const object = noise(10_000, i);
    const written = await store.writeObjects([object]);
    if (!written.ok) {
      assert.deepEqual(written.error, { kind: 'full' });
      break;
    }
    kept.push(object);
    await mustSet(store, `refs/heads/b${i}`, object);
  }
  const { segments, segmentsFree } = store.stats();
  assert.ok(segmentsFree >= segments / 2, 'half is kept for a collection');
  await mustSet(store, 'refs/heads/b0', null);
  await store.close();
  const again = await open(disk);
  for (const object of kept) await mustRead(again, object);
  assert.deepEqual(await again.writeObjects([noise(10_000, 99)]), {
    ok: false,
    error: { kind: 'full' },
  });
});

test('an object whose record has roomBytes › taken; with one byte more › full', async () => {
  for (const more of [0, 1]) {
    const { store } = await freshStore();
    await mustWrite(store, blob('x'));
    const { roomBytes } = store.stats();
    // Beside what is deflated: a tag, two lengths of three bytes, the id, a checksum.
    const deflated = new Uint8Array(roomBytes - (1 + 2 * 3 + 20 + 4) + more);
    const object = noise(deflated.length, 1);
    const { kind, bytes } = object;
    const entry = { kind, sizeBytes: bytes.length, base: null, deflated };
    const done = await store.writeObjects([{ ...object, entry } as NewObject]);
    assert.deepEqual(done, more === 0 ? { ok: true, value: undefined } : full);
    if (more === 0) assert.ok(store.stats().roomBytes < 100);
  }
});

test('read only › opened › reads, and refuses writes', async () => {
  const { disk, store } = await freshStore();
  await mustWrite(store, blob('x'));
  await mustSet(store, 'refs/heads/main', blob('x'));
  const again = await open(simDisk({ image: disk.crash(1), isReadOnly: true }));
  await mustRead(again, blob('x'));
  const refused = { ok: false, error: { kind: 'read only' } };
  assert.deepEqual(await again.writeObjects([blob('y')]), refused);
  assert.deepEqual(await again.updateRefs([], ''), refused);
  await again.close();
});

test('a write that fails › nothing more is written; reopened › what was acknowledged', async () => {
  const { disk, store } = await freshStore();
  await mustWrite(store, blob('x'));
  await mustSet(store, 'refs/heads/main', blob('x'));
  disk.failure = 5;
  await mustWrite(store, blob('y'));
  const failed = await store.updateRefs(
    [{ name: 'refs/heads/main', from: 'any', to: blob('y').id }],
    '',
  );
  assert.equal(!failed.ok && failed.error.kind, 'device');
  disk.failure = 0;
  assert.equal((await store.updateRefs([], '')).ok, false);
  await mustRead(store, blob('x'));
  const again = await open(disk);
  await mustRead(again, blob('x'));
});
