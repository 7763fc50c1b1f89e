import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom, wallTimeOfMillis } from '#core';
import type { ObjectId } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import { LOG_HEADS_MAX } from '../limits.ts';
import { defineSchema } from '../schema.ts';
import type { Store } from '../store.ts';
import { kindOf, testRepository, value } from '../test-world.ts';
import { text } from './form.ts';
import { type LogPage, linkedLog } from './linked-log.ts';

const news = linkedLog(text);
const schema = defineSchema({ news: news.shape });
type News = Store<typeof schema.shape>;
const open = () => testRepository().with(schema);

let now = 1_000;
async function append(store: News, line: string, time = now++): Promise<void> {
  const done = await store.withTree(['news'], async (tree) =>
    news.append(tree, nodeCrypto, wallTimeOfMillis(time), line),
  );
  value(done);
}

async function pages(store: News, count: number): Promise<string[]> {
  const tree = value(await store.getTree(['news']));
  const lines: string[] = [];
  for (let cursor: string | null = null, first = true; first || cursor !== null; first = false) {
    const page: LogPage<string> = value(await news.read(tree, nodeCrypto, cursor, count));
    assert.ok(page.entries.length <= count);
    lines.push(...page.entries.map(({ entry }) => entry.value));
    cursor = page.next;
  }
  return lines;
}

test('a linked log › appended to › read backwards in pages of any size', async () => {
  const store = open().branch('main');
  for (const line of ['a', 'b', 'c', 'd', 'e']) await append(store, line);
  for (const count of [1, 2, 3, 5, 9]) {
    assert.deepEqual(await pages(store, count), ['e', 'd', 'c', 'b', 'a']);
  }
});

test('two writers › merged › two heads, each entry once, the next one links both', async () => {
  const repository = open();
  const [main, side] = [repository.branch('main'), repository.branch('side')];
  await append(main, 'root');
  value(await main.cloneTo('side'));
  await append(main, 'm1');
  await append(side, 's1');
  await append(side, 's2');
  value(await main.mergeWith(side));
  assert.equal((value(await main.get(['news', 'heads'])) as unknown[]).length, 2);
  assert.deepEqual(await pages(main, 2), ['s2', 's1', 'm1', 'root']);
  await append(main, 'after');
  assert.equal((value(await main.get(['news', 'heads'])) as unknown[]).length, 1);
  assert.deepEqual(await pages(main, 1), ['after', 's2', 's1', 'm1', 'root']);
});

test('random writers and merges › every entry once, whatever the order of the last merges', async () => {
  const repository = open();
  const random = new SeededRandom(3);
  const stores = ['a', 'b', 'c'].map((name) => repository.branch(name));
  await append(stores[0]!, 'root');
  for (const name of ['b', 'c']) value(await stores[0]!.cloneTo(name));
  const written = ['root'];
  for (let i = 0; i < 40; i++) {
    const store = stores[random.below(3)]!;
    if (random.chance(0.6)) {
      written.push(`${i}`);
      // Clocks are wrong too.
      await append(store, `${i}`, random.below(1_000));
    } else value(await store.mergeWith(stores[random.below(3)]!));
  }
  const trees = new Set<string>();
  for (const order of ['abc', 'acb', 'bac', 'bca', 'cab', 'cba']) {
    const [first, ...rest] = [...order].map((name) => repository.branch(name));
    const whole = value(await first!.cloneTo(order));
    for (const other of rest) value(await whole.mergeWith(other));
    trees.add(value(await whole.hash()));
  }
  assert.equal(trees.size, 1);
  for (const other of stores.slice(1)) value(await stores[0]!.mergeWith(other));
  const all = await pages(stores[0]!, 100);
  assert.deepEqual([...all].sort(), written.sort());
  assert.deepEqual(await pages(stores[0]!, 3), all);
  assert.equal(all.at(-1), 'root');
});

test('an entry that was changed, or is gone › a broken link that names it', async () => {
  const repository = open();
  const store = repository.branch('main');
  for (const line of ['a', 'b', 'c']) await append(store, line);
  const tree = value(await store.getTree(['news']));
  const page = value(await news.read(tree, nodeCrypto, null, 3));
  const { id, entry } = page.entries[1]!;
  const path = ['entries', id.slice(0, 2), id.slice(2)] as const;
  const forged = value(await tree.set(path, { ...entry, value: 'forged' } as never));
  const deeper = value(await tree.set(path, { ...entry, depth: 9 } as never));
  const gone = value(await tree.remove(path));
  for (const wrong of [forged, gone]) {
    const read = await news.read(wrong, nodeCrypto, null, 3);
    assert.deepEqual(read, { ok: false, error: { kind: 'broken link', id } });
  }
  assert.equal(kindOf(await news.read(deeper, nodeCrypto, null, 3)), 'broken link');
});

test('cursors of nobody, too many heads › refused', async () => {
  const store = open().branch('main');
  await append(store, 'a');
  const tree = value(await store.getTree(['news']));
  const id = 'a'.repeat(64);
  for (const cursor of [
    '',
    'x',
    `${id}.`,
    Array(LOG_HEADS_MAX + 1)
      .fill(id)
      .join('.'),
  ]) {
    assert.equal(kindOf(await news.read(tree, nodeCrypto, cursor, 1)), 'bad cursor');
  }
  assert.equal(kindOf(await news.read(tree, nodeCrypto, id, 1)), 'broken link');
  const { heads } = news.shape;
  const many = (count: number) => heads.encode(Array<ObjectId>(count).fill(id as ObjectId));
  assert.equal(heads.decode(many(LOG_HEADS_MAX)).ok, true);
  assert.equal(heads.decode(many(LOG_HEADS_MAX + 1)).ok, false);
});
