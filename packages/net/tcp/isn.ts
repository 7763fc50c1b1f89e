// tidy: int32
/**
 * Initial sequence numbers, RFC 6528: a clock that ticks every 4 microseconds plus a keyed hash of
 * the connection's addresses and ports. The hash is HalfSipHash-2-4 (Aumasson and Bernstein):
 * 32-bit words only, so it is cheap in an interpreter. Its key is 64 bits and never leaves this
 * file; an attacker sees 32-bit outputs that the clock shifts, which is far from enough to search
 * for the key within an image's life.
 */

import type { Instant, SeqNumber } from '#core';
import type { Entropy } from '#device';

export class InitialSequence {
  private readonly key0: number;
  private readonly key1: number;

  constructor(entropy: Entropy) {
    const key = new Uint8Array(8);
    entropy.fill(key);
    const view = new DataView(key.buffer);
    this.key0 = view.getInt32(0, true);
    this.key1 = view.getInt32(4, true);
  }

  /** For a connection between two addresses and ports (two 16-bit ports in one word), at `now`. */
  at(now: Instant, local: number, remote: number, ports: number): SeqNumber {
    const ticks = Math.floor(now / 4) % 0x1_0000_0000;
    return ((ticks + halfSipHash(this.key0, this.key1, local, remote, ports)) | 0) as SeqNumber;
  }
}

/** HalfSipHash-2-4 of three little-endian words (12 bytes), 32-bit output. */
export function halfSipHash(key0: number, key1: number, a: number, b: number, c: number): number {
  const v = [key0, key1, 0x6c796765 ^ key0, 0x74656462 ^ key1] as [number, number, number, number];
  absorb(v, a);
  absorb(v, b);
  absorb(v, c);
  absorb(v, 12 << 24); // The last word carries the length, 12 bytes, in its high byte.
  v[2] ^= 0xff;
  for (let round = 0; round < 4; round++) mix(v);
  return v[1] ^ v[3];
}

type Words = [number, number, number, number];

function absorb(v: Words, word: number): void {
  v[3] ^= word;
  mix(v);
  mix(v);
  v[0] ^= word;
}

/** One SipRound on 32-bit words. */
function mix(v: Words): void {
  let a = v[0];
  let b = v[1];
  let c = v[2];
  let d = v[3];
  a = (a + b) | 0;
  b = ((b << 5) | (b >>> 27)) ^ a;
  a = (a << 16) | (a >>> 16);
  c = (c + d) | 0;
  d = ((d << 8) | (d >>> 24)) ^ c;
  a = (a + d) | 0;
  d = ((d << 7) | (d >>> 25)) ^ a;
  c = (c + b) | 0;
  b = ((b << 13) | (b >>> 19)) ^ c;
  c = (c << 16) | (c >>> 16);
  v[0] = a;
  v[1] = b;
  v[2] = c;
  v[3] = d;
}
