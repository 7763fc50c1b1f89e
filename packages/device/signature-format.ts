/**
 * Which algorithm a signature scheme means for a key, and the form of ECDSA signatures (RFC 3279
 * §2.2.3), strictly, for every implementation of CryptoPrimitives.
 */

import { assert } from '#core';
import type {
  CurveName,
  HashName,
  KeyInfo,
  SignatureAlgorithm,
  SignatureScheme,
} from './crypto.ts';
import { DerReader, derElement, derInteger, TAG_SEQUENCE } from './der.ts';
import { type Curve, isScalar } from './key-format.ts';

export const HASH_BYTES: Readonly<Record<HashName, number>> = {
  'SHA-1': 20,
  'SHA-256': 32,
  'SHA-384': 48,
  'SHA-512': 64,
};

interface SchemeMeaning {
  readonly algorithm: SignatureAlgorithm;
  readonly type: KeyInfo['type'];
  readonly curve: CurveName | null;
}

const ecdsa = (hash: HashName, curve: CurveName): SchemeMeaning => ({
  algorithm: { kind: 'ECDSA', hash },
  type: 'EC',
  curve,
});

const pkcs1 = (hash: HashName): SchemeMeaning => ({
  algorithm: { kind: 'RSA-PKCS1', hash },
  type: 'RSA',
  curve: null,
});

/** RFC 8446 §4.2.3: the salt is as long as the digest. */
const pss = (hash: HashName, type: 'RSA' | 'RSA-PSS'): SchemeMeaning => ({
  algorithm: { kind: 'RSA-PSS', hash, saltBytes: HASH_BYTES[hash] },
  type,
  curve: null,
});

const SCHEMES: Readonly<Record<SignatureScheme, SchemeMeaning>> = {
  ecdsa_secp256r1_sha256: ecdsa('SHA-256', 'P-256'),
  ecdsa_secp384r1_sha384: ecdsa('SHA-384', 'P-384'),
  ed25519: { algorithm: { kind: 'Ed25519' }, type: 'Ed25519', curve: null },
  rsa_pkcs1_sha256: pkcs1('SHA-256'),
  rsa_pkcs1_sha384: pkcs1('SHA-384'),
  rsa_pkcs1_sha512: pkcs1('SHA-512'),
  rsa_pss_pss_sha256: pss('SHA-256', 'RSA-PSS'),
  rsa_pss_pss_sha384: pss('SHA-384', 'RSA-PSS'),
  rsa_pss_pss_sha512: pss('SHA-512', 'RSA-PSS'),
  rsa_pss_rsae_sha256: pss('SHA-256', 'RSA'),
  rsa_pss_rsae_sha384: pss('SHA-384', 'RSA'),
  rsa_pss_rsae_sha512: pss('SHA-512', 'RSA'),
};

/** What `scheme` means for this key; null when the key isn't one for it. */
export function algorithmFor(
  scheme: SignatureScheme | SignatureAlgorithm,
  key: Omit<KeyInfo, 'spki'>,
): SignatureAlgorithm | null {
  if (typeof scheme !== 'string') return isAllowed(scheme, key) ? scheme : null;
  const { algorithm, type, curve } = SCHEMES[scheme];
  if (type !== key.type || (curve !== null && curve !== key.curve)) return null;
  return isAllowed(algorithm, key) ? algorithm : null;
}

function isAllowed(algorithm: SignatureAlgorithm, key: Omit<KeyInfo, 'spki'>): boolean {
  switch (algorithm.kind) {
    case 'ECDSA':
      return key.type === 'EC';
    case 'Ed25519':
      return key.type === 'Ed25519';
    case 'RSA-PKCS1':
      return key.type === 'RSA';
    case 'RSA-PSS': {
      if (key.type !== 'RSA' && key.type !== 'RSA-PSS') return false;
      const { hash, saltBytes } = algorithm;
      const limits = key.pss;
      if (limits !== null && (hash !== limits.hash || saltBytes < limits.saltBytesMin))
        return false;
      // RFC 8017 §9.1.1 step 3.
      return Math.ceil((key.bits - 1) / 8) >= HASH_BYTES[hash] + saltBytes + 2;
    }
  }
}

/** Whether `sign` may be called with this scheme, and `verify` could be true. */
export const keyFits = (scheme: SignatureScheme | SignatureAlgorithm, key: KeyInfo): boolean =>
  algorithmFor(scheme, key) !== null;

/**
 * The two halves of a DER signature, each of the curve's size (IEEE P1363), in fresh bytes; null
 * unless the encoding is DER and both are in 1..order-1.
 */
export function ecdsaFromDer(curve: Curve, der: Uint8Array): Uint8Array | null {
  const whole = new DerReader(der);
  const pair = whole.enter(TAG_SEQUENCE);
  if (pair === null || !whole.done) return null;
  const r = pair.positive();
  const s = pair.positive();
  if (r === null || s === null || !pair.done) return null;
  if (r.length > curve.bytes || s.length > curve.bytes) return null;
  const out = new Uint8Array(2 * curve.bytes);
  out.set(r, curve.bytes - r.length);
  out.set(s, out.length - s.length);
  const inRange =
    isScalar(curve, out.subarray(0, curve.bytes)) && isScalar(curve, out.subarray(curve.bytes));
  return inRange ? out : null;
}

/** The inverse, of a signature of ours. */
export function ecdsaToDer(curve: Curve, halves: Uint8Array): Uint8Array {
  assert(halves.length === 2 * curve.bytes);
  const r = derInteger(halves.subarray(0, curve.bytes));
  const s = derInteger(halves.subarray(curve.bytes));
  return derElement(TAG_SEQUENCE, r, s);
}
