/**
 * The event loop of an image: one turn runs due timers, hands over what devices have, shows devices
 * what was sent, and says how long to sleep. Required reading: Base.onTurn (base.ts),
 * core/timers.ts.
 *
 * A turn that did anything is followed by another at once, since promise jobs in between may have
 * sent more; only a turn that found nothing arms interrupts and sleeps. While busy there are none.
 */

import { instantOfMicros, type TimerQueue } from '#core';
import { type LoopVitals, SLOW_MICROS, SlowCounts } from '#device';
import type { Base } from './base.ts';

export interface LoopDevice {
  /** Hands over what is there; `woken` as Base.onTurn got it. True when there was something. */
  poll(woken: number): boolean;
  /** Shows the device what is to be sent; true when there was something. */
  flush(): boolean;
  /** Asks for an interrupt at the next event; false when something is there already. */
  arm(): boolean;
}

/**
 * A device that has something so seldom that no turn should pay for it: it is looked at when it
 * woke the loop, and every RARE_TURNS turns, as a busy loop may never sleep.
 */
export interface RareDevice {
  /** What of `woken` says that it was this device. */
  readonly wakeBits: number;
  /**
   * As of LoopDevice; true: it is looked at again in the next turn. When false, whatever it has
   * later than this wakes the loop.
   */
  poll(woken: number): boolean;
}

export const RARE_TURNS = 64;

export interface Loop {
  /** The function for Base.onTurn. */
  readonly turn: (woken: number) => number;
  vitals(): LoopVitals;
}

/** `devices` may grow until the first turn. */
export function createLoop(
  base: Pick<Base, 'clockMonotonic'>,
  timers: TimerQueue,
  devices: readonly LoopDevice[],
  rare: RareDevice | null = null,
): Loop {
  const started = timers.now;
  const slow = new SlowCounts();
  const late = new SlowCounts();
  timers.onLate = (micros, now) => late.note(micros, now);
  let turns = 0;
  let busyMicros = 0;
  /** When the turn before began, if it did something: then it ends where this one begins. */
  let began = -1;
  let turnsLeft = RARE_TURNS;
  const rareBits = rare?.wakeBits ?? 0;

  const turn = (woken: number): number => {
    const now = instantOfMicros(base.clockMonotonic());
    if (began >= 0) {
      const micros = now - began;
      turns++;
      busyMicros += micros;
      if (micros >= SLOW_MICROS) slow.note(micros, now);
    }
    began = now;
    let busy = timers.run(now);
    if (rare !== null && ((woken & rareBits) !== 0 || --turnsLeft === 0)) {
      turnsLeft = RARE_TURNS;
      if (rare.poll(woken)) {
        busy = true;
        turnsLeft = 1;
      }
    }
    const count = devices.length;
    for (let i = 0; i < count; i++) if (devices[i]!.poll(woken)) busy = true;
    for (let i = 0; i < count; i++) if (devices[i]!.flush()) busy = true;
    if (busy) return -1;
    began = -1;
    for (let i = 0; i < count; i++) if (!devices[i]!.arm()) return -1;
    return timers.nextDeadline();
  };

  const vitals = (): LoopVitals => ({
    micros: timers.now - started,
    turns,
    busyMicros,
    slowTurns: [...slow.counts],
    turnMicrosMax: slow.maxMicros(timers.now),
    lateTimers: [...late.counts],
    lateMicrosMax: late.maxMicros(timers.now),
  });
  return { turn, vitals };
}

/** The function for Base.onTurn, where nobody asks how the loop is. */
export const createTurn = (
  base: Pick<Base, 'clockMonotonic'>,
  timers: TimerQueue,
  devices: readonly LoopDevice[],
  rare: RareDevice | null = null,
): ((woken: number) => number) => createLoop(base, timers, devices, rare).turn;
