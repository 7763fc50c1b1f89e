/**
 * Inputs of RFCs and of NIST, and lengths around the blocks of each algorithm, with OpenSSL's
 * answers.
 */

import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import type { Vector } from '#crypto/vectors';
import type { AeadName, HashName } from '#device';

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const latin = (text: string): string => hex(Buffer.from(text, 'latin1'));
const bytes = (text: string): Buffer => Buffer.from(text, 'hex');

export const HASHES: Readonly<Record<HashName, string>> = {
  'SHA-1': 'sha1',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};
const NAMES = Object.keys(HASHES) as HashName[];

/** Bytes that don't repeat at a block's length. */
const pattern = (count: number): string =>
  hex(Uint8Array.from({ length: count }, (_, i) => (i * 167 + (i >> 8) * 13 + 5) & 255));

export function digests(): Vector[] {
  const inputs: readonly (readonly [string, string, number?])[] = [
    ['FIPS 180-4, empty', ''],
    ['FIPS 180-4, abc', latin('abc')],
    ['FIPS 180-4, 448 bits', latin('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq')],
    ['FIPS 180-4, a', latin('a'), 20_000],
    ...[55, 56, 63, 64, 65, 111, 112, 119, 127, 128, 129].map(
      (count) => [`${count} bytes`, pattern(count)] as const,
    ),
  ];
  return inputs.flatMap(([name, data, times]) =>
    NAMES.map((hash): Vector => {
      const out = hex(
        createHash(HASHES[hash])
          .update(bytes(data.repeat(times ?? 1)))
          .digest(),
      );
      return { kind: 'digest', name, hash, data, ...(times === undefined ? {} : { times }), out };
    }),
  );
}

export function macs(): Vector[] {
  const large = 'aa'.repeat(131);
  const inputs = [
    ['RFC 4231 §4.2', '0b'.repeat(20), latin('Hi There')],
    ['RFC 4231 §4.3', latin('Jefe'), latin('what do ya want for nothing?')],
    ['RFC 4231 §4.4', 'aa'.repeat(20), 'dd'.repeat(50)],
    ['RFC 4231 §4.5', '0102030405060708090a0b0c0d0e0f10111213141516171819', 'cd'.repeat(50)],
    ['RFC 4231 §4.7', large, latin('Test Using Larger Than Block-Size Key - Hash Key First')],
    ['an empty key', '', pattern(40)],
    ['no data', pattern(64), ''],
    ['a key of a block', pattern(128), pattern(3)],
    ['a key above a block', pattern(129), pattern(200)],
  ] as const;
  return inputs.flatMap(([name, key, data]) =>
    NAMES.map((hash): Vector => {
      const out = hex(createHmac(HASHES[hash], bytes(key)).update(bytes(data)).digest());
      return { kind: 'hmac', name, hash, key, data, out };
    }),
  );
}

export function derivations(): Vector[] {
  const inputs = [
    ['RFC 5869 A.1', '0b'.repeat(22), '000102030405060708090a0b0c', 'f0f1f2f3f4f5f6f7f8f9', 42],
    ['RFC 5869 A.2', pattern(80), pattern(81), pattern(79), 82],
    ['RFC 5869 A.3', '0b'.repeat(22), '', '', 42],
    ['nothing', '0b'.repeat(22), '', '', 0],
    ['one byte', '0b'.repeat(22), '', '00', 1],
    ['a block and one byte', pattern(32), pattern(32), pattern(10), 65],
    ['five blocks', pattern(32), '', pattern(70), 320],
  ] as const;
  return inputs.flatMap(([name, material, salt, info, count]) =>
    NAMES.map((hash): Vector => {
      const inputs = [bytes(material), bytes(salt), bytes(info)] as const;
      const out = count === 0 ? [] : hkdfSync(HASHES[hash], ...inputs, count);
      return { kind: 'hkdf', name, hash, material, salt, info, out: hex(new Uint8Array(out)) };
    }),
  );
}

const CIPHERS: Readonly<Record<AeadName, { readonly cipher: string; readonly keyBytes: number }>> =
  {
    'AES-128-GCM': { cipher: 'aes-128-gcm', keyBytes: 16 },
    'AES-256-GCM': { cipher: 'aes-256-gcm', keyBytes: 32 },
    'CHACHA20-POLY1305': { cipher: 'chacha20-poly1305', keyBytes: 32 },
  };

function seal(
  name: string,
  aead: AeadName,
  key: string,
  nonce: string,
  additional: string,
  plain: string,
): Vector {
  const { cipher } = CIPHERS[aead];
  const options = { authTagLength: 16 };
  const sealing = createCipheriv(cipher as 'aes-128-gcm', bytes(key), bytes(nonce), options);
  sealing.setAAD(bytes(additional), { plaintextLength: plain.length / 2 });
  const text = Buffer.concat([sealing.update(bytes(plain)), sealing.final()]);
  const sealed = hex(text) + hex(sealing.getAuthTag());
  return { kind: 'aead', name, aead, key, nonce, additional, plain, sealed };
}

/** The inputs of McGrew and Viega, The Galois/Counter Mode of Operation, appendix B. */
function galois(): Vector[] {
  const text =
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
    '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255';
  const additional = 'feedfacedeadbeeffeedfacedeadbeefabaddad2';
  const key = 'feffe9928665731c6d6a8f9467308308';
  const nonce = 'cafebabefacedbaddecaf888';
  return (['AES-128-GCM', 'AES-256-GCM'] as const).flatMap((aead) => {
    const times = aead === 'AES-128-GCM' ? 1 : 2;
    const zero = '00'.repeat(16 * times);
    const first = aead === 'AES-128-GCM' ? 1 : 13;
    return [
      seal(`GCM B.${first}`, aead, zero, '00'.repeat(12), '', ''),
      seal(`GCM B.${first + 1}`, aead, zero, '00'.repeat(12), '', '00'.repeat(16)),
      seal(`GCM B.${first + 2}`, aead, key.repeat(times), nonce, '', text),
      seal(`GCM B.${first + 3}`, aead, key.repeat(times), nonce, additional, text.slice(0, 120)),
    ];
  });
}

export function aeads(): Vector[] {
  const poly = seal(
    'RFC 8439 §2.8.2',
    'CHACHA20-POLY1305',
    Array.from({ length: 32 }, (_, i) => (0x80 + i).toString(16)).join(''),
    '070000004041424344454647',
    '50515253c0c1c2c3c4c5c6c7',
    latin(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for " +
        'the future, sunscreen would be it.',
    ),
  );
  const lengths = [1, 15, 16, 17, 31, 33, 63, 64, 65, 127, 128, 129, 255, 257, 1_023, 3_000];
  const names = Object.keys(CIPHERS) as AeadName[];
  const patterned = names.flatMap((aead) =>
    lengths.map((count, i) => {
      const additional = pattern([0, 1, 5, 13, 15, 16, 17, 32, 33][i % 9]!);
      const key = pattern(CIPHERS[aead].keyBytes);
      return seal(`${count} bytes`, aead, key, pattern(12), additional, pattern(count));
    }),
  );
  return [...galois(), poly, ...patterned];
}
