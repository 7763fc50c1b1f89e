import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockDevice } from '#device';
import type { NamedObject, ObjectId } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import { CachedReader } from '../../cached-reader.ts';
import { CommitGraph } from '../../history/commit-graph.ts';
import type { BlockBackend } from '../block-backend.ts';
import {
  blob,
  commit,
  freshStore,
  mustRead,
  mustSet,
  mustWrite,
  noise,
  open,
  simDisk,
  tree,
} from '../test-store.ts';

/** A commit upon `parents` that has `text` in a file, with all of its objects. */
function change(text: string, parents: readonly NamedObject[], pad = '') {
  const file = blob(`${pad}${text}`);
  const root = tree(['dir', tree(['file', file])]);
  const directory = tree(['file', file]);
  const head = commit(root, parents, `${text}\n`);
  return { head, objects: [file, directory, root, head] };
}

function chain(count: number, pad = '') {
  const changes: ReturnType<typeof change>[] = [];
  for (let i = 0; i < count; i++) {
    const parents = changes.length === 0 ? [] : [changes.at(-1)!.head];
    changes.push(change(`version ${i}`, parents, pad));
  }
  return changes;
}

const collected = async (store: BlockBackend, options = {}) => {
  const done = await store.collect(options).done;
  assert.ok(done.ok, JSON.stringify(done));
  return done.value;
};

const gone = async (store: BlockBackend, object: NamedObject) =>
  assert.deepEqual(await store.readObject(object.id), { ok: true, value: null });

/** Nothing is recent to a store that was just opened. */
async function reopened(store: BlockBackend, disk: BlockDevice): Promise<BlockBackend> {
  await store.close();
  return open(disk);
}

const PAD = 'the same line again, as in files that people edit\n'.repeat(8);

test('garbage › collected › gone; what refs lead to is there, as deltas, in less room', async () => {
  const { disk, store: first } = await freshStore({ bytes: 4 << 20 });
  const changes = chain(40, PAD);
  for (const { objects, head } of changes) {
    await mustWrite(first, ...objects);
    await mustSet(first, 'refs/heads/main', head);
  }
  const garbage = Array.from({ length: 40 }, (_, i) => noise(20_000, i));
  await mustWrite(first, ...garbage);
  const store = await reopened(first, disk);
  const before = store.stats();
  const done = await collected(store);
  assert.equal(done.objects, 4 * 40);
  assert.equal(done.missing, 0);
  assert.ok(done.segmentsAfter < done.segmentsBefore / 4, JSON.stringify(done));
  assert.ok(store.stats().segmentsFree > before.segmentsFree);
  for (const { objects } of changes) for (const object of objects) await mustRead(store, object);
  for (const object of garbage) await gone(store, object);
  const entry = await store.readEntry(changes[3]!.objects[0]!.id);
  assert.ok(entry.ok && entry.value !== null && entry.value.base !== null, 'a delta');
  store.checkInvariants();
  await store.close();
  const again = await open(disk);
  for (const { objects } of changes) for (const object of objects) await mustRead(again, object);
  for (const object of garbage) await gone(again, object);
  // irmin-pack #2067: the index must not believe that it has what was collected.
  await mustWrite(again, ...garbage);
  for (const object of garbage) await mustRead(again, object);
  // Deltas stay deltas, and a second collection finds everything again.
  await collected(again);
  for (const { objects } of changes) for (const object of objects) await mustRead(again, object);
});

test('contents that stay › read from the device once', async () => {
  const { disk, store: first } = await freshStore({ bytes: 4 << 20 });
  const files = Array.from({ length: 40 }, (_, i) => noise(20_000, i));
  const root = tree(...files.map((file, i) => [`f${10 + i}`, file] as const));
  const head = commit(root, [], 'all\n');
  await mustWrite(first, ...files, root, head);
  await mustSet(first, 'refs/heads/main', head);
  const store = await reopened(first, disk);
  const read = disk.read.bind(disk);
  let bytes = 0;
  disk.read = (block, into) => {
    bytes += into.length;
    return read(block, into);
  };
  assert.equal((await collected(store)).objects, 42);
  assert.ok(bytes < 1.5 * 40 * 20_000, `${bytes} bytes`);
  for (const file of files) await mustRead(store, file);
});

test('commits while it runs › all there afterwards, and what they name of the old', async () => {
  const { disk, store: first } = await freshStore({ bytes: 8 << 20 });
  const changes = chain(30, PAD);
  for (const { objects } of changes) await mustWrite(first, ...objects);
  await mustSet(first, 'refs/heads/main', changes[29]!.head);
  const orphan = noise(3_000, 1);
  const unnamed = noise(3_000, 2);
  await mustWrite(first, orphan, unnamed, blob('never named'));
  const store = await reopened(first, disk);
  const running = store.collect();
  const later: NamedObject[] = [];
  let parent = changes[29]!.head;
  let isOver = false;
  const over = running.done.finally(() => {
    isOver = true;
  });
  for (let i = 0; !isOver && i < 500; i++) {
    const { objects, head } = change(`later ${i}`, [parent], PAD);
    // Each names something old that no ref led to when it began.
    if (i === 3) {
      assert.deepEqual(await store.hasObject(orphan.id), { ok: true, value: true });
      const root = tree(['orphan', orphan]);
      const extra = commit(root, [parent], 'orphan\n');
      await mustWrite(store, root, extra);
      await mustSet(store, 'refs/heads/orphan', extra);
    }
    if (i === 5) await mustSet(store, 'refs/heads/unnamed', unnamed);
    await mustWrite(store, ...objects);
    await mustSet(store, 'refs/heads/main', head);
    later.push(...objects);
    parent = head;
  }
  const done = await over;
  assert.ok(done.ok, JSON.stringify(done));
  assert.ok(later.length > 40, 'commits went on meanwhile');
  for (const object of [...later, orphan, unnamed]) await mustRead(store, object);
  await gone(store, blob('never named'));
  store.checkInvariants();
  const again = await open(disk);
  for (const object of [...later, orphan, unnamed]) await mustRead(again, object);
  for (const { objects } of changes) for (const object of objects) await mustRead(again, object);
});

test('a history cut off › the last commits stay, shallow', async () => {
  const { disk, store: first } = await freshStore({ bytes: 4 << 20 });
  const changes = chain(20);
  for (const { objects } of changes) await mustWrite(first, ...objects);
  await mustSet(first, 'refs/heads/main', changes[19]!.head);
  await mustSet(first, 'refs/heads/old', changes[12]!.head);
  const store = await reopened(first, disk);
  const done = await collected(store, { depth: 3, roots: [changes[2]!.head.id] });
  assert.equal(done.shallow, 2);
  const kept = [0, 1, 2, 10, 11, 12, 17, 18, 19];
  const again = await reopened(store, disk);
  for (const [i, { head, objects }] of changes.entries()) {
    if (!kept.includes(i)) await gone(again, head);
    else for (const object of objects) await mustRead(again, object);
  }
  const edges = [10, 17].map((i) => changes[i]!.head.id as string);
  assert.deepEqual([...again.shallowCommits].sort(), edges.sort());
  assert.ok(again.isShallow(changes[17]!.head.id) && !again.isShallow(changes[18]!.head.id));
  // Who walks the history comes to its end there.
  const graph = new CommitGraph(new CachedReader(again, nodeCrypto, 1 << 20));
  const edge = await graph.read(changes[17]!.head.id);
  assert.ok(edge.ok && edge.value.parents.length === 0);
  // The cut stays a cut, and a whole history is none.
  assert.equal((await collected(again, { depth: 3 })).shallow, 2);
});

test('cut off by updateShallow › collected, and the cut stays; not any more › as it was', async () => {
  const { disk, store: first } = await freshStore({ bytes: 4 << 20 });
  const changes = chain(6);
  for (const { objects } of changes) await mustWrite(first, ...objects);
  await mustSet(first, 'refs/heads/main', changes[5]!.head);
  const store = await reopened(first, disk);
  const [early, late] = [changes[1]!.head.id, changes[3]!.head.id];
  const update = async (add: ObjectId[], remove: ObjectId[]) =>
    assert((await store.updateShallow({ add, remove })).ok);
  await update([late], []);
  await update([early], [late]);
  await collected(store);
  await collected(store);
  assert.deepEqual(store.shallowCommits, [early]);
  for (const [i, { head, objects }] of changes.entries()) {
    if (i === 0) await gone(store, head);
    else for (const object of objects) await mustRead(store, object);
  }
});

test('a new commit names what is old and nobody’s, while it runs › that stays', async () => {
  const { disk, store: first } = await freshStore({ bytes: 4 << 20 });
  const changes = chain(10, PAD);
  const old = blob('nobody names it yet');
  for (const { objects } of changes) await mustWrite(first, ...objects);
  await mustWrite(first, old);
  await mustSet(first, 'refs/heads/main', changes[9]!.head);
  const store = await reopened(first, disk);
  const running = store.collect();
  for (let i = 0; i < 100; i++) await Promise.resolve();
  const root = tree(['old', old]);
  const head = commit(root, [changes[9]!.head], 'late\n');
  await mustWrite(store, root, head);
  await mustSet(store, 'refs/heads/main', head);
  assert.ok((await running.done).ok);
  for (const object of [old, root, head]) await mustRead(store, object);
});

test('old and nobody’s, written again or asked for while it runs › that stays', async () => {
  const { disk, store: first } = await freshStore({ bytes: 4 << 20 });
  const changes = chain(10, PAD);
  const [again, asked, other] = [blob('again'), blob('asked'), blob('other')];
  for (const { objects } of changes) await mustWrite(first, ...objects);
  await mustWrite(first, again, asked, other);
  await mustSet(first, 'refs/heads/main', changes[9]!.head);
  const store = await reopened(first, disk);
  const running = store.collect();
  for (let i = 0; i < 100; i++) await Promise.resolve();
  // It is there: nothing is written, and a commit will name it later.
  await mustWrite(store, again);
  assert.deepEqual(await store.hasObject(asked.id), { ok: true, value: true });
  assert.ok((await running.done).ok);
  for (const object of [again, asked]) await mustRead(store, object);
  await gone(store, other);
  // What is gone is written again, whoever knew that it was there.
  await mustWrite(store, other);
  await mustRead(await reopened(store, disk), other);
});

test('cancelled › everything as before, and its segments free', async () => {
  const { store } = await freshStore({ bytes: 4 << 20 });
  const changes = chain(30, PAD);
  for (const { objects } of changes) await mustWrite(store, ...objects);
  await mustSet(store, 'refs/heads/main', changes[29]!.head);
  const running = store.collect();
  const second = await store.collect().done;
  assert.equal(!second.ok && second.error.kind, 'busy');
  for (let i = 0; i < 200; i++) await Promise.resolve();
  running.cancel();
  const done = await running.done;
  assert.deepEqual(done, { ok: false, error: { kind: 'cancelled' } });
  store.checkInvariants();
  for (const { objects } of changes) for (const object of objects) await mustRead(store, object);
  await collected(store);
  for (const { objects } of changes) for (const object of objects) await mustRead(store, object);
});

for (const how of ['cancelled', 'power lost'] as const) {
  test(`a history being cut off › ${how} at any flush › the next collection ends it, or keeps all`, async () => {
    const changes = chain(5);
    const objects = changes.flatMap((one) => one.objects);
    let undone = 0;
    for (let at = 1, isOver = false; !isOver; at++) {
      const { disk, store: first } = await freshStore();
      await mustWrite(first, ...objects);
      await mustSet(first, 'refs/heads/main', changes[4]!.head);
      let store = await reopened(first, disk);
      const flush = disk.flush.bind(disk);
      let flushes = 0;
      let image: Uint8Array | null = null;
      disk.flush = async () => {
        flushes += 1;
        if (flushes === at && how === 'cancelled') running.cancel();
        const flushed = await flush();
        if (flushes === at && how === 'power lost') image = disk.crash(at);
        return flushed;
      };
      const running = store.collect({ depth: 1 });
      const done = await running.done;
      disk.flush = flush;
      isOver = flushes < at;
      if (image !== null) store = await open(simDisk({ image }));
      const read = await store.readObject(changes[0]!.head.id);
      // It came to its end.
      if (!read.ok || read.value === null) continue;
      assert.ok(!done.ok);
      undone += 1;
      await collected(store);
      // Once it is noted it is cut off, whether or not its room was given back.
      const isCut = store.shallowCommits.length > 0;
      for (const { head, objects: own } of changes.slice(0, 4)) {
        if (isCut) await gone(store, head);
        else for (const object of own) await mustRead(store, object);
      }
      for (const object of changes[4]!.objects) await mustRead(store, object);
    }
    assert.ok(undone > 1, `${undone}`);
  });
}

test('written just now, and named by nothing › stays, unless nobody is on the way to a ref', async () => {
  const { store } = await freshStore();
  const head = noise(1_000, 1);
  const unnamed = noise(1_000, 2);
  await mustWrite(store, head, unnamed);
  await mustSet(store, 'refs/heads/main', head);
  await collected(store);
  await mustRead(store, unnamed);
  await collected(store, { sparesRecent: false });
  await gone(store, unnamed);
  await mustRead(store, head);
});

test('full › collected › writes go on', async () => {
  const { disk, store } = await freshStore({ bytes: 1 << 20 });
  let count = 0;
  for (; (await store.writeObjects([noise(10_000, count)])).ok; count++) {
    await mustSet(store, 'refs/heads/main', noise(10_000, count));
  }
  await store.close();
  // Nothing is recent to a store that was opened: only the branch's own stays.
  const again = await open(disk);
  const done = await collected(again);
  assert.equal(done.objects, 1);
  await mustRead(again, noise(10_000, count - 1));
  for (let i = 0; i < count - 8; i++) await mustWrite(again, noise(10_000, i));
  await mustSet(again, 'refs/heads/main', noise(10_000, 0));
});
