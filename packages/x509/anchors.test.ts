import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { TrustAnchors } from './anchors.ts';
import { tag } from './der.ts';
import { der, derOid, derSequence, derSet } from './der-writer.ts';
import { commonName, formatName } from './name.ts';
import { oid } from './oid.ts';
import { validatePath } from './path.ts';
import { pemEncode } from './pem.ts';
import { authority, leaf, NOW } from './test-authority.ts';

const one = authority('One', 'One');
const two = authority('Two', 'Two');
const namesOf = (anchors: TrustAnchors): string[] =>
  anchors.certificates.map(({ subject }) => formatName(subject));

test('a bundle › its certificates, whatever else is in it', () => {
  const text = `# One\n${pemEncode('CERTIFICATE', one)}${pemEncode('X509 CRL', two)}${pemEncode('CERTIFICATE', two)}`;
  const anchors = TrustAnchors.fromPem(text);
  assert.ok(anchors.ok);
  assert.deepEqual(namesOf(anchors.value), ['CN=One', 'CN=Two']);
  assert.ok(!TrustAnchors.fromPem(text.slice(0, -5)).ok);
});

test('malformed ones, early or late in them › counted, and no anchors', () => {
  const early = one.slice();
  early[5] = 0x80;
  const late = one.subarray(0, -1);
  const anchors = new TrustAnchors([early, late, one, Uint8Array.of()]);
  assert.equal(anchors.malformed, 3);
  assert.deepEqual(namesOf(anchors), ['CN=One']);
  assert.equal(anchors.withSubject(commonName('One')).length, 1);
  assert.equal(anchors.withSubject(commonName('Two')).length, 0);
});

test('the issuer’s name in another string type, case and spacing › found', () => {
  const anchors = new TrustAnchors([two, authority('One  Two', 'One  Two')]);
  const value = der(tag.utf8String, new Uint8Array(Buffer.from('ONE two')));
  const issuerName = derSequence(derSet(derSequence(derOid(oid.commonName), value)));
  assert.equal(anchors.withSubject(issuerName).length, 1);
  const chain = [leaf('One  Two', { issuerName })];
  const common = {
    crypto: nodeCrypto,
    anchors,
    at: NOW,
    purpose: 'serverAuth',
    name: null,
  } as const;
  assert.ok(validatePath({ ...common, chain }).ok);
});
