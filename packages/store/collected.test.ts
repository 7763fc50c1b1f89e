/** What a collection took while the repository still has it in its caches. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { BlockBackend } from './block/block-backend.ts';
import { format, partsOf, simDisk } from './block/test-store.ts';
import { kindOf, testRepository, value } from './test-world.ts';

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
