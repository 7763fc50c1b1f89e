import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hot, wallTimeOfMillis } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { SimRandom } from '#targets/sim/index';
import { parseCertificate, parseCertificateRequest, pemEncode, verifyRequest } from '#x509';
import { identifierOf, readChain, renewalIdOf, requestFor } from './certificate.ts';
import { dersOf, TestAuthority } from './test-authority.ts';
import type { Identifier } from './wire/index.ts';

const random = new SimRandom(3);
const now = wallTimeOfMillis(Date.UTC(2026, 10, 26));
const authority = new TestAuthority(random, () => now);
const key = nodeCrypto.generatePrivateKey('P-256', random);
const identifiers: Identifier[] = [
  { type: 'dns', value: 'a.example' },
  { type: 'ip', value: '192.0.2.1' },
];
const NAMES = ['a.example', '192.0.2.1'];
const CHECK = { identifiers, spki: key.spki, at: now, certificatesMax: 8 };
const read = (pem: string, check: Partial<typeof CHECK> = {}) =>
  readChain(hot.utf8Encode(pem), { ...CHECK, ...check });

// size-exempt: table
for (const [name, identifier] of [
  ['A.Example', { type: 'dns', value: 'a.example' }],
  ['192.0.2.1', { type: 'ip', value: '192.0.2.1' }],
  ['2001:DB8:0::1', { type: 'ip', value: '2001:db8::1' }],
  ['*.example', null],
  ['a.example.', null],
  ['-a.example', null],
  ['192.0.2.256', null],
  ['a b', null],
  ['', null],
] as const) {
  test(`'${name}' › identifier › ${identifier?.value ?? 'none'}`, () => {
    assert.deepEqual(identifierOf(name), identifier);
  });
}

test('names › request › all of them, no subject, signed with its key', () => {
  const request = parseCertificateRequest(requestFor(identifiers, key, random));
  assert.ok(request.ok && verifyRequest(nodeCrypto, request.value));
  assert.deepEqual(request.value.extensions.subjectAltNames, [
    { kind: 'dns', text: 'a.example' },
    { kind: 'ip', bytes: Uint8Array.of(192, 0, 2, 1) },
  ]);
});

test('a chain for the key and names › read › leaf first', () => {
  const chain = read(authority.chain(NAMES, key.spki));
  assert.ok(typeof chain !== 'string');
  assert.equal(chain.length, 2);
});

const good = authority.chain(NAMES, key.spki);
const [leaf, issuer] = dersOf(good) as [Uint8Array, Uint8Array];
const pem = (...ders: Uint8Array[]) => ders.map((der) => pemEncode('CERTIFICATE', der)).join('');
const other = nodeCrypto.generatePrivateKey('P-256', random);
const DAY = 86_400_000;

// size-exempt: table
for (const [what, text, fault, check] of [
  ['nothing', '', 'no certificate', {}],
  ['no PEM', 'a chain', 'no certificate', {}],
  ['half a block', good.slice(0, 200), 'malformed', {}],
  ['another label', pemEncode('PRIVATE KEY', leaf), 'malformed', {}],
  ['no certificate in it', pem(Uint8Array.of(1, 2, 3)), 'malformed', {}],
  ['the issuer cut short', pem(leaf, issuer.slice(0, -1)), 'malformed', {}],
  ['another key', authority.chain(NAMES, other.spki), 'another key', {}],
  ['the issuer first', pem(issuer, leaf), 'another key', {}],
  ['a name less', authority.chain(['a.example'], key.spki), 'other names', {}],
  ['another name', authority.chain(['b.example', '192.0.2.1'], key.spki), 'other names', {}],
  ['later', good, 'not valid now', { at: wallTimeOfMillis(now - DAY) }],
  ['over', good, 'not valid now', { at: wallTimeOfMillis(now + 91 * DAY) }],
  ['an issuer that isn’t', pem(leaf, leaf), 'broken chain', {}],
  ['too many', pem(leaf, issuer, issuer), 'too many', { certificatesMax: 2 }],
] as const) {
  test(`a chain that is ${what} › read › ${fault}`, () => {
    assert.equal(read(text, check), fault);
  });
}

test('as many certificates as may come › read › taken', () => {
  assert.notEqual(read(good, { certificatesMax: 2 }), 'too many');
});

test('a certificate › renewal id › key identifier and serial (RFC 9773 §4.1)', () => {
  const parsed = parseCertificate(leaf);
  assert.ok(parsed.ok);
  const id = renewalIdOf(parsed.value);
  const { extensions, serial } = parsed.value;
  const parts = [extensions.authorityKeyId!, serial];
  assert.equal(id, parts.map((part) => Buffer.from(part).toString('base64url')).join('.'));
  assert.equal(
    renewalIdOf({ ...parsed.value, extensions: { ...extensions, authorityKeyId: null } }),
    null,
  );
});
