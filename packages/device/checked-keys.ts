/**
 * Keys as protocols see them, over what an implementation of CryptoPrimitives does itself: the
 * checks that all of them share are here once. Not here: the formats (key-format.ts,
 * signature-format.ts).
 */

import { assert } from '#core';
import type {
  Aead,
  AeadName,
  KeyInfo,
  PrivateKey,
  PublicKey,
  SignatureAlgorithm,
  SignatureScheme,
} from './crypto.ts';
import type { Entropy } from './environment.ts';
import { CURVES, emitSpki, type PublicParts } from './key-format.ts';
import { algorithmFor, ecdsaFromDer, ecdsaToDer } from './signature-format.ts';

/** Signatures of ECDSA are two halves of the curve's size, one after the other. */
export interface RawVerifier {
  /**
   * `signature` has the right length, and halves that are in range. `algorithm` is one for the
   * key.
   */
  verify(algorithm: SignatureAlgorithm, data: Uint8Array, signature: Uint8Array): boolean;
}

export interface RawSigner {
  sign(algorithm: SignatureAlgorithm, data: Uint8Array, entropy: Entropy): Uint8Array;
  /** Wipes the key; called once. */
  destroy(): void;
}

/** What may be told of a public key that can sign; null for one that can't (X25519). */
export function keyInfo(parts: PublicParts): KeyInfo | null {
  const spki = emitSpki(parts);
  switch (parts.type) {
    case 'RSA':
    case 'RSA-PSS':
      return { type: parts.type, curve: null, bits: parts.bits, pss: parts.pss, spki };
    case 'EC':
      return { type: 'EC', curve: parts.curve.name, bits: parts.curve.bits, pss: null, spki };
    case 'Ed25519':
      return { type: 'Ed25519', curve: null, bits: 256, pss: null, spki };
    case 'X25519':
      return null;
  }
}

/** Bytes of a raw signature: RFC 8017 §8.1.2 step 1, RFC 8032 §5.1.7, twice a scalar. */
function signatureBytes({ type, bits }: KeyInfo): number {
  const keyBytes = Math.ceil(bits / 8);
  return type === 'RSA' || type === 'RSA-PSS' ? keyBytes : 2 * keyBytes;
}

class CheckedKey implements KeyInfo {
  readonly type: KeyInfo['type'];
  readonly curve: KeyInfo['curve'];
  readonly bits: number;
  readonly pss: KeyInfo['pss'];
  readonly spki: Uint8Array;

  constructor({ type, curve, bits, pss, spki }: KeyInfo) {
    this.type = type;
    this.curve = curve;
    this.bits = bits;
    this.pss = pss;
    this.spki = spki;
  }
}

export class CheckedPublicKey extends CheckedKey implements PublicKey {
  readonly #raw: RawVerifier;

  constructor(info: KeyInfo, raw: RawVerifier) {
    super(info);
    this.#raw = raw;
  }

  verify(
    scheme: SignatureScheme | SignatureAlgorithm,
    data: Uint8Array,
    signature: Uint8Array,
  ): boolean {
    const algorithm = algorithmFor(scheme, this);
    if (algorithm === null) return false;
    const { curve } = this;
    const raw = curve === null ? signature : ecdsaFromDer(CURVES[curve], signature);
    if (raw === null || raw.length !== signatureBytes(this)) return false;
    return this.#raw.verify(algorithm, data, raw);
  }
}

export class CheckedPrivateKey extends CheckedKey implements PrivateKey {
  #raw: RawSigner | null;
  readonly #pkcs8: Uint8Array;

  /** Keeps `pkcs8`, and wipes it in the end. */
  constructor(info: KeyInfo, raw: RawSigner, pkcs8: Uint8Array) {
    super(info);
    this.#raw = raw;
    this.#pkcs8 = pkcs8;
  }

  sign(
    scheme: SignatureScheme | SignatureAlgorithm,
    data: Uint8Array,
    entropy: Entropy,
  ): Uint8Array {
    assert(this.#raw !== null, 'a destroyed key');
    const algorithm = algorithmFor(scheme, this);
    assert(algorithm !== null, 'the key is none for this scheme');
    const raw = this.#raw.sign(algorithm, data, entropy);
    assert(raw.length === signatureBytes(this));
    return this.curve === null ? raw : ecdsaToDer(CURVES[this.curve], raw);
  }

  pkcs8(): Uint8Array {
    assert(this.#raw !== null, 'a destroyed key');
    return this.#pkcs8.slice();
  }

  destroy(): void {
    this.#raw?.destroy();
    this.#raw = null;
    this.#pkcs8.fill(0);
  }
}

export const AEAD_TAG_BYTES = 16;
export const AEAD_NONCE_BYTES = 12;

const AEAD_KEY_BYTES: Readonly<Record<AeadName, number>> = {
  'AES-128-GCM': 16,
  'AES-256-GCM': 32,
  'CHACHA20-POLY1305': 32,
};

/** What an implementation does of an Aead, with a key of the right length, on whole arrays. */
export interface RawAead {
  /** Writes ciphertext and tag; `out` has their length, and may begin where `plain` does. */
  seal(
    key: Uint8Array,
    nonce: Uint8Array,
    additional: Uint8Array,
    plain: Uint8Array,
    out: Uint8Array,
  ): void;
  /** `sealed` has a tag at least. False: the tag is another, and nothing was written to `out`. */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    additional: Uint8Array,
    sealed: Uint8Array,
    out: Uint8Array,
  ): boolean;
}

export class CheckedAead implements Aead {
  readonly #raw: RawAead;
  #key: Uint8Array | null;

  /** Keeps a copy of `key`. */
  constructor(name: AeadName, key: Uint8Array, raw: RawAead) {
    const keyBytes = AEAD_KEY_BYTES[name];
    assert(key.length === keyBytes, `${name} has keys of ${keyBytes} bytes`);
    this.#raw = raw;
    this.#key = new Uint8Array(key);
  }

  seal(
    nonce: Uint8Array,
    additional: Uint8Array,
    input: Uint8Array,
    inAt: number,
    count: number,
    out: Uint8Array,
    outAt: number,
  ): void {
    assert(this.#key !== null, 'a destroyed key');
    const outEnd = outAt + count + AEAD_TAG_BYTES;
    checkAeadCall(nonce, input, inAt, count, out, outAt, outEnd);
    const plain = input.subarray(inAt, inAt + count);
    this.#raw.seal(this.#key, nonce, additional, plain, out.subarray(outAt, outEnd));
  }

  open(
    nonce: Uint8Array,
    additional: Uint8Array,
    input: Uint8Array,
    inAt: number,
    count: number,
    out: Uint8Array,
    outAt: number,
  ): boolean {
    assert(this.#key !== null, 'a destroyed key');
    if (count < AEAD_TAG_BYTES) return false;
    const outEnd = outAt + count - AEAD_TAG_BYTES;
    checkAeadCall(nonce, input, inAt, count, out, outAt, outEnd);
    const sealed = input.subarray(inAt, inAt + count);
    return this.#raw.open(this.#key, nonce, additional, sealed, out.subarray(outAt, outEnd));
  }

  destroy(): void {
    this.#key?.fill(0);
    this.#key = null;
  }
}

/** Asserts that one call of an Aead stays inside of its arrays. */
function checkAeadCall(
  nonce: Uint8Array,
  input: Uint8Array,
  inAt: number,
  count: number,
  out: Uint8Array,
  outAt: number,
  outEnd: number,
): void {
  assert(nonce.length === AEAD_NONCE_BYTES, 'a nonce has 12 bytes');
  assert(inAt >= 0 && count >= 0 && inAt + count <= input.length, 'input outside of its array');
  assert(outAt >= 0 && outEnd <= out.length, 'output outside of its array');
}
