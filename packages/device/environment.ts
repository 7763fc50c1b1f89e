/**
 * What every program stands on: clock, entropy, console. Passed in always; there are no defaults.
 */

import type { WallTime } from '#core';

export interface Clock {
  /** The wall clock, for dates; it may jump. Durations come from TimerQueue.now. */
  wall(): WallTime;
}

export interface Entropy {
  /** Fills all of `out` with bytes fit for cryptographic use. */
  fill(out: Uint8Array): void;
}

export interface Console {
  /** One line, without newline. */
  writeLine(line: string): void;
}
