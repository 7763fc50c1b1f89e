/** Runs in an image: known answers of the base's cryptography, one line each that fails. */
import { primitives } from '#crypto/platform';
import type { CryptoPrimitives, Entropy } from '#device';

declare const __base: import('#targets/base/base').Base;

const bytes = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const hex = (from: Uint8Array): string =>
  Array.from(from, (byte) => byte.toString(16).padStart(2, '0')).join('');
const ones: Entropy = { fill: (out) => out.fill(1) };

let failures = '';
const check = (what: string, got: unknown, want: unknown): void => {
  if (got !== want) failures += `${what}: ${String(got)}, not ${String(want)}\n`;
};

function hashes({ createHash, digest, hmac, hkdfExpand }: CryptoPrimitives): void {
  const abc = bytes('616263');
  check('SHA-1', hex(digest('SHA-1', abc)), 'a9993e364706816aba3e25717850c26c9cd0d89d');
  const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  const state = createHash('SHA-256');
  state.update(abc.subarray(0, 1));
  const copy = state.copy();
  state.update(abc.subarray(1));
  check('state', hex(state.digest()), sha256);
  check('state goes on', hex(state.digest()), sha256);
  copy.update(abc.subarray(1));
  check('copy', hex(copy.digest()), sha256);
  // RFC 4231 §4.3, RFC 5869 A.1.
  const what = bytes('7768617420646f2079612077616e7420666f72206e6f7468696e673f');
  check(
    'HMAC',
    hex(hmac('SHA-256', bytes('4a656665'), what)),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
  const key = bytes('077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5');
  check(
    'HKDF',
    hex(hkdfExpand('SHA-256', key, bytes('f0f1f2f3f4f5f6f7f8f9'), 42)),
    '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  );
}

/** The GCM specification's test case 4. */
function aeads({ aead }: CryptoPrimitives): void {
  const nonce = bytes('cafebabefacedbaddecaf888');
  const additional = bytes('feedfacedeadbeeffeedfacedeadbeefabaddad2');
  const plain = bytes(
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
  );
  const key = aead('AES-128-GCM', bytes('feffe9928665731c6d6a8f9467308308'));
  const out = new Uint8Array(plain.length + 16);
  key.seal(nonce, additional, plain, 0, plain.length, out, 0);
  check('GCM tag', hex(out.subarray(-16)), '5bc94fbc3221a5db94fae95ae7121a47');
  check('GCM open', key.open(nonce, additional, out, 0, out.length, out, 0), true);
  check('GCM plain', hex(out.subarray(0, plain.length)), hex(plain));
  check('GCM forged', key.open(nonce, additional, out, 0, out.length, out, 0), false);
  check('GCM wiped', hex(out.subarray(0, plain.length)), '00'.repeat(plain.length));
  key.destroy();
  check(
    'destroyed',
    throws(() => key.open(nonce, additional, out, 0, out.length, out, 0)),
    true,
  );
  // Every length up to three chunks of eight blocks, in place, on all kinds.
  for (const name of ['AES-128-GCM', 'AES-256-GCM', 'CHACHA20-POLY1305'] as const) {
    const some = aead(name, new Uint8Array(name === 'AES-128-GCM' ? 16 : 32).fill(7));
    const data = Uint8Array.from({ length: 420 }, (_, i) => i % 251);
    for (let count = 0; count <= 400; count++) {
      const work = data.slice();
      some.seal(nonce, additional, work, 3, count, work, 3);
      const opened = some.open(nonce, additional, work, 3, count + 16, work, 3);
      const same = opened && hex(work.subarray(3, 3 + count)) === hex(data.subarray(3, 3 + count));
      check(`${name} ${count}`, same, true);
    }
  }
}

function keys(crypto: CryptoPrimitives): void {
  for (const group of ['x25519', 'secp256r1', 'secp384r1'] as const) {
    const a = crypto.generateKeyAgreement(group, ones);
    const b = crypto.generateKeyAgreement(group, { fill: (out) => out.fill(2) });
    check(group, hex(a.agree(b.publicKey)!), hex(b.agree(a.publicKey)!));
    check(`${group} of zeros`, a.agree(new Uint8Array(b.publicKey.length)), null);
  }
  const data = bytes('73616d706c65');
  for (const [type, scheme] of [
    ['P-256', 'ecdsa_secp256r1_sha256'],
    ['P-384', 'ecdsa_secp384r1_sha384'],
    ['RSA-2048', 'rsa_pss_rsae_sha256'],
  ] as const) {
    const key = crypto.generatePrivateKey(type, ones);
    const signature = key.sign(scheme, data, ones);
    const again = crypto.importPrivateKey(key.pkcs8())!;
    const other = crypto.importPublicKey(again.spki)!;
    check(`${type} verify`, other.verify(scheme, data, signature), true);
    check(`${type} other data`, other.verify(scheme, data.subarray(1), signature), false);
    key.destroy();
    check(
      `${type} destroyed`,
      throws(() => key.sign(scheme, data, ones)),
      true,
    );
  }
}

function throws(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch {
    return true;
  }
}

hashes(primitives);
aeads(primitives);
keys(primitives);
__base.consoleWrite(`${failures}checked ${primitives.name}\n`);
