import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { backendCases } from '../conformance/index.ts';
import { openTest, simRepository, TestHome } from './test-repository.ts';

const home = new TestHome();
after(() => home.close());

for (const hash of ['SHA-1', 'SHA-256'] as const) {
  for (const [at, { name, run }] of backendCases.entries()) {
    test(`simulated disk, ${hash} › ${name}`, async () => {
      const files = simRepository(at, { hash });
      const backend = openTest(files);
      await run({ backend, crypto: nodeCrypto, settle: async () => {} });
      await backend.close();
      assert.equal(files.openCount, 0, 'every file was closed');
    });
  }
}

for (const { name, run } of backendCases) {
  test(`host's disk › ${name}`, async () => {
    const { files } = home.repository();
    const backend = openTest(files, 1, { isSynced: false });
    await run({ backend, crypto: nodeCrypto, settle: async () => {} });
    await backend.close();
  });
}
