import assert from 'node:assert/strict';
import { createHash, createHmac, createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { SimRandom } from '#targets/sim/index';
import { bindAccount, type Jws, jwkOf, signJws, thumbprint } from './jose.ts';

const random = new SimRandom(1);
const key = nodeCrypto.generatePrivateKey('P-256', random);
const url = 'https://ca.example/x';

const headOf = (jws: Jws) => JSON.parse(Buffer.from(jws.protected, 'base64url').toString());

function isSigned(jws: Jws): boolean {
  const publicKey = createPublicKey({ key: { ...jwkOf(key) }, format: 'jwk' });
  const input = Buffer.from(`${jws.protected}.${jws.payload}`);
  const signature = Buffer.from(jws.signature, 'base64url');
  assert.equal(signature.length, 64);
  return verify('sha256', input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
}

test('a key of P-256 › JWK › as Node has it', () => {
  const theirs = createPublicKey({ key: Buffer.from(key.spki), format: 'der', type: 'spki' });
  assert.deepEqual({ ...jwkOf(key) }, theirs.export({ format: 'jwk' }));
});

test('another key › JWK › a broken promise', () => {
  assert.throws(() => jwkOf(nodeCrypto.generatePrivateKey('P-384', random)), /P-256/);
});

test('a JWK › thumbprint › SHA-256 over its members in order (RFC 7638 §3)', () => {
  const { x, y } = jwkOf(key);
  const text = `{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`;
  const digest = createHash('sha256').update(text).digest('base64url');
  assert.equal(thumbprint(nodeCrypto, jwkOf(key)), digest);
});

test('many signatures › JWS › each is 64 bytes and right, whatever its DER', () => {
  const lengths = new Set<number>();
  for (let i = 0; i < 200; i++) {
    const jws = signJws(random, { key, as: { kid: 'k' } }, url, 'n', { i });
    assert.ok(isSigned(jws));
    lengths.add(Buffer.from(jws.signature, 'base64url')[0]! < 128 ? 0 : 1);
  }
  assert.equal(lengths.size, 2);
});

test('a request › JWS › nonce, URL and account in its protected head', () => {
  const jws = signJws(random, { key, as: { kid: 'k' } }, url, 'n', { a: 'ä' });
  assert.deepEqual(headOf(jws), { alg: 'ES256', nonce: 'n', url, kid: 'k' });
  assert.deepEqual(JSON.parse(Buffer.from(jws.payload, 'base64url').toString()), { a: 'ä' });
});

test('no payload, no nonce › JWS › an empty one, and none', () => {
  const jws = signJws(random, { key, as: { jwk: jwkOf(key) } }, url, null, null);
  assert.equal(jws.payload, '');
  assert.deepEqual(headOf(jws), { alg: 'ES256', url, jwk: { ...jwkOf(key) } });
  assert.ok(isSigned(jws));
});

test('another text › a signature of it › not right', () => {
  const jws = signJws(random, { key, as: { kid: 'k' } }, url, 'n', {});
  assert.ok(!isSigned({ ...jws, payload: 'e30x' }));
});

test('an external account › binding › HS256 over the account key', () => {
  const hmacKey = Buffer.from('secret');
  const jws = bindAccount(nodeCrypto, { kid: 'kid-1', hmacKey }, url, jwkOf(key));
  assert.deepEqual(headOf(jws), { alg: 'HS256', kid: 'kid-1', url });
  const tag = createHmac('sha256', hmacKey).update(`${jws.protected}.${jws.payload}`);
  assert.equal(jws.signature, tag.digest('base64url'));
});
