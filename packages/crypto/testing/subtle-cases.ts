/**
 * What a program may expect of `crypto.subtle`, wherever it runs: the standard's rules for keys,
 * usages, formats and errors. Run on a browser's own, on Node's and on ours (tests/crypto), so that
 * a case that ours alone would pass is found. Not here: the mathematics (vectors/).
 */

// tidy: long

export interface SubtleCase {
  readonly name: string;
  run(subtle: Subtle): Promise<void>;
}

type Subtle = globalThis.SubtleCrypto;
type Bytes = Uint8Array<ArrayBuffer>;

const of = (count: number, first = 1): Bytes =>
  new Uint8Array(count).map((_, i) => (first + i * 7) & 255);
const TEXT = of(50, 9);
const NONCE = of(12);

function same(found: unknown, wanted: unknown, what: string): void {
  const [a, b] = [show(found), show(wanted)];
  if (a !== b) throw new Error(`${what}: ${a}, not ${b}`);
}

function show(value: unknown): string {
  if (value instanceof ArrayBuffer) return `bytes ${[...new Uint8Array(value)]}`;
  if (ArrayBuffer.isView(value)) return show(value.buffer.slice(value.byteOffset));
  return JSON.stringify(value);
}

/** Rejects with an error of this name. */
async function refused(promise: Promise<unknown>, name: string, what: string): Promise<void> {
  const found = await promise.then(
    () => 'nothing',
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  );
  if (found !== name) throw new Error(`${what}: ${found}, not ${name}`);
}

/** Node says NotSupportedError. */
export const FORM_OF_OTHER_HALF = 'elliptic keys › the form of the other half › InvalidAccessError';

const cases: SubtleCase[] = [];
const add = (name: string, run: (subtle: Subtle) => Promise<void>) => cases.push({ name, run });

const AES = { name: 'AES-GCM', length: 128 } as const;
const HMAC = { name: 'HMAC', hash: 'SHA-256' } as const;
const ES256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const DH256 = { name: 'ECDH', namedCurve: 'P-256' } as const;
const PSS = { name: 'RSA-PSS', hash: 'SHA-256' } as const;
const PKCS1 = { name: 'RSASSA-PKCS1-v1_5', hash: { name: 'SHA-256' } } as const;
const aesKey = (subtle: Subtle, usages: KeyUsage[] = ['encrypt', 'decrypt'], extractable = true) =>
  subtle.generateKey(AES, extractable, usages);

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

add('ECDSA › signed, verified, changed', async (subtle) => {
  for (const [namedCurve, bytes] of [
    ['P-256', 32],
    ['P-384', 48],
  ] as const) {
    const pair = await subtle.generateKey({ name: 'ECDSA', namedCurve }, false, ['sign', 'verify']);
    same([pair.publicKey.usages, pair.publicKey.extractable], [['verify'], true], 'public');
    same([pair.privateKey.usages, pair.privateKey.extractable], [['sign'], false], 'private');
    for (const hash of ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512']) {
      const algorithm = { name: 'ECDSA', hash };
      const signature = new Uint8Array(await subtle.sign(algorithm, pair.privateKey, TEXT));
      same(signature.length, 2 * bytes, `length, ${hash}`);
      same(await subtle.verify(algorithm, pair.publicKey, signature, TEXT), true, hash);
      signature[3]! ^= 1;
      same(await subtle.verify(algorithm, pair.publicKey, signature, TEXT), false, 'changed');
    }
    const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
    const zeros = new Uint8Array(2 * bytes);
    same(await subtle.verify(algorithm, pair.publicKey, zeros, TEXT), false, 'zeros');
    same(await subtle.verify(algorithm, pair.publicKey, of(7), TEXT), false, 'short');
    await refused(subtle.sign(algorithm, pair.publicKey, TEXT), 'InvalidAccessError', 'public');
    await refused(
      subtle.verify(algorithm, pair.privateKey, zeros, TEXT),
      'InvalidAccessError',
      'private',
    );
    await refused(subtle.exportKey('pkcs8', pair.privateKey), 'InvalidAccessError', 'kept');
  }
  await refused(
    subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-999' }, true, ['sign']),
    'NotSupportedError',
    'curve',
  );
  await refused(
    subtle.generateKey(ES256, true, ['verify']),
    'SyntaxError',
    'no usage of the private half',
  );
  await refused(
    subtle.generateKey(ES256, true, ['deriveBits']),
    'SyntaxError',
    'a usage of others',
  );
});

add('elliptic keys › in all their forms › are the same keys', async (subtle) => {
  for (const [algorithm, own] of [
    [ES256, ['sign']],
    [DH256, ['deriveBits']],
    [{ name: 'X25519' }, ['deriveBits']],
  ] as const) {
    const usages = algorithm.name === 'ECDSA' ? (['sign', 'verify'] as const) : own;
    const pair = (await subtle.generateKey(algorithm as typeof ES256, true, [
      ...usages,
    ] as KeyUsage[])) as CryptoKeyPair;
    const pkcs8 = await subtle.exportKey('pkcs8', pair.privateKey);
    const jwk = await subtle.exportKey('jwk', pair.privateKey);
    const spki = await subtle.exportKey('spki', pair.publicKey);
    const raw = await subtle.exportKey('raw', pair.publicKey);
    const fromPkcs8 = await subtle.importKey('pkcs8', pkcs8, algorithm, true, own);
    const fromJwk = await subtle.importKey('jwk', jwk, algorithm, true, own);
    same(await subtle.exportKey('pkcs8', fromJwk), pkcs8, 'PKCS #8 from JSON');
    same((await subtle.exportKey('jwk', fromPkcs8)).d, jwk.d, 'JSON from PKCS #8');
    const ofPublic: KeyUsage[] = algorithm.name === 'ECDSA' ? ['verify'] : [];
    const fromRaw = await subtle.importKey('raw', raw, algorithm, true, ofPublic);
    same(await subtle.exportKey('spki', fromRaw), spki, 'SPKI from raw');
    const { d: _, ...half } = jwk;
    const fromHalf = await subtle.importKey(
      'jwk',
      { ...half, key_ops: ofPublic },
      algorithm,
      true,
      ofPublic,
    );
    same(await subtle.exportKey('raw', fromHalf), raw, 'raw from JSON');
    same([fromHalf.type, fromPkcs8.type], ['public', 'private'], 'types');
    await refused(
      subtle.importKey('spki', spki.slice(1), algorithm, true, ofPublic),
      'DataError',
      'no SPKI',
    );
    await refused(
      subtle.importKey('raw', raw.slice(1), algorithm, true, ofPublic),
      'DataError',
      'no point',
    );
    await refused(
      subtle.importKey('pkcs8', pkcs8, algorithm, true, []),
      'SyntaxError',
      'no usages',
    );
    await refused(
      subtle.importKey('jwk', { ...jwk, crv: 'P-999' }, algorithm, true, own),
      'DataError',
      'crv',
    );
  }
});

add(FORM_OF_OTHER_HALF, async (subtle) => {
  const pair = await subtle.generateKey(ES256, true, ['sign', 'verify']);
  const spki = subtle.exportKey('spki', pair.privateKey);
  await refused(spki, 'InvalidAccessError', 'SPKI of a private key');
  const pkcs8 = subtle.exportKey('pkcs8', pair.publicKey);
  await refused(pkcs8, 'InvalidAccessError', 'PKCS #8 of a public key');
});

add('elliptic keys › of another curve, or beside it › DataError', async (subtle) => {
  const pair = await subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, true, [
    'sign',
    'verify',
  ]);
  const spki = await subtle.exportKey('spki', pair.publicKey);
  await refused(
    subtle.importKey('spki', spki, ES256, true, ['verify']),
    'DataError',
    'another curve',
  );
  const beside = new Uint8Array(65).fill(1);
  beside[0] = 4;
  await refused(subtle.importKey('raw', beside, ES256, true, ['verify']), 'DataError', 'beside');
});

add('agreement › both sides › have the same bits', async (subtle) => {
  for (const algorithm of [DH256, { name: 'ECDH', namedCurve: 'P-384' }, { name: 'X25519' }]) {
    const make = () =>
      subtle.generateKey(algorithm as typeof DH256, true, [
        'deriveBits',
        'deriveKey',
      ]) as Promise<CryptoKeyPair>;
    const a = await make();
    const b = await make();
    const with_ = (peer: CryptoKey) => ({ name: algorithm.name, public: peer });
    const bits = await subtle.deriveBits(with_(b.publicKey), a.privateKey, 256);
    same(await subtle.deriveBits(with_(a.publicKey), b.privateKey, 256), bits, 'the other side');
    same(
      await subtle.deriveBits(with_(a.publicKey), b.privateKey, 128),
      bits.slice(0, 16),
      'fewer',
    );
    await refused(
      subtle.deriveBits(with_(a.publicKey), b.privateKey, 4096),
      'OperationError',
      'more',
    );
    await refused(
      subtle.deriveBits(with_(a.privateKey), b.privateKey, 256),
      'InvalidAccessError',
      'private for public',
    );
    const key = await subtle.deriveKey(with_(b.publicKey), a.privateKey, AES, true, ['encrypt']);
    same(await subtle.exportKey('raw', key), bits.slice(0, 16), 'a key');
  }
  const x = await subtle.importKey('raw', new Uint8Array(32), { name: 'X25519' }, true, []);
  const own = (await subtle.generateKey({ name: 'X25519' } as never, true, [
    'deriveBits',
  ])) as unknown as CryptoKeyPair;
  await refused(
    subtle.deriveBits({ name: 'X25519', public: x } as never, own.privateKey, 256),
    'OperationError',
    'zeros',
  );
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
const RSA_PKCS8 =
  '308204be020100300d06092a864886f70d0101010500048204a8308204a40201000282010100c69667855c62e55a731daeba082c49ac2b1fa231f16af949a5bc8566a805641186eebf37aeef539f65028ce5d086928a25ecba59f65f5cca98979ed9e7c84180d0cda85dbe28862c760a0d5505f30c6fd4e1f21325f3f1ad2392e083c9a3d88b563310dd4912cf133a88857b1c2069a18eb317eb1d10df58eabc4641895411426762cf67fffe60326e2969c6968087a521afec692ffdf1253269f2ba59bbf5f4ae5c676f92ef6f44c504f01a98b05547ef2295902cb85883d130138e4804ea1420923954a9f4f00ec0da6ecc751ca6536177b63722a9c6068c85a8e2566e01db0ed71af62b047692761c58204d8ad6997b047bb97c70dda466e9264e4370007b020301000102820100150edee45be31aca0819f62cc0f01d51d5f2d14ab57c6ff9d8cad0648ddda07a615210d1d1498c9702e98dd252d5ea551ee766ed623c4385324025b69aa6f817364d1094fc34a4e1b314a6cc44c8bca16134226cd861f1573845fb6bce26833067501bf2332cfceb5f9219816ffe99e4e952616f6b921df4fa5343a9f06b8b36cccc27527178cd125e9ae02e0d27938e44c6a6bb008129fbb940f0628485f8fd86c4a89e01696ad23ad6ce504fa22783b6d4c893138c4cf23db98759b0f7144fa39a8fdda78629b3e535de1107654668a387533d53386dec342b071746c05d7e0b5c8d6d1e66b0c00762cc10c08b4da6f878eb9121f5574f6f9c1a25cc58e62d02818100fc37586f0e3f5d0f6cdf6863401edec0850872e46e36a28c7d9a3a54e6d1c1942dbffdf1979fa76c459d8254746cc57e307a3f6d0784fcc7b6909755b8c594c9b9ff7f84684e71fe7de672bab92eb46cf5863ae6e7ae4a7c7a6a7b24cbe6cbf9263efe1c66d832ac5e1c2f3a191797ef30859798b7d59d428b3387530af4492d02818100c99118183ebeca24b16ac2f85994e47b9d1e1bcc94af082190ed0e56ca8398186252f1cd53f1db0d0586e1d341f4b982d208b4bd8682b4b1ee3e1f2e37115037ac0f20495cdc817cbb5880cc266a21597c227264ad2fc93e1280baafc9ca72a15b56a475dec6c13aaf71d7524cafdf1e2d1a86dab3e6d993f0fb45495585a9470281802dbe23edd059b1991097dc28d40245480958a4edc50767a7af47ff78527c8c6d4176e6a9a064364b2ebd085c24d96d601b8eb05e27d4f8bb87e2e56f88995d08d11103a19201582f5dca23d8b5a940d3da1bc42708b1d59489e731fa5478c159a89418263288d777e78199172261e30e60707a341a7345984202d072413458e902818100bdaf87873974fe722d6c14f2f60a82423a079d8d96d668c67dc6385a40d63a09a86dfa138a4dee2080f5000b78e43eb7f7c42da2b5b4c72b32d2cf3104ad8c59f7d77c40cddccd167e8fb915658936bd296e994c5916c14162d435db3c0102830a9bacc527d2cf00d51e42cdb651439cf841206b2c25b0d7e24df45420e159fd02818100c722ad8c6569b25197386664e91c9eb4315a971db9a0716810552ee06ddfbfdabda666052caa0a0c5f4007964eff472c944a381818ca9fb4472021cb14763e8fcfe8f8f290a98529a5096ef5e2ad2bf2d3aef48fe17b92c1d7b2bbf3f80b8d03e8645705a4a92086dc5c9dc2723292d8955417711ad63fec759ecdefac9205b8';

add('RSA › signed, verified, changed, in all its forms', async (subtle) => {
  const pkcs8 = Uint8Array.from(RSA_PKCS8.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  for (const algorithm of [PKCS1, PSS]) {
    const key = await subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']);
    const jwk = await subtle.exportKey('jwk', key);
    same(
      [jwk.kty, jwk.alg, jwk.e],
      ['RSA', algorithm === PSS ? 'PS256' : 'RS256', 'AQAB'],
      'members',
    );
    const told = key.algorithm as RsaHashedKeyAlgorithm;
    same(
      [told.name, told.modulusLength, told.hash.name, [...told.publicExponent]],
      [algorithm.name, 2048, 'SHA-256', [1, 0, 1]],
      'algorithm',
    );
    const again = await subtle.importKey('jwk', jwk, algorithm, true, ['sign']);
    same(await subtle.exportKey('pkcs8', again), pkcs8, 'PKCS #8 from JSON');
    const half = { kty: 'RSA', n: jwk.n!, e: jwk.e! };
    const publicKey = await subtle.importKey('jwk', half, algorithm, true, ['verify']);
    const spki = await subtle.exportKey('spki', publicKey);
    await subtle.importKey('spki', spki, algorithm, true, ['verify']);
    for (const saltLength of algorithm === PSS ? [0, 20, 32] : [0]) {
      const asked = { name: algorithm.name, saltLength };
      const signature = new Uint8Array(await subtle.sign(asked, again, TEXT));
      same(signature.length, 256, 'length');
      same(await subtle.verify(asked, publicKey, signature, TEXT), true, 'verified');
      same(await subtle.verify(asked, publicKey, signature, of(3)), false, 'other data');
      signature[200]! ^= 1;
      same(await subtle.verify(asked, publicKey, signature, TEXT), false, 'changed');
      same(await subtle.verify(asked, publicKey, signature.subarray(1), TEXT), false, 'cut');
    }
    await refused(subtle.exportKey('raw', publicKey), 'NotSupportedError', 'raw');
    await refused(
      subtle.importKey('jwk', { ...jwk, alg: 'RS1' }, algorithm, true, ['sign']),
      'DataError',
      'alg',
    );
    await refused(
      subtle.importKey('spki', spki, algorithm, true, ['sign']),
      'SyntaxError',
      'usage',
    );
    await refused(
      subtle.importKey('spki', pkcs8, algorithm, true, ['verify']),
      'DataError',
      'no SPKI',
    );
  }
});

add('keys › wrapped and unwrapped', async (subtle) => {
  const wrapping = await aesKey(subtle, ['wrapKey', 'unwrapKey']);
  const algorithm = { name: 'AES-GCM', iv: NONCE };
  const secret = await subtle.importKey('raw', of(32), HMAC, true, ['sign', 'verify']);
  for (const format of ['raw', 'jwk'] as const) {
    const wrapped = await subtle.wrapKey(format, secret, wrapping, algorithm);
    const key = await subtle.unwrapKey(format, wrapped, wrapping, algorithm, HMAC, true, ['sign']);
    same(await subtle.exportKey('raw', key), of(32), format);
    const changed = new Uint8Array(wrapped);
    changed[0]! ^= 1;
    const promise = subtle.unwrapKey(format, changed, wrapping, algorithm, HMAC, true, ['sign']);
    await refused(promise, 'OperationError', 'changed');
  }
  const pair = await subtle.generateKey(ES256, true, ['sign', 'verify']);
  const wrapped = await subtle.wrapKey('pkcs8', pair.privateKey, wrapping, algorithm);
  const own = await subtle.unwrapKey('pkcs8', wrapped, wrapping, algorithm, ES256, true, ['sign']);
  same(
    await subtle.exportKey('pkcs8', own),
    await subtle.exportKey('pkcs8', pair.privateKey),
    'PKCS #8',
  );
  const kept = await subtle.importKey('raw', of(32), HMAC, false, ['sign']);
  await refused(subtle.wrapKey('raw', kept, wrapping, algorithm), 'InvalidAccessError', 'kept');
  await refused(subtle.encrypt(algorithm, wrapping, TEXT), 'InvalidAccessError', 'not to encrypt');
  const other = await aesKey(subtle);
  await refused(
    subtle.wrapKey('raw', secret, other, algorithm),
    'InvalidAccessError',
    'not to wrap',
  );
});

add('a CryptoKey › shows nothing, and can’t be made', async (subtle) => {
  const key = await subtle.importKey('raw', of(32), HMAC, true, ['sign']);
  same(Object.prototype.toString.call(key), '[object CryptoKey]', 'toString');
  same(JSON.stringify(key).includes(String([...of(4)])), false, 'JSON');
  same(Object.keys(key), [], 'own members');
  const Class = key.constructor as new () => object;
  let made = 'nothing';
  try {
    made = String(new Class());
  } catch (error) {
    made = (error as Error).name;
  }
  same(made, 'TypeError', 'new CryptoKey()');
  await refused(subtle.exportKey('raw', {} as never), 'TypeError', 'no key');
  await refused(subtle.exportKey('smoke signals' as never, key as never), 'TypeError', 'no format');
});

add('what isn’t there › NotSupportedError', async (subtle) => {
  await refused(
    subtle.generateKey({ name: 'Enigma' }, true, ['encrypt']),
    'NotSupportedError',
    'unknown',
  );
  await refused(
    subtle.importKey('raw', of(16), 'SHA-256', true, ['encrypt']),
    'NotSupportedError',
    'a hash',
  );
  const key = await aesKey(subtle);
  await refused(subtle.sign('AES-GCM', key, TEXT), 'NotSupportedError', 'AES-GCM signs nothing');
});

export const SUBTLE_CASES: readonly SubtleCase[] = cases;

/** Runs all; one line for each that fails. */
export async function runSubtleCases(
  subtle: Subtle,
  except: readonly string[] = [],
): Promise<string[]> {
  const failures: string[] = [];
  for (const { name, run } of SUBTLE_CASES.filter((one) => !except.includes(one.name))) {
    await run(subtle).catch((error: unknown) => failures.push(`${name}: ${error}`));
  }
  return failures;
}
