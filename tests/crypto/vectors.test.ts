/** The vectors on every implementation that runs in Node; tests/boot has the image's. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withEd25519 } from '#crypto/ed25519';
import { nobleCrypto } from '#crypto/noble';
import { fromHex, runVectors, toHex, VECTORS, type Vector } from '#crypto/vectors';
import { nodeCrypto } from '#targets/node/crypto';

/** As an image has them: Ed25519 is noble's, the rest isn't. */
const mixed = withEd25519({ ...nodeCrypto, name: 'node without Ed25519', ed25519: false });

for (const crypto of [nodeCrypto, nobleCrypto, mixed]) {
  test(`${crypto.name} › this project’s vectors › answers right`, () => {
    const { run, skipped, failures } = runVectors(crypto, VECTORS);
    assert.deepEqual(failures, []);
    assert.equal(run, VECTORS.length);
    assert.equal(skipped, 0);
  });
}

const isQuick = ({ kind }: Vector) => kind === 'hmac' || kind === 'digest' || kind === 'secret';

test('an implementation that answers wrong › this project’s vectors › tells each', () => {
  const wrong = { ...nodeCrypto, hmac: () => new Uint8Array(32), digest: () => new Uint8Array(0) };
  const { failures } = runVectors(wrong, VECTORS.filter(isQuick));
  const failed = (kind: string) => failures.filter((line) => line.includes(`: ${kind}: `)).length;
  assert.equal(failed('hmac'), VECTORS.filter(({ kind }) => kind === 'hmac').length);
  assert.equal(failed('digest'), VECTORS.filter(({ kind }) => kind === 'digest').length);
  assert.equal(failed('secret'), 0);
});

test('an implementation that verifies everything › this project’s vectors › is found out', () => {
  const lax = {
    ...nodeCrypto,
    importPublicKey(spki: Uint8Array) {
      const key = nodeCrypto.importPublicKey(spki);
      return key === null ? null : Object.assign(Object.create(key), { verify: () => true });
    },
  };
  const { failures } = runVectors(
    lax,
    VECTORS.filter(({ kind }) => kind === 'verify'),
  );
  const asked = VECTORS.filter((vector) => vector.kind === 'verify').length;
  assert.equal(failures.filter((line) => line.includes(': verify: ')).length, asked);
});

test('noble › signs with the same entropy › the same signature; with other, another', () => {
  const signs = VECTORS.filter((vector) => vector.kind === 'sign').filter(
    ({ signature }) => signature === null,
  );
  const salted = signs.find(
    ({ scheme }) => typeof scheme === 'object' && scheme.kind === 'RSA-PSS',
  );
  for (const { pkcs8, scheme } of [signs.at(-1)!, salted!]) {
    const key = nobleCrypto.importPrivateKey(fromHex(pkcs8))!;
    const signed = (byte: number) =>
      toHex(key.sign(scheme, fromHex('0102'), { fill: (out) => void out.fill(byte) }));
    assert.equal(signed(1), signed(1));
    assert.notEqual(signed(1), signed(2));
  }
});
