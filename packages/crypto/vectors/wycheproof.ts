/**
 * Vectors from Wycheproof's files (github.com/google/wycheproof, as Debian packages them). Where
 * a file says "acceptable", this project's answer is the strict one: no. Not here: keys for RSA-PSS
 * with parameters, which these files write with a default in them, against DER.
 */

import type { AeadName, CurveName, HashName, SignatureAlgorithm } from '#device';
import type { Vector } from './vector.ts';

interface Test extends Readonly<Record<string, unknown>> {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: 'valid' | 'invalid' | 'acceptable';
}

interface Group extends Readonly<Record<string, unknown>> {
  readonly type: string;
  readonly tests: readonly Test[];
}

export interface WycheproofFile {
  readonly algorithm: string;
  readonly testGroups: readonly Group[];
}

/** Files that the primitives have an answer for, without `_test.json`. */
export const WYCHEPROOF_FILES: readonly string[] = [
  'aes_gcm',
  'chacha20_poly1305',
  ...['sha1', 'sha256', 'sha384', 'sha512'].flatMap((hash) => [`hmac_${hash}`, `hkdf_${hash}`]),
  'x25519',
  'ecdh_secp256r1_ecpoint',
  'ecdh_secp384r1_ecpoint',
  'ecdh_secp256r1',
  'ecdh_secp384r1',
  'ecdsa_secp256r1_sha256',
  'ecdsa_secp256r1_sha512',
  'ecdsa_secp384r1_sha256',
  'ecdsa_secp384r1_sha384',
  'ecdsa_secp384r1_sha512',
  'ed25519',
  ...[2048, 3072, 4096, 8192].flatMap((bits) =>
    ['sha256', 'sha384', 'sha512'].map((hash) => `rsa_signature_${bits}_${hash}`),
  ),
  'rsa_pss_2048_sha1_mgf1_20',
  'rsa_pss_2048_sha256_mgf1_0',
  'rsa_pss_2048_sha256_mgf1_32',
  'rsa_pss_2048_sha384_mgf1_48',
  'rsa_pss_3072_sha256_mgf1_32',
  'rsa_pss_4096_sha256_mgf1_32',
  'rsa_pss_4096_sha384_mgf1_48',
  'rsa_pss_4096_sha512_mgf1_32',
  'rsa_pss_4096_sha512_mgf1_64',
  'rsa_pss_misc',
];

const HASHES: Readonly<Record<string, HashName>> = {
  'SHA-1': 'SHA-1',
  'SHA-256': 'SHA-256',
  'SHA-384': 'SHA-384',
  'SHA-512': 'SHA-512',
};

const CURVE_NAMES: Readonly<Record<string, CurveName>> = {
  secp256r1: 'P-256',
  secp384r1: 'P-384',
};

/** Every vector of a file that the primitives can be asked. */
export function wycheproofVectors(
  file: string,
  { algorithm, testGroups }: WycheproofFile,
): Vector[] {
  return testGroups.flatMap((group) =>
    group.tests.flatMap((test) => {
      const name = `${file} ${test.tcId} ${test.comment} [${test.flags.join(' ')}]`;
      const vector = convert(algorithm, group, test, name);
      return vector === null ? [] : [vector];
    }),
  );
}

const text = (from: Readonly<Record<string, unknown>>, field: string): string => {
  const value = from[field];
  if (typeof value !== 'string') throw new TypeError(`${field} is not text`);
  return value;
};

function convert(algorithm: string, group: Group, test: Test, name: string): Vector | null {
  switch (group.type) {
    case 'AeadTest':
      return convertAead(algorithm, group, test, name);
    case 'MacTest':
      return convertMac(algorithm, group, test, name);
    case 'HkdfTest':
      return convertHkdf(algorithm, test, name);
    case 'XdhComp':
      return convertX25519(test, name);
    case 'EcdhEcpointTest':
      return convertPoint(group, test, name);
    case 'EcdhTest':
      return test.result === 'valid'
        ? { kind: 'spki', name, spki: text(test, 'public'), valid: true }
        : convertEcdhKey(test, name);
    case 'EcdsaVerify':
    case 'EddsaVerify':
    case 'RsassaPkcs1Verify':
    case 'RsassaPssVerify':
      return convertSignature(group, test, name);
    default:
      return null;
  }
}

function convertAead(algorithm: string, group: Group, test: Test, name: string): Vector | null {
  if (group.ivSize !== 96 || group.tagSize !== 128 || group.keySize === 192) return null;
  const aead: AeadName =
    algorithm === 'CHACHA20-POLY1305'
      ? algorithm
      : group.keySize === 128
        ? 'AES-128-GCM'
        : 'AES-256-GCM';
  return {
    kind: 'aead',
    name,
    aead,
    key: text(test, 'key'),
    nonce: text(test, 'iv'),
    additional: text(test, 'aad'),
    plain: test.result === 'valid' ? text(test, 'msg') : null,
    sealed: text(test, 'ct') + text(test, 'tag'),
  };
}

/** HMACSHA256 or HKDF-SHA-256. */
const hashOf = (algorithm: string): HashName => {
  const digits = /SHA-?(\d+)$/.exec(algorithm)?.[1];
  const hash = HASHES[`SHA-${digits}`];
  if (hash === undefined) throw new TypeError(`the hash of ${algorithm}`);
  return hash;
};

/** A wrong tag is no question to a function that makes tags. */
function convertMac(algorithm: string, group: Group, test: Test, name: string): Vector | null {
  const hash = hashOf(algorithm);
  const whole = Number(hash.slice(4)) === group.tagSize || hash === 'SHA-1';
  if (test.result !== 'valid' || !whole || text(test, 'tag').length % 8 !== 0) return null;
  if (hash === 'SHA-1' && group.tagSize !== 160) return null;
  const out = text(test, 'tag');
  return { kind: 'hmac', name, hash, key: text(test, 'key'), data: text(test, 'msg'), out };
}

/** What is invalid asks for more than there is, which is a broken promise of ours. */
function convertHkdf(algorithm: string, test: Test, name: string): Vector | null {
  if (test.result !== 'valid') return null;
  return {
    kind: 'hkdf',
    name,
    hash: hashOf(algorithm),
    material: text(test, 'ikm'),
    salt: text(test, 'salt'),
    info: text(test, 'info'),
    out: text(test, 'okm'),
  };
}

/** Points of the twist and of no canonical form are computed with, RFC 7748 §5. */
function convertX25519(test: Test, name: string): Vector {
  const shared = text(test, 'shared');
  return {
    kind: 'agree',
    name,
    group: 'x25519',
    secret: text(test, 'private'),
    peer: text(test, 'public'),
    shared: /^0+$/.test(shared) ? null : shared,
  };
}

function convertPoint(group: Group, test: Test, name: string): Vector {
  const curve = text(group, 'curve') as 'secp256r1' | 'secp384r1';
  const digits = curve === 'secp256r1' ? 64 : 96;
  return {
    kind: 'agree',
    name,
    group: curve,
    secret: text(test, 'private').slice(-digits).padStart(digits, '0'),
    peer: text(test, 'public'),
    shared: test.result === 'valid' ? text(test, 'shared') : null,
  };
}

/** A good key of the other curve is only bad for who asked for this one. */
function convertEcdhKey(test: Test, name: string): Vector | null {
  const spki = text(test, 'public');
  const named = /^30(59|76)/.test(spki);
  const other = test.flags.includes('WrongCurve') || /using secp(256|384)r1/.test(test.comment);
  if (named && (other || test.result === 'acceptable')) return null;
  return { kind: 'spki', name, spki, valid: false };
}

function convertSignature(group: Group, test: Test, name: string): Vector | null {
  const scheme = schemeOf(group);
  if (scheme === null) return null;
  return {
    kind: 'verify',
    name,
    spki: text(group, 'publicKeyDer'),
    scheme,
    data: text(test, 'msg'),
    signature: text(test, 'sig'),
    valid: test.result === 'valid',
  };
}

/** Null for what isn't supported: other hashes, a mask of another hash. */
function schemeOf(group: Group): SignatureAlgorithm | null {
  if (group.type === 'EddsaVerify') return { kind: 'Ed25519' };
  const hash = HASHES[text(group, 'sha')];
  if (hash === undefined) return null;
  if (group.type === 'RsassaPkcs1Verify') return { kind: 'RSA-PKCS1', hash };
  if (group.type === 'EcdsaVerify') {
    const { curve } = group.publicKey as { readonly curve: string };
    return CURVE_NAMES[curve] === undefined ? null : { kind: 'ECDSA', hash };
  }
  if (group.mgfSha !== hash) return null;
  return { kind: 'RSA-PSS', hash, saltBytes: Number(group.sLen) };
}
