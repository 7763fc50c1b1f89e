/** setTimeout and its kin, HTML §8.6, on the machine's one TimerQueue. */

import { after, millis, Timer, type TimerQueue } from '#core';
import { platform } from './platform.ts';
import { reportException } from './report.ts';

/** A browser's limit: longer waits fire at once there; here they wait this long. */
const WAIT_MILLIS_MAX = 0x7fffffff;

type Callback = (...args: never[]) => unknown;

/**
 * One armed timer. Slots are reused after they end, because TimerQueue holds a stopped timer until
 * its old deadline passes: a server that sets and clears a 30 s timer per request needs one slot,
 * not thousands.
 */
class Slot {
  readonly timer: Timer = new Timer(() => this.fire());
  id = 0;
  waitMillis = 0;
  repeats = false;
  callback: Callback | null = null;
  args: unknown[] = [];

  arm(): void {
    const { timers } = platform();
    timers.arm(this.timer, after(timers.now, millis(this.waitMillis)));
  }

  fire(): void {
    const callback = this.callback;
    if (callback === null) return;
    const args = this.args as never[];
    if (this.repeats) this.arm();
    else release(this);
    try {
      callback(...args);
    } catch (error) {
      // The queue runs the network's timers too, and those that are due after this one.
      reportException(error, 'a timer');
    }
  }
}

const armed = new Map<number, Slot>();
const free: Slot[] = [];
let nextId = 1;
/** The queue that the slots are in. */
let queue: TimerQueue | null = null;

function release(slot: Slot): void {
  armed.delete(slot.id);
  slot.callback = null;
  slot.args = [];
  free.push(slot);
}

function start(callback: Callback, wait: unknown, repeats: boolean, args: unknown[]): number {
  if (typeof callback !== 'function') throw new TypeError('a timer needs a function');
  if (queue !== platform().timers) {
    // Another machine was installed: the slots belong to the old one's queue.
    queue = platform().timers;
    armed.clear();
    free.length = 0;
  }
  const slot = free.pop() ?? new Slot();
  const wanted = Number(wait);
  slot.id = nextId++;
  slot.callback = callback;
  slot.args = args;
  slot.repeats = repeats;
  // At least 1 ms: a timer that re-arms itself for the current instant would never let the turn
  // end.
  slot.waitMillis = wanted >= 1 ? Math.min(wanted, WAIT_MILLIS_MAX) : 1;
  armed.set(slot.id, slot);
  slot.arm();
  return slot.id;
}

/** Calls `callback` once after `wait` milliseconds; the number names the timer for clearTimeout. */
export function setTimeout(callback: Callback, wait: unknown = 0, ...args: unknown[]): number {
  return start(callback, wait, false, args);
}

/** Calls `callback` every `wait` milliseconds until cleared. */
export function setInterval(callback: Callback, wait: unknown = 0, ...args: unknown[]): number {
  return start(callback, wait, true, args);
}

/** Stops a timer; anything else is ignored. */
export function clearTimeout(id?: unknown): void {
  const slot = armed.get(Number(id));
  if (slot === undefined) return;
  platform().timers.stop(slot.timer);
  release(slot);
}

export const clearInterval: (id?: unknown) => void = clearTimeout;

/** Runs `callback` after the current job, before any timer or packet. */
export function queueMicrotask(callback: () => void): void {
  if (typeof callback !== 'function') throw new TypeError('queueMicrotask needs a function');
  Promise.resolve().then(() => {
    try {
      callback();
    } catch (error) {
      reportException(error, 'a microtask');
    }
  });
}
