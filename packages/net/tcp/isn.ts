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
import type { IpAddress } from '../ip.ts';

/** In place of ports, which are never 0, in the hash of an IPv6 address. */
const IPV6_TAG = 0;

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
  at(now: Instant, local: IpAddress, remote: IpAddress, ports: number): SeqNumber {
    const ticks = Math.floor(now / 4) % 0x1_0000_0000;
    const { key0, key1 } = this;
    const a = addressWord(key0, key1, local);
    const b = addressWord(key0, key1, remote);
    return ((ticks + halfSipHash(key0, key1, a, b, ports)) | 0) as SeqNumber;
  }

  /**
   * Where the clock of timestamps starts for a connection (RFC 7323 §7.1): the same at each reuse
   * of its ports, so that TIME_WAIT and PAWS see it advance. The halves of the key change places:
   * it tells nothing about `at`.
   */
  timestampOffset(local: IpAddress, remote: IpAddress, ports: number): number {
    const { key0, key1 } = this;
    const a = addressWord(key0, key1, local);
    return halfSipHash(key1, key0, a, addressWord(key0, key1, remote), ports);
  }
}

/** An address as one word; of IPv6 a keyed hash, so that nobody can choose two with the same. */
export function addressWord(key0: number, key1: number, address: IpAddress): number {
  if (typeof address === 'number') return address;
  const head = halfSipHash(key0, key1, address.w0, address.w1, address.w2);
  return halfSipHash(key0, key1, head, address.w3, IPV6_TAG);
}

/** HalfSipHash-2-4 of three little-endian words (12 bytes), 32-bit output. */
export function halfSipHash(key0: number, key1: number, a: number, b: number, c: number): number {
  let v0 = key0;
  let v1 = key1;
  let v2 = 0x6c796765 ^ key0;
  let v3 = 0x74656462 ^ key1;
  // Two rounds for each of four words, of which the last carries the length, 12 bytes, in its high
  // byte; then four more. All in local variables: calls and arrays cost several times as much.
  let word = a;
  for (let round = 0; round < 12; round++) {
    if (round < 8 && (round & 1) === 0) {
      if (round > 0) v0 ^= word;
      word = round === 0 ? a : round === 2 ? b : round === 4 ? c : 12 << 24;
      v3 ^= word;
    } else if (round === 8) {
      v0 ^= word;
      v2 ^= 0xff;
    }
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  return v1 ^ v3;
}
