import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hot, ok } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { backendCases } from './conformance/index.ts';
import { MemoryBackend } from './memory-backend.ts';
import { nameObject } from './object.ts';
import type { ObjectId } from './object-id.ts';

for (const hash of ['SHA-1', 'SHA-256'] as const) {
  for (const { name, run } of backendCases) {
    test(`memory, ${hash} › ${name}`, async () => {
      const backend = new MemoryBackend({ hash });
      await run({ backend, crypto: nodeCrypto, settle: async () => {} });
      await backend.close();
    });
  }
}

test('bytes at the bound › written › kept; one more › full, and what was there is', async () => {
  const backend = new MemoryBackend({ bytesMax: 10 });
  const object = (text: string) => {
    return nameObject(nodeCrypto, 'SHA-1', 'blob', new TextEncoder().encode(text));
  };
  assert.equal((await backend.writeObjects([object('0123456789')])).ok, true);
  const more = await backend.writeObjects([object('x')]);
  assert.deepEqual(more, { ok: false, error: { kind: 'full' } });
  assert.equal(backend.objectBytes, 10);
  assert.equal((await backend.writeObjects([object('0123456789')])).ok, true);
});

test('collected › what no ref reaches goes, at the second time; what is reached stays', async () => {
  const backend = new MemoryBackend();
  const objects = ['kept', 'dropped', 'late'].map((text) =>
    nameObject(nodeCrypto, 'SHA-1', 'blob', hot.utf8Encode(text)),
  );
  const [kept, dropped, late] = objects.map(({ id }) => id) as [ObjectId, ObjectId, ObjectId];
  await backend.writeObjects(objects.slice(0, 2));
  assert.equal(backend.keepOnly(new Set([kept])), 0);
  await backend.writeObjects(objects.slice(2));
  assert.equal(backend.keepOnly(new Set([kept])), 'dropped'.length);
  const has = async (id: ObjectId): Promise<unknown> => backend.hasObject(id);
  assert.deepEqual(await has(kept), ok(true));
  assert.deepEqual(await has(dropped), ok(false));
  assert.deepEqual(await has(late), ok(true));
  assert.equal(backend.objectBytes, 'kept'.length + 'late'.length);
});
