/**
 * One algorithm of SubtleCrypto: the operations that it has (Web Cryptography §18.2.2). A missing
 * one is a NotSupportedError. Keys were checked to be of this algorithm, and to be for this use.
 */

import type { Asked, SubtleContext } from './context.ts';
import type { CryptoKey, CryptoKeyPair, KeyUsage } from './crypto-key.ts';
import type { Jwk } from './jwk.ts';

export type KeyFormat = 'raw' | 'pkcs8' | 'spki' | 'jwk';

/** Borrowed bytes, or a JSON Web Key. */
export type KeyData =
  | { readonly format: 'raw'; readonly bytes: Uint8Array }
  | { readonly format: 'pkcs8' | 'spki'; readonly bytes: Uint8Array }
  | { readonly format: 'jwk'; readonly jwk: Readonly<Jwk> };

export interface Algorithm {
  readonly name: string;
  generateKey?(
    context: SubtleContext,
    asked: Asked,
    extractable: boolean,
    usages: readonly KeyUsage[],
  ): CryptoKey | CryptoKeyPair;
  importKey?(
    context: SubtleContext,
    asked: Asked,
    data: KeyData,
    extractable: boolean,
    usages: readonly KeyUsage[],
  ): CryptoKey;
  /** Null for a format that a key of this algorithm hasn't. */
  exportKey?(context: SubtleContext, key: CryptoKey, format: KeyFormat): Uint8Array | Jwk | null;
  sign?(context: SubtleContext, asked: Asked, key: CryptoKey, data: Uint8Array): Uint8Array;
  verify?(
    context: SubtleContext,
    asked: Asked,
    key: CryptoKey,
    signature: Uint8Array,
    data: Uint8Array,
  ): boolean;
  encrypt?(context: SubtleContext, asked: Asked, key: CryptoKey, data: Uint8Array): Uint8Array;
  decrypt?(context: SubtleContext, asked: Asked, key: CryptoKey, data: Uint8Array): Uint8Array;
  /** `lengthBits` is null for all that there is. */
  deriveBits?(
    context: SubtleContext,
    asked: Asked,
    key: CryptoKey,
    lengthBits: number | null,
  ): Uint8Array;
  /** Bits of a key that is derived; null for any. */
  keyLength?(context: SubtleContext, asked: Asked): number | null;
}
