/** So many at once, then so many a second: for ICMP errors (RFC 1812 §4.3.2.8, RFC 4443 §2.4). */

import { assert, type Instant, since, type TimerQueue } from '#core';

export class TokenBucket {
  private readonly timers: TimerQueue;
  private readonly burst: number;
  private readonly perSecond: number;
  private tokens: number;
  private at: Instant;

  constructor(timers: TimerQueue, burst: number, perSecond: number) {
    this.timers = timers;
    this.burst = burst;
    this.perSecond = perSecond;
    this.tokens = burst;
    this.at = timers.now;
  }

  /** True when there is one left, which is gone now. */
  take(): boolean {
    const { now } = this.timers;
    const gained = (since(this.at, now) / 1_000_000) * this.perSecond;
    this.tokens = Math.min(this.burst, this.tokens + gained);
    this.at = now;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }

  checkInvariants(): void {
    assert(this.tokens >= 0 && this.tokens <= this.burst);
  }
}
