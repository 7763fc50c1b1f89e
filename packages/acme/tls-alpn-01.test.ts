import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { wallTimeOfMillis } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { SimRandom } from '#targets/sim/index';
import { parseCertificate } from '#x509';
import { Proofs } from './challenge.ts';
import { ACME_TLS_ALPN, AlpnAnswers, serverNameOf } from './tls-alpn-01.ts';

const wall = wallTimeOfMillis(Date.UTC(2026, 10, 26));
const PROOF = {
  type: 'tls-alpn-01',
  identifier: { type: 'dns', value: 'a.example' },
  token: 'token',
  keyAuthorization: 'token.print',
} as const;

function answers() {
  const proofs = new Proofs();
  const tools = { crypto: nodeCrypto, entropy: new SimRandom(5), clock: { wall: () => wall } };
  return { proofs, alpn: new AlpnAnswers(proofs, tools) };
}

test('a proof is to be given › its name and protocol › a certificate with it, the same each time', () => {
  const { proofs, alpn } = answers();
  proofs.present(PROOF);
  const certified = alpn.answer('A.example', [ACME_TLS_ALPN]);
  assert.ok(certified !== null);
  assert.equal(alpn.answer('a.example', [ACME_TLS_ALPN]), certified);
  const parsed = parseCertificate(certified.chain[0]!);
  assert.ok(parsed.ok);
  const { extensions, notBefore, notAfter, spki } = parsed.value;
  assert.deepEqual(spki, certified.key.spki);
  assert.deepEqual(extensions.subjectAltNames, [{ kind: 'dns', text: 'a.example' }]);
  const own = extensions.all.find(({ oid }) => oid === '1.3.6.1.5.5.7.1.31');
  const digest = createHash('sha256').update('token.print').digest();
  assert.deepEqual(own, {
    oid: '1.3.6.1.5.5.7.1.31',
    critical: true,
    value: Uint8Array.of(4, 32, ...digest),
  });
  assert.ok(notBefore < wall && wall < notAfter);
  const theirs = new X509Certificate(certified.chain[0]!);
  assert.ok(theirs.verify(theirs.publicKey));
});

for (const [what, name, protocols] of [
  ['no name', null, [ACME_TLS_ALPN]],
  ['another name', 'b.example', [ACME_TLS_ALPN]],
  ['no protocol', 'a.example', []],
  ['another protocol', 'a.example', ['http/1.1']],
  ['several protocols', 'a.example', [ACME_TLS_ALPN, 'http/1.1']],
] as const) {
  test(`a proof is to be given › ${what} › nothing`, () => {
    const { proofs, alpn } = answers();
    proofs.present(PROOF);
    assert.equal(alpn.answer(name, protocols), null);
  });
}

test('a proof that was withdrawn, one of another type › its name › nothing', () => {
  const { proofs, alpn } = answers();
  proofs.present(PROOF);
  assert.ok(alpn.answer('a.example', [ACME_TLS_ALPN]) !== null);
  proofs.withdraw(PROOF);
  proofs.present({ ...PROOF, type: 'http-01' });
  assert.equal(alpn.answer('a.example', [ACME_TLS_ALPN]), null);
});

test('addresses › server name › in the reverse tree (RFC 8738 §6)', () => {
  assert.equal(serverNameOf({ type: 'ip', value: '192.0.2.10' }), '10.2.0.192.in-addr.arpa');
  assert.equal(
    serverNameOf({ type: 'ip', value: '2001:db8::1' }),
    `1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`,
  );
});
