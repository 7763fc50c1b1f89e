import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { backendCases } from './conformance/index.ts';
import { MemoryBackend } from './memory-backend.ts';
import { nameObject } from './object.ts';

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
