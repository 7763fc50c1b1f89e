import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { err, hot, SeededRandom, wallTimeOfMillis } from '#core';
import {
  MemoryBackend,
  type NamedObject,
  nameObject,
  type ObjectId,
  parseObjectId,
  type RefConflict,
  TAG_CHAIN_MAX,
} from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import { StockGit } from '../../tests/helpers/git.ts';
import { fresh, open, schema } from './test-schema.ts';
import {
  all,
  entropyOf,
  exportLoose,
  kindOf,
  START_SECONDS,
  testRepository,
  value,
} from './test-world.ts';

const git = new StockGit();
after(() => git.remove());

test('nothing › read › nothing, and no error', async () => {
  const store = fresh();
  assert.equal(value(await store.head()), null);
  assert.equal(value(await store.find(['visits'])), undefined);
  assert.equal(kindOf(await store.get(['visits'])), 'absent');
  assert.equal(value(await store.mem(['pages', 'a'])), false);
  assert.equal(value(await store.memTree(['pages'])), false);
  assert.deepEqual(value(await store.list([])), []);
  assert.equal(value(await store.kind(['pages'])), undefined);
  assert.equal(value(await store.findTree(['contacts'])), undefined);
  assert.equal(kindOf(await store.getTree(['contacts'])), 'absent');
  assert.deepEqual(await all(store.history()), []);
  assert.deepEqual(value(await store.lastModified(['pages'])), []);
});

test('set › read › there, with its kind; listed page by page in Git’s order', async () => {
  const store = fresh();
  value(await store.set(['visits'], 3));
  value(await store.set(['pages', 'a', 'b'], 'deep'));
  value(await store.set(['pages', 'a.txt'], 'shallow'));
  assert.equal(value(await store.get(['visits'])), 3);
  assert.equal(value(await store.find(['pages', 'a', 'b'])), 'deep');
  assert.equal(value(await store.kind(['pages'])), 'tree');
  assert.equal(value(await store.kind(['pages', 'a', 'b'])), 'contents');
  assert.deepEqual(value(await store.list(['pages'])), [
    { step: 'a.txt', kind: 'contents' },
    { step: 'a', kind: 'tree' },
  ]);
  assert.deepEqual(value(await store.list(['pages'], { offset: 1, length: 1 })), [
    { step: 'a', kind: 'tree' },
  ]);
  assert.deepEqual(value(await store.list(['pages'], { offset: 2 })), []);
  assert.deepEqual(value(await store.list(['pages'], { length: 1 })), [
    { step: 'a.txt', kind: 'contents' },
  ]);
  const tree = value(await store.getTree(['pages', 'a']));
  assert.equal(value(await tree.get(['b'])), 'deep');
  assert.equal(value(await store.find(['pages', 'a'])), undefined, 'a tree is no contents');
  assert.equal(value(await store.findTree(['pages', 'a.txt'])), undefined, 'nor the reverse');
});

test('what is set again or not there to remove › no commit, unless asked for', async () => {
  const store = fresh();
  assert.equal(value(await store.remove(['visits'])), null, 'nothing from nothing');
  const first = value(await store.set(['visits'], 1));
  assert.equal(value(await store.set(['visits'], 1)), null);
  assert.equal(value(await store.remove(['pages', 'x', 'y'])), null);
  assert.equal(value(await store.head()), first);
  const second = value(await store.set(['visits'], 1, { allowEmpty: true, message: 'again' }));
  assert.notEqual(second, null);
  const commit = value(await store.headCommit())!;
  assert.deepEqual([commit.parents, commit.message], [[first], 'again\n']);
});

test('the last entry removed › its directories are gone too', async () => {
  const store = fresh();
  value(await store.set(['visits'], 1));
  value(await store.set(['pages', 'a', 'b', 'c'], 'x'));
  value(await store.remove(['pages', 'a', 'b', 'c']));
  assert.deepEqual(value(await store.list([])), [{ step: 'visits', kind: 'contents' }]);
  value(await store.remove(['visits']));
  assert.deepEqual(value(await store.list([])), []);
  assert.equal(value(await store.hash()), value(await open().empty().hash()));
});

test('author, date, zone and parents › passed in › on the commit', async () => {
  const store = fresh();
  const side = value(await store.repository.empty().set(['visits'], 9));
  const options = {
    message: 'why',
    author: { name: 'Bob <x>', email: 'bob@example.org' },
    date: wallTimeOfMillis(1_234_567_890_999),
    zoneMinutes: -90,
    parents: [side!],
  };
  value(await store.set(['visits'], 1, { date: wallTimeOfMillis(0) }));
  const first = value(await store.head())!;
  value(await store.set(['visits'], 2, options));
  const { author, committer, message, parents } = value(await store.headCommit())!;
  assert.deepEqual(author, {
    name: 'Bob x',
    email: 'bob@example.org',
    seconds: 1_234_567_890,
    zoneMinutes: -90,
  });
  assert.deepEqual(committer, author);
  assert.deepEqual([message, parents], ['why\n', [first, side]]);
  assert.equal(value(await store.repository.commit(first)).author.name, 'Ada');
});

test('test and set › of what is there › set; of something else › told what is there', async () => {
  const store = fresh();
  assert.notEqual(value(await store.testAndSet(['visits'], undefined, 1)), null);
  const was = await store.testAndSet(['visits'], undefined, 2);
  assert.deepEqual(was, { ok: false, error: { kind: 'test was', value: 1 } });
  value(await store.testAndSet(['visits'], 1, 2));
  assert.equal(kindOf(await store.testAndSet(['visits'], 1, undefined)), 'test was');
  value(await store.testAndSet(['visits'], 2, undefined));
  assert.equal(value(await store.find(['visits'])), undefined);
  assert.equal(value(await store.testAndSet(['visits'], undefined, undefined)), null);
});

test('merge of a value › by its type, on what it was made of; a conflict is told', async () => {
  const store = fresh();
  value(await store.set(['visits'], 10));
  value(await store.merge(['visits'], 7, 9));
  assert.equal(value(await store.get(['visits'])), 12);
  value(await store.set(['pages', 'a'], 'ours'));
  const merged = await store.merge(['pages', 'a'], 'base', 'theirs');
  assert.ok(!merged.ok && merged.error.kind === 'conflict');
  assert.deepEqual(merged.error.conflicts[0]?.path, ['pages', 'a']);
  assert.equal(value(await store.get(['pages', 'a'])), 'ours');
});

test('paths that come from outside › told as bad, nothing is set', async () => {
  const store = testRepository().branch('main');
  const bytes = Uint8Array.of(1);
  for (const step of [
    '',
    '.',
    '..',
    '.git',
    '.GIT',
    'git~1',
    'a/b',
    'a\0',
    '\ud800',
    '.g\u200cit',
  ]) {
    assert.equal(kindOf(await store.set(['a', step], bytes)), 'bad path', JSON.stringify(step));
  }
  assert.equal(kindOf(await store.set([], bytes as never)), 'bad path');
  assert.equal(value(await store.head()), null);
  const typed = fresh() as unknown as typeof store;
  assert.equal(kindOf(await typed.find(['nothing', 'here'])), 'bad path');
  assert.equal(kindOf(await typed.set(['visits', 'below'], bytes)), 'bad path');
});

test('contents that aren’t of the type › read › undecodable, with the path', async () => {
  const raw = testRepository();
  value(await raw.branch('main').set(['visits'], new TextEncoder().encode('many')));
  const found = await raw.with(schema).branch('main').get(['visits']);
  assert.ok(!found.ok && found.error.kind === 'undecodable');
  assert.deepEqual(found.error.path, ['visits']);
});

test('an object that is named but gone › read › dangling, with its id', async () => {
  const store = fresh();
  value(await store.set(['visits'], 1));
  const nowhere = parseObjectId('1'.repeat(40))!;
  const found = await store.repository.at(nowhere).find(['visits']);
  assert.deepEqual(found, { ok: false, error: { kind: 'dangling', id: nowhere } });
  assert.equal(kindOf(await store.setHead(nowhere)), 'dangling');
  assert.equal(kindOf(await store.fastForward(nowhere)), 'dangling');
});

test('a view on a commit › set › its own head moves, no branch does', async () => {
  const store = fresh();
  const first = value(await store.set(['visits'], 1))!;
  const view = store.repository.at(first);
  value(await view.set(['visits'], 2));
  assert.equal(value(await view.get(['visits'])), 2);
  assert.equal(value(await store.get(['visits'])), 1);
  assert.equal(view.branch, null);
  const head = value(await view.head())!;
  assert.equal(value(await store.fastForward(head)), true);
  assert.equal(value(await store.get(['visits'])), 2);
});

test('fast-forward › ahead: moved; same or behind: no change; aside: refused', async () => {
  const store = fresh();
  const first = value(await store.set(['visits'], 1))!;
  const second = value(await store.set(['visits'], 2))!;
  assert.equal(value(await store.fastForward(second)), false);
  assert.equal(value(await store.fastForward(first)), false);
  const aside = value(await store.repository.at(first).set(['visits'], 5))!;
  const refused = await store.fastForward(aside);
  assert.deepEqual(refused, {
    ok: false,
    error: { kind: 'not a fast-forward', from: second, to: aside },
  });
  const empty = store.repository.branch('other');
  assert.equal(value(await empty.fastForward(first)), true);
  assert.equal(value(await empty.fastForward(second)), true);
});

test('clone › a branch at the same commit; of nothing › the branch is gone', async () => {
  const store = fresh();
  value(await store.set(['visits'], 1));
  const copy = value(await store.cloneTo('copy'));
  assert.equal(value(await copy.get(['visits'])), 1);
  assert.deepEqual(value(await store.repository.branches()), ['copy', 'main']);
  value(await store.repository.empty().cloneTo('copy'));
  assert.deepEqual(value(await store.repository.branches()), ['main']);
  assert.equal(kindOf(await store.cloneTo('a..b')), 'bad name');
  assert.equal(kindOf(await store.cloneTo('main/x')), 'refused');
});

test('revert to an ancestor › the head is there; to anything else › refused', async () => {
  const store = fresh();
  const first = value(await store.set(['visits'], 1))!;
  value(await store.set(['visits'], 2));
  const aside = value(await store.repository.empty().set(['visits'], 3))!;
  assert.equal(kindOf(await store.revertTo(aside)), 'not a fast-forward');
  value(await store.revertTo(first));
  assert.equal(value(await store.get(['visits'])), 1);
  assert.equal(kindOf(await store.repository.branch('none').revertTo(first)), 'no head');
});

test('revert of a commit › a commit that undoes it and keeps the rest', async () => {
  const store = fresh();
  value(await store.set(['pages', 'a'], '1'));
  const change = value(await store.set(['pages', 'a'], '2', { message: 'two\n\nmore' }))!;
  value(await store.set(['pages', 'b'], '3'));
  value(await store.revert(change));
  assert.equal(value(await store.get(['pages', 'a'])), '1');
  assert.equal(value(await store.get(['pages', 'b'])), '3');
  const { message } = value(await store.headCommit())!;
  assert.equal(message, `Revert "two"\n\nThis reverts commit ${change}.\n`);
  value(await store.set(['pages', 'a'], '4'));
  assert.equal(kindOf(await store.revert(change)), 'conflict');
});

test('revert of the first commit › what it added is gone, what came since stays', async () => {
  const store = fresh();
  const first = value(await store.set(['pages', 'a'], '1'))!;
  value(await store.set(['pages', 'b'], '2'));
  value(await store.revert(first));
  assert.equal(value(await store.find(['pages', 'a'])), undefined);
  assert.equal(value(await store.get(['pages', 'b'])), '2');
});

test('a head that moves meanwhile › fast-forward, revert to › looked at again', async (t) => {
  const store = fresh();
  const first = value(await store.set(['visits'], 1))!;
  const aside = value(await store.cloneTo('aside'));
  const next = value(await aside.set(['visits'], 2))!;
  const { backend } = store.repository;
  const update = backend.updateRefs.bind(backend);
  const quicker = t.mock.method(backend, 'updateRefs', update);
  const other: RefConflict = { kind: 'moved', name: 'refs/heads/main', actual: next };
  quicker.mock.mockImplementationOnce(async () => err(other));
  assert.equal(value(await store.fastForward(next)), true);
  assert.equal(value(await store.head()), next);
  quicker.mock.mockImplementationOnce(async () => err(other), quicker.mock.callCount());
  value(await store.revertTo(first));
  assert.equal(value(await store.head()), first);
});

test('last modified › a merge that took one side’s contents › did not change them', async () => {
  const store = fresh();
  value(await store.set(['visits'], 1));
  const side = value(await store.cloneTo('side'));
  const change = value(await side.set(['pages', 'p'], '1'))!;
  value(await store.set(['settings'], {}));
  value(await store.mergeWith(side));
  const pages = value(await store.lastModified(['pages', 'p'], { count: 9 }));
  assert.deepEqual(
    pages.map(({ id }) => id),
    [change],
  );
});

test('merge of heads › fast-forward, merge commit, nothing, conflict', async () => {
  const store = fresh();
  value(await store.set(['visits'], 1));
  const side = value(await store.cloneTo('side'));
  value(await side.set(['visits'], 3));
  const ahead = value(await side.head());
  assert.equal(value(await store.mergeWith(side)), ahead, 'moved');
  assert.equal(value(await store.mergeWith(side)), null, 'nothing to merge');
  value(await side.set(['visits'], 10));
  value(await side.set(['pages', 'a'], 'side'));
  value(await store.set(['visits'], 4));
  const ours = value(await store.head());
  value(await store.mergeWith(side));
  assert.equal(value(await store.get(['visits'])), 11);
  assert.equal(value(await store.get(['pages', 'a'])), 'side');
  const { parents, message } = value(await store.headCommit())!;
  assert.deepEqual([parents, message], [[ours, value(await side.head())], 'merge side\n']);
  value(await side.set(['pages', 'a'], 'theirs'));
  value(await store.set(['pages', 'a'], 'ours'));
  const before = value(await store.head());
  const failed = await store.mergeWith(side);
  assert.ok(!failed.ok && failed.error.kind === 'conflict');
  assert.deepEqual(
    failed.error.conflicts.map(({ path }) => path),
    [['pages', 'a']],
  );
  assert.equal(value(await store.head()), before);
  const forced = value(await store.cloneTo('ahead'));
  value(await forced.set(['visits'], 0));
  value(await store.mergeWith(forced, { noFastForward: true, message: 'on top' }));
  assert.equal(value(await store.headCommit())!.message, 'on top\n');
});

test('history, last modified › by date; the commits that changed the path', async () => {
  const store = fresh();
  const made: ObjectId[] = [];
  for (let i = 0; i < 6; i += 2) {
    made.push(value(await store.set(['visits'], i))!);
    made.push(value(await store.set(['pages', 'p'], `${i}`))!);
  }
  const ids = (await all(store.history())).map(({ id }) => id);
  assert.deepEqual(ids, [...made].reverse());
  const some = (await all(store.history({ countMax: 2 }))).map(({ id }) => id);
  assert.deepEqual(some, [made[5], made[4]]);
  const pages = value(await store.lastModified(['pages'], { count: 9 }));
  assert.deepEqual(
    pages.map(({ id }) => id),
    [made[5], made[3], made[1]],
  );
  const one = value(await store.lastModified(['pages', 'p']));
  assert.deepEqual(
    one.map(({ id, author }) => [id, author.seconds]),
    [[made[5], START_SECONDS + 5]],
  );
  assert.deepEqual(value(await store.lastModified(['pages'], { depthMax: 0, count: 9 })).length, 1);
  assert.deepEqual(value(await store.lastModified(['nobody'], { count: 9 })), []);
});

test('tags › named, annotated, listed, removed; one that is there › refused', async () => {
  const { repository } = fresh();
  const commit = value(await repository.branch('main').set(['visits'], 1))!;
  value(await repository.setTag('v1', commit));
  value(await repository.setTag('v2', commit, { message: 'the second' }));
  assert.deepEqual(value(await repository.tags()), ['v1', 'v2']);
  assert.deepEqual(value(await repository.tag('v1')), {
    name: 'v1',
    target: commit,
    annotation: null,
  });
  const second = value(await repository.tag('v2'));
  assert.deepEqual([second?.target, second?.annotation?.message], [commit, 'the second\n']);
  assert.equal(kindOf(await repository.setTag('v1', commit)), 'refused');
  value(await repository.setTag('v1', commit, { moves: true }));
  value(await repository.removeTag('v1'));
  assert.equal(value(await repository.tag('v1')), null);
  assert.equal(kindOf(await repository.setTag('a b', commit)), 'bad name');
  assert.equal(kindOf(await repository.setTag('v3', parseObjectId('1'.repeat(40))!)), 'dangling');
});

for (const hash of ['SHA-1', 'SHA-256'] as const) {
  test(`a random workload, ${hash} › read by git › fsck is happy; log and trees are ours`, () =>
    workload(hash));
}

async function workload(hash: 'SHA-1' | 'SHA-256'): Promise<void> {
  const backend = new MemoryBackend({ hash });
  const repository = testRepository(backend);
  const store = repository.branch('main');
  const encode = (text: string) => new TextEncoder().encode(text);
  let state = 7;
  const below = (count: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % count;
  };
  for (let i = 0; i < 120; i++) {
    const path = Array.from({ length: 1 + below(3) }, () => ['a', 'b', 'ä', 'c.d'][below(4)]!);
    if (below(4) === 0) value(await store.remove(path));
    else value(await store.set(path, encode(`content ${below(9)}\n`)));
  }
  value(await store.remove([], { message: 'all of it' }));
  value(await store.set(['last'], encode('x')));
  const folder = git.path(hash);
  const format = hash === 'SHA-1' ? 'sha1' : 'sha256';
  await git.run(['init', '-q', '--bare', `--object-format=${format}`, folder]);
  await exportLoose(backend, folder);
  const at = (args: string[]) => git.run(args, { cwd: folder });
  assert.equal(await at(['fsck', '--full', '--strict']), '');
  const ours = (await all(store.history())).map(({ id, message }) => `${id} ${message.trim()}`);
  const theirs = Buffer.from(await at(['log', '--format=%H %s', 'main']), 'latin1').toString();
  assert.deepEqual(theirs.split('\n'), ours);
  for (const commit of (await all(store.history())).slice(0, 3)) {
    const tree = repository.treeOf(commit.tree);
    const items = await all(tree.walk());
    const lines = items.map(({ mode, kind, id, path }) => {
      const word = kind === 'contents' ? 'blob' : 'tree';
      return `${mode.toString(8).padStart(6, '0')} ${word} ${id}\t${path.join('/')}`;
    });
    const listed = await at(['-c', 'core.quotePath=false', 'ls-tree', '-r', '-t', commit.id]);
    const text = Buffer.from(listed, 'latin1').toString();
    assert.deepEqual(text === '' ? [] : text.split('\n'), lines);
  }
}

test('marked commits › git reads, clones, rebases, exports them › as any others', async () => {
  const backend = new MemoryBackend();
  const repository = testRepository(backend, entropyOf(new SeededRandom(1)));
  value(await repository.branch('main').set(['plain'], new Uint8Array(1)));
  const store = repository.with(schema).branch('main');
  for (const [i, page] of ['a', 'b', 'a'].entries())
    value(await store.set(['pages', page], `${i}`));
  const heads = (await all(store.history())).map((commit) => commit.extraHeaders);
  assert.match(heads[0]!, /^morgana-writer [0-9a-f]{16} 3\n$/);
  assert.deepEqual(heads[1], heads[0]!.replace(/3\n$/, '2\n'));
  assert.equal(heads[3], '', 'without counters in the schema: a commit as Git makes it');
  const [bare, copy, other] = [git.path('bare'), git.path('copy'), git.path('other')];
  await git.run(['init', '-q', '--bare', bare]);
  await git.run(['init', '-q', '--bare', other]);
  await exportLoose(backend, bare);
  assert.equal(await git.run(['fsck', '--full', '--strict'], { cwd: bare }), '');
  await git.run(['clone', '-q', bare, copy]);
  const tree = await git.run(['rev-parse', 'HEAD^{tree}'], { cwd: bare });
  await git.run(['rebase', '-q', '--root', '--force-rebase'], { cwd: copy });
  const stream = await git.run(['fast-export', '--all'], { cwd: bare });
  await git.run('fast-import --quiet'.split(' '), { cwd: other, input: stream });
  for (const cwd of [copy, other]) {
    assert.equal(await git.run(['rev-parse', 'main^{tree}'], { cwd }), tree);
    assert.equal(await git.run(['rev-list', '--count', 'main'], { cwd }), '4');
    assert.doesNotMatch(await git.run(['cat-file', 'commit', 'main'], { cwd }), /morgana-writer/);
  }
});

test('tags of tags › followed to the bound, one more is refused', async () => {
  const { repository } = fresh();
  const { backend } = repository;
  const head = value(await repository.branch('main').set(['visits'], 1))!;
  let named: Pick<NamedObject, 'id' | 'kind'> = { id: head, kind: 'commit' };
  for (let tags = 1; tags <= TAG_CHAIN_MAX + 1; tags++) {
    const tagger = 'tagger A <a@example.org> 1800000000 +0000';
    const text = `object ${named.id}\ntype ${named.kind}\ntag t${tags}\n${tagger}\n\nof a tag\n`;
    const tag = nameObject(nodeCrypto, 'SHA-1', 'tag', hot.utf8Encode(text));
    value(await backend.writeObjects([tag]));
    named = tag;
    const ref = { name: `refs/tags/t${tags}`, from: null, to: named.id };
    value(await backend.updateRefs([ref], 'a tag'));
  }
  assert.equal(value(await repository.tag(`t${TAG_CHAIN_MAX}`))?.target, head);
  assert.equal(kindOf(await repository.tag(`t${TAG_CHAIN_MAX + 1}`)), 'wrong kind');
});
