/** The power is lost at every step of what the backend does: what comes back is what was told. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { SimCrash, type SimFileSystem, SimRandom } from '#targets/sim/index';
import type { RefUpdate } from '../backend.ts';
import { hashObject } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import { must } from '../test-must.ts';
import { parseCommit } from '../wire/commit.ts';
import { parseTree } from '../wire/tree.ts';
import type { DiskBackend } from './disk-backend.ts';
import { commitObjects, openTest, simRepository, TestHome } from './test-repository.ts';

const home = new TestHome();
after(() => home.close());

const MAIN = 'refs/heads/main';

/** What was told to be done, and what was under way when the power was lost. */
class Told {
  readonly refs = new Map<string, ObjectId>();
  underWay: readonly RefUpdate[] = [];

  async update(backend: DiskBackend, updates: readonly RefUpdate[]): Promise<void> {
    this.underWay = updates;
    must(await backend.updateRefs(updates, 'test'));
    this.underWay = [];
    apply(this.refs, updates);
  }
}

function apply(refs: Map<string, ObjectId>, updates: readonly RefUpdate[]): void {
  for (const { name, to } of updates) {
    if (to === null) refs.delete(name);
    else refs.set(name, to);
  }
}

/** Commits on main; other refs made, moved and removed, alone and several at once. */
async function workload(files: SimFileSystem, told: Told): Promise<void> {
  const backend = openTest(files, 5);
  let last: ObjectId | null = null;
  const commit = async (text: string): Promise<ObjectId> => {
    const objects = commitObjects(text, last === null ? [] : [last]);
    must(await backend.writeObjects(objects));
    const id: ObjectId = objects.at(-1)!.id;
    await told.update(backend, [{ name: MAIN, from: last, to: id }]);
    last = id;
    return id;
  };
  const a = await commit('one');
  const b = await commit('two');
  await told.update(backend, [{ name: 'refs/heads/deep/er/branch', from: null, to: a }]);
  await told.update(backend, [
    { name: 'refs/heads/deep/er/branch', from: a, to: b },
    { name: 'refs/tags/v1', from: null, to: a },
    { name: MAIN, from: b, to: a },
  ]);
  await told.update(backend, [{ name: MAIN, from: a, to: b }]);
  await told.update(backend, [{ name: 'refs/heads/deep/er/branch', from: b, to: null }]);
  await told.update(backend, [
    { name: 'refs/heads/deep', from: null, to: b },
    { name: 'refs/tags/v1', from: a, to: null },
  ]);
  await commit('three');
  must(await backend.setHead('refs/heads/deep'));
  await backend.close();
}

/** Every object that can be reached from `id` is there and is what its name says. */
async function expectWhole(backend: DiskBackend, id: ObjectId): Promise<void> {
  const found = must(await backend.readObject(id));
  assert.ok(found !== null, `${id} is there`);
  assert.equal(hashObject(nodeCrypto, 'SHA-1', found.kind, found.bytes), id);
  if (found.kind === 'tree') {
    for (const entry of must(parseTree(found.bytes, 20))) await expectWhole(backend, entry.id);
  } else if (found.kind === 'commit') {
    const { tree, parents } = must(parseCommit(found.bytes, 20));
    for (const next of [tree, ...parents]) await expectWhole(backend, next);
  }
}

const shown = (refs: ReadonlyMap<string, ObjectId>): string =>
  [...refs]
    .map(([name, id]) => `${id} ${name}`)
    .sort()
    .join('\n');

/** One run with the power lost at `crashAt`; the disk as it came back, null: it went through. */
async function crashAt(step: number): Promise<SimFileSystem | null> {
  const files = simRepository(7);
  files.crashAt = files.steps + step;
  const told = new Told();
  try {
    await workload(files, told);
    return null;
  } catch (error) {
    if (!(error instanceof SimCrash)) throw error;
  }
  const back = files.crashed(new SimRandom(step));
  const backend = openTest(back, 9);
  const refs = must(await backend.listRefs(''));
  const now = shown(new Map(refs.map(({ name, id }) => [name, id])));
  const after = new Map(told.refs);
  apply(after, told.underWay);
  assert.ok([shown(told.refs), shown(after)].includes(now), `step ${step}: all or nothing\n${now}`);
  for (const { id } of refs) await expectWhole(backend, id);
  await backend.close();
  return back;
}

test('power lost at every step › reopened › what was told is there, what was not is all or nothing', async () => {
  let steps = 0;
  const left: SimFileSystem[] = [];
  for (;;) {
    const back = await crashAt(steps);
    if (back === null) break;
    left.push(back);
    steps++;
  }
  assert.ok(steps > 150, `${steps} steps`);
  for (let at = 0; at < left.length; at += Math.ceil(left.length / 12)) {
    const path = home.copyOf(left[at]!);
    assert.equal(home.git(path, 'fsck', '--full', '--strict', '--no-dangling'), '');
  }
});

test('nothing synced › the same workload › some crash loses what was told', async () => {
  let lost = 0;
  for (let seed = 0; seed < 30; seed++) {
    const files = simRepository(7);
    const backend = openTest(files, 5, { isSynced: false });
    const objects = commitObjects('one', []);
    must(await backend.writeObjects(objects));
    const id = objects.at(-1)!.id;
    must(await backend.updateRefs([{ name: MAIN, from: null, to: id }], 'test'));
    const again = openTest(files.crashed(new SimRandom(seed)));
    const ref = await again.readRef(MAIN);
    const object = ref.ok && ref.value !== null ? await again.readObject(id) : null;
    if (object === null || !object.ok || object.value === null) lost++;
  }
  assert.ok(lost > 10, `the test can tell: ${lost} of 30`);
});

test('a lock that a crash left › updated › busy, naming the file; removed › goes on', async () => {
  const files = simRepository(7);
  const backend = openTest(files);
  const objects = commitObjects('one', []);
  must(await backend.writeObjects(objects));
  const id = objects.at(-1)!.id;
  const lock = must(files.open(`${MAIN}.lock`, 'new'));
  lock.close();
  const update = [{ name: MAIN, from: null, to: id }];
  const refused = await backend.updateRefs(update, 'test');
  assert.ok(!refused.ok && refused.error.kind === 'busy');
  assert.match(refused.error.what, /^refs\/heads\/main\.lock exists/);
  assert.equal(must(await backend.readRef(MAIN)), null);
  must(files.remove(`${MAIN}.lock`));
  must(await backend.updateRefs(update, 'test'));
  const packed = must(files.open('packed-refs.lock', 'new'));
  packed.close();
  const both = [
    { name: MAIN, from: id, to: null },
    { name: 'refs/heads/b', from: null, to: id },
  ];
  const second = await backend.updateRefs(both, 'test');
  assert.ok(!second.ok && second.error.kind === 'busy');
  assert.match(second.error.what, /^packed-refs\.lock exists/);
  await backend.close();
});

test('the disk full, failing at every step › an error each time, nothing half done', async () => {
  for (let step = 0; step < 40; step++) {
    const files = simRepository(7);
    const backend = openTest(files, 5);
    const objects = commitObjects('one', []);
    must(await backend.writeObjects(objects));
    files.failAt = files.steps + step;
    const id = objects.at(-1)!.id;
    const updated = await backend.updateRefs([{ name: MAIN, from: null, to: id }], 'test');
    files.failAt = Number.POSITIVE_INFINITY;
    if (updated.ok) break;
    assert.equal(updated.error.kind, 'device');
    const again = await backend.updateRefs([{ name: MAIN, from: 'any', to: id }], 'test');
    assert.ok(again.ok, `step ${step}: ${JSON.stringify(again)}`);
    await expectWhole(backend, id);
    assert.equal(files.openCount, 0);
  }
});
