/** Objects that come in packs: their entries are kept, where they can be read again. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Zlib } from '#device';
import {
  LocalTransport,
  MemoryBackend,
  type NamedObject,
  type NewObject,
  ReceivePack,
  Remote,
  UploadPack,
} from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import { BlockBackend } from './block-backend.ts';
import { DELTA_DEPTH_MAX } from './limits.ts';
import {
  blob,
  commit,
  deflate,
  freshStore,
  mustRead,
  mustSet,
  mustWrite,
  open,
  partsOf,
  simDisk,
  tree,
  upon,
} from './test-store.ts';

const TEXT = Array.from({ length: 60 }, (_, i) => `line ${i} of what people edit`).join('\n');
const version = (i: number): NamedObject => blob(`${TEXT}\nversion ${i}`);

const whole = (object: NamedObject): NewObject => {
  const { kind, bytes } = object;
  return {
    ...object,
    entry: { kind, sizeBytes: bytes.length, base: null, deflated: deflate(bytes) },
  };
};
/** Makes sure that it isn't read from memory. */
async function entryOf(store: BlockBackend, { id }: NamedObject) {
  await store.updateRefs([], 'flush');
  const entry = await store.readEntry(id);
  assert.ok(entry.ok && entry.value !== null);
  return entry.value;
}

test('entries › written › kept as they came, in the same call or a later one', async () => {
  const { disk, store } = await freshStore();
  const objects = [whole(version(0)), upon(version(0), version(1)), upon(version(1), version(2))];
  await mustWrite(store, ...objects.slice(0, 2));
  await store.updateRefs([], 'flush');
  await mustWrite(store, objects[2]!);
  for (const object of objects) assert.deepEqual(await entryOf(store, object), object.entry);
  for (const object of objects) await mustRead(store, object);
  await store.close();
  const again = await open(disk);
  for (const object of objects) await mustRead(again, object);
});

test('an entry whose base is not here, or that is padded › written › whole', async () => {
  const { store } = await freshStore();
  await mustWrite(store, upon(version(0), version(1)));
  assert.equal((await entryOf(store, version(1))).base, null);
  const { kind, bytes } = version(2);
  const padding = new Uint8Array(bytes.length);
  const deflated = new Uint8Array([...zlib.deflate(bytes, 0), ...padding]);
  const entry = { kind, sizeBytes: bytes.length, base: null, deflated };
  await mustWrite(store, { ...version(2), entry } as NewObject);
  assert.ok((await entryOf(store, version(2))).deflated.length < bytes.length);
  for (const object of [version(1), version(2)]) await mustRead(store, object);
});

test('DELTA_DEPTH_MAX deltas upon deltas › kept; one more › whole, now and reopened', async () => {
  const { disk, store } = await freshStore();
  await mustWrite(store, whole(version(0)));
  for (let i = 1; i <= DELTA_DEPTH_MAX - 1; i++) {
    await mustWrite(store, upon(version(i - 1), version(i)));
  }
  await store.close();
  // It doesn't remember how deep they are.
  const again = await open(disk);
  const last = DELTA_DEPTH_MAX;
  await mustWrite(again, upon(version(last - 1), version(last)));
  await mustWrite(again, upon(version(last), version(last + 1)));
  assert.equal((await entryOf(again, version(last))).base, version(last - 1).id);
  assert.equal((await entryOf(again, version(last + 1))).base, null);
  for (let i = 0; i <= last + 1; i++) await mustRead(again, version(i));
});

test('a damaged object written again as a delta › whole: others may be upon it', async () => {
  const { disk, store: first } = await freshStore();
  const [base, second] = [whole(version(0)), version(1)];
  await mustWrite(first, base, second);
  const root = tree(['a', base], ['b', second]);
  const head = commit(root, [], 'both\n');
  await mustWrite(first, root, head);
  await mustSet(first, 'refs/heads/main', head);
  await first.close();
  const rotten = disk.crash(0);
  const at = Buffer.from(rotten).indexOf(base.entry!.deflated) + 9;
  rotten[at] = rotten[at]! ^ 4;
  const store = await open(simDisk({ image: rotten }));
  assert.ok((await store.check({ repair: true })).ok);
  await mustWrite(store, upon(second, base));
  assert.equal((await entryOf(store, base)).base, null);
  await mustRead(store, base);
});

test('a collection under way › what a delta that comes is upon stays', async () => {
  const { disk, store: first } = await freshStore({ bytes: 4 << 20 });
  const base = whole(version(0));
  const head = commit(tree(['kept', blob('kept')]), [], 'kept\n');
  await mustWrite(first, base, blob('kept'), tree(['kept', blob('kept')]), head);
  await mustSet(first, 'refs/heads/main', head);
  await first.close();
  // At each of its steps in turn, from a store that was just opened: nothing is recent.
  let kept = 0;
  for (let step = 0; step < 400; step += 13) {
    const store = await open(simDisk({ image: disk.crash(0) }));
    const running = store.collect();
    for (let i = 0; i < step; i++) await Promise.resolve();
    const late = upon(base, version(1));
    await mustWrite(store, late);
    const { id } = late;
    const root = tree(['late', late]);
    const next = commit(root, [head], 'late\n');
    await mustWrite(store, root, next);
    await mustSet(store, 'refs/heads/main', next);
    assert.ok((await running.done).ok);
    const entry = await store.readEntry(id);
    if (entry.ok && entry.value?.base === base.id) kept += 1;
    await mustRead(store, late);
    assert.ok((await store.collect().done).ok);
    await mustRead(store, late);
    const check = await store.check();
    assert.ok(check.ok && check.value.problemCount === 0, `step ${step}`);
  }
  assert.ok(kept > 0 && kept < 31, `a delta after ${kept} of the steps`);
});

test('deltas of new versions upon old ones › collected › each inflated a few times, not its chain', async () => {
  const { disk, store: first } = await freshStore();
  const count = DELTA_DEPTH_MAX;
  const files = Array.from({ length: count }, (_, i) => version(i));
  await mustWrite(first, whole(files[0]!));
  for (let i = 1; i < count; i++) await mustWrite(first, upon(files[i - 1]!, files[i]!));
  // A commit each: the last version is copied first.
  const heads: NamedObject[] = [];
  for (const file of files) {
    heads.push(commit(tree(['f', file]), heads.slice(-1), 'next\n'));
    await mustWrite(first, tree(['f', file]), heads.at(-1)!);
  }
  await mustSet(first, 'refs/heads/main', heads.at(-1)!);
  await first.close();
  let inflated = 0;
  const counting: Zlib = {
    ...zlib,
    inflate(input, at, sizeBytesMax) {
      inflated += 1;
      return zlib.inflate(input, at, sizeBytesMax);
    },
  };
  const opened = await BlockBackend.open({ ...partsOf(disk), zlib: counting });
  assert.ok(opened.ok && (await opened.value.collect().done).ok);
  assert.ok(inflated < 3 * 3 * count, `${inflated} times`);
  for (const file of files) await mustRead(opened.value, file);
});

/** A store that is pushed to from a repository with a few versions of a file. */
async function pushed(accept: () => string | null) {
  const { store } = await freshStore();
  const source = new MemoryBackend();
  const tools = { crypto: nodeCrypto, zlib };
  const objects: NamedObject[] = [];
  for (let i = 0; i < 5; i++) {
    const root = tree(['file', version(i)]);
    const parents = objects.length === 0 ? [] : [objects.at(-1)!];
    objects.push(version(i), root, commit(root, parents, `${i}\n`));
  }
  await source.writeObjects(objects);
  const main = 'refs/heads/main';
  await source.updateRefs([{ name: main, from: null, to: objects.at(-1)!.id }], 'test');
  const uploadPack = new UploadPack({ backend: store, ...tools });
  const receivePack = new ReceivePack({ backend: store, ...tools, accept });
  const connect = () => new LocalTransport({ uploadPack, receivePack, pusher: undefined });
  const remote = new Remote({ backend: source, ...tools, connect, name: 'origin' });
  const done = await remote.push({ refspecs: [`${main}:${main}`] });
  assert.ok(done.ok, JSON.stringify(done));
  return { store, objects };
}

test('a push › accepted › its deltas are kept; refused › nothing of it is there', async () => {
  const { store, objects } = await pushed(() => null);
  const bases = new Set<boolean>();
  for (const object of objects) {
    await mustRead(store, object);
    bases.add((await entryOf(store, object)).base === null);
  }
  assert.equal(bases.size, 2, 'whole ones and deltas');
  const refused = await pushed(() => 'not today');
  for (const { id } of objects) {
    assert.deepEqual(await refused.store.hasObject(id), { ok: true, value: false });
  }
  assert.equal(refused.store.stats().objects, 0);
});
