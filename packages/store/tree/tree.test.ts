import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MODE_EXECUTABLE, MODE_FILE, MODE_LINK } from '#git';
import type { Path } from '../path.ts';
import type { RawShape } from '../raw-schema.ts';
import { all, testRepository, value } from '../test-world.ts';
import { Edits, removed } from './edits.ts';
import type { Tree } from './tree.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const repository = testRepository();
const none = () => repository.emptyTree();

/** Every path with its contents as text. */
async function contentsOf(tree: Tree<RawShape>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { path, kind } of await all(tree.walk())) {
    if (kind !== 'contents') continue;
    found[path.join('/')] = new TextDecoder().decode(value(await tree.get(path)));
  }
  return found;
}

async function treeOf(contents: Record<string, string>): Promise<Tree<RawShape>> {
  let tree = none();
  for (const [path, text] of Object.entries(contents)) {
    tree = value(await tree.set(path.split('/'), encode(text)));
  }
  return tree;
}

test('random edits › on a tree, written or not › as a map of paths would have them', async () => {
  const step = fc.constantFrom('a', 'b', 'c');
  const path = fc.array(step, { minLength: 1, maxLength: 3 });
  const edit = fc.record({
    path,
    text: fc.option(fc.constantFrom('x', 'y')),
    written: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { maxLength: 20 }), async (edits) => {
      let tree = none();
      let model: Record<string, string> = {};
      const olds: [Tree<RawShape>, Record<string, string>][] = [];
      for (const { path, text, written } of edits) {
        const name = path.join('/');
        const isAbove = (other: string): boolean => name.startsWith(`${other}/`);
        const isBelow = (other: string): boolean => other === name || other.startsWith(`${name}/`);
        const kept = Object.entries(model).filter(([other]) => !isBelow(other));
        if (text === null) model = Object.fromEntries(kept);
        else
          model = Object.fromEntries([...kept.filter(([other]) => !isAbove(other)), [name, text]]);
        const edited = text === null ? tree.remove(path) : tree.set(path, encode(text));
        tree = value(await edited);
        if (written) {
          const { id, objects } = value(await tree.toWrite());
          value(await repository.backend.writeObjects(objects));
          tree = repository.treeOf(id);
        }
        olds.push([tree, model]);
      }
      for (const [old, was] of olds) assert.deepEqual(await contentsOf(old), sorted(was));
      const afresh = await treeOf(model);
      assert.equal(value(await tree.hash()), value(await afresh.hash()));
    }),
    { numRuns: 40, seed: 6 },
  );
});

const sorted = (model: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(model).sort());

test('two trees › their difference applied to the first › gives the second', async () => {
  const before = await treeOf({ a: '1', 'b/c': '2', 'b/d': '3', e: '4', 'f/g': '5', 'z.x': '0' });
  const after = await treeOf({ a: '1', 'b/c': '9', e: '4', 'f/g/h': '6', 'z/y': '7', 'z.x': '0' });
  const changes = await all(before.diff(after));
  const lines = changes.map(({ path, kind }) => `${kind} ${path.join('/')}`);
  assert.deepEqual(lines, [
    'updated b/c',
    'removed b/d',
    'removed f/g',
    'added f/g/h',
    'added z/y',
  ]);
  assert.deepEqual(await all(before.diff(before)), []);
  const back = (await all(after.diff(before))).map(({ path, kind }) => `${kind} ${path.join('/')}`);
  assert.deepEqual(back.length, lines.length);
});

test('walk › down and up, of some depths; fold and stats', async () => {
  const tree = await treeOf({ a: '1', 'b/c/d': '2', 'b/e': '3' });
  const paths = async (options: Parameters<typeof tree.walk>[0]) =>
    (await all(tree.walk(options))).map(({ path }) => path.join('/')).join(' ');
  assert.equal(await paths({}), 'a b b/c b/c/d b/e');
  assert.equal(await paths({ order: 'up' }), 'a b/c/d b/c b/e b');
  assert.equal(await paths({ depthMax: 1 }), 'a b');
  assert.equal(await paths({ depthMax: 1, order: 'up' }), 'a b');
  assert.equal(await paths({ depthMin: 2 }), 'b/c b/c/d b/e');
  assert.equal(await paths({ depthMin: 2, depthMax: 2, order: 'up' }), 'b/c b/e');
  const count = value(await tree.fold(0, (sum) => sum + 1));
  assert.equal(count, 5);
  assert.deepEqual(value(await tree.stats()), {
    contents: 3,
    trees: 3,
    submodules: 0,
    depth: 3,
    width: 2,
  });
});

test('a tree in another one › shared; an empty one › what was there is removed', async () => {
  const part = await treeOf({ x: '1', 'y/z': '2' });
  let tree = value(await (await treeOf({ a: '0' })).setTree(['p', 'q'], part));
  assert.deepEqual(await contentsOf(tree), { a: '0', 'p/q/x': '1', 'p/q/y/z': '2' });
  assert.equal(value(await value(await tree.getTree(['p', 'q'])).hash()), value(await part.hash()));
  tree = value(await tree.setTree(['p', 'q'], none()));
  assert.deepEqual(await contentsOf(tree), { a: '0' });
  assert.equal(value(await tree.memTree(['p'])), false);
  assert.deepEqual(value(await tree.list(['p'])), []);
});

test('modes › kept by a change of contents, given where asked for', async () => {
  const path: Path = ['run'];
  let tree = value(await none().set(path, encode('1'), { mode: MODE_EXECUTABLE }));
  tree = value(await tree.set(path, encode('2')));
  assert.equal(value(await tree.mode(path)), MODE_EXECUTABLE);
  tree = value(await tree.set(path, encode('2'), { mode: MODE_FILE }));
  assert.equal(value(await tree.mode(path)), MODE_FILE);
  assert.equal(value(await tree.mode(['nobody'])), undefined);
  tree = value(await tree.set(path, encode('there'), { mode: MODE_LINK }));
  tree = value(await tree.set(path, encode('3')));
  assert.equal(value(await tree.mode(path)), MODE_FILE, 'contents are no place to lead to');
});

test('ten thousand entries set one by one in one directory › in no more time than steps', async () => {
  let tree = none();
  for (let i = 0; i < 10_000; i++) tree = value(await tree.set(['d', `f${i}`], encode(`${i}`)));
  assert.equal(value(await tree.list(['d'])).length, 10_000);
  assert.equal(value(await tree.stats()).width, 10_000);
});

test('versions of edits › each sees its own, whichever is extended', () => {
  const one = Edits.none<number>().with('a', 1);
  const two = one.with('a', 2).with('b', 3);
  const fork = one.with('b', 9).with('a', removed);
  assert.deepEqual([...one.entries()], [['a', 1]]);
  assert.deepEqual(Object.fromEntries(two.entries()), { a: 2, b: 3 });
  assert.deepEqual(Object.fromEntries(fork.entries()), { a: removed, b: 9 });
  assert.equal(one.get('b'), undefined);
  let many = Edits.none<number>();
  for (let i = 0; i < 1_000; i++) many = many.with(`k${i % 3}`, i);
  assert.deepEqual(Object.fromEntries(many.entries()), { k0: 999, k1: 997, k2: 998 });
});
