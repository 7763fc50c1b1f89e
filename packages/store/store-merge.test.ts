import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, json, text } from './content/stock.ts';
import { counter } from './data/counter.ts';
import { content } from './data/form.ts';
import { markedLines } from './data/text.ts';
import { defineSchema } from './schema.ts';
import { all, kindOf, testRepository, value } from './test-world.ts';

const schema = defineSchema({
  visits: content('visits', counter),
  config: json,
  pages: { '*': markedLines },
  names: { '*': text },
  files: { '**': bytes },
});

/** Two branches from one commit. */
async function branches() {
  const repository = testRepository().with(schema);
  const main = repository.branch('main');
  value(await main.set(['visits'], 5));
  value(await main.set(['config'], { a: { b: 1 } }));
  value(await main.set(['pages', 'index'], 'one\ntwo\n'));
  value(await main.set(['names', 'x'], 'old'));
  const side = value(await main.cloneTo('side'));
  return { main, side };
}

test('two branches › changed alike and apart › each path by its type', async () => {
  const { main, side } = await branches();
  for (const store of [main, side]) value(await store.set(['visits'], 6));
  value(await main.set(['config'], { a: { b: 2 } }));
  value(await side.set(['config'], { a: { b: 1 }, c: [] }));
  value(await main.set(['pages', 'index'], 'uno\ntwo\n'));
  value(await side.set(['pages', 'index'], 'eins\ntwo\n'));
  value(await main.mergeWith(side));
  assert.equal(value(await main.get(['visits'])), 7, 'two equal increments are two');
  assert.deepEqual(value(await main.get(['config'])), { a: { b: 2 }, c: [] });
  assert.match(value(await main.get(['pages', 'index'])), /^<<<<<<< one side\neins\n[\s\S]*two\n$/);
  const commit = value(await main.headCommit())!;
  assert.equal(commit.parents.length, 2);
});

test('branches that merge each other › over and over › agree, also where several are common', async () => {
  const { main, side } = await branches();
  let increments = 5;
  for (let i = 0; i < 6; i++) {
    for (const store of [main, side]) {
      value(await store.set(['visits'], value(await store.get(['visits'])) + 1));
      increments++;
    }
    const [ours, theirs] = [value(await main.head())!, value(await side.head())!];
    value(await main.mergeWith(theirs));
    value(await side.mergeWith(ours));
    assert.equal(value(await main.get(['visits'])), increments);
    assert.equal(value(await main.hash()), value(await side.hash()));
  }
  value(await main.mergeWith(side));
  assert.equal(value(await main.get(['visits'])), increments);
});

test('a conflict › refused with its path, unless both are to be kept', async () => {
  const { main, side } = await branches();
  value(await main.set(['names', 'x'], 'ours'));
  value(await side.set(['names', 'x'], 'theirs'));
  const before = value(await main.head());
  const refused = await main.mergeWith(side);
  assert.ok(!refused.ok && refused.error.kind === 'conflict');
  assert.deepEqual(refused.error.conflicts[0]?.path, ['names', 'x']);
  assert.equal(value(await main.head()), before, 'nothing was committed');
  value(await main.mergeWith(side, { keepBoth: true }));
  const names = value(await main.list(['names'])).map(({ step }) => step);
  assert.equal(names.length, 2);
  const kept = await Promise.all(names.map(async (name) => value(await main.get(['names', name]))));
  assert.deepEqual(kept.sort(), ['ours', 'theirs']);
});

test('unrelated histories › merge; a head that is missing does not', async () => {
  const { main } = await branches();
  const other = testRepository(main.repository.backend).with(schema).branch('other');
  value(await other.set(['visits'], 3));
  value(await other.set(['files', 'deep', 'er'], Uint8Array.of(1)));
  value(await main.mergeWith(value(await other.head())!));
  assert.equal(value(await main.get(['visits'])), 8, 'what both counted from nothing');
  assert.equal(value(await main.get(['files', 'deep', 'er'])).length, 1);
  assert.equal((await all(main.history())).length, 7);
  assert.equal(kindOf(await main.mergeWith('f'.repeat(40) as never)), 'dangling');
});

test('a file moved here, changed there › merged, reverted › followed where it is asked for', async () => {
  const { main, side } = await branches();
  const file = (text: string) => new TextEncoder().encode(text);
  const at = (...steps: string[]) => ['files', ...steps] as const;
  value(await main.set(at('old', 'x'), file('1')));
  value(await side.setHead(value(await main.head())!));
  const tree = value(await main.getTree(['files', 'old']));
  value(await main.setTree(['files', 'new', 'deep'], tree as never));
  value(await main.remove(at('old')));
  value(await main.set(['names', 'y'], 'main’s'));
  const changed = value(await side.set(at('old', 'x'), file('2')))!;
  const plain = await main.mergeWith(side);
  assert.ok(!plain.ok && plain.error.kind === 'conflict');
  const other = value(await side.cloneTo('other'));
  value(await other.set(['names', 'x'], 'new'));
  value(await other.mergeWith(main, { renames: true }));
  assert.deepEqual(value(await other.get(at('new', 'deep', 'x'))), file('2'));
  value(await main.mergeWith(side, { renames: true }));
  assert.deepEqual(value(await main.get(at('new', 'deep', 'x'))), file('2'));
  assert.equal(value(await main.kind(at('old'))), undefined);
  const refused = await main.revert(changed);
  assert.ok(!refused.ok && refused.error.kind === 'conflict');
  value(await main.revert(changed, { renames: true }));
  assert.deepEqual(value(await main.get(at('new', 'deep', 'x'))), file('1'));
});

test('a directory of many equal files moved › merged in a time that grows as they do', async () => {
  const main = testRepository().branch('main');
  const file = (word: string) => new TextEncoder().encode(word);
  const count = 20_000;
  const begun = await main.withTree(['old'], async (tree) => {
    let made = tree;
    for (let i = 0; i < count; i++) made = value(await made.set([`${i}`], file('same')));
    return { ok: true, value: made };
  });
  value(begun);
  const side = value(await main.cloneTo('side'));
  value(await side.set(['old', '0'], file('changed')));
  value(await main.setTree(['new'], value(await main.getTree(['old'])) as never));
  value(await main.remove(['old']));
  const start = performance.now();
  value(await main.mergeWith(side, { renames: true }));
  // A second on a busy machine; ten on an idle one when each looks at all the others.
  assert.ok(performance.now() - start < 6_000);
  assert.deepEqual(value(await main.get(['new', '0'])), file('changed'));
});
