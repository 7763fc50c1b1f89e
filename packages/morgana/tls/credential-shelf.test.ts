import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PrivateKey } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import { pemDecode } from '#x509';
import { CredentialShelf } from './credential-shelf.ts';
import { CREDENTIALS_MAX } from './limits.ts';
import type { PemGroup } from './pem-source.ts';
import { days, makePair, NOW, root } from './test-certificates.ts';

const a = makePair(['a.example', '192.0.2.1']);
const wild = makePair(['*.b.example', '2001:db8::1']);
const ed = makePair(['a.example'], 'Ed25519');

function group(name: string, ...texts: string[]): PemGroup {
  const decoded = pemDecode(texts.join(''));
  assert.ok(decoded.ok);
  return { name, blocks: decoded.value };
}

const shelfOf = (...groups: PemGroup[]): CredentialShelf => {
  const shelf = CredentialShelf.from(groups, nodeCrypto);
  assert.ok(shelf.ok, shelf.ok ? '' : shelf.error);
  return shelf.value;
};
const complaintOf = (...groups: PemGroup[]): string => {
  const shelf = CredentialShelf.from(groups, nodeCrypto);
  assert.ok(!shelf.ok);
  return shelf.error;
};
const originFor = (shelf: CredentialShelf, name: string | null): string | undefined =>
  shelf.choose(name, ['ecdsa_secp256r1_sha256', 'ed25519'])?.origin;

test('a name › its certificate; another, or none › the first', () => {
  const shelf = shelfOf(group('a', a.certificate, a.key), group('b', wild.certificate, wild.key));
  // size-exempt: table
  for (const [name, origin] of [
    ['a.example', 'a'],
    ['A.Example', 'a'],
    ['x.b.example', 'b'],
    ['192.0.2.1', 'a'],
    ['2001:db8:0::1', 'b'],
    ['b.example', 'a'],
    ['x.y.b.example', 'a'],
    ['nobody.example', 'a'],
    [null, 'a'],
  ] as const) {
    assert.equal(originFor(shelf, name), origin, `${name}`);
  }
  assert.equal(shelf.firstName, 'a.example');
});

test('two keys for one name › the one that the client can check', () => {
  const shelf = shelfOf(group('ed', ed.certificate, ed.key), group('ec', a.certificate, a.key));
  assert.equal(shelf.choose('a.example', ['ecdsa_secp256r1_sha256'])?.origin, 'ec');
  assert.equal(shelf.choose('a.example', ['ed25519'])?.origin, 'ed');
  assert.equal(shelf.choose('a.example', ['rsa_pss_rsae_sha256'])?.origin, 'ed', 'as good as any');
});

test('keys in other files, in any order › found by their public halves', () => {
  const shelf = shelfOf(
    group('keys', wild.key, a.key),
    group('chain', a.certificate, wild.certificate),
  );
  assert.deepEqual(
    shelf.snapshot().map(({ names, origin, keyType }) => [names.join(' '), origin, keyType]),
    [
      ['a.example 192.0.2.1', 'chain', 'P-256'],
      ['*.b.example 2001:db8::1', 'chain', 'P-256'],
    ],
  );
});

test('issuers behind a leaf › its chain; a CA that lies about › nobody’s', () => {
  const { raw } = root.certificate;
  const ca = group(
    'ca',
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(raw).toString('base64')}\n-----END CERTIFICATE-----\n`,
  );
  const withIssuer: PemGroup = {
    name: 'a',
    blocks: [...group('a', a.certificate).blocks, ...ca.blocks],
  };
  const shelf = shelfOf(ca, withIssuer, group('key', a.key));
  assert.deepEqual(
    shelf.all.map(({ chain }) => chain.length),
    [2],
  );
});

test('the same file twice › one key', () => {
  const shelf = shelfOf(group('x', a.certificate, a.key), group('y', a.certificate, a.key));
  assert.equal(shelf.all.length, 2);
});

test('keys’ bytes › wiped once they are read', () => {
  const read = group('x', a.certificate, a.key);
  shelfOf(read);
  assert.ok(read.blocks[1]!.bytes.every((byte) => byte === 0));
});

test('keys beside something wrong › none is left', () => {
  const made: PrivateKey[] = [];
  const crypto = {
    ...nodeCrypto,
    importPrivateKey(der: Uint8Array) {
      const key = nodeCrypto.importPrivateKey(der);
      if (key !== null) made.push(key);
      return key;
    },
  };
  const broken = '-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n';
  const unusable = '-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----\n';
  const both = a.certificate + a.key;
  for (const text of [both + broken, both + unusable, both + wild.key, a.key]) {
    assert.ok(!CredentialShelf.from([group('x', text)], crypto).ok);
  }
  assert.equal(made.length, 5);
  for (const key of made) assert.throws(() => key.pkcs8());
});

test('something missing or wrong › one sentence', () => {
  assert.match(complaintOf(), /no private key/);
  assert.match(complaintOf(group('x', a.certificate)), /no private key/);
  assert.match(complaintOf(group('x', a.key)), /no certificate for the private key/);
  assert.match(complaintOf(group('x', wild.certificate, a.key)), /no certificate for/);
  assert.match(
    complaintOf(group('x', a.certificate, a.key, wild.key)),
    /a private key without its certificate/,
  );
  const malformed = a.certificate.replace(/\n[^-]{64}\n/, '\n');
  assert.match(complaintOf(group('x', malformed, a.key)), /x has a malformed certificate/);
  const encrypted = a.key.replaceAll('PRIVATE KEY', 'ENCRYPTED PRIVATE KEY');
  assert.match(complaintOf(group('x', a.certificate, encrypted)), /can't be used: encrypted/);
  const garbage = '-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----\n';
  assert.match(complaintOf(group('x', a.certificate, garbage)), /can't be used/);
});

test('certificates › at the bound and one past it', () => {
  const groups = Array.from({ length: CREDENTIALS_MAX }, (_, i) => group(`${i}`, a.certificate));
  assert.equal(shelfOf(...groups, group('key', a.key)).all.length, CREDENTIALS_MAX);
  assert.match(complaintOf(...groups, group('one more', a.certificate, a.key)), /more than/);
});

test('what is not valid now, or names nobody › told', () => {
  const old = makePair(['old.example'], 'P-256', { notBefore: days(-9), notAfter: days(-1) });
  const early = makePair(['new.example'], 'P-256', { notBefore: days(1), notAfter: days(9) });
  const shelf = shelfOf(
    group('a', a.certificate, a.key),
    group('o', old.certificate, old.key),
    group('n', early.certificate, early.key),
  );
  assert.deepEqual(shelf.warnings(NOW), [
    'the certificate for old.example (o) has expired',
    'the certificate for new.example (n) is not valid yet',
  ]);
});
