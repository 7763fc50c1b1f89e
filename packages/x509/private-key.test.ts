import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { pemEncode } from './pem.ts';
import {
  credentialsFromPem,
  privateKeyFromBlock,
  privateKeyFromPem,
  privateKeyLabel,
  privateKeyToPem,
} from './private-key.ts';
import { keyOf, leaf } from './test-authority.ts';

const read = (text: string) => {
  const found = privateKeyFromPem(nodeCrypto, text);
  return found.ok ? found.value : found.error;
};

describe('a key', () => {
  for (const [curve, type] of [
    ['P-256', 'sec1'],
    ['P-384', 'sec1'],
    ['P-256', 'pkcs8'],
  ] as const) {
    test(`${curve}, ${type} › read`, () => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve });
      const key = read(String(privateKey.export({ type, format: 'pem' })));
      assert.ok(typeof key === 'object');
      assert.deepEqual(key.spki, new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })));
    });
  }

  test('RSA, PKCS #1 › read', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key = read(String(privateKey.export({ type: 'pkcs1', format: 'pem' })));
    assert.ok(typeof key === 'object' && key.type === 'RSA');
  });

  test('beside other blocks › read', () => {
    const pem = privateKeyToPem(keyOf('leaf'));
    const certificate = pemEncode('CERTIFICATE', leaf('Root'));
    const key = read(`${certificate}\nKey Attributes: none\n${pem}${certificate}`);
    assert.ok(typeof key === 'object');
    assert.deepEqual(key.spki, keyOf('leaf').spki);
  });

  test('a block › read, and wiped, also when it is none', () => {
    for (const label of ['PRIVATE KEY', 'EC PRIVATE KEY', 'OPENSSH PRIVATE KEY']) {
      const block = { label, bytes: keyOf('leaf').pkcs8() };
      const found = privateKeyFromBlock(nodeCrypto, block);
      assert.equal(found.ok, label === 'PRIVATE KEY');
      assert.ok(block.bytes.every((byte) => byte === 0));
    }
  });

  test('what is none › said', () => {
    const key = createPrivateKey(privateKeyToPem(keyOf('leaf')));
    const options = { cipher: 'aes-128-cbc', passphrase: 'x' };
    const pem = privateKeyToPem(keyOf('leaf'));
    assert.equal(read(''), 'no private key');
    assert.equal(read(pemEncode('CERTIFICATE', leaf('Root'))), 'no private key');
    assert.equal(read(pem + pem), 'several private keys');
    assert.equal(read(pem.slice(0, -10)), 'not PEM');
    assert.equal(
      read(String(key.export({ type: 'pkcs8', format: 'pem', ...options }))),
      'encrypted',
    );
    assert.equal(
      read(String(key.export({ type: 'sec1', format: 'pem', ...options }))),
      'encrypted',
    );
    assert.equal(read(pemEncode('EC PRIVATE KEY', Uint8Array.of(0x30, 0))), 'malformed');
    assert.equal(read(pemEncode('PRIVATE KEY', Uint8Array.of(0x30, 0))), 'unsupported');
    assert.equal(read(pemEncode('RSA PRIVATE KEY', Uint8Array.of(0x30, 0))), 'unsupported');
    assert.equal(read(pemEncode('OPENSSH PRIVATE KEY', Uint8Array.of(0))), 'unsupported');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    assert.equal(read(String(privateKey.export({ type: 'sec1', format: 'pem' }))), 'unsupported');
  });
});

test('DER of a key › the label that PEM has for it', () => {
  const { privateKey: ec } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { privateKey: rsa } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const encryption = { cipher: 'aes-128-cbc', passphrase: 'x' };
  // size-exempt: table
  for (const [der, label] of [
    [ec.export({ type: 'pkcs8', format: 'der' }), 'PRIVATE KEY'],
    [rsa.export({ type: 'pkcs8', format: 'der' }), 'PRIVATE KEY'],
    [ec.export({ type: 'sec1', format: 'der' }), 'EC PRIVATE KEY'],
    [rsa.export({ type: 'pkcs1', format: 'der' }), 'RSA PRIVATE KEY'],
    [ec.export({ type: 'pkcs8', format: 'der', ...encryption }), 'ENCRYPTED PRIVATE KEY'],
    [Uint8Array.of(), 'PRIVATE KEY'],
    [Uint8Array.of(0x30), 'PRIVATE KEY'],
    [Uint8Array.of(0x30, 3, 2, 1, 0), 'PRIVATE KEY'],
    [Uint8Array.of(0x31, 2, 0x30, 0), 'PRIVATE KEY'],
  ] as const) {
    assert.equal(privateKeyLabel(new Uint8Array(der)), label);
  }
});

describe('a chain and its key', () => {
  const certificate = pemEncode('CERTIFICATE', leaf('Root'));
  const key = privateKeyToPem(keyOf('leaf'));
  const fault = (certificates: string, keyText: string) => {
    const found = credentialsFromPem(nodeCrypto, certificates, keyText);
    assert.ok(!found.ok);
    return `${found.error.of}: ${found.error.fault}`;
  };

  test('that belong together › read, also from one text', () => {
    const found = credentialsFromPem(nodeCrypto, certificate + certificate, key);
    assert.ok(found.ok);
    assert.equal(found.value.chain.length, 2);
    const text = key + certificate;
    assert.ok(credentialsFromPem(nodeCrypto, text, text).ok);
  });

  test('that don’t, or aren’t › said', () => {
    const other = privateKeyToPem(keyOf('another'));
    assert.equal(fault(certificate, other), 'both: the key is not the first certificate’s');
    assert.equal(fault(key, key), 'certificates: no certificate');
    assert.equal(fault('-----BEGIN ', key), 'certificates: not PEM');
    assert.equal(fault(pemEncode('CERTIFICATE', Uint8Array.of(1)), key), 'certificates: malformed');
    assert.equal(fault(certificate, certificate), 'key: no private key');
  });
});
