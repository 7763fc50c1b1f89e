import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hot } from '#core';
import type { ObjectId } from '#git';
import { zlib } from '#targets/node/zlib';
import { exportSlice, importObjects, type SliceOptions } from './slice.ts';
import { all, kindOf, testRepository, value } from './test-world.ts';

/** Six commits on main, two more on a side that was merged. */
async function world() {
  const repository = testRepository();
  const main = repository.branch('main');
  const commits: ObjectId[] = [];
  for (let i = 0; i < 5; i++) {
    value(await main.set(['d', `f${i}`], hot.utf8Encode(`${i}`)));
    commits.push(value(await main.head())!);
    if (i === 1) value(await main.cloneTo('side'));
  }
  value(await repository.branch('side').set(['s'], hot.utf8Encode('side')));
  value(await main.mergeWith(repository.branch('side')));
  commits.push(value(await main.head())!);
  return { repository, main, commits };
}

async function moved(
  from: Awaited<ReturnType<typeof world>>,
  options: SliceOptions,
  to = testRepository(),
) {
  const slice = value(await exportSlice(from.repository, zlib, options));
  const imported = await importObjects(to, zlib, slice);
  return { slice, to, imported };
}

test('all of a repository › exported and imported › every object, and no branch', async () => {
  const from = await world();
  const { slice, to, imported } = await moved(from, {});
  const ids = (await all(from.repository.backend.objectIds!())).sort();
  assert.equal(value(imported).objects, ids.length);
  assert.equal(slice.objects, ids.length);
  assert.deepEqual((await all(to.backend.objectIds!())).sort(), ids);
  assert.deepEqual(value(await to.branches()), []);
  const store = to.at(from.commits.at(-1)!);
  assert.equal(String(value(await store.get(['s']))), String(hot.utf8Encode('side')));
});

test('max and min › exported › what the receiver lacks, refused by one that lacks more', async () => {
  const from = await world();
  const [, second, , fourth] = from.commits;
  const first = await moved(from, { max: [second!] });
  const rest = await moved(from, { max: [fourth!], min: [second!] }, first.to);
  assert.equal(value(rest.imported).objects, 2 * 4, 'two commits with two trees and a file each');
  assert.equal((await all(rest.to.at(fourth!).history())).length, 4);
  const alone = await moved(from, { max: [fourth!], min: [second!] });
  assert.notEqual(kindOf(alone.imported), 'ok');
  assert.equal(value((await moved(from, { max: [second!], min: [second!] })).imported).objects, 0);
});

test('depth › exported › a history that ends there', async () => {
  const from = await world();
  const last = from.commits.at(-1)!;
  for (const [depth, commits, ends] of [
    [0, 1, 1],
    [1, 3, 2],
    [2, 5, 2],
    [9, 7, 0],
  ] as const) {
    const { slice, to, imported } = await moved(from, { max: [last], depth });
    value(imported);
    assert.equal(slice.ends.size, ends, `depth ${depth}`);
    const kinds = await Promise.all(
      (await all(to.backend.objectIds!())).map(
        async (id) => value(await to.backend.readObject(id))!.kind,
      ),
    );
    assert.equal(kinds.filter((kind) => kind === 'commit').length, commits, `depth ${depth}`);
    assert.equal(value(await to.at(last).list(['d'])).length, 5);
  }
});

test('a history that ends here too › exported › ends there', async () => {
  const from = await world();
  const [, , third, fourth] = from.commits;
  value(await from.repository.backend.updateShallow!({ add: [third!], remove: [] }));
  const { slice, to, imported } = await moved(from, { max: [fourth!] });
  assert.deepEqual([...slice.ends], [third]);
  value(imported);
  assert.equal(value(await to.backend.hasObject(from.commits[1]!)), false);
});

test('not full › exported › commits alone', async () => {
  const from = await world();
  const { to, imported } = await moved(from, { full: false });
  assert.equal(value(imported).objects, 7);
  assert.equal(kindOf(await to.at(from.commits[0]!).find(['s'])), 'dangling');
});

test('a head that is missing, a pack that is cut › a fault', async () => {
  const from = await world();
  const nobody = 'f'.repeat(40) as ObjectId;
  assert.equal(kindOf(await exportSlice(from.repository, zlib, { max: [nobody] })), 'backend');
  const deep = { max: [nobody], depth: 1 };
  assert.equal(kindOf(await exportSlice(from.repository, zlib, deep)), 'dangling');
  const slice = value(await exportSlice(from.repository, zlib));
  const pieces: Uint8Array[] = [];
  for await (const piece of slice.pack) pieces.push(piece);
  const whole = Buffer.concat(pieces);
  async function* cut() {
    yield new Uint8Array(whole.subarray(0, whole.length - 25));
  }
  const refused = await importObjects(testRepository(), zlib, { ...slice, pack: cut() });
  assert.notEqual(kindOf(refused), 'ok');
});
