/**
 * What the compiler knows of a store: `tsc` runs over this file in every check, and a
 * `@ts-expect-error` above a line that is no error is one.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { integer, json, text } from './content/stock.ts';
import {
  type ContentAt,
  defineSchema,
  type PathOf,
  type ShapeAt,
  type TreePathOf,
} from './schema.ts';
import type { Store } from './store.ts';
import { testRepository, value } from './test-world.ts';

const schema = defineSchema({
  visits: integer,
  contacts: { '*': { name: text, age: integer } },
  pages: { '**': text },
  settings: json,
});
type S = typeof schema.shape;

/** True when both types are the same one. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(): T | undefined => undefined;

test('types of contents at paths › known to the compiler', () => {
  holds<Same<ContentAt<S, readonly ['visits']>, number>>();
  holds<Same<ContentAt<S, readonly ['contacts', 'ada', 'name']>, string>>();
  holds<Same<ContentAt<S, readonly ['contacts', string, 'age']>, number>>();
  holds<Same<ContentAt<S, readonly ['pages', 'a', 'b', 'c']>, string>>();
  holds<Same<ShapeAt<S, readonly ['contacts', 'ada']>, S['contacts']['*']>>();
  holds<readonly ['contacts', string, 'age'] extends PathOf<S> ? true : false>();
  holds<readonly ['contacts', string] extends TreePathOf<S> ? true : false>();
  holds<readonly ['contacts'] extends PathOf<S> ? false : true>();
  holds<readonly ['visits'] extends TreePathOf<S> ? false : true>();
  holds<readonly ['nothing'] extends PathOf<S> ? false : true>();
  // @ts-expect-error: the canary: it isn't a string.
  holds<Same<ContentAt<S, readonly ['visits']>, string>>();
});

/** Never called: it is the compiler's. */
export async function typesOfCalls(store: Store<S>, id: string): Promise<void> {
  const age: number | undefined = value(await store.find(['contacts', id, 'age']));
  const name: string = value(await store.get(['contacts', id, 'name']));
  const contact = value(await store.getTree(['contacts', id]));
  const again: string = value(await contact.get(['name']));
  await store.set(['visits'], 1);
  await store.set(['pages', 'a', id], name + again + String(age));
  await store.withTree(['contacts'], (tree) => tree.set([id, 'age'], 7));
  // @ts-expect-error: a number.
  await store.set(['visits'], 'one');
  // @ts-expect-error: a tree is there.
  await store.set(['contacts', id], 'Ada');
  // @ts-expect-error: there is no such field.
  await store.get(['contacts', id, 'nmae']);
  // @ts-expect-error: nothing is below contents.
  await store.get(['visits', 'x']);
  // @ts-expect-error: contents, not a tree.
  await store.findTree(['visits']);
  // @ts-expect-error: a text.
  const wrong: number = value(await store.get(['pages', 'a']));
  // @ts-expect-error: a number, in the tree of a transaction too.
  await store.withTree(['contacts', id], (tree) => tree.set(['age'], 'seven'));
  assert.ok(wrong);
}

test('a path at run time › the schema there, or none', () => {
  assert.equal(schema.typeAt(['visits']), integer);
  assert.equal(schema.typeAt(['contacts', 'x', 'age']), integer);
  assert.equal(schema.typeAt(['pages', 'a', 'b']), text);
  for (const path of [
    [],
    ['contacts'],
    ['nothing'],
    ['visits', 'x'],
    ['pages'],
    ['contacts', 'x', 'y'],
  ]) {
    assert.equal(schema.typeAt(path), null, path.join('/'));
  }
  assert.equal(schema.at(['contacts'])?.hasSteps, true);
  assert.equal(schema.at(['visits'])?.hasSteps, false);
  assert.equal(schema.at(['constructor']), null, 'only names of its own');
});

test('forms that say nothing clear › refused', () => {
  assert.throws(() => defineSchema({ '**': { a: text } }), /leads to contents/);
  assert.throws(() => defineSchema({ '*': text, '**': text }), /not both/);
});

test('a named step beside any other one › the named one counts', async () => {
  const mixed = defineSchema({ special: integer, '*': text });
  const store = testRepository().with(mixed).branch('main');
  value(await store.set(['special'], 1));
  value(await store.set(['other'], 'x'));
  assert.equal(value(await store.get(['special'])), 1);
  assert.equal(value(await store.get(['other'])), 'x');
});
