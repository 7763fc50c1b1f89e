/** The example of docs/store.md, by the public face. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { counter, defineSchema, form, MemoryBackend, Repository, stock } from 'morgana/store';
import { wallTimeOfMillis } from '#core';
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
