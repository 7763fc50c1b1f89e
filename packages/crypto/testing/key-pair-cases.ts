/** Keys with two halves: elliptic ones, agreement, RSA. */

import {
  AES,
  adderTo,
  DH256,
  ES256,
  of,
  PKCS1,
  PSS,
  refused,
  type SubtleCase,
  same,
  TEXT,
} from './subtle-case.ts';

/** Node says NotSupportedError. */
export const FORM_OF_OTHER_HALF = 'elliptic keys › the form of the other half › InvalidAccessError';

export const KEY_PAIR_CASES: SubtleCase[] = [];
const add = adderTo(KEY_PAIR_CASES);

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
