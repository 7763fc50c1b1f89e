/**
 * RSA signatures with bigints (RFC 8017 §8.1, §8.2), as a second implementation for tests and the
 * simulator. Not for secrets that matter: the time of a modular power tells of its exponent. Not
 * here: making keys.
 */

import { assert } from '#core';
import {
  type Entropy,
  HASH_BYTES,
  type HashName,
  type PrivateParts,
  type PublicParts,
  type RawSigner,
  type RawVerifier,
  type SignatureAlgorithm,
} from '#device';
import { constantTimeEqual } from './secrets.ts';

type Digest = (hash: HashName, data: Uint8Array) => Uint8Array;
type RsaPublic = Extract<PublicParts, { readonly type: 'RSA' | 'RSA-PSS' }>;
type RsaPrivate = Extract<PrivateParts, { readonly type: 'RSA' | 'RSA-PSS' }>;

function toBigInt(bytes: Uint8Array): bigint {
  let text = '0x0';
  for (const byte of bytes) text += (byte + 0x100).toString(16).slice(1);
  return BigInt(text);
}

function toBytes(value: bigint, count: number): Uint8Array {
  const text = value.toString(16).padStart(2 * count, '0');
  return Uint8Array.from({ length: count }, (_, i) => Number(`0x${text.slice(2 * i, 2 * i + 2)}`));
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let factor = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * factor) % modulus;
    factor = (factor * factor) % modulus;
  }
  return result;
}

export function rsaVerifier(parts: RsaPublic, digest: Digest): RawVerifier {
  const modulus = toBigInt(parts.modulus);
  const exponent = toBigInt(parts.exponent);
  return {
    verify(algorithm, data, signature) {
      const value = toBigInt(signature);
      if (value >= modulus) return false;
      const block = toBytes(power(value, exponent, modulus), signature.length);
      if (algorithm.kind === 'RSA-PSS') return isPss(block, parts.bits, algorithm, data, digest);
      assert(algorithm.kind === 'RSA-PKCS1');
      return constantTimeEqual(block, pkcs1Block(block.length, algorithm.hash, data, digest));
    },
  };
}

export function rsaSigner(parts: RsaPrivate, digest: Digest): RawSigner {
  const [p, q, dp, dq, inverse] = parts.factors.map(toBigInt) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  const keyBytes = Math.ceil(parts.bits / 8);
  return {
    sign(algorithm, data, entropy) {
      const block = signedBlock(algorithm, parts.bits, data, entropy, digest);
      const value = toBigInt(block);
      // RFC 8017 §5.1.2 step 2b.
      const m1 = power(value, dp, p);
      const m2 = power(value, dq, q);
      const h = ((((m1 - m2) % p) + p) * inverse) % p;
      return toBytes(m2 + q * h, keyBytes);
    },
    // Bigints can't be overwritten.
    destroy() {},
  };
}

function signedBlock(
  algorithm: SignatureAlgorithm,
  bits: number,
  data: Uint8Array,
  entropy: Entropy,
  digest: Digest,
): Uint8Array {
  if (algorithm.kind === 'RSA-PKCS1') {
    return pkcs1Block(Math.ceil(bits / 8), algorithm.hash, data, digest);
  }
  assert(algorithm.kind === 'RSA-PSS');
  const salt = new Uint8Array(algorithm.saltBytes);
  entropy.fill(salt);
  return pssBlock(bits, algorithm.hash, salt, data, digest);
}

/** DigestInfo before the digest, RFC 8017 §9.2 note 1. */
const DIGEST_INFO: Readonly<Record<HashName, readonly number[]>> = {
  'SHA-1': [0x30, 0x21, 0x30, 0x09, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0, 4, 20],
  'SHA-256': [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 32],
  'SHA-384': [0x30, 0x41, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0, 4, 48],
  'SHA-512': [0x30, 0x51, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0, 4, 64],
};

/** EMSA-PKCS1-v1_5, RFC 8017 §9.2: the only block that is right, to be compared with. */
function pkcs1Block(count: number, hash: HashName, data: Uint8Array, digest: Digest): Uint8Array {
  const info = DIGEST_INFO[hash];
  const block = new Uint8Array(count).fill(0xff);
  const infoAt = count - HASH_BYTES[hash] - info.length;
  block[0] = 0;
  block[1] = 1;
  block[infoAt - 1] = 0;
  block.set(info, infoAt);
  block.set(digest(hash, data), infoAt + info.length);
  return block;
}

/** MGF1, RFC 8017 §B.2.1, onto `block`. */
function mask(block: Uint8Array, hash: HashName, seed: Uint8Array, digest: Digest): void {
  const input = new Uint8Array(seed.length + 4);
  input.set(seed);
  for (let at = 0, count = 0; at < block.length; at += HASH_BYTES[hash], count++) {
    input[input.length - 1] = count;
    const bytes = digest(hash, input);
    for (let i = 0; i < bytes.length && at + i < block.length; i++) block[at + i]! ^= bytes[i]!;
  }
}

const PSS_TRAILER = 0xbc;

/** EMSA-PSS-ENCODE, RFC 8017 §9.1.1, with a leading zero when the modulus has a byte more. */
function pssBlock(
  bits: number,
  hash: HashName,
  salt: Uint8Array,
  data: Uint8Array,
  digest: Digest,
): Uint8Array {
  const count = Math.ceil((bits - 1) / 8);
  const hashAt = count - HASH_BYTES[hash] - 1;
  const sum = saltedHash(hash, salt, data, digest);
  const block = new Uint8Array(hashAt);
  block[hashAt - salt.length - 1] = 1;
  block.set(salt, hashAt - salt.length);
  mask(block, hash, sum, digest);
  block[0]! &= topMask(bits);
  const out = new Uint8Array(Math.ceil(bits / 8));
  out.set(block, out.length - count);
  out.set(sum, out.length - 1 - sum.length);
  out[out.length - 1] = PSS_TRAILER;
  return out;
}

/** The bits of the first byte that a block of bits - 1 may have. */
const topMask = (bits: number): number => 0xff >> (8 * Math.ceil((bits - 1) / 8) - (bits - 1));

function saltedHash(hash: HashName, salt: Uint8Array, data: Uint8Array, digest: Digest) {
  return digest(hash, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, ...digest(hash, data), ...salt));
}

/** EMSA-PSS-VERIFY, RFC 8017 §9.1.2: takes the salt out, and makes the block again. */
function isPss(
  block: Uint8Array,
  bits: number,
  { hash, saltBytes }: SignatureAlgorithm & { readonly kind: 'RSA-PSS' },
  data: Uint8Array,
  digest: Digest,
): boolean {
  const count = Math.ceil((bits - 1) / 8);
  const first = block.length - count;
  const hashAt = block.length - HASH_BYTES[hash] - 1;
  const masked = block.slice(first, hashAt);
  mask(masked, hash, block.subarray(hashAt, -1), digest);
  const salt = masked.subarray(masked.length - saltBytes);
  return constantTimeEqual(block, pssBlock(bits, hash, salt, data, digest));
}
