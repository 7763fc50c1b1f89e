/** What holds a secret doesn't show it, wipes it, and doesn't work any more. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { nobleCrypto } from '#crypto/noble';
import type { CryptoPrimitives, Entropy } from '#device';
import { nodeCrypto } from '#targets/node/crypto';

const entropy: Entropy = {
  fill: (out) => out.set(out.map((_, i) => (i * 73 + 0x51) & 0xff)),
};

/** Every way in which a program writes a value down. */
function written(value: object): string {
  const all = { showHidden: true, depth: 10, maxArrayLength: null, maxStringLength: null };
  return [inspect(value, all), JSON.stringify(value), String(value), Object.keys(value)].join('\n');
}

function assertHidden(value: object, secret: Uint8Array): void {
  const text = written(value).toLowerCase().replaceAll(/\s+/g, '');
  const bytes = Buffer.from(secret);
  // Eight bytes are enough to tell a secret from what is public.
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const part = bytes.subarray(at, at + 8);
    assert(!text.includes(part.toString('hex')));
    assert(!text.includes(part.join(',')));
  }
  assert(!text.includes(bytes.toString('base64url').toLowerCase()));
}

/** The contents, in hexadecimal, of all arrays that are filled with zeros meanwhile. */
function wipedBy(run: () => void): string[] {
  const { fill } = Uint8Array.prototype;
  const contents: string[] = [];
  Uint8Array.prototype.fill = function (value, from, to) {
    if (value === 0) contents.push(Buffer.from(this).toString('hex'));
    return fill.call(this, value, from, to);
  };
  try {
    run();
  } finally {
    Uint8Array.prototype.fill = fill;
  }
  return contents;
}

const NONE = new Uint8Array(0);

function cases(crypto: CryptoPrimitives) {
  const secret = new Uint8Array(32);
  entropy.fill(secret);
  const aead = crypto.aead('AES-256-GCM', secret);
  const keys = (['x25519', 'secp256r1'] as const).map((group) => {
    const key = crypto.generateKeyAgreement(group, entropy);
    return { what: group, key, secret, use: () => key.agree(NONE), wipes: crypto.name === 'noble' };
  });
  const signers = (['P-256', 'Ed25519'] as const).map((type) => {
    const key = crypto.generatePrivateKey(type, entropy);
    return { what: type, key, secret, use: () => key.pkcs8(), wipes: true };
  });
  const use = () => aead.open(new Uint8Array(12), NONE, new Uint8Array(16), 0, 16, NONE, 0);
  return [{ what: 'AES-256-GCM', key: aead, secret, use, wipes: true }, ...keys, ...signers];
}

for (const crypto of [nodeCrypto, nobleCrypto]) {
  test(`${crypto.name}, a destroyed key of AES-256-GCM › less than a tag › works no more`, () => {
    const key = crypto.aead('AES-256-GCM', new Uint8Array(32));
    const open = () => key.open(new Uint8Array(12), NONE, NONE, 0, 0, NONE, 0);
    assert.equal(open(), false);
    key.destroy();
    assert.throws(open, /a destroyed key/);
  });

  for (const { what, key, secret, use, wipes } of cases(crypto)) {
    test(`${crypto.name}, a key of ${what} › written down › shows nothing of it`, () => {
      assertHidden(key, secret);
    });

    test(`${crypto.name}, a key of ${what} › destroyed › is wiped and works no more`, () => {
      use();
      const wiped = wipedBy(() => key.destroy());
      const hex = Buffer.from(secret).toString('hex');
      // What OpenSSL holds it wipes itself.
      assert.equal(
        wiped.some((text) => text.includes(hex)),
        wipes,
      );
      assert.throws(use, /a destroyed key/);
      key.destroy();
    });
  }
}

test('the check itself › a secret that is shown › fails', () => {
  const secret = new Uint8Array(32);
  entropy.fill(secret);
  assert.throws(() => assertHidden({ secret }, secret));
  assert.throws(() => assertHidden({ secret: Buffer.from(secret).toString('hex') }, secret));
});
