/** Hashes, keys that are bytes, and what is derived from them. */

import {
  AES,
  adderTo,
  aesKey,
  HMAC,
  NONCE,
  of,
  refused,
  type SubtleCase,
  same,
  TEXT,
} from './subtle-case.ts';

export const SECRET_KEY_CASES: SubtleCase[] = [];
const add = adderTo(SECRET_KEY_CASES);

add('digest › names in any case, strings and dictionaries › the same', async (subtle) => {
  const wanted = await subtle.digest('SHA-256', TEXT);
  same(await subtle.digest('sha-256', TEXT), wanted, 'lower case');
  same(await subtle.digest({ name: 'Sha-256' }, TEXT), wanted, 'a dictionary');
  same(await subtle.digest('SHA-256', TEXT.buffer), wanted, 'a buffer');
  same(await subtle.digest('SHA-256', new DataView(TEXT.buffer, 0)), wanted, 'a view');
  const part = new Uint8Array([0, ...TEXT, 0]).subarray(1, 1 + TEXT.length);
  same(await subtle.digest('SHA-256', part), wanted, 'a part of a buffer');
  await refused(subtle.digest('SHA-7', TEXT), 'NotSupportedError', 'unknown');
  await refused(subtle.digest('SHA-256', 'text' as never), 'TypeError', 'text');
  await refused(subtle.digest({} as never, TEXT), 'TypeError', 'no name');
});

add('AES-GCM › sealed, opened, changed', async (subtle) => {
  const key = await aesKey(subtle);
  const algorithm = { name: 'AES-GCM', iv: NONCE, additionalData: of(5) };
  const sealed = await subtle.encrypt(algorithm, key, TEXT);
  same(sealed.byteLength, TEXT.length + 16, 'length');
  same(await subtle.decrypt(algorithm, key, sealed), TEXT, 'opened');
  const other = { ...algorithm, additionalData: of(6) };
  await refused(subtle.decrypt(other, key, sealed), 'OperationError', 'other data');
  await refused(subtle.decrypt(algorithm, key, sealed.slice(1)), 'OperationError', 'cut');
  await refused(subtle.decrypt(algorithm, key, of(15)), 'OperationError', 'less than a tag');
  same(
    (await subtle.decrypt(algorithm, key, await subtle.encrypt(algorithm, key, new Uint8Array(0))))
      .byteLength,
    0,
    'empty',
  );
});

add('AES-GCM › shorter tags', async (subtle) => {
  const key = await aesKey(subtle);
  for (const tagLength of [32, 64, 96, 104, 112, 120, 128]) {
    const algorithm = { name: 'AES-GCM', iv: NONCE, tagLength };
    const sealed = new Uint8Array(await subtle.encrypt(algorithm, key, TEXT));
    same(sealed.length, TEXT.length + tagLength / 8, `length with ${tagLength}`);
    same(await subtle.decrypt(algorithm, key, sealed), TEXT, `opened with ${tagLength}`);
    sealed[sealed.length - 1]! ^= 1;
    await refused(subtle.decrypt(algorithm, key, sealed), 'OperationError', `${tagLength}`);
  }
  const odd = { name: 'AES-GCM', iv: NONCE, tagLength: 40 };
  await refused(subtle.encrypt(odd, key, TEXT), 'OperationError', '40 bits');
});

add('AES-GCM › usages and extractability are kept to', async (subtle) => {
  const key = await aesKey(subtle, ['encrypt'], false);
  same([key.type, key.extractable, key.usages], ['secret', false, ['encrypt']], 'the key');
  same(
    [key.algorithm.name, (key.algorithm as AesKeyAlgorithm).length],
    ['AES-GCM', 128],
    'its kind',
  );
  const algorithm = { name: 'AES-GCM', iv: NONCE };
  await refused(subtle.decrypt(algorithm, key, TEXT), 'InvalidAccessError', 'decrypt');
  await refused(subtle.exportKey('raw', key), 'InvalidAccessError', 'export');
  await refused(subtle.sign(HMAC, key, TEXT), 'InvalidAccessError', 'another algorithm');
  await refused(subtle.generateKey(AES, true, ['sign']), 'SyntaxError', 'a usage of others');
  await refused(subtle.generateKey(AES, true, []), 'SyntaxError', 'no usage');
  await refused(subtle.generateKey(AES, true, ['smile' as never]), 'TypeError', 'no such usage');
  await refused(
    subtle.generateKey({ name: 'AES-GCM', length: 100 }, true, ['encrypt']),
    'OperationError',
    '100 bits',
  );
  await refused(
    subtle.importKey('raw', of(15), 'AES-GCM', true, ['encrypt']),
    'DataError',
    '15 bytes',
  );
  await refused(
    subtle.importKey('spki' as never, of(16), 'AES-GCM', true, ['encrypt']),
    'NotSupportedError',
    'SPKI',
  );
  await refused(subtle.encrypt({ name: 'AES-GCM' } as never, key, TEXT), 'TypeError', 'no iv');
});

add('secret keys › exported and imported, raw and as JSON', async (subtle) => {
  const raw = of(32);
  const aes = await subtle.importKey('raw', raw, 'AES-GCM', true, ['decrypt', 'encrypt']);
  same(aes.usages, ['encrypt', 'decrypt'], 'the order of usages');
  same(await subtle.exportKey('raw', aes), raw, 'raw');
  const jwk = await subtle.exportKey('jwk', aes);
  same(
    [jwk.kty, jwk.alg, jwk.ext, jwk.key_ops],
    ['oct', 'A256GCM', true, ['encrypt', 'decrypt']],
    'members',
  );
  const again = await subtle.importKey('jwk', jwk, 'AES-GCM', true, ['encrypt']);
  same(await subtle.exportKey('raw', again), raw, 'as JSON');
  const hmac = await subtle.importKey('raw', raw, HMAC, true, ['sign']);
  same((await subtle.exportKey('jwk', hmac)).alg, 'HS256', 'alg of HMAC');
  same((hmac.algorithm as HmacKeyAlgorithm).length, 256, 'length of HMAC');
});

add('JSON Web Keys › with a wrong member › DataError', async (subtle) => {
  const good: JsonWebKey = { kty: 'oct', k: 'AQEBAQEBAQEBAQEBAQEBAQ', alg: 'A128GCM' };
  const take = (change: object, extractable = true) =>
    subtle.importKey('jwk', { ...good, ...change }, 'AES-GCM', extractable, ['encrypt']);
  await take({});
  await take({ use: 'enc', key_ops: ['encrypt', 'decrypt'], ext: true });
  await take({ ext: false }, false);
  await refused(take({ kty: 'RSA' }), 'DataError', 'kty');
  await refused(take({ k: 'A*' }), 'DataError', 'k');
  await refused(take({ k: undefined }), 'DataError', 'no k');
  await refused(take({ alg: 'A256GCM' }), 'DataError', 'alg');
  await refused(take({ use: 'sig' }), 'DataError', 'use');
  await refused(take({ key_ops: ['decrypt'] }), 'DataError', 'key_ops');
  await refused(take({ key_ops: ['encrypt', 'encrypt'] }), 'DataError', 'a repeated key_ops');
  await refused(take({ ext: false }), 'DataError', 'ext');
});

add('HMAC › signed, verified, changed', async (subtle) => {
  const key = (await subtle.generateKey(HMAC, true, ['sign', 'verify'])) as CryptoKey;
  same((key.algorithm as HmacKeyAlgorithm).length, 512, 'a block');
  const tag = await subtle.sign('HMAC', key, TEXT);
  same(tag.byteLength, 32, 'length');
  same(await subtle.verify('HMAC', key, tag, TEXT), true, 'verified');
  same(await subtle.verify('HMAC', key, tag, of(49, 9)), false, 'other data');
  same(await subtle.verify('HMAC', key, tag.slice(0, 31), TEXT), false, 'cut');
  await refused(
    subtle.importKey('raw', new Uint8Array(0), HMAC, true, ['sign']),
    'DataError',
    'empty',
  );
  await refused(
    subtle.generateKey({ name: 'HMAC' } as never, true, ['sign']),
    'TypeError',
    'no hash',
  );
  const sized = await subtle.generateKey({ ...HMAC, length: 256 }, true, ['sign']);
  same((await subtle.exportKey('raw', sized)).byteLength, 32, 'a length');
});

add('HKDF and PBKDF2 › bits and keys', async (subtle) => {
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: of(8), info: of(3) };
  const key = await subtle.importKey('raw', of(20), 'HKDF', false, ['deriveBits', 'deriveKey']);
  const bits = await subtle.deriveBits(hkdf, key, 256);
  const derived = await subtle.deriveKey(hkdf, key, { name: 'AES-GCM', length: 256 }, true, [
    'encrypt',
  ]);
  same(await subtle.exportKey('raw', derived), bits, 'a key of AES');
  const mac = await subtle.deriveKey(hkdf, key, HMAC, true, ['sign']);
  same((await subtle.exportKey('raw', mac)).byteLength, 64, 'a key of HMAC');
  await refused(subtle.deriveBits(hkdf, key, 12), 'OperationError', 'a part of a byte');
  await refused(subtle.deriveBits(hkdf, key, 255 * 256 + 8), 'OperationError', 'too much');
  await refused(
    subtle.importKey('raw', of(20), 'HKDF', true, ['deriveBits']),
    'SyntaxError',
    'extractable',
  );
  const password = await subtle.importKey('raw', of(9), 'PBKDF2', false, ['deriveBits']);
  const pbkdf2 = { name: 'PBKDF2', hash: 'SHA-256', salt: of(8), iterations: 3 };
  // Checked against OpenSSL's own.
  same(await subtle.deriveBits(pbkdf2, password, 320), new Uint8Array(PBKDF2_ANSWER), 'PBKDF2');
  await refused(
    subtle.deriveBits({ ...pbkdf2, iterations: 0 }, password, 256),
    'OperationError',
    'no iterations',
  );
  await refused(
    subtle.deriveKey(pbkdf2, password, AES, true, ['encrypt']),
    'InvalidAccessError',
    'not for keys',
  );
});

const PBKDF2_ANSWER: readonly number[] = [
  196, 134, 188, 47, 47, 242, 38, 227, 134, 95, 11, 73, 198, 43, 117, 57, 52, 43, 21, 22, 48, 80,
  167, 193, 214, 175, 91, 10, 47, 98, 95, 114, 107, 249, 101, 229, 45, 183, 62, 118,
];

/** A key of 2048 bits, made for these tests. */
