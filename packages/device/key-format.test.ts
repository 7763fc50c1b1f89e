/** What tests/crypto/vectors.test.ts doesn't ask: limits of RSA-PSS keys, draws, ranges. */

import assert from 'node:assert/strict';
import {
  createPublicKey,
  generateKeyPairSync,
  type RSAPSSKeyPairKeyObjectOptions,
} from 'node:crypto';
import { test } from 'node:test';
import { keyInfo } from './checked-keys.ts';
import { CURVES, drawPrivateKey, emitSpki, isScalar, parseSpki } from './key-format.ts';
import { algorithmFor, ecdsaFromDer, ecdsaToDer } from './signature-format.ts';

const pssKey = (saltLength: number, hashAlgorithm: string, mgf1HashAlgorithm = hashAlgorithm) => {
  const options = { modulusLength: 1024, hashAlgorithm, mgf1HashAlgorithm, saltLength };
  // The types say that a length is text.
  const { publicKey } = generateKeyPairSync(
    'rsa-pss',
    options as unknown as RSAPSSKeyPairKeyObjectOptions,
  );
  return new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
};

test('a key for RSA-PSS with limits › asked for › only what they allow', () => {
  const spki = pssKey(32, 'sha256');
  const parts = parseSpki(spki);
  assert.ok(parts?.type === 'RSA-PSS');
  assert.deepEqual(parts.pss, { hash: 'SHA-256', saltBytesMin: 32 });
  assert.deepEqual(emitSpki(parts), spki);
  const info = keyInfo(parts)!;
  const asked = (hash: 'SHA-256' | 'SHA-384', saltBytes: number) =>
    algorithmFor({ kind: 'RSA-PSS', hash, saltBytes }, info);
  assert.notEqual(asked('SHA-256', 32), null);
  assert.notEqual(asked('SHA-256', 33), null);
  assert.equal(asked('SHA-256', 31), null);
  assert.equal(asked('SHA-384', 48), null);
  assert.notEqual(algorithmFor('rsa_pss_pss_sha256', info), null);
  assert.equal(algorithmFor('rsa_pss_rsae_sha256', info), null);
  assert.equal(algorithmFor({ kind: 'RSA-PKCS1', hash: 'SHA-256' }, info), null);
});

test('a key for RSA-PSS with other hashes, or two › read › none', () => {
  assert.equal(parseSpki(pssKey(20, 'sha1')), null);
  assert.equal(parseSpki(pssKey(32, 'sha224')), null);
  assert.equal(parseSpki(pssKey(32, 'sha256', 'sha384')), null);
  assert.equal(parseSpki(pssKey(32, 'sha384', 'sha256')), null);
});

test('a salt for RSA-PSS › as long as there is room › one byte more is not', () => {
  const parts = parseSpki(pssKey(0, 'sha256'))!;
  const info = keyInfo(parts)!;
  // 128 bytes less digest and two, RFC 8017 §9.1.1.
  const fits = (saltBytes: number) =>
    algorithmFor({ kind: 'RSA-PSS', hash: 'SHA-256', saltBytes }, info) !== null;
  assert.ok(fits(94));
  assert.ok(!fits(95));
});

for (const curve of Object.values(CURVES)) {
  test(`${curve.name} › scalars › 1 to order - 1`, () => {
    const scalar = (last: number) => {
      const bytes = new Uint8Array(curve.bytes);
      bytes[curve.bytes - 1] = last;
      return bytes;
    };
    const near = (offset: number) => {
      const bytes = curve.order.slice();
      bytes[curve.bytes - 1]! += offset;
      return bytes;
    };
    assert.ok(isScalar(curve, scalar(1)) && isScalar(curve, near(-1)));
    assert.ok(
      !isScalar(curve, scalar(0)) && !isScalar(curve, near(0)) && !isScalar(curve, near(1)),
    );
    assert.ok(!isScalar(curve, scalar(1).subarray(1)));
  });

  test(`${curve.name} › draws out of range › eight are a broken source`, () => {
    let draws = 0;
    const source = (good: number) => ({
      fill(out: Uint8Array) {
        draws++;
        out.fill(draws < good ? 0xff : 1);
      },
    });
    assert.equal(drawPrivateKey(curve.group, source(8)).length, curve.bytes);
    assert.equal(draws, 8);
    draws = 0;
    assert.throws(() => drawPrivateKey(curve.group, source(9)), /repeats itself/);
  });

  test(`${curve.name} › a signature › both forms are the same`, () => {
    const halves = new Uint8Array(2 * curve.bytes);
    halves[curve.bytes - 1] = 0x80;
    halves[2 * curve.bytes - 1] = 1;
    const der = ecdsaToDer(curve, halves);
    assert.deepEqual([...der], [0x30, 7, 2, 2, 0, 0x80, 2, 1, 1]);
    assert.deepEqual(ecdsaFromDer(curve, der), halves);
  });
}

test('a key that OpenSSL writes › read and written › the same bytes', () => {
  for (const namedCurve of ['P-256', 'P-384']) {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve });
    const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
    assert.deepEqual(emitSpki(parseSpki(spki)!), spki);
    assert.ok(createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }));
  }
});
