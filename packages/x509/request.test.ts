import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { signed } from './create.ts';
import { contextHolder } from './der.ts';
import { der, derNull, derOid, derSequence, derSet, derSmall } from './der-writer.ts';
import { alternativeNames, emitExtensions, hostName } from './extension-writer.ts';
import { CERTIFICATE_BYTES_MAX } from './limits.ts';
import { commonName, formatName, makeName } from './name.ts';
import { oid } from './oid.ts';
import { createCertificateRequest, parseCertificateRequest, verifyRequest } from './request.ts';
import { entropy, keyOf } from './test-authority.ts';

const key = keyOf('asker');
const names = alternativeNames([hostName('example.com')!]);
const REQUEST = createCertificateRequest(
  { subject: commonName('example.com'), extensions: [names] },
  key,
  entropy,
);

function parseParts(...parts: readonly Uint8Array[]) {
  return parseCertificateRequest(signed(derSequence(...parts), key, entropy));
}
const subject = commonName('a');
const asked = (...lists: readonly Uint8Array[]): Uint8Array =>
  derSequence(derOid(oid.extensionRequest), der(0x31, ...lists));
const attributes = (...list: readonly Uint8Array[]): Uint8Array => der(contextHolder(0), ...list);

describe('a request', () => {
  test('made › read again, and the asker holds the key', () => {
    const parsed = parseCertificateRequest(REQUEST);
    assert.ok(parsed.ok);
    assert.equal(formatName(parsed.value.subject), 'CN=example.com');
    assert.deepEqual(parsed.value.spki, key.spki);
    assert.deepEqual(parsed.value.extensions.subjectAltNames, [
      { kind: 'dns', text: 'example.com' },
    ]);
    assert.ok(verifyRequest(nodeCrypto, parsed.value));
  });

  test('without extensions, with other attributes › read', () => {
    const plain = createCertificateRequest({ subject: makeName([]), extensions: [] }, key, entropy);
    const parsed = parseCertificateRequest(plain);
    assert.ok(parsed.ok && parsed.value.extensions.all.length === 0);
    const challenge = derSequence(derOid('1.2.840.113549.1.9.7'), derSet(derNull()));
    assert.ok(parseParts(derSmall(0), subject, key.spki, attributes(challenge)).ok);
  });

  const list = emitExtensions([names]);
  const faulty: Readonly<Record<string, readonly Uint8Array[]>> = {
    'another version': [derSmall(1), subject, key.spki, attributes()],
    'no attributes': [derSmall(0), subject, key.spki],
    'extensions asked twice': [
      derSmall(0),
      subject,
      key.spki,
      attributes(asked(list), asked(list)),
    ],
    'two lists of extensions': [derSmall(0), subject, key.spki, attributes(asked(list, list))],
    'an attribute of nothing': [
      derSmall(0),
      subject,
      key.spki,
      attributes(derSequence(derOid('1.2.3'), der(0x31))),
    ],
    'something after': [derSmall(0), subject, key.spki, attributes(), derNull()],
  };
  for (const [what, parts] of Object.entries(faulty)) {
    test(`${what} › refused`, () => assert.ok(!parseParts(...parts).ok));
  }

  test('every length and changed byte › a fault, or not the asker’s', () => {
    for (let i = 0; i < REQUEST.length; i++) {
      assert.ok(!parseCertificateRequest(REQUEST.subarray(0, i)).ok);
      const changed = REQUEST.slice();
      changed[i]! ^= 0x81;
      const parsed = parseCertificateRequest(changed);
      assert.ok(!parsed.ok || !verifyRequest(nodeCrypto, parsed.value));
    }
  });

  test('bytes › one past the bound refused', () => {
    const sized = (count: number) => {
      const extension = { oid: '1.2.3', critical: false, value: new Uint8Array(count) };
      return createCertificateRequest(
        { subject, extensions: [extension] },
        keyOf('asker ed', 'Ed25519'),
        entropy,
      );
    };
    const base = sized(20_000).length - 20_000;
    assert.ok(parseCertificateRequest(sized(CERTIFICATE_BYTES_MAX - base)).ok);
    assert.ok(!parseCertificateRequest(sized(CERTIFICATE_BYTES_MAX - base + 1)).ok);
  });
});
