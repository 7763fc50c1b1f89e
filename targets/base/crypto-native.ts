/**
 * `__base.crypto`, which the bases with Mbed TLS have (base/crypto): primitives on bytes and
 * numbers, none of them with a source of chance of its own. What a caller must not do, such as a
 * wrong length or a key after `destroy`, throws a RangeError or a TypeError; what comes from a peer
 * gives null or false. Keys live in the base's memory, and are wiped by `destroy` or when they are
 * collected. Not here: formats of keys (packages/device/key-format.ts), and everything else of
 * CryptoPrimitives (crypto.ts).
 */

import type { Aead, HashState } from '#device';

/** Of chance for one call: any 32 bytes of the caller's entropy. */
export const SEED_BYTES = 32;

/** An index in its array is the name's number for the base. */
export const HASHES = ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'] as const;
export const AEADS = ['AES-128-GCM', 'AES-256-GCM', 'CHACHA20-POLY1305'] as const;
export const GROUPS = ['x25519', 'secp256r1', 'secp384r1'] as const;

/** An elliptic key. Big-endian, of the curve's size; the u of RFC 7748 for x25519. */
export interface NativeKey {
  /** A copy: 32 bytes for x25519, else 4, x, y. */
  point(): Uint8Array;
  /** A copy of the secret. */
  scalar(): Uint8Array;
  /** The x of the shared point; null unless `point` is one, and for x25519's all-zero secret. */
  agree(point: Uint8Array): Uint8Array | null;
  /** r and s. The nonce comes from `seed`, key and digest (at most 64 bytes) together. */
  sign(digest: Uint8Array, seed: Uint8Array): Uint8Array;
  verify(digest: Uint8Array, halves: Uint8Array): boolean;
  destroy(): void;
}

export interface NativeRsa {
  /** `salt` undefined: PKCS#1 v1.5, else PSS with a salt of so many bytes and MGF1 of `hash`. */
  sign(hash: number, digest: Uint8Array, salt: number | undefined, seed: Uint8Array): Uint8Array;
  verify(
    hash: number,
    digest: Uint8Array,
    salt: number | undefined,
    signature: Uint8Array,
  ): boolean;
  /** Copies of n, e, and of a private key d, p, q, d mod p-1, d mod q-1, 1/q mod p. */
  numbers(): Uint8Array[];
  destroy(): void;
}

export interface NativeCrypto {
  /** "Mbed TLS 3.6.x". */
  readonly version: string;
  hash(hash: number): HashState;
  digest(hash: number, data: Uint8Array): Uint8Array;
  hmac(hash: number, key: Uint8Array, data: Uint8Array): Uint8Array;
  /** 0..255 digests. */
  hkdfExpand(hash: number, key: Uint8Array, info: Uint8Array, lengthBytes: number): Uint8Array;
  aead(name: number, key: Uint8Array): Aead;
  /** Null for another length, and outside of 1..order-1. */
  privateKey(group: number, scalar: Uint8Array): NativeKey | null;
  /** Null for another length or form, and what isn't on the curve. Not for x25519. */
  publicKey(group: number, point: Uint8Array): NativeKey | null;
  /** 1,024..8,192 bits, an exponent of at most 4 bytes; null for what is no key. */
  rsaKey(
    modulus: Uint8Array,
    exponent: Uint8Array,
    p?: Uint8Array,
    q?: Uint8Array,
  ): NativeRsa | null;
  /** Up to 4,096 bits, a multiple of 128; takes seconds. */
  rsaGenerate(bits: number, seed: Uint8Array): NativeRsa;
}
