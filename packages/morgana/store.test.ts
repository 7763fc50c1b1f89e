/** The example of docs/store.md, by the public face. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  counter,
  defineSchema,
  exportBundle,
  exportSlice,
  type FormValue,
  form,
  importBundle,
  importSlice,
  MemoryBackend,
  newTag,
  Repository,
  type Result,
  register,
  sharedText,
  stock,
  table,
  textOf,
  wallTimeOfMillis,
  withText,
  write,
} from 'morgana/store';
import { SeededRandom } from '#core';
import { nodeCrypto } from '#targets/node/crypto';

const schema = defineSchema({
  visits: form.content('visits', counter),
  contacts: { '*': { name: stock.text, age: stock.integer } },
  pages: { '**': stock.text },
});

test('an application’s schema › set, transaction, merge › typed, and counted exactly', async () => {
  let seconds = 1_800_000_000;
  const repository = Repository.open({
    backend: new MemoryBackend(),
    crypto: nodeCrypto,
    clock: { wall: () => wallTimeOfMillis(seconds++ * 1_000) },
    author: { name: 'Ada', email: 'ada@example.org' },
    entropy: null,
  }).with(schema);
  const store = repository.branch('main');
  const id: string = 'ada';
  assert.ok((await store.set(['contacts', id, 'age'], 36)).ok);
  const done = await store.withTree(['contacts', id], async (tree) => {
    const named = await tree.set(['name'], 'Ada');
    return named.ok ? named.value.set(['age'], 37) : named;
  });
  assert.ok(done.ok);
  const name = await store.get(['contacts', id, 'name']);
  assert.deepEqual(name, { ok: true, value: 'Ada' });
  const side = await store.cloneTo('side');
  assert.ok(side.ok);
  assert.ok((await side.value.set(['visits'], 5)).ok);
  assert.ok((await store.set(['visits'], 5)).ok);
  assert.ok((await store.mergeWith(side.value)).ok);
  assert.deepEqual(await store.get(['visits']), { ok: true, value: 10 });
  // @ts-expect-error: a number.
  await store.set(['contacts', id, 'age'], 'ten');
});

const item = form.record({ title: sharedText, done: register(form.flag), looks: counter });
type Item = FormValue<typeof item>;
const todo = defineSchema({ list: form.content('todo', table(item)) });

function value<T>(result: Result<T, unknown>): T {
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

/** A shared to-do list; its clock stands still. */
class Todo {
  readonly repository: Repository<(typeof todo)['shape']>;
  private readonly entropy: { fill(out: Uint8Array): void };
  private readonly time = wallTimeOfMillis(1_800_000_000_000);

  constructor(seed: number) {
    const random = new SeededRandom(seed);
    this.entropy = { fill: (out) => void out.set(out.map(() => random.below(256))) };
    this.repository = Repository.open({
      backend: new MemoryBackend(),
      crypto: nodeCrypto,
      clock: { wall: () => this.time },
      author: { name: 'Ada', email: 'ada@example.org' },
      entropy: this.entropy,
    }).with(todo);
  }

  get store() {
    return this.repository.branch('main');
  }

  async add(title: string): Promise<string> {
    const id = newTag(this.time, this.entropy);
    const done = write(undefined, false, this.time);
    await this.change((list) =>
      list.set(id, { title: withText(new Map(), title, 'characters', id), done, looks: 0 }),
    );
    return id;
  }

  async rename(id: string, title: string): Promise<void> {
    const tag = newTag(this.time, this.entropy);
    await this.change((list) => {
      const old = list.get(id)!;
      return list.set(id, { ...old, title: withText(old.title, title, 'characters', tag) });
    });
  }

  async look(id: string): Promise<void> {
    await this.change((list) => {
      const old = list.get(id)!;
      return list.set(id, { ...old, looks: old.looks + 1 });
    });
  }

  async change(edit: (list: Map<string, Item>) => Map<string, Item>): Promise<void> {
    value(await this.store.update(['list'], (list) => edit(new Map(list))));
  }

  async takeFrom(other: Todo): Promise<void> {
    const bundle = value(await exportBundle(other.repository));
    const { branches } = value(await importBundle(this.repository, bundle.pieces));
    value(await this.store.mergeWith(branches.get('main')!));
  }

  async shown(): Promise<string[]> {
    const list = value(await this.store.get(['list']));
    return [...list.values()].map(({ title, looks }) => `${textOf(title)} ${looks}`).sort();
  }
}

test('a to-do list › three replicas exchange bundles › all have what any of them did', async () => {
  const [a, b, c] = [new Todo(1), new Todo(2), new Todo(3)];
  const id = await a.add('buy milk');
  await b.takeFrom(a);
  await c.takeFrom(b);
  await a.rename(id, 'buy oat milk');
  await b.rename(id, 'buy milk and bread');
  for (const one of [a, b, c]) await one.look(id);
  await c.add('sleep');
  for (const [one, other] of [
    [a, b],
    [c, a],
    [b, c],
    [a, b],
    [c, b],
  ] as const)
    await one.takeFrom(other);
  for (const one of [a, b, c]) {
    assert.deepEqual(await one.shown(), ['buy oat milk and bread 3', 'sleep 0']);
  }
  const heads = await Promise.all([a, b, c].map(async ({ store }) => value(await store.head())));
  assert.equal(new Set(heads).size, 1);
  const fresh = new Todo(4);
  const slice = value(await exportSlice(a.repository));
  value(await importSlice(fresh.repository, slice));
  value(await fresh.store.setHead(slice.heads[0]!));
  assert.equal((await fresh.shown()).length, 2);
  assert.ok(!(await exportBundle(a.repository, [heads[0]!])).ok, 'nothing that is not there');
  const broken = (async function* () {
    yield new Uint8Array(9);
  })();
  assert.ok(!(await importBundle(a.repository, broken)).ok);
});

test('update › nothing there, something, taken away › what it gets and leaves', async () => {
  const list = new Todo(5);
  const seen: unknown[] = [];
  const to = (size: number | undefined) =>
    list.store.update(['list'], (old) => {
      seen.push(old?.size);
      return size === undefined ? undefined : new Map();
    });
  value(await to(0));
  assert.equal(value(await to(0)), null, 'the same: no commit');
  value(await to(undefined));
  assert.equal(value(await to(undefined)), null);
  assert.deepEqual(seen, [undefined, 0, 0, undefined]);
  // @ts-expect-error: no such path.
  assert.ok(!(await list.store.update(['lists'], () => undefined)).ok);
});
