import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ObjectId, parseObjectId } from '#git';
import { ObjectCache } from './object-cache.ts';

const idOf = (n: number): ObjectId => parseObjectId(n.toString(16).padStart(40, '0'))!;
/** With what the cache adds to it, 1,000 bytes. */
const blob = new Uint8Array(744);

test('objects within the bound › all there; past it › the older half goes, what was used stays', () => {
  const cache = new ObjectCache(10_000);
  for (let i = 0; i < 10; i++) cache.addBlob(idOf(i), blob);
  assert.equal(cache.count, 10);
  assert.equal(cache.bytes, 10_000);
  cache.checkInvariants();
  assert.equal(cache.get(idOf(0))?.kind, 'blob');
  cache.checkInvariants();
  assert.equal(cache.drops, 2);
  for (let i = 10; i < 13; i++) cache.addBlob(idOf(i), blob);
  assert.equal(cache.get(idOf(0))?.kind, 'blob', 'it was used');
  assert.equal(cache.get(idOf(1)), undefined);
  assert.ok(cache.bytes <= 10_000);
  cache.checkInvariants();
});

test('one object at half of the bound › kept; one byte more › not', () => {
  const cache = new ObjectCache(2_000);
  cache.addBlob(idOf(1), blob);
  assert.equal(cache.get(idOf(1))?.kind, 'blob');
  cache.addBlob(idOf(2), new Uint8Array(745));
  assert.equal(cache.get(idOf(2)), undefined);
  cache.checkInvariants();
});

test('the same object again › counted once; cleared › nothing', () => {
  const cache = new ObjectCache(10_000);
  for (let i = 0; i < 3; i++) cache.addBlob(idOf(1), blob);
  assert.equal(cache.bytes, 1_000);
  cache.clear();
  assert.deepEqual([cache.count, cache.bytes], [0, 0]);
  cache.checkInvariants();
});
