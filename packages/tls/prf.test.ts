import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { prf } from './prf.ts';
import { suiteOfName } from './suites.ts';

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

/** As published on the TLS working group's list, 2009-05; OpenSSL's TLS1-PRF agrees. */
const vectors = [
  {
    suite: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
    secret: '9bbe436ba940f017b17652849a71db35',
    seed: 'a0ba9f936cda311827a6f796ffd5198c',
    out:
      'e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e' +
      '14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5' +
      'a72e5a5110fff70187347b66',
  },
  {
    suite: 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
    secret: 'b80b733d6ceefcdc71566ea48e5567df',
    seed: 'cd665cf6a8447dd6ff8b27555edb7465',
    out:
      '7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b123' +
      '3c9146a0e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd' +
      '4abfdad05d9184259b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a2' +
      '6854308d5eaa3be85e0990703d73e56f',
  },
] as const;

for (const { suite, secret, seed, out } of vectors) {
  test(`prf of ${suite} › published vector › agrees at every length`, () => {
    const whole = bytes(out);
    for (const count of [1, 12, 31, 32, 33, 48, 49, whole.length]) {
      const made = prf(
        nodeCrypto,
        suiteOfName(suite),
        bytes(secret),
        'test label',
        bytes(seed),
        count,
      );
      assert.deepEqual(made, whole.slice(0, count));
    }
  });
}
