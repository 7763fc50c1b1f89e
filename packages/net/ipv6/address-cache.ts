// tidy: int32
/**
 * Makes equal IPv6 addresses from packets mostly the same object, so that packets of a known peer
 * allocate nothing and comparing costs one instruction. Direct-mapped: a new address takes the
 * place of the one in its slot, whose holders keep it. Nothing may rely on it being the same
 * object: compare with `sameAddress`.
 */

import { readI32be } from '#core';
import type { Entropy } from '#device';
import { Ipv6Address } from '../ipv6-address.ts';
import { ipv6CacheSlots } from '../limits.ts';

export class Ipv6AddressCache {
  private readonly slots: (Ipv6Address | null)[] = new Array(ipv6CacheSlots).fill(null);
  /** Secret, so that nobody can choose addresses that share a slot or a key. */
  private readonly seed0: number;
  private readonly seed1: number;

  constructor(entropy: Entropy) {
    const seed = new Uint8Array(8);
    entropy.fill(seed);
    this.seed0 = readI32be(seed, 0);
    this.seed1 = readI32be(seed, 4);
  }

  /** The address of these four signed 32-bit words, with this stack's key. */
  of(w0: number, w1: number, w2: number, w3: number): Ipv6Address {
    const key = this.keyOf(w0, w1, w2, w3);
    const slot = key & (ipv6CacheSlots - 1);
    const known = this.slots[slot]!;
    if (
      known !== null &&
      known.w3 === w3 &&
      known.w2 === w2 &&
      known.w1 === w1 &&
      known.w0 === w0
    ) {
      return known;
    }
    const address = new Ipv6Address(w0, w1, w2, w3, key);
    this.slots[slot] = address;
    return address;
  }

  /** This stack's object for an address from text, or from another module. */
  intern(a: Ipv6Address): Ipv6Address {
    return this.of(a.w0, a.w1, a.w2, a.w3);
  }

  /** A multiplicative hash, mixed between words (xxHash's constants); secret only in its seeds. */
  private keyOf(w0: number, w1: number, w2: number, w3: number): number {
    let h = Math.imul(w0 ^ this.seed0, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 15) ^ w1, 0x85ebca77);
    h = Math.imul(h ^ (h >>> 13) ^ w2 ^ this.seed1, 0xc2b2ae3d);
    h = Math.imul(h ^ (h >>> 15) ^ w3, 0x27d4eb2f);
    return h ^ (h >>> 16);
  }
}
