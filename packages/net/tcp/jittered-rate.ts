/**
 * How many answers of one kind leave in a second, for all connections together. A limit that is
 * always the same can be counted by strangers: who sees how many of 100 answers are left learns
 * what somebody else's packets caused, and so whether two others are connected (CVE-2016-5696, SAD
 * DNS). So each second has another one, between half of the most and the most.
 */

import type { Instant } from '#core';
import type { Entropy } from '#device';

const SECOND = 1_000_000;

export class JitteredRate {
  private readonly most: number;
  private readonly entropy: Entropy;
  private from = Number.NEGATIVE_INFINITY;
  private left = 0;
  private readonly random = new Uint8Array(2);

  /** `most`: at least 2. */
  constructor(most: number, entropy: Entropy) {
    this.most = most;
    this.entropy = entropy;
  }

  /** One more, at `now`? */
  take(now: Instant): boolean {
    if (now - this.from >= SECOND) {
      this.from = now;
      this.entropy.fill(this.random);
      const share = (this.random[0]! * 256 + this.random[1]!) / 65_536;
      this.left = Math.floor(this.most * (1 - share / 2));
    }
    if (this.left <= 0) return false;
    this.left -= 1;
    return true;
  }
}
