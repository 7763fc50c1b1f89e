/** Signature schemes (RFC 8446 §4.2.3): which key may sign with which, and the choice of one. */

import type { KeyInfo, SignatureScheme } from '#device';
import { signatureScheme, signatureSchemeNameOf } from './wire/code-points.ts';

/** rsa_pss_*_sha512 needs a modulus of more than two hashes and two bytes, RFC 8017 §9.1.1. */
const RSA_PSS_BITS_MIN = 1_048;

/** Whether `key` signs with `scheme` in TLS 1.3: for ECDSA the curve is the scheme's. */
export function fitsScheme(key: KeyInfo, scheme: SignatureScheme): boolean {
  switch (scheme) {
    case 'ecdsa_secp256r1_sha256':
      return key.curve === 'P-256';
    case 'ecdsa_secp384r1_sha384':
      return key.curve === 'P-384';
    case 'ed25519':
      return key.type === 'Ed25519';
    case 'rsa_pkcs1_sha256':
    case 'rsa_pkcs1_sha384':
    case 'rsa_pkcs1_sha512':
      return key.type === 'RSA';
    case 'rsa_pss_rsae_sha256':
    case 'rsa_pss_rsae_sha384':
    case 'rsa_pss_rsae_sha512':
      return key.type === 'RSA' && key.bits >= RSA_PSS_BITS_MIN;
    case 'rsa_pss_pss_sha256':
    case 'rsa_pss_pss_sha384':
    case 'rsa_pss_pss_sha512':
      return key.type === 'RSA-PSS' && key.bits >= RSA_PSS_BITS_MIN;
  }
}

/** TLS 1.3 has PKCS #1 v1.5 in certificates only, not in CertificateVerify. */
export const isFor13 = (scheme: SignatureScheme): boolean => !scheme.startsWith('rsa_pkcs1');

/** Ours first among those that the peer takes and the key can; null: none. */
export const chooseScheme13 = (
  ours: readonly SignatureScheme[],
  theirs: readonly number[],
  key: KeyInfo,
): SignatureScheme | null =>
  ours.find(
    (scheme) =>
      isFor13(scheme) && theirs.includes(signatureScheme[scheme]) && fitsScheme(key, scheme),
  ) ?? null;

/** Those that we know, in the peer's order. */
export const knownSchemes = (codes: readonly number[]): SignatureScheme[] =>
  codes.map(signatureSchemeNameOf).filter((name) => name !== null);
