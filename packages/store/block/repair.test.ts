/** What rots: named when it is read, found by a check, and mended as far as that can be. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NamedObject } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import type { SimBlockDevice } from '#targets/sim/index';
import { BlockBackend } from './block-backend.ts';
import { Geometry } from './geometry.ts';
import {
  blob,
  commit,
  freshStore,
  mustRead,
  mustSet,
  mustWrite,
  noise,
  open,
  partsOf,
  simDisk,
  tree,
  upon,
} from './test-store.ts';
import { sha256 } from './wire/checksum.ts';
import { parseSuperblock, type Superblock } from './wire/superblock.ts';

const PAD = 'one more line, as the one before\n'.repeat(6);

/** A closed store with a collected part, a part behind it, and all that is in it. */
async function filled() {
  const { disk, store } = await freshStore({ bytes: 1 << 20 });
  const objects: NamedObject[] = [];
  let parents: NamedObject[] = [];
  const grow = async (count: number, from: number) => {
    for (let i = from; i < from + count; i++) {
      const file = blob(`${PAD}${i}\n${PAD}`);
      const root = tree(['f', file]);
      const head = commit(root, parents, `c ${i}\n`);
      parents = [head];
      objects.push(file, root, head);
      await mustWrite(store, file, root, head);
      await mustSet(store, 'refs/heads/main', head);
    }
  };
  await grow(30, 0);
  assert.ok((await store.collect().done).ok);
  await grow(20, 30);
  await mustSet(store, 'refs/tags/t', objects[0]!);
  await store.close();
  return { image: disk.crash(0), objects, head: parents[0]! };
}

const refsOf = async (store: BlockBackend) => {
  const refs = await store.listRefs('');
  assert.ok(refs.ok);
  return refs.value.map(({ name, id }) => `${name} ${id}`);
};

function superblockOf(image: Uint8Array): Superblock {
  const parsed = [0, 4_096].flatMap((at) => {
    const one = parseSuperblock(sha256(nodeCrypto), image.subarray(at, at + 4_096));
    return one.ok ? [one.value] : [];
  });
  return parsed.sort((a, b) => b.generation - a.generation)[0]!;
}

const slotsOf = (image: Uint8Array) => {
  const geometry = new Geometry(512, image.length, 16_384);
  return [0, 1, 2, 3].map((slot) => geometry.slotAt(slot));
};

async function mended(image: Uint8Array): Promise<{ disk: SimBlockDevice; store: BlockBackend }> {
  const disk = simDisk({ image });
  const repaired = await BlockBackend.repair(partsOf(disk));
  assert.ok(repaired.ok, JSON.stringify(repaired));
  return { disk, store: await open(disk) };
}

const { image, objects, head } = await filled();
const refs = [`refs/heads/main ${head.id}`, `refs/tags/t ${objects[0]!.id}`];

async function expectAll(store: BlockBackend): Promise<void> {
  for (const object of objects) await mustRead(store, object);
  assert.deepEqual(await refsOf(store), refs);
  const check = await store.check();
  assert.ok(check.ok);
  assert.deepEqual(check.value.problems, []);
  store.checkInvariants();
}

test('a whole store › checked › no problems; repaired all the same › as before', async () => {
  await expectAll(await open(simDisk({ image: image.slice() })));
  await expectAll((await mended(image.slice())).store);
});

test('a whole store › repaired, power lost at any write › opened or repaired again, all there', async () => {
  const { disk: first, store: filling } = await freshStore({ bytes: 1 << 19 });
  const files = [noise(9_000, 1), ...Array.from({ length: 12 }, (_, i) => blob(`file ${i}`))];
  await mustWrite(filling, ...files);
  await mustSet(filling, 'refs/heads/main', files[0]!);
  await filling.close();
  const small = first.crash(0);
  const dry = simDisk({ image: small.slice() });
  assert.ok((await BlockBackend.repair(partsOf(dry))).ok);
  for (let at = 0; at < dry.changes; at++) {
    for (const seed of [1, 2, 3, 4]) {
      const disk = simDisk({ image: small.slice() });
      disk.powerFailsAt = at;
      await BlockBackend.repair(partsOf(disk));
      const back = disk.crash(seed);
      const opened = await BlockBackend.open(partsOf(simDisk({ image: back })));
      const store = opened.ok ? opened.value : (await mended(back)).store;
      for (const file of files) await mustRead(store, file);
      assert.deepEqual(await refsOf(store), [`refs/heads/main ${files[0]!.id}`]);
    }
  }
});

test('one copy of the superblock lost › opened › mended from the other', async () => {
  for (const at of slotsOf(image)) {
    const rotten = image.slice();
    rotten.fill(0x5a, at, at + 4_096);
    const disk = simDisk({ image: rotten });
    const store = await open(disk);
    const check = await store.check({ repair: true });
    assert.ok(check.ok && check.value.problemCount <= 1, JSON.stringify(check));
    await expectAll(await open(disk));
  }
});

test('both copies of the last superblock lost › refused as damaged; repaired › all there', async () => {
  const last = superblockOf(image).generation % 2;
  const rotten = image.slice();
  for (const slot of [last, last + 2]) {
    rotten.fill(0x5a, slotsOf(image)[slot]!, slotsOf(image)[slot]! + 4_096);
  }
  const opened = await BlockBackend.open(partsOf(simDisk({ image: rotten.slice() })));
  assert.equal(!opened.ok && opened.error.kind, 'damaged');
  await expectAll((await mended(rotten)).store);
});

test('all superblocks lost › repaired › found by scanning, and writable', async () => {
  for (const byte of [0, 0x5a]) {
    const rotten = image.slice();
    for (const at of slotsOf(image)) rotten.fill(byte, at, at + 4_096);
    const { disk, store } = await mended(rotten);
    await expectAll(store);
    await mustWrite(store, noise(5_000, 3));
    await mustSet(store, 'refs/heads/new', noise(5_000, 3));
    assert.ok((await store.collect().done).ok);
    await store.close();
    const again = await open(disk);
    await mustRead(again, noise(5_000, 3));
    for (const object of objects) await mustRead(again, object);
  }
});

test('the index rotten › named; repaired › rebuilt from the log', async () => {
  const rotten = image.slice();
  const { runs } = superblockOf(image);
  const geometry = new Geometry(512, image.length, 16_384);
  for (const { firstSegment } of runs) {
    rotten.fill(0x5a, geometry.startOf(firstSegment), geometry.startOf(firstSegment) + 512);
  }
  const store = await open(simDisk({ image: rotten.slice() }));
  const read = await store.readObject(objects[0]!.id);
  assert.ok(!read.ok && read.error.kind === 'damaged' && /block \d+ of data/.test(read.error.what));
  const check = await store.check();
  assert.ok(check.ok && check.value.problems.some(({ kind }) => kind === 'index'));
  await expectAll((await mended(rotten)).store);
});

test('an object rotten › named with its block, never served; written again › mended', async () => {
  const { disk, store } = await freshStore();
  const victim = noise(2_000, 9);
  const root = tree(['victim', victim]);
  const top = commit(root, [], 'top\n');
  await mustWrite(store, victim, root, top);
  await mustSet(store, 'refs/heads/main', top);
  await mustSet(store, 'refs/heads/victim', victim);
  await store.close();
  const rotten = disk.crash(0);
  const at = Buffer.from(rotten).indexOf(victim.bytes.subarray(100, 200));
  assert.ok(at > 0);
  rotten[at] = rotten[at]! ^ 4;
  const other = await open(simDisk({ image: rotten }));
  const read = await other.readObject(victim.id);
  assert.ok(!read.ok && read.error.kind === 'damaged' && read.error.id === victim.id);
  const entry = await other.readEntry(victim.id);
  assert.equal(!entry.ok && entry.error.kind, 'damaged');
  const check = await other.check({ repair: true, removeRefs: true });
  assert.ok(check.ok);
  const kinds = check.value.problems.map(({ kind }) => kind);
  assert.deepEqual(kinds, ['object', 'ref']);
  assert.deepEqual(await refsOf(other), [`refs/heads/main ${top.id}`]);
  await mustWrite(other, victim);
  await mustSet(other, 'refs/heads/victim', victim);
  await mustRead(other, victim);
});

test('a batch in the middle rotten › repaired › the others and the last refs are there', async () => {
  const rotten = image.slice();
  // The last commit but five, whole in the log.
  const victim = objects.at(-16)!;
  const stored = await (await open(simDisk({ image: image.slice() }))).readEntry(victim.id);
  assert.ok(stored.ok && stored.value !== null);
  const at = Buffer.from(rotten).lastIndexOf(stored.value.deflated);
  rotten[at + 9] = rotten[at + 9]! ^ 1;
  for (const slot of slotsOf(image)) rotten.fill(0, slot, slot + 4_096);
  const { store } = await mended(rotten);
  assert.deepEqual(await refsOf(store), refs);
  for (const object of objects) if (object.id !== victim.id) await mustRead(store, object);
});

test('deltas in the log › repaired › there, but for what was upon a rotten one, which is lost', async () => {
  const { disk, store: first } = await freshStore();
  const texts = Array.from({ length: 4 }, (_, i) => blob(`${PAD}${i}\n${PAD}`));
  const base = texts[0]!;
  const deltas = texts.slice(1).map((text, i) => upon(texts[i]!, text));
  await mustWrite(first, base, ...deltas);
  await mustSet(first, 'refs/tags/t', base);
  await first.close();
  const bare = disk.crash(0);
  for (const slot of slotsOf(bare)) bare.fill(0, slot, slot + 4_096);
  const { store } = await mended(bare.slice());
  for (const text of texts) await mustRead(store, text);
  const at = Buffer.from(bare).indexOf(deltas[1]!.entry!.deflated);
  bare[at + 9] = bare[at + 9]! ^ 1;
  const repaired = await BlockBackend.repair(partsOf(simDisk({ image: bare })));
  assert.deepEqual(repaired, { ok: true, value: { objects: 2, refs: 1, lost: 2 } });
});

test('blank, foreign, or from the future › not repaired', async () => {
  const blank = await BlockBackend.repair(partsOf(simDisk()));
  assert.equal(!blank.ok && blank.error.kind, 'foreign');
  const other = await BlockBackend.repair(
    partsOf(simDisk({ image: new Uint8Array(1 << 20).fill(7) })),
  );
  assert.equal(!other.ok && other.error.kind, 'foreign');
});

/** The content is right, or an error says that it isn't; null too, where refs went back as well. */
async function expectRight(disk: SimBlockDevice, from: number, step: number): Promise<boolean> {
  const opened = await BlockBackend.open(partsOf(disk));
  if (!opened.ok) return false;
  for (let i = from; i < objects.length; i += step) {
    const read = await opened.value.readObject(objects[i]!.id);
    if (!read.ok || read.value === null) continue;
    assert.ok(Buffer.from(read.value.bytes).equals(objects[i]!.bytes), 'as it was written');
  }
  return true;
}

test('bits flipped all over › opened › the right content, or an error', async () => {
  let openedCount = 0;
  for (let seed = 0; seed < 30; seed++) {
    const disk = simDisk({ image: image.slice() });
    disk.rot(seed, 1 + (seed % 40));
    if (await expectRight(disk, seed % 5, 5)) openedCount += 1;
  }
  assert.ok(openedCount > 4, 'not all of them can be told at once');
});

test('each byte that is in use flipped, or one of many in turn › the same', async () => {
  const stride = Number(process.argv.find((arg) => arg.startsWith('--stride='))?.slice(9) ?? 997);
  const flipped = image.slice();
  const { segments } = superblockOf(image);
  const geometry = new Geometry(512, image.length, 16_384);
  for (let at = 0; at < image.length; at += stride) {
    const segment = geometry.segmentOf(at);
    if (image[at] === 0 && segments[segment]?.use === 'free') continue;
    flipped[at] = flipped[at]! ^ 0x10;
    await expectRight(simDisk({ image: flipped.slice() }), at % 17, 17);
    flipped[at] = image[at]!;
  }
});
