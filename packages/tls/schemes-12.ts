/**
 * Signatures in TLS 1.2, where a scheme's number is a hash and a kind of key (RFC 5246 §7.4.1.4.1,
 * as RFC 8446 §4.2.3 reads it): ECDSA's hash goes with any curve. Required reading: schemes.ts.
 */

import type { HashName, KeyInfo, SignatureAlgorithm, SignatureScheme } from '#device';
import { fitsScheme } from './schemes.ts';
import { type NamedGroupName, signatureScheme } from './wire/code-points.ts';

export const algorithm12 = (scheme: SignatureScheme): SignatureScheme | SignatureAlgorithm => {
  const hash = ecdsaHash(scheme);
  return hash === null ? scheme : { kind: 'ECDSA', hash };
};

function ecdsaHash(scheme: SignatureScheme): HashName | null {
  if (scheme === 'ecdsa_secp256r1_sha256') return 'SHA-256';
  return scheme === 'ecdsa_secp384r1_sha384' ? 'SHA-384' : null;
}

/** Whether `key` signs with `scheme` in TLS 1.2. */
export const fitsScheme12 = (key: KeyInfo, scheme: SignatureScheme): boolean =>
  ecdsaHash(scheme) === null ? fitsScheme(key, scheme) : key.type === 'EC';

/** Ours first among those that the peer takes and the key can; null: none. */
export const chooseScheme12 = (
  ours: readonly SignatureScheme[],
  theirs: readonly number[],
  key: KeyInfo,
): SignatureScheme | null =>
  ours.find((scheme) => theirs.includes(signatureScheme[scheme]) && fitsScheme12(key, scheme)) ??
  null;

/** Which cipher suites a key is for; Ed25519 goes with ECDSA (RFC 8422 §5.4). */
export const suiteSignature = ({ type }: Pick<KeyInfo, 'type'>): 'ECDSA' | 'RSA' =>
  type === 'EC' || type === 'Ed25519' ? 'ECDSA' : 'RSA';

/** As `suiteSignature`, of what a scheme signs with. */
export const suiteSignatureOf = (scheme: SignatureScheme): 'ECDSA' | 'RSA' =>
  scheme.startsWith('rsa') ? 'RSA' : 'ECDSA';

/** The group that a key's curve is; null: none, so no list of groups matters to it. */
export function groupOfKey({ curve }: Pick<KeyInfo, 'curve'>): NamedGroupName | null {
  if (curve === null) return null;
  return curve === 'P-256' ? 'secp256r1' : 'secp384r1';
}
