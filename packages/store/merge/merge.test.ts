import assert from 'node:assert/strict';
import { test } from 'node:test';
import { err, hot, ok, SeededRandom } from '#core';
import { MODE_DIRECTORY, type ObjectId } from '#git';
import { TreeTable } from '#git/wire';
import { nodeCrypto } from '#targets/node/crypto';
import { StockGit } from '../../../tests/helpers/git.ts';
import { counter, option } from '../content/combinators.ts';
import type { AnyContentType } from '../content/content-type.ts';
import { formatConflict } from '../content/merge.ts';
import { bytes, integer, json } from '../content/stock.ts';
import { CommitGraph } from '../history/commit-graph.ts';
import { newDraft } from '../history/test-histories.ts';
import { CONFLICTS_MAX, TREE_DEPTH_MAX } from '../limits.ts';
import { type MergeFault, mergeCommits, mergeTrees } from './commit-merge.ts';
import type { ObjectDraft } from './object-draft.ts';
import { ObjectDraft as Draft } from './object-draft.ts';
import type { ObjectReader } from './object-reader.ts';
import {
  commitOf,
  executable,
  type Files,
  fileOf,
  filesOf,
  link,
  movedFiles,
  randomFiles,
  treeOf,
} from './test-trees.ts';

const count: AnyContentType = { ...integer, name: 'count', merge: option(counter), addsUp: true };
/** Bytes everywhere, but integers that add up in files named "n", JSON in those named "j". */
const typeAt = (path: readonly string[]): AnyContentType =>
  path.at(-1) === 'n' ? count : path.at(-1) === 'j' ? json : bytes;

const options = { contentTypeAt: typeAt };

const shown = (fault: MergeFault): unknown =>
  fault.kind === 'conflict'
    ? fault.conflicts.map(({ path, reason }) => `${path.join('/')}: ${reason.kind}`)
    : fault.kind;

/** The files of the merge, or its conflicts. */
async function run(base: Files | null, ours: Files, theirs: Files, renames = false) {
  const objects = newDraft();
  const trees = [base ?? {}, ours, theirs].map((files) => treeOf(objects, files));
  const [old, left, right] = trees as [ObjectId, ObjectId, ObjectId];
  const how = { ...options, renames };
  const merged = await mergeTrees(objects, base === null ? null : old, left, right, how);
  return merged.ok ? await filesOf(objects, merged.value.tree) : shown(merged.error);
}

test('one side changed › its files are taken, removals too', async () => {
  const base = { a: '1', 'd/x': '1', 'd/y': '1', 'e/z': '1' };
  const ours = { a: '2', 'd/x': '1', 'd/y': '1', 'e/z': '1', 'new/o': '1' };
  const theirs = { a: '1', 'd/y': '2', 'new/t': '1' };
  assert.deepEqual(await run(base, ours, theirs), {
    a: '2',
    'd/y': '2',
    'new/o': '1',
    'new/t': '1',
  });
  assert.deepEqual(await run(base, base, theirs), theirs);
  assert.deepEqual(await run(base, ours, base), ours);
  assert.deepEqual(await run(base, ours, ours), ours);
  assert.deepEqual(await run(base, {}, base), {});
  assert.deepEqual(await run({ 'd/x': '1' }, { a: '1', 'd/x': '1' }, {}), { a: '1' });
});

test('both changed › conflicts name the path; all of them are listed', async () => {
  const base = { a: '1', 'd/x': '1', 'd/y': '1', n: '5\n' };
  const ours = { a: '2', 'd/x': '2', n: '6\n', p: '1' };
  const theirs = { a: '3', 'd/y': '2', n: '15\n', p: '2' };
  assert.deepEqual(await run(base, ours, theirs), [
    'a: both changed',
    'd/x: removed and changed',
    'd/y: removed and changed',
    'p: both added',
  ]);
  const { a: _, p: __, ...left } = ours;
  assert.deepEqual(await run({ n: '5\n' }, { n: left.n }, { n: theirs.n }), { n: '16\n' });
});

test('a conflict › as a value › has path, base and both sides', async () => {
  const objects = newDraft();
  const tree = (files: Files) => treeOf(objects, files);
  const merged = await mergeTrees(
    objects,
    tree({ 'd/a': '1' }),
    tree({ 'd/a': '2' }),
    tree({}),
    options,
  );
  assert.ok(!merged.ok && merged.error.kind === 'conflict');
  const [conflict] = merged.error.conflicts;
  const blob = (text: string) => objects.addBlob(hot.utf8Encode(text));
  assert.deepEqual(conflict?.path, ['d', 'a']);
  assert.deepEqual(conflict.base, { mode: 0o100644, id: blob('1') });
  assert.deepEqual(conflict.ours, { mode: 0o100644, id: blob('2') });
  assert.equal(conflict.theirs, null);
  assert.equal(formatConflict(conflict.reason), 'theirs removed what the other side changed');
});

test('contents and trees at one step › as Git decides', async () => {
  const kinds = { base: { f: '1' }, ours: { f: '2' }, theirs: { 'f/x': '1' } };
  assert.deepEqual(await run(kinds.base, kinds.ours, kinds.theirs), ['f: contents and tree']);
  assert.deepEqual(await run(kinds.base, kinds.theirs, kinds.ours), ['f: contents and tree']);
  assert.deepEqual(await run(null, kinds.ours, kinds.theirs), ['f: contents and tree']);
  assert.deepEqual(await run(kinds.base, kinds.base, kinds.theirs), kinds.theirs);
  assert.deepEqual(await run(kinds.base, {}, kinds.theirs), kinds.theirs);
  assert.deepEqual(await run({ 'f/x': '1' }, { f: '1' }, {}), { f: '1' });
  assert.deepEqual(await run({ 'f/x': '1' }, { f: '1' }, { 'f/x': '2' }), [
    'f/x: removed and changed',
  ]);
});

test('exact renames › followed where there is room; equal ones by their names, empty ones not', async () => {
  const moved = (base: Files, ours: Files, theirs: Files) => run(base, ours, theirs, true);
  const both = { 'd/x': '2', 'd/y': '1' };
  for (const swap of [false, true]) {
    const sides = [
      { 'a/x': '2', 'b/y': '1' },
      { 'd/x': '1', 'd/y': '1' },
    ] as const;
    const [ours, theirs] = swap ? [sides[1], sides[0]] : sides;
    assert.deepEqual(await moved({ 'a/x': '1', 'b/y': '1' }, ours, theirs), both);
  }
  const crossed = { 'a/y': '1', 'b/x': '1' };
  assert.deepEqual(await moved(crossed, { ...crossed, 'a/y': '2' }, { 'd/x': '1', 'd/y': '1' }), {
    'd/x': '1',
    'd/y': '2',
  });
  assert.deepEqual(await run({ a: '1' }, { a: '2' }, { b: '1' }), ['a: removed and changed']);
  assert.deepEqual(await moved({ a: '' }, { a: '2' }, { b: '' }), ['a: removed and changed']);
  assert.deepEqual(await moved({ a: '1' }, { a: '2', b: '3' }, { b: '1' }), [
    'a: removed and changed',
    'b: both added',
  ]);
  assert.deepEqual(await moved({ a: '1' }, { a: '2', 'b/c': '3' }, { b: '1' }), [
    'a: removed and changed',
    'b: contents and tree',
  ]);
  assert.deepEqual(await moved({ a: '1', 'b/c': '0' }, { a: '2', 'b/c': '0' }, { b: '1' }), [
    'a: removed and changed',
  ]);
  assert.deepEqual(await moved({ a: '1' }, { 'd/b': '1' }, { a: executable('1') }), {
    'd/b': '100755 1',
  });
});

test('file modes › merge apart from contents', async () => {
  const base = { a: '1' };
  assert.deepEqual(await run(base, { a: executable('1') }, { a: '2' }), { a: '100755 2' });
  assert.deepEqual(await run(base, { a: '2' }, { a: executable('1') }), { a: '100755 2' });
  assert.deepEqual(await run(null, { a: '2' }, { a: executable('2') }), ['a: both changed']);
  assert.deepEqual(await run(base, { a: link('1') }, { a: '2' }), ['a: both changed']);
  assert.deepEqual(await run(base, { a: link('3') }, { a: link('2') }), ['a: both added']);
  assert.deepEqual(await run({ a: link('1') }, { a: link('2') }, { a: link('3') }), [
    'a: both changed',
  ]);
  assert.deepEqual(await run({ a: link('1') }, {}, { a: link('3') }), ['a: removed and changed']);
  assert.deepEqual(await run({ a: link('1') }, {}, { a: '1' }), ['a: removed and changed']);
  assert.deepEqual(await run({ n: '1\n' }, { n: executable('2\n') }, { n: '3\n' }), {
    n: '100755 4\n',
  });
});

test('contents that are no value of their type › a conflict, unless they need no merge', async () => {
  const merged = await run({ n: '1\n' }, { n: 'x' }, { n: '2\n' });
  assert.deepEqual(merged, ['n: undecodable']);
  assert.deepEqual(await run({ n: 'x' }, { n: '1\n' }, { n: '2\n' }), ['n: undecodable']);
  assert.deepEqual(await run({ n: '1\n' }, { n: 'x' }, { n: 'x' }), { n: 'x' });
  assert.deepEqual(await run({ n: '1\n' }, { n: 'x' }, { n: '1\n' }), { n: 'x' });
});

test('conflicts inside of a value › say where', async () => {
  const objects = newDraft();
  const tree = (value: string) => treeOf(objects, { j: value });
  const [base, ours] = [tree('{"a":{"b":1}}'), tree('{"a":{"b":2}}')];
  const merged = await mergeTrees(objects, base, ours, tree('{"a":{"b":3}}'), options);
  assert.ok(!merged.ok && merged.error.kind === 'conflict');
  assert.deepEqual(merged.error.conflicts[0]?.reason.where, ['a', 'b']);
});

test('conflicts › at the bound and one more › the list is cut, the count is not', async () => {
  for (const many of [CONFLICTS_MAX, CONFLICTS_MAX + 1]) {
    const objects = newDraft();
    const tree = (text: string) => {
      const names = Array.from({ length: many }, (_, index) => [`f${index}`, text]);
      return treeOf(objects, Object.fromEntries(names));
    };
    const merged = await mergeTrees(objects, tree('1'), tree('2'), tree('3'), options);
    assert.ok(!merged.ok && merged.error.kind === 'conflict');
    assert.equal(merged.error.count, many);
    assert.equal(merged.error.conflicts.length, CONFLICTS_MAX);
  }
});

test('trees inside of trees › at the bound and one deeper › merged; too deep', async () => {
  const objects = newDraft();
  const inside = (id: ObjectId): ObjectId => {
    const entry = { mode: MODE_DIRECTORY, id } as const;
    return objects.addTree(TreeTable.empty(20).with([{ name: 'd', entry }]));
  };
  const nested = (files: Files): ObjectId => {
    let id = treeOf(objects, files);
    for (let i = 1; i < TREE_DEPTH_MAX; i++) id = inside(id);
    return id;
  };
  const sides = [nested({ a: '1' }), nested({ a: '2' }), nested({ a: '1', b: '1' })] as const;
  const merged = await mergeTrees(objects, ...sides, options);
  assert.equal(merged.ok && merged.value.tree, nested({ a: '2', b: '1' }));
  const [base, ours, theirs] = sides.map(inside) as [ObjectId, ObjectId, ObjectId];
  const deeper = await mergeTrees(objects, base, ours, theirs, options);
  assert.equal(deeper.ok ? '' : deeper.error.kind, 'too deep');
});

/** Counts what is read, and can be without some objects. */
class Watched implements ObjectReader {
  readonly hash = 'SHA-1';
  readonly read: ObjectId[] = [];
  readonly below: ObjectReader;
  missing: ObjectId | null = null;

  constructor(below: ObjectReader) {
    this.below = below;
  }
  commit(id: ObjectId) {
    return this.below.commit(id);
  }
  async tree(id: ObjectId) {
    this.read.push(id);
    return id === this.missing ? err({ kind: 'dangling', id } as const) : this.below.tree(id);
  }
  async blob(id: ObjectId) {
    this.read.push(id);
    return id === this.missing ? err({ kind: 'dangling', id } as const) : this.below.blob(id);
  }
}

test('subtrees and contents that need no merge › are never read', async () => {
  const objects = newDraft();
  const same = { 'big/x/y': '1', 'big/z': '2' };
  const base = treeOf(objects, { ...same, 'd/a': '1', 'd/b': '1' });
  const ours = treeOf(objects, { ...same, 'd/a': '2', 'd/b': '1', 'mine/x': '1' });
  const theirs = treeOf(objects, { ...same, 'd/a': '1', 'd/b': '2', 'yours/x': '1' });
  const watched = new Watched(objects);
  const draft = new Draft(nodeCrypto, 'SHA-1', watched);
  const merged = await mergeTrees(draft, base, ours, theirs, options);
  assert.ok(merged.ok);
  assert.equal(watched.read.length, 6, 'three roots and three times "d"');
  assert.equal(merged.value.objects.length, 2, 'the root and "d" are new');
});

test('an object that is missing › dangling, not a conflict', async () => {
  const objects = newDraft();
  const trees = ['1', '2', '3'].map((text) => treeOf(objects, { 'd/a': text })) as [
    ObjectId,
    ObjectId,
    ObjectId,
  ];
  const watched = new Watched(objects);
  const every = new Set<ObjectId>(trees);
  await mergeTrees(new Draft(nodeCrypto, 'SHA-1', watched), ...trees, options);
  for (const id of watched.read) every.add(id);
  for (const id of every) {
    watched.missing = id;
    const merged = await mergeTrees(new Draft(nodeCrypto, 'SHA-1', watched), ...trees, options);
    assert.equal(merged.ok ? '' : merged.error.kind, 'dangling');
  }
});

/** Commits by name: each one's files, and its parents' names. */
async function merging(
  plan: Record<string, [Files, ...string[]]>,
  ours: string,
  theirs: string,
  limits: { readonly basesMax?: number } = {},
) {
  const objects = newDraft();
  const ids = new Map<string, ObjectId>();
  for (const [name, [files, ...parents]] of Object.entries(plan)) {
    const tree = treeOf(objects, { ...files, name });
    const id = await commitOf(
      objects,
      tree,
      parents.map((parent) => ids.get(parent)!),
    );
    ids.set(name, id);
  }
  const type = (path: readonly string[]): AnyContentType =>
    path[0] === 'name' ? { ...bytes, merge: () => ok(new Uint8Array()) } : typeAt(path);
  const graph = new CommitGraph(objects);
  const merged = await mergeCommits(graph, objects, ids.get(ours)!, ids.get(theirs)!, {
    contentTypeAt: type,
    ...limits,
  });
  if (!merged.ok) return shown(merged.error);
  const { name: _, ...files } = await filesOf(objects, merged.value.tree);
  return files;
}

test('a criss-cross › counters › count every increment once', async () => {
  const plan: Record<string, [Files, ...string[]]> = {
    root: [{ n: '0\n' }],
    a: [{ n: '1\n' }, 'root'],
    b: [{ n: '10\n' }, 'root'],
    ab: [{ n: '111\n' }, 'a', 'b'],
    ba: [{ n: '1011\n' }, 'b', 'a'],
  };
  assert.deepEqual(await merging(plan, 'ab', 'ba'), { n: '1111\n' });
  assert.deepEqual(await merging(plan, 'ba', 'ab'), { n: '1111\n' });
});

test('a criss-cross › whose ancestors conflict › matters only where a base is needed', async () => {
  const plan = (last: Files): Record<string, [Files, ...string[]]> => ({
    root: [{ f: '0', n: '0\n' }],
    a: [{ f: 'a', n: '1\n' }, 'root'],
    b: [{ f: 'b', n: '10\n' }, 'root'],
    ab: [{ f: 'solved', n: '111\n' }, 'a', 'b'],
    ba: [{ f: 'solved', n: '1011\n', ...last }, 'b', 'a'],
  });
  assert.deepEqual(await merging(plan({}), 'ab', 'ba'), { f: 'solved', n: '1111\n' });
  assert.deepEqual(await merging(plan({ f: 'other' }), 'ab', 'ba'), ['f: no base']);
});

test('a chain of criss-crosses › counters › are exact', async () => {
  const plan: Record<string, [Files, ...string[]]> = {
    root: [{ n: '0\n' }],
    a0: [{ n: '1\n' }, 'root'],
    b0: [{ n: '1\n' }, 'root'],
  };
  let total = 2;
  for (let i = 1; i < 20; i++) {
    plan[`a${i}`] = [{ n: `${total + 1}\n` }, `a${i - 1}`, `b${i - 1}`];
    plan[`b${i}`] = [{ n: `${total + 1}\n` }, `b${i - 1}`, `a${i - 1}`];
    total += 2;
  }
  assert.deepEqual(await merging(plan, 'a19', 'b19'), { n: `${total}\n` });
  const limited = (basesMax: number) => merging(plan, 'a19', 'b19', { basesMax });
  assert.deepEqual(await limited(19), { n: `${total}\n` });
  assert.equal(await limited(18), 'too many bases');
});

test('unrelated histories › additions of both; the same path differently › conflict', async () => {
  const plan: Record<string, [Files, ...string[]]> = { a: [{ x: '1' }], b: [{ y: '2' }] };
  assert.deepEqual(await merging(plan, 'a', 'b'), { x: '1', y: '2' });
  assert.deepEqual(await merging({ a: [{ x: '1' }], b: [{ x: '2' }] }, 'a', 'b'), [
    'x: both added',
  ]);
  assert.deepEqual(await merging({ a: [{ n: '1\n' }], b: [{ n: '2\n' }] }, 'a', 'b'), { n: '3\n' });
});

test('keepBoth › conflicts › one side stays, the other is beside it, whoever is whose', async () => {
  const merge = async (base: Files, ours: Files, theirs: Files) => {
    const objects = newDraft();
    const [old, left, right] = [base, ours, theirs].map((files) => treeOf(objects, files));
    const merged = await mergeTrees(objects, old!, left!, right!, { ...options, keepBoth: true });
    assert.ok(merged.ok);
    const other = await mergeTrees(objects, old!, right!, left!, { ...options, keepBoth: true });
    assert.ok(other.ok && other.value.tree === merged.value.tree, 'symmetric');
    const files = await filesOf(objects, merged.value.tree);
    const plain = await mergeTrees(objects, old!, left!, right!, options);
    assert.equal(merged.value.kept.length > 0, !plain.ok);
    const notes = Object.keys(files).filter((path) => path.includes('~'));
    assert.equal(notes.length > 0, !plain.ok, 'a note exactly when it conflicts');
    return files;
  };
  const both = await merge({ 'd/a': '1' }, { 'd/a': '2' }, { 'd/a': '3' });
  assert.deepEqual(Object.values(both).sort(), ['2', '3']);
  assert.ok(Object.keys(both).some((path) => /^d\/a~[0-9a-f]{12}$/.test(path)));
  const removed = await merge({ a: '1' }, {}, { a: '2' });
  assert.equal(removed.a, '2');
  assert.match(removed['a~removed']!, /one side removed this/);
  const mixed = await merge({ f: '1' }, { f: '2' }, { 'f/x': '3' });
  assert.deepEqual(Object.values(mixed).sort(), ['2', '3']);
  assert.equal(mixed['f/x'], '3');
  const names = await merge({}, { ['n'.repeat(4_000)]: '1' }, { ['n'.repeat(4_000)]: '2' });
  assert.equal(Object.keys(names).length, 2);
  const random = new SeededRandom(3);
  for (let i = 0; i < 60; i++) {
    const base = randomFiles(random);
    await merge(base, randomFiles(random, base), randomFiles(random, base));
  }
});

async function importFiles(oracle: StockGit, all: readonly Files[]): Promise<void> {
  const commits = all.map((files, index) => {
    const lines = Object.entries(files).map(([path, file]) => {
      const { mode, text } = fileOf(file);
      return `M ${mode.toString(8)} inline ${path}\ndata ${text.length}\n${text}\n`;
    });
    const head = index % 3 === 0 ? 'reset refs/heads/main\n\n' : '';
    const from = index % 3 === 0 ? '' : `from :${index - (index % 3) + 1}\n`;
    const who = 'committer A <a@example.org> 1000 +0000\ndata 0\n';
    return `${head}commit refs/heads/main\nmark :${index + 1}\n${who}${from}deleteall\n${lines.join('')}`;
  });
  const args = 'fast-import --quiet --force --export-marks=marks'.split(' ');
  await oracle.run(args, { input: commits.join('\n') });
}

/** Cases of the campaign: tests/README.md. */
const TREES = Number(process.env.TREES ?? 40);
/** What Git calls a conflict, and we don't: renames.ts. */
const OTHER_CONFLICTS = /CONFLICT \(rename\/(delete|rename)\)/;

test('random trees › merged › as git merge-tree does', async () => {
  const oracle = new StockGit();
  try {
    const random = new SeededRandom(7);
    const all: Files[] = [];
    for (let i = 0; i < TREES; i++) {
      const base = randomFiles(random);
      all.push(base, randomFiles(random, base), randomFiles(random, base));
    }
    for (let i = 0; i < TREES; i++) {
      const base = movedFiles(random);
      all.push(base, movedFiles(random, base), movedFiles(random, base));
    }
    await oracle.run(['init', '-q', '--bare', '.']);
    await importFiles(oracle, all);
    const script = `!sort -t: -k2 -n marks | cut -d' ' -f2 | while read base; do
      read ours; read theirs
      git -c merge.directoryRenames=false merge-tree --write-tree --name-only --messages \\
        $ours $theirs; echo =====; done`;
    const text = await oracle.run(['-c', `alias.each=${script}`, 'each']);
    const answers = `${text}\n`.split('=====\n').slice(0, -1);
    assert.equal(answers.length, all.length / 3);
    let [conflicts, moves] = [0, 0];
    for (const [index, answer] of answers.entries()) {
      const [tree, ...paths] = answer
        .split('\n\n')[0]!
        .split('\n')
        .filter((line) => line !== '');
      if (OTHER_CONFLICTS.test(answer)) continue;
      const objects: ObjectDraft = newDraft();
      const ids = all.slice(3 * index, 3 * index + 3).map((files) => treeOf(objects, files));
      const merged = await mergeTrees(objects, ...(ids as [ObjectId, ObjectId, ObjectId]), {
        contentTypeAt: () => bytes,
        renames: index >= TREES,
      });
      const told = `case ${index}: ${answer} ${JSON.stringify(all.slice(3 * index, 3 * index + 3))}`;
      if (paths.length === 0) assert.equal(merged.ok ? merged.value.tree : 'conflict', tree, told);
      else assert.ok(!merged.ok && merged.error.kind === 'conflict', told);
      if (!merged.ok) conflicts++;
      else if (index >= TREES) moves++;
    }
    assert.ok(conflicts > TREES / 8 && conflicts < TREES * 1.4, `${conflicts} conflicts`);
    assert.ok(moves > TREES / 4, `${moves} renames`);
  } finally {
    oracle.remove();
  }
});
