/**
 * A machine for tests of web globals: time moves by hand, entropy counts, the console is a list.
 */

import { instantOfMicros, TimerQueue, wallTimeOfMillis } from '#core';
import { installWeb } from '../platform.ts';

export interface TestPlatform {
  readonly lines: string[];
  readonly timers: TimerQueue;
  /** Lets `millis` pass, and fires what is due. */
  pass(millis: number): void;
}

/** Installs a fresh machine at time 1,000 ms; the wall clock began at 2026-01-01T00:00:00Z. */
export function installTestPlatform(): TestPlatform {
  const timers = new TimerQueue(instantOfMicros(1_000_000));
  const lines: string[] = [];
  let next = 0;
  installWeb({
    timers,
    clock: { wall: () => wallTimeOfMillis(1_767_225_600_000 + timers.now / 1_000) },
    entropy: {
      fill(out) {
        for (let i = 0; i < out.length; i++) out[i] = next++;
      },
    },
    console: { writeLine: (line) => lines.push(line) },
  });
  const pass = (millis: number) => timers.run(instantOfMicros(timers.now + millis * 1_000));
  return { lines, timers, pass };
}
