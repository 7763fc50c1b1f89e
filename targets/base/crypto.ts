/**
 * The cryptographic primitives of an image: Mbed TLS's and the base's own hot loops, by
 * `__base.crypto` (crypto-native.ts). A build puts this module in the place of
 * packages/crypto/platform.ts, and an image that has it stands on the base that has them. Without
 * Ed25519, which Mbed TLS lacks.
 */

import { assert } from '#core';
import {
  asPlainRsa,
  CheckedPrivateKey,
  CheckedPublicKey,
  type CryptoPrimitives,
  CURVES,
  type Curve,
  drawPrivateKey,
  type Entropy,
  emitPkcs8,
  type GroupName,
  type HashName,
  type KeyAgreement,
  keyInfo,
  type PrivateKey,
  type PrivateKeyType,
  type PublicKey,
  type PublicParts,
  parsePkcs8,
  parseSpki,
  type RawSigner,
  type RawVerifier,
  type SignatureAlgorithm,
} from '#device';
import type { Base } from './base.ts';
import {
  AEADS,
  GROUPS,
  HASHES,
  type NativeCrypto,
  type NativeKey,
  type NativeRsa,
  SEED_BYTES,
} from './crypto-native.ts';

const native: NativeCrypto = (globalThis as unknown as { readonly __base: Base }).__base.crypto!;

const indexOf = <T>(names: readonly T[], name: T): number => {
  const index = names.indexOf(name);
  assert(index >= 0, 'not a name of this kind');
  return index;
};

const hashIndex = (hash: HashName): number => indexOf(HASHES, hash);

/** Calls `use` with fresh chance, and wipes it. */
function withSeed<T>(entropy: Entropy, use: (seed: Uint8Array) => T): T {
  const seed = new Uint8Array(SEED_BYTES);
  entropy.fill(seed);
  try {
    return use(seed);
  } finally {
    seed.fill(0);
  }
}

class BaseAgreement implements KeyAgreement {
  readonly group: GroupName;
  readonly publicKey: Uint8Array;
  readonly #key: NativeKey;

  constructor(group: GroupName, key: NativeKey) {
    this.group = group;
    this.publicKey = key.point();
    this.#key = key;
  }

  agree(peerPublicKey: Uint8Array): Uint8Array | null {
    return this.#key.agree(peerPublicKey);
  }

  destroy(): void {
    this.#key.destroy();
  }
}

/** What an elliptic key does itself. */
const ecKey = (key: NativeKey): RawSigner & RawVerifier => ({
  sign: (algorithm, data, entropy) =>
    withSeed(entropy, (seed) => key.sign(digestFor(algorithm, data), seed)),
  verify: (algorithm, data, halves) => key.verify(digestFor(algorithm, data), halves),
  destroy: () => key.destroy(),
});

/** What a key of RSA does itself. */
const rsaKey = (key: NativeRsa): RawSigner & RawVerifier => ({
  sign(algorithm, data, entropy) {
    const hash = hashIndex(hashOf(algorithm));
    const digest = digestFor(algorithm, data);
    return withSeed(entropy, (seed) => key.sign(hash, digest, saltOf(algorithm), seed));
  },
  verify(algorithm, data, signature) {
    const hash = hashIndex(hashOf(algorithm));
    return key.verify(hash, digestFor(algorithm, data), saltOf(algorithm), signature);
  },
  destroy: () => key.destroy(),
});

function hashOf(algorithm: SignatureAlgorithm): HashName {
  assert(algorithm.kind !== 'Ed25519', 'the base has no Ed25519');
  return algorithm.hash;
}

const digestFor = (algorithm: SignatureAlgorithm, data: Uint8Array): Uint8Array =>
  native.digest(hashIndex(hashOf(algorithm)), data);

const saltOf = (algorithm: SignatureAlgorithm): number | undefined =>
  algorithm.kind === 'RSA-PSS' ? algorithm.saltBytes : undefined;

function importPublicKey(spki: Uint8Array): PublicKey | null {
  const parts = parseSpki(spki);
  switch (parts?.type) {
    case 'EC': {
      const { curve, point } = parts;
      const key = native.publicKey(indexOf(GROUPS, curve.group), point);
      return key && new CheckedPublicKey(keyInfo(parts)!, ecKey(key));
    }
    case 'RSA':
    case 'RSA-PSS': {
      const key = native.rsaKey(parts.modulus, parts.exponent);
      return key && new CheckedPublicKey(keyInfo(parts)!, rsaKey(key));
    }
    default:
      return null;
  }
}

function importPrivateKey(pkcs8: Uint8Array): PrivateKey | null {
  const parts = parsePkcs8(pkcs8);
  switch (parts?.type) {
    case 'EC': {
      const key = ecPrivateKey(parts.curve, parts.scalar, parts.point);
      parts.scalar.fill(0);
      return key;
    }
    case 'RSA':
    case 'RSA-PSS': {
      const { modulus, exponent, factors, privateExponent } = parts;
      const key = native.rsaKey(modulus, exponent, factors[0], factors[1]);
      const checked = key && new CheckedPrivateKey(keyInfo(parts)!, rsaKey(key), emitPkcs8(parts));
      for (const secret of [privateExponent, ...factors]) secret.fill(0);
      return checked;
    }
    case 'Ed25519':
    case 'X25519':
      parts.secret.fill(0);
      return null;
    default:
      return null;
  }
}

/** Null when the key's own point, if it has one, is another. */
function ecPrivateKey(
  curve: Curve,
  scalar: Uint8Array,
  named: Uint8Array | null,
): PrivateKey | null {
  const key = native.privateKey(indexOf(GROUPS, curve.group), scalar);
  if (key === null) return null;
  const point = key.point();
  if (named?.some((byte, i) => byte !== point[i])) return null;
  const info = keyInfo({ type: 'EC', curve, point })!;
  return new CheckedPrivateKey(info, ecKey(key), emitPkcs8({ type: 'EC', curve, scalar, point }));
}

function generatePrivateKey(type: PrivateKeyType, entropy: Entropy): PrivateKey {
  assert(type !== 'Ed25519', 'the base has no Ed25519');
  if (type === 'P-256' || type === 'P-384') {
    const curve = CURVES[type];
    const scalar = drawPrivateKey(curve.group, entropy);
    const key = ecPrivateKey(curve, scalar, null);
    scalar.fill(0);
    return key!;
  }
  const rsa = withSeed(entropy, (seed) => native.rsaGenerate(Number(type.slice(4)), seed));
  const [modulus, exponent, privateExponent, p, q, dp, dq, inverse] = rsa.numbers() as Numbers;
  const parts = plainRsa(Number(type.slice(4)), modulus, exponent);
  const factors = [p, q, dp, dq, inverse] as const;
  const form = emitPkcs8({ ...parts, privateExponent, factors });
  for (const secret of [privateExponent, ...factors]) secret.fill(0);
  return new CheckedPrivateKey(keyInfo(parts)!, rsaKey(rsa), form);
}

type RsaPublicParts = Extract<PublicParts, { readonly modulus: Uint8Array }>;

const plainRsa = (bits: number, modulus: Uint8Array, exponent: Uint8Array): RsaPublicParts => {
  const algorithm = new Uint8Array(0); // asPlainRsa gives it.
  return asPlainRsa({ type: 'RSA', bits, modulus, exponent, pss: null, algorithm });
};

type Eight<T> = [T, T, T, T, T, T, T, T];
type Numbers = Eight<Uint8Array>;

function importAgreement(group: GroupName, privateKey: Uint8Array): KeyAgreement | null {
  const key = native.privateKey(indexOf(GROUPS, group), privateKey);
  return key && new BaseAgreement(group, key);
}

export const primitives: CryptoPrimitives = {
  name: 'mbedtls',
  ed25519: false,
  createHash: (hash) => native.hash(hashIndex(hash)),
  digest: (hash, data) => native.digest(hashIndex(hash), data),
  hmac: (hash, key, data) => native.hmac(hashIndex(hash), key, data),
  hkdfExpand: (hash, key, info, lengthBytes) =>
    native.hkdfExpand(hashIndex(hash), key, info, lengthBytes),
  aead: (name, key) => native.aead(indexOf(AEADS, name), key),
  generateKeyAgreement(group, entropy) {
    const secret = drawPrivateKey(group, entropy);
    const key = importAgreement(group, secret);
    secret.fill(0);
    return key!;
  },
  importKeyAgreement: importAgreement,
  importPublicKey,
  importPrivateKey,
  generatePrivateKey,
};
