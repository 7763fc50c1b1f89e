// tidy: int32
/**
 * SipHash-2-4 (Aumasson and Bernstein), 128-bit key, 64-bit output: the pseudo-random function of
 * RFC 7217. Called a few times in a boot, so 64-bit words are bigints; tcp/isn.ts has the fast and
 * smaller kin.
 */

import { assert } from '#core';

const MASK = 0xffff_ffff_ffff_ffffn;
const rotate = (x: bigint, bits: bigint): bigint => ((x << bits) | (x >> (64n - bits))) & MASK;

export interface SipKey {
  readonly k0: bigint;
  readonly k1: bigint;
}

/** Reads 16 bytes, little-endian as in the paper. */
export function sipKeyOf(bytes: Uint8Array): SipKey {
  assert(bytes.length === 16);
  return { k0: wordAt(bytes, 0, 8), k1: wordAt(bytes, 8, 8) };
}

/** `count` bytes from `at`, little-endian. */
function wordAt(bytes: Uint8Array, at: number, count: number): bigint {
  let word = 0n;
  for (let i = count - 1; i >= 0; i--) word = (word << 8n) | BigInt(bytes[at + i]!);
  return word;
}

export function sipHash({ k0, k1 }: SipKey, message: Uint8Array): bigint {
  let v0 = k0 ^ 0x736f6d6570736575n;
  let v1 = k1 ^ 0x646f72616e646f6dn;
  let v2 = k0 ^ 0x6c7967656e657261n;
  let v3 = k1 ^ 0x7465646279746573n;
  const round = (): void => {
    v0 = (v0 + v1) & MASK;
    v1 = rotate(v1, 13n) ^ v0;
    v0 = rotate(v0, 32n);
    v2 = (v2 + v3) & MASK;
    v3 = rotate(v3, 16n) ^ v2;
    v0 = (v0 + v3) & MASK;
    v3 = rotate(v3, 21n) ^ v0;
    v2 = (v2 + v1) & MASK;
    v1 = rotate(v1, 17n) ^ v2;
    v2 = rotate(v2, 32n);
  };
  const take = (word: bigint): void => {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  };
  const whole = message.length - (message.length % 8);
  for (let at = 0; at < whole; at += 8) take(wordAt(message, at, 8));
  take((BigInt(message.length & 255) << 56n) | wordAt(message, whole, message.length - whole));
  v2 ^= 0xffn;
  for (let i = 0; i < 4; i++) round();
  return v0 ^ v1 ^ v2 ^ v3;
}
