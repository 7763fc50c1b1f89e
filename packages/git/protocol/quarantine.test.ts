import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NewObject } from '../backend.ts';
import { MemoryBackend } from '../memory-backend.ts';
import { nameObject } from '../object.ts';
import { tools } from '../pack/test-git.ts';
import { Quarantine } from './quarantine.ts';

/** An object of 100 bytes with an entry of 50. */
function objectOf(number: number): NewObject {
  const bytes = new Uint8Array(100).fill(number);
  const named = nameObject(tools.crypto, 'SHA-1', 'blob', bytes);
  const deflated = new Uint8Array(50);
  return { ...named, entry: { kind: 'blob', sizeBytes: 100, base: null, deflated } };
}

/** What a backend gets that takes entries. */
async function released(bytesMax: number, count: number) {
  const backend = new MemoryBackend();
  const got: NewObject[] = [];
  const target = Object.assign(backend, { takesEntries: true });
  const write = backend.writeObjects.bind(backend);
  target.writeObjects = (objects) => {
    got.push(...objects);
    return write(objects);
  };
  const quarantine = new Quarantine(target, bytesMax);
  assert.ok(quarantine.takesEntries);
  const objects = Array.from({ length: count }, (_, i) => objectOf(i));
  for (const object of objects) {
    const written = await quarantine.writeObjects([object]);
    if (!written.ok) return written.error.kind;
  }
  await quarantine.release(new Set(objects.map(({ id }) => id).reverse()));
  assert.deepEqual(
    got.map(({ id }) => id),
    objects.map(({ id }) => id),
    'in the order in which they came',
  );
  return got.filter(({ entry }) => entry !== undefined).length;
}

test('objects and entries that fit › both; entries that do not › none; objects › too big', async () => {
  // Each object costs 200 bytes beside its own.
  assert.equal(await released(10 * 350, 10), 10);
  assert.equal(await released(10 * 350 - 1, 10), 0);
  assert.equal(await released(10 * 300, 10), 0);
  assert.equal(await released(10 * 300 - 1, 10), 'too big');
  assert.ok(!new Quarantine(new MemoryBackend(), 1).takesEntries);
});
