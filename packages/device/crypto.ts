/**
 * Cryptographic primitives, as protocols see them: synchronous, so that protocols can be. Types
 * only; a target brings them (targets/node/crypto.ts, targets/base/crypto.ts), packages/crypto has
 * a second implementation for the simulator, `#crypto/platform` is the target's own for programs.
 * Every implementation gives the same result for the same input, also for bad input: keys and
 * signatures go through the strict forms of key-format.ts and signature-format.ts first, and all
 * pass the same vectors (packages/crypto/vectors). Not here: X.509, the key schedule of TLS,
 * WebCrypto (packages/crypto/subtle.ts).
 *
 * Ownership: arguments are borrowed for the call, results are fresh and the caller's; what holds
 * a key copied it. Bytes from a peer give `null` or `false`; a broken promise of ours (wrong key
 * length for an AEAD, a range outside of an array, use after `destroy`) throws an AssertionError.
 * Secrets: `destroy` wipes what can be reached and may be called twice; nothing that holds a
 * secret shows it in toString, toJSON, or a console.
 */

import type { Entropy } from './environment.ts';
import type { PssLimits } from './key-format.ts';

export type HashName = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';

/** AEADs with a 12-byte nonce and a 16-byte tag behind the ciphertext (RFC 5116, RFC 8439). */
export type AeadName = 'AES-128-GCM' | 'AES-256-GCM' | 'CHACHA20-POLY1305';

/** Groups of key agreement, as RFC 8446 §4.2.7 names them. */
export type GroupName = 'x25519' | 'secp256r1' | 'secp384r1';

export type CurveName = 'P-256' | 'P-384';

/** RFC 8446 §4.2.3. For ECDSA the name fixes the curve too; `rsae` and `pss` the key's type. */
export type SignatureScheme =
  | 'ecdsa_secp256r1_sha256'
  | 'ecdsa_secp384r1_sha384'
  | 'ed25519'
  | 'rsa_pkcs1_sha256'
  | 'rsa_pkcs1_sha384'
  | 'rsa_pkcs1_sha512'
  | 'rsa_pss_pss_sha256'
  | 'rsa_pss_pss_sha384'
  | 'rsa_pss_pss_sha512'
  | 'rsa_pss_rsae_sha256'
  | 'rsa_pss_rsae_sha384'
  | 'rsa_pss_rsae_sha512';

/**
 * A signature algorithm without TLS's pairing, for certificates (any hash with any curve), for
 * TLS 1.2 and for WebCrypto. MGF1 of RSA-PSS uses the same hash.
 */
export type SignatureAlgorithm =
  | { readonly kind: 'ECDSA'; readonly hash: HashName }
  | { readonly kind: 'RSA-PKCS1'; readonly hash: HashName }
  | { readonly kind: 'RSA-PSS'; readonly hash: HashName; readonly saltBytes: number }
  | { readonly kind: 'Ed25519' };

/** A hash that goes on: `digest` may be called at any time and changes nothing (transcripts). */
export interface HashState {
  update(data: Uint8Array): void;
  /** An independent state with the same past. */
  copy(): HashState;
  digest(): Uint8Array;
}

/** One key of one AEAD. The nonce has 12 bytes and is never used twice with `seal`. */
export interface Aead {
  /**
   * Encrypts `count` bytes of `input` from `inAt`, and writes them and the tag, count + 16 bytes,
   * to `out` from `outAt`. In place (same array, same offset) or without overlap.
   */
  seal(
    nonce: Uint8Array,
    additional: Uint8Array,
    input: Uint8Array,
    inAt: number,
    count: number,
    out: Uint8Array,
    outAt: number,
  ): void;
  /**
   * The inverse: `count` bytes with the tag, count - 16 bytes to `out`. False when the tag is
   * wrong or doesn't fit in `count`: then `out` has nothing of the plaintext (zeros, or what it
   * had before).
   */
  open(
    nonce: Uint8Array,
    additional: Uint8Array,
    input: Uint8Array,
    inAt: number,
    count: number,
    out: Uint8Array,
    outAt: number,
  ): boolean;
  destroy(): void;
}

/** A private key of Diffie-Hellman. */
export interface KeyAgreement {
  readonly group: GroupName;
  /** As in a key_share: 32 bytes (RFC 7748), or the uncompressed point (RFC 8446 §4.2.8.2). */
  readonly publicKey: Uint8Array;
  /**
   * The shared secret: 32 bytes, or the point's x. Null for a public key of the wrong length or
   * form, a point that isn't on the curve, and an all-zero secret (RFC 7748 §6.1).
   */
  agree(peerPublicKey: Uint8Array): Uint8Array | null;
  destroy(): void;
}

/** What may be told of a key. */
export interface KeyInfo {
  /** RSA-PSS is a key for nothing else (RFC 4055 §1.2), RSA one for both paddings. */
  readonly type: 'RSA' | 'RSA-PSS' | 'EC' | 'Ed25519';
  /** Null unless `type` is EC. */
  readonly curve: CurveName | null;
  /** Size of the modulus or of the curve: 1024..8192, or 256, or 384. Policy is the caller's. */
  readonly bits: number;
  /** What a key of type RSA-PSS allows; null for everything, and for other types. */
  readonly pss: PssLimits | null;
  /** SubjectPublicKeyInfo, RFC 5280 §4.1.2.7, DER. */
  readonly spki: Uint8Array;
}

export interface PublicKey extends KeyInfo {
  /**
   * Whether `signature` was made over `data`. ECDSA signatures are DER (RFC 3279 §2.2.3), strictly;
   * false as well when the key isn't one for `scheme`.
   */
  verify(
    scheme: SignatureScheme | SignatureAlgorithm,
    data: Uint8Array,
    signature: Uint8Array,
  ): boolean;
}

export interface PrivateKey extends KeyInfo {
  /**
   * Asserts that the key is one for `scheme`: ask `keyFits` (signature-format.ts) first. Nonces,
   * salts and blinding come from `entropy`, or from the platform's own source where it takes no other.
   */
  sign(
    scheme: SignatureScheme | SignatureAlgorithm,
    data: Uint8Array,
    entropy: Entropy,
  ): Uint8Array;
  /** A copy of the secret: PrivateKeyInfo, RFC 5208, DER. */
  pkcs8(): Uint8Array;
  destroy(): void;
}

export type PrivateKeyType = CurveName | 'Ed25519' | 'RSA-2048' | 'RSA-3072' | 'RSA-4096';

export interface CryptoPrimitives {
  /** 'mbedtls', 'node' or 'noble'. */
  readonly name: string;
  /** Whether keys of Ed25519 can be imported and made; where not, import gives null. */
  readonly ed25519: boolean;

  createHash(hash: HashName): HashState;
  digest(hash: HashName, data: Uint8Array): Uint8Array;
  /** RFC 2104; a key of any length. HKDF-Extract is `hmac(hash, salt, keyingMaterial)`. */
  hmac(hash: HashName, key: Uint8Array, data: Uint8Array): Uint8Array;
  /** HKDF-Expand, RFC 5869 §2.3: 0..255 times the hash's length. */
  hkdfExpand(
    hash: HashName,
    pseudoRandomKey: Uint8Array,
    info: Uint8Array,
    lengthBytes: number,
  ): Uint8Array;

  /** `key` has 16 or 32 bytes, by name. */
  aead(name: AeadName, key: Uint8Array): Aead;

  /** The same entropy gives the same key everywhere: `drawPrivateKey` of key-format.ts. */
  generateKeyAgreement(group: GroupName, entropy: Entropy): KeyAgreement;
  /**
   * From 32 bytes (x25519, clamped inside), or a big-endian scalar of the curve's size. Null for
   * another length, and for a scalar outside of 1..order-1.
   */
  importKeyAgreement(group: GroupName, privateKey: Uint8Array): KeyAgreement | null;

  /**
   * Null for what key-format.ts refuses, a point that isn't on its curve, and a type that this
   * implementation hasn't.
   */
  importPublicKey(spki: Uint8Array): PublicKey | null;
  /** As importPublicKey, of PrivateKeyInfo; null as well when its two halves don't match. */
  importPrivateKey(pkcs8: Uint8Array): PrivateKey | null;
  /**
   * Elliptic keys are drawn as for generateKeyAgreement; RSA ones by the platform, exponent
   * 65537.
   */
  generatePrivateKey(type: PrivateKeyType, entropy: Entropy): PrivateKey;
}
