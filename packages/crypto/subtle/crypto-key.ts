/** CryptoKey, Web Cryptography §13: opaque, but for what may be done with it. */

import type { PrivateKey, PrivateParts, PublicKey, PublicParts } from '#device';
import type { SubtleContext } from './context.ts';

export type KeyUsage =
  | 'encrypt'
  | 'decrypt'
  | 'sign'
  | 'verify'
  | 'deriveKey'
  | 'deriveBits'
  | 'wrapKey'
  | 'unwrapKey';

/** In the order in which `usages` has them. */
const USAGES: readonly KeyUsage[] = [
  'encrypt',
  'decrypt',
  'sign',
  'verify',
  'deriveKey',
  'deriveBits',
  'wrapKey',
  'unwrapKey',
];

/** KeyAlgorithm and its kin. */
export interface KeyAlgorithm {
  readonly name: string;
  readonly length?: number;
  readonly hash?: { readonly name: string };
  readonly namedCurve?: string;
  readonly modulusLength?: number;
  readonly publicExponent?: Uint8Array;
}

/** The key itself. `signer` and `verifier` are null for keys of an agreement. */
export type KeyMaterial =
  | { readonly type: 'secret'; readonly bytes: Uint8Array }
  | { readonly type: 'public'; readonly parts: PublicParts; readonly verifier: PublicKey | null }
  | {
      readonly type: 'private';
      readonly parts: PrivateParts;
      /** The public half. */
      readonly half: PublicParts;
      readonly signer: PrivateKey | null;
    };

let materialOf: (key: CryptoKey) => KeyMaterial;
let make: (
  material: KeyMaterial,
  algorithm: KeyAlgorithm,
  extractable: boolean,
  usages: readonly KeyUsage[],
) => CryptoKey;

export class CryptoKey {
  readonly #material: KeyMaterial;
  readonly #algorithm: KeyAlgorithm;
  readonly #extractable: boolean;
  readonly #usages: readonly KeyUsage[];

  static {
    materialOf = (key) => key.#material;
    make = (...parts) => new CryptoKey(MAKER, ...parts);
  }

  constructor(
    maker: symbol,
    material: KeyMaterial,
    algorithm: KeyAlgorithm,
    extractable: boolean,
    usages: readonly KeyUsage[],
  ) {
    if (maker !== MAKER) throw new TypeError('Illegal constructor');
    this.#material = material;
    this.#algorithm = algorithm;
    this.#extractable = extractable;
    this.#usages = USAGES.filter((usage) => usages.includes(usage));
  }

  get type(): 'secret' | 'public' | 'private' {
    return this.#material.type;
  }

  get extractable(): boolean {
    return this.#extractable;
  }

  get algorithm(): KeyAlgorithm {
    return this.#algorithm;
  }

  get usages(): KeyUsage[] {
    return [...this.#usages];
  }

  get [Symbol.toStringTag](): string {
    return 'CryptoKey';
  }
}

const MAKER = Symbol('CryptoKey');

export { make as makeKey, materialOf };

export interface CryptoKeyPair {
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

/** Usages as the caller gave them, checked to be some at all. */
export function usagesOf(value: unknown): KeyUsage[] {
  if (typeof value !== 'object' || value === null || !(Symbol.iterator in value)) {
    throw new TypeError('keyUsages must be a sequence');
  }
  return [...(value as Iterable<unknown>)].map((one) => {
    const usage = USAGES.find((known) => known === one);
    if (usage === undefined) throw new TypeError(`${one} is not a key usage`);
    return usage;
  });
}

/** Refuses usages that a key of this kind can't have; and none, where it must have one. */
export function checkUsages(
  context: SubtleContext,
  usages: readonly KeyUsage[],
  allowed: readonly KeyUsage[],
  needed: boolean,
): void {
  if (usages.some((usage) => !allowed.includes(usage))) {
    throw context.error(`a key of this kind is for ${allowed.join(', ')} only`, 'SyntaxError');
  }
  if (needed && usages.length === 0) throw context.error('no usages', 'SyntaxError');
}
