/** What keys with two halves share: their formats, and which half is for what. */

import {
  emitPkcs8,
  emitSpki,
  type PrivateParts,
  type PublicParts,
  parsePkcs8,
  parseSpki,
} from '#device';
import type { KeyData } from './algorithm.ts';
import type { SubtleContext } from './context.ts';
import {
  type CryptoKey,
  type CryptoKeyPair,
  checkUsages,
  type KeyAlgorithm,
  type KeyUsage,
  makeKey,
  materialOf,
} from './crypto-key.ts';

/** Usages that the halves of a pair may have. */
export interface PairUsages {
  readonly ofPublic: readonly KeyUsage[];
  readonly ofPrivate: readonly KeyUsage[];
}

export const SIGNING: PairUsages = { ofPublic: ['verify'], ofPrivate: ['sign'] };
export const AGREEING: PairUsages = { ofPublic: [], ofPrivate: ['deriveKey', 'deriveBits'] };

/** What was imported, before it is known to be a key. */
export type ImportedParts =
  | { readonly half: 'public'; readonly parts: PublicParts }
  | { readonly half: 'private'; readonly parts: PrivateParts };

export function checkHalf(
  context: SubtleContext,
  half: 'public' | 'private',
  usages: readonly KeyUsage[],
  { ofPublic, ofPrivate }: PairUsages,
): void {
  if (half === 'public') checkUsages(context, usages, ofPublic, false);
  else checkUsages(context, usages, ofPrivate, true);
}

/** Of SPKI or PKCS #8; DataError for what isn't one. */
export function partsOf(
  context: SubtleContext,
  data: KeyData & { readonly bytes: Uint8Array },
): ImportedParts {
  if (data.format === 'spki') {
    const parts = parseSpki(data.bytes);
    if (parts !== null) return { half: 'public', parts };
  } else {
    const parts = parsePkcs8(data.bytes);
    if (parts !== null) return { half: 'private', parts };
  }
  throw context.error(`the key is none in the format ${data.format}`, 'DataError');
}

const noKey = (context: SubtleContext): Error =>
  context.error('the key is not valid, or of a kind that is not supported', 'DataError');

/** A key of either half, checked by the primitives. X25519 has nothing to check. */
export function keyOf(
  context: SubtleContext,
  { half, parts }: ImportedParts,
  algorithm: KeyAlgorithm,
  extractable: boolean,
  usages: readonly KeyUsage[],
): CryptoKey {
  const { crypto } = context;
  if (half === 'public') {
    const verifier = parts.type === 'X25519' ? null : crypto.importPublicKey(emitSpki(parts));
    if (verifier === null && parts.type !== 'X25519') throw noKey(context);
    return makeKey({ type: 'public', parts, verifier }, algorithm, extractable, usages);
  }
  if (parts.type === 'X25519') {
    const agreement = crypto.importKeyAgreement('x25519', parts.secret);
    const point = agreement!.publicKey;
    agreement!.destroy();
    const other = { type: 'X25519', point } as const;
    const material = { type: 'private', parts, half: other, signer: null } as const;
    return makeKey(material, algorithm, extractable, usages);
  }
  const pkcs8 = emitPkcs8(parts);
  const signer = crypto.importPrivateKey(pkcs8);
  pkcs8.fill(0);
  if (signer === null) throw noKey(context);
  const other = parseSpki(signer.spki)!;
  return makeKey({ type: 'private', parts, half: other, signer }, algorithm, extractable, usages);
}

/** Both halves of a private key; the public one is always extractable. */
export function pairOf(
  context: SubtleContext,
  parts: PrivateParts,
  algorithm: KeyAlgorithm,
  extractable: boolean,
  usages: readonly KeyUsage[],
  { ofPublic, ofPrivate }: PairUsages,
): CryptoKeyPair {
  const own = usages.filter((usage) => ofPrivate.includes(usage));
  checkUsages(context, own, ofPrivate, true);
  const privateKey = keyOf(context, { half: 'private', parts }, algorithm, extractable, own);
  const material = materialOf(privateKey);
  if (material.type !== 'private') throw new TypeError('unreachable');
  const others = usages.filter((usage) => ofPublic.includes(usage));
  const half = { half: 'public', parts: material.half } as const;
  return { publicKey: keyOf(context, half, algorithm, true, others), privateKey };
}

/** SPKI or PKCS #8 of a key of that half; InvalidAccessError for the other. */
export function exportedDer(
  context: SubtleContext,
  key: CryptoKey,
  format: 'spki' | 'pkcs8',
): Uint8Array {
  const material = materialOf(key);
  if (format === 'spki' && material.type === 'public') return emitSpki(material.parts);
  if (format === 'pkcs8' && material.type === 'private') {
    const { parts, half } = material;
    return emitPkcs8(parts.type === 'EC' && half.type === 'EC' ? { ...parts, ...half } : parts);
  }
  throw context.error(`a ${material.type} key has no form ${format}`, 'InvalidAccessError');
}

/** The verifier of a public key, or the signer of a private one. */
export function verifierOf(context: SubtleContext, key: CryptoKey) {
  const material = materialOf(key);
  if (material.type === 'public' && material.verifier !== null) return material.verifier;
  throw context.error('a public key is needed', 'InvalidAccessError');
}

export function signerOf(context: SubtleContext, key: CryptoKey) {
  const material = materialOf(key);
  if (material.type === 'private' && material.signer !== null) return material.signer;
  throw context.error('a private key is needed', 'InvalidAccessError');
}
