/**
 * Seeded randomness: the same seed gives the same run. Not fit for cryptography, which is the
 * point.
 */

import { toU32 } from './ints.ts';

/** sfc32 (Chris Doty-Humphrey, PractRand), seeded from one integer. */
export class SeededRandom {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(seed: number) {
    this.a = toU32(seed);
    this.b = toU32(Math.floor(seed / 0x100000000));
    this.c = 0x9e3779b9;
    for (let i = 0; i < 15; i++) this.u32();
  }

  /** 0..2^32-1. */
  u32(): number {
    const sum = toU32(this.a + this.b + this.counter);
    this.counter = toU32(this.counter + 1);
    this.a = toU32(this.b ^ (this.b >>> 9));
    this.b = toU32(this.c + (this.c << 3));
    this.c = toU32(toU32((this.c << 21) | (this.c >>> 11)) + sum);
    return sum;
  }

  /** 0 <= x < 1. */
  unit(): number {
    return this.u32() / 0x100000000;
  }

  /** An integer 0..count-1. */
  below(count: number): number {
    return Math.floor(this.unit() * count);
  }

  /** True with probability `share`; draws nothing when it is 0. */
  chance(share: number): boolean {
    return share > 0 && this.unit() < share;
  }
}
