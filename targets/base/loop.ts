/**
 * The event loop of an image: one turn runs due timers, hands over what devices have, shows devices
 * what was sent, and says how long to sleep. Required reading: Base.onTurn (base.ts),
 * core/timers.ts.
 *
 * A turn that did anything is followed by another at once, since promise jobs in between may have
 * sent more; only a turn that found nothing arms interrupts and sleeps. While busy there are none.
 */

import { type Instant, instantOfMicros, type TimerQueue } from '#core';
import type { Base } from './base.ts';

export interface LoopDevice {
  /** Hands over what is there; `woken` as Base.onTurn got it. True when there was something. */
  poll(woken: number): boolean;
  /** Shows the device what is to be sent; true when there was something. */
  flush(): boolean;
  /** Asks for an interrupt at the next event; false when something is there already. */
  arm(): boolean;
}

/** The function for Base.onTurn. `devices` may grow until the first turn. */
export function createTurn(
  base: Pick<Base, 'clockMonotonic'>,
  timers: TimerQueue,
  devices: readonly LoopDevice[],
): (woken: number) => number {
  return (woken) => {
    let busy = timers.run(instantOfMicros(base.clockMonotonic()) as Instant);
    const count = devices.length;
    for (let i = 0; i < count; i++) if (devices[i]!.poll(woken)) busy = true;
    for (let i = 0; i < count; i++) if (devices[i]!.flush()) busy = true;
    if (busy) return -1;
    for (let i = 0; i < count; i++) if (!devices[i]!.arm()) return -1;
    return timers.nextDeadline();
  };
}
