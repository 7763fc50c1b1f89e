/**
 * How often something took long, and how long at most: for turns of an event loop and for timers.
 * What took less than SLOW_MICROS isn't told to it, so that the fast way is one comparison.
 */

import type { Instant } from '#core';
import { SLOW_ENTRIES } from './vitals.ts';

/** As LoopVitals says: a millisecond. */
export const SLOW_MICROS = 1_000;
/** `maxMicros` looks back over the current window and the one before. */
const WINDOW_MICROS = 10_000_000;

export class SlowCounts {
  /** Entry i counts what took 2^i to 2^(i+1) ms. */
  readonly counts: number[] = new Array<number>(SLOW_ENTRIES).fill(0);
  private window = 0;
  private longest = 0;
  private longestBefore = 0;

  /** `micros`: SLOW_MICROS at least. */
  note(micros: number, now: Instant): void {
    const entry = 31 - Math.clz32(micros / SLOW_MICROS);
    this.counts[Math.min(entry, SLOW_ENTRIES - 1)]!++;
    this.turnTo(now);
    if (micros > this.longest) this.longest = micros;
  }

  maxMicros(now: Instant): number {
    this.turnTo(now);
    return Math.max(this.longest, this.longestBefore);
  }

  private turnTo(now: Instant): void {
    const window = Math.floor(now / WINDOW_MICROS);
    if (window === this.window) return;
    this.longestBefore = window === this.window + 1 ? this.longest : 0;
    this.longest = 0;
    this.window = window;
  }
}
