import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { validatePath } from './path.ts';
import { anchorsOf, below, leafOf, makeRoot, NOW } from './test-authority.ts';

test('a leaf below an intermediate › validated › the path without the anchor', () => {
  const root = makeRoot();
  const middle = below(root);
  const anchors = anchorsOf(root);
  const leaf = leafOf(middle, { names: ['localhost', '127.0.0.1'] });
  const chain = [leaf, middle.certificate.raw];
  const common = { crypto: nodeCrypto, chain, anchors, at: NOW, purpose: 'serverAuth' } as const;
  for (const name of ['localhost', '127.0.0.1', null]) {
    const found = validatePath({ ...common, name });
    assert.ok(found.ok);
    assert.deepEqual(
      found.value.certificates.map(({ raw }) => raw),
      chain,
    );
  }
  for (const name of ['example.com', '127.0.0.2', '::1', '']) {
    assert.deepEqual(validatePath({ ...common, name }), {
      ok: false,
      error: { kind: 'name mismatch', certificate: 0 },
    });
  }
});
