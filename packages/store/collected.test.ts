/** What a collection took while the repository still has it in its caches. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { ok, type Result } from '#core';
import { checkRepository, MemoryBackend, type ObjectId } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import { BlockBackend } from './block/block-backend.ts';
import { format, partsOf, simDisk } from './block/test-store.ts';
import type { Repository } from './repository.ts';
import type { StoreError } from './store-error.ts';
import { all, kindOf, testRepository, value } from './test-world.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

test('a commit and its tree collected, but cached › named again › dangling, nothing is damaged', async () => {
  const disk = simDisk({ bytes: 1 << 20 });
  await format(disk);
  const first = testRepository(value(await BlockBackend.open(partsOf(disk))));
  value(await first.branch('main').set(['x'], bytes('x')));
  value(await first.branch('old').set(['dir', 'deep', 'a'], bytes('one')));
  await first.close();
  const backend = value(await BlockBackend.open(partsOf(disk)));
  const repository = testRepository(backend);
  const [main, old] = [repository.branch('main'), repository.branch('old')];
  const head = value(await old.head())!;
  const tree = value(await old.getTree([]));
  value(await tree.get(['dir', 'deep', 'a']));
  value(await repository.commit(head));
  value(await repository.removeBranch('old'));
  value(await backend.collect().done);
  const start = value(await main.head());
  assert.equal(kindOf(await repository.setTag('v1', head)), 'dangling');
  assert.equal(kindOf(await repository.setTag('v2', head, { message: 'two' })), 'dangling');
  assert.equal(kindOf(await old.setHead(head)), 'dangling');
  assert.equal(kindOf(await old.fastForward(head)), 'dangling');
  assert.equal(kindOf(await repository.at(head).cloneTo('copy')), 'dangling');
  assert.equal(kindOf(await main.mergeWith(head)), 'dangling');
  assert.equal(kindOf(await main.setTree([], tree)), 'dangling');
  assert.equal(value(await main.head()), start);
  assert.deepEqual(value(await backend.check()).problems, []);
  // Written again, it is there again.
  value(await old.set(['dir', 'deep', 'a'], bytes('one')));
  value(await main.setTree([], value(await old.getTree([]))));
  assert.deepEqual(value(await backend.check()).problems, []);
  await repository.close();
});

/** What `main` is not made of, read, then collected: as after the branch that had it was removed. */
const WORLDS = {
  async memory() {
    const backend = new MemoryBackend();
    const collect = async (keep: Repository) => {
      const ids = new Set(await reachable(keep));
      backend.keepOnly(ids);
      backend.keepOnly(ids);
    };
    return { repository: testRepository(backend), reopened: async () => backend, collect };
  },
  async block() {
    const disk = simDisk({ bytes: 1 << 20 });
    await format(disk);
    const first = testRepository(value(await BlockBackend.open(partsOf(disk))));
    // Nothing is recent to a store that was just opened.
    const reopened = async () => {
      await first.close();
      return value(await BlockBackend.open(partsOf(disk)));
    };
    const collect = async ({ backend }: Repository) => {
      value(await (backend as BlockBackend).collect().done);
    };
    return { repository: first, reopened, collect };
  },
};

async function reachable(repository: Repository): Promise<ObjectId[]> {
  const head = value(await repository.branch('main').head())!;
  const { tree } = value(await repository.commit(head));
  const items = await all(repository.treeOf(tree).walk());
  return [head, tree, ...items.map(({ id }) => id)];
}

for (const [name, world] of Object.entries(WORLDS)) {
  const made = async () => {
    const { repository: first, reopened, collect } = await world();
    for (const branch of ['main', 'old']) {
      value(await first.branch(branch).set(['same', 'x'], bytes('x')));
    }
    value(await first.branch('old').set(['dir', 'deep', 'a'], bytes('one')));
    value(await first.branch('old').set(['dir', 'b'], bytes('two')));
    const repository = testRepository(await reopened());
    const [main, old] = [repository.branch('main'), repository.branch('old')];
    const tree = value(await old.getTree([]));
    const edited = value(await tree.set(['dir', 'new'], bytes('new')));
    const same = value(await value(await tree.getTree(['same'])).set(['y'], bytes('y')));
    const deep = value(await tree.getTree(['dir', 'deep']));
    const gone = [value(await deep.hash()), value(await old.head())!] as const;
    value(await old.getTree(['dir', 'deep']));
    const take = async () => {
      value(await repository.removeBranch('old'));
      await collect(repository);
    };
    return { repository, main, edited, same, deep, gone, take };
  };

  test(`${name} › a tree edited upon one that a collection took › committed › dangling, with the id`, async () => {
    const { repository, main, edited, same, deep, gone, take } = await made();
    const before = value(await main.head());
    await take();
    const expectGone = (done: Result<unknown, StoreError>) =>
      assert.ok(!done.ok && done.error.kind === 'dangling', JSON.stringify(done));
    expectGone(await main.setTree([], edited));
    expectGone(await main.setTree(['copy'], edited));
    expectGone(await main.withTree([], async () => ok(edited)));
    expectGone(await main.withTree([], (root) => root.setTree(['deep'], deep)));
    const taken = await main.setTree(['deep'], deep);
    assert.deepEqual(taken, { ok: false, error: { kind: 'dangling', id: gone[0] } });
    const parent = await main.set(['z'], bytes('z'), { parents: [gone[1]] });
    assert.deepEqual(parent, { ok: false, error: { kind: 'dangling', id: gone[1] } });
    assert.equal(value(await main.head()), before);
    // What the head has in the same place is there, whatever it was read from.
    value(await main.setTree(['same'], same));
    assert.equal(value(await main.list(['same'])).length, 2);
    const checked = await checkRepository(repository.backend, { crypto: nodeCrypto });
    assert.deepEqual(value(checked).problems, []);
    await repository.close();
  });

  test(`${name} › the same with no collection since › committed, whole`, async () => {
    const { repository, main, edited, deep, gone } = await made();
    value(await main.setTree(['copy'], edited));
    value(await main.withTree([], (root) => root.setTree(['deep'], deep)));
    value(await main.set(['z'], bytes('z'), { parents: [gone[1]] }));
    assert.deepEqual(value(await main.get(['copy', 'dir', 'deep', 'a'])), bytes('one'));
    const checked = await checkRepository(repository.backend, { crypto: nodeCrypto });
    assert.deepEqual(value(checked).problems, []);
    await repository.close();
  });
}

test('every commit of a change upon the head › asks for nothing that it took over', async () => {
  const repository = testRepository();
  const main = repository.branch('main');
  for (let i = 0; i < 30; i++) value(await main.set(['d', `f${i}`], bytes(`${i}`)));
  const { backend } = repository;
  let asked = 0;
  const has = backend.hasObject.bind(backend);
  backend.hasObject = (id) => {
    asked += 1;
    return has(id);
  };
  value(await main.set(['d', 'f3'], bytes('new')));
  value(await main.withTree(['d'], (tree) => tree.set(['e', 'deep'], bytes('deep'))));
  value(await main.remove(['d', 'f4']));
  assert.equal(asked, 0);
});
