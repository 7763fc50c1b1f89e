/** Asking for routers until one answers, ever more slowly: RFC 7559, RFC 4861 §6.3.7. */

import { after, type Duration, type Instant, readU16be, Timer, type TimerQueue } from '#core';
import type { Entropy } from '#device';
import { solicitRouterFirst, solicitRouterJitterShare, solicitRouterMax } from '../ipv6/limits.ts';

export class RouterSolicitation {
  private readonly timers: TimerQueue;
  private readonly entropy: Entropy;
  private readonly send: () => void;
  private readonly timer = new Timer((now) => this.ask(now));
  private wait: Duration = solicitRouterFirst;

  /** `send` sends one solicitation. */
  constructor(timers: TimerQueue, entropy: Entropy, send: () => void) {
    this.timers = timers;
    this.entropy = entropy;
    this.send = send;
  }

  /** The first one leaves in this turn, after what is sent now. */
  start(): void {
    this.wait = solicitRouterFirst;
    this.timers.arm(this.timer, this.timers.now);
  }

  /** A router answered (RFC 7559 §2.1), or nobody wants one any more. */
  stop(): void {
    this.timers.stop(this.timer);
  }

  private ask(now: Instant): void {
    this.send();
    this.timers.arm(
      this.timer,
      after(now, jittered(this.wait, solicitRouterJitterShare, this.entropy)),
    );
    this.wait = Math.min(2 * this.wait, solicitRouterMax) as Duration;
  }
}

/** `wait` moved by up to `share` of it, either way. */
export function jittered(wait: Duration, share: number, entropy: Entropy): Duration {
  const random = new Uint8Array(2);
  entropy.fill(random);
  const offset = (readU16be(random, 0) / 0xffff) * 2 - 1;
  return Math.round(wait * (1 + share * offset)) as Duration;
}
