/**
 * The event loop of a Node process as a machine's: each callback of Node's is one turn of the timer
 * queue.
 */

// Node's own, by import: the globals of these names are packages/web's in a bundled app.
import { performance } from 'node:perf_hooks';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { instantOfMicros, TimerQueue } from '#core';

/** setTimeout's largest wait; a longer one is taken in steps. */
const WAIT_MILLIS_MAX = 0x7fffffff;

const nowMicros = (): number => Math.floor(performance.now() * 1_000);

export class NodeLoop {
  readonly timers: TimerQueue = new TimerQueue(instantOfMicros(nowMicros()));
  private wake: NodeJS.Timeout | null = null;
  private wakeAt = Number.POSITIVE_INFINITY;
  private planned = false;
  private isStopped = false;
  private readonly endings: (() => void)[] = [];

  /**
   * Runs `work` with `timers.now` set, after the timers that are due. Every entry from Node goes
   * through here.
   */
  turn(work: () => void): void {
    if (this.isStopped) return;
    this.timers.run(instantOfMicros(nowMicros()));
    work();
    this.plan();
  }

  /** `work` is called whenever turns have ended, before the loop sleeps. */
  atTurnEnd(work: () => void): void {
    this.endings.push(work);
  }

  /** Looks for the next deadline once the turn's promises have run: they may arm timers too. */
  plan(): void {
    if (this.planned) return;
    this.planned = true;
    setImmediate(() => {
      this.planned = false;
      const now = nowMicros();
      // What is due at once mustn't wait for setTimeout, which takes a millisecond at least.
      if (this.timers.nextDeadline() <= now) {
        this.timers.run(instantOfMicros(now));
        this.plan();
      }
      this.endTurn();
      this.sleepUntilNext();
    });
  }

  /** What `atTurnEnd` was given, now: before the process ends there is no other time. */
  endTurn(): void {
    for (const work of this.endings) work();
  }

  /** Nothing will be called any more. */
  stop(): void {
    this.isStopped = true;
    this.clearWake();
  }

  private clearWake(): void {
    if (this.wake !== null) clearTimeout(this.wake);
    this.wake = null;
    this.wakeAt = Number.POSITIVE_INFINITY;
  }

  private sleepUntilNext(): void {
    const deadline = this.timers.nextDeadline();
    if (deadline === this.wakeAt || this.isStopped) return;
    this.clearWake();
    // An empty queue holds no timeout, so it doesn't keep the process alive.
    if (deadline === Number.POSITIVE_INFINITY) return;
    this.wakeAt = deadline;
    const waitMillis = Math.ceil((deadline - nowMicros()) / 1_000);
    this.wake = setTimeout(
      () => {
        this.clearWake();
        this.turn(() => {});
      },
      Math.min(Math.max(waitMillis, 0), WAIT_MILLIS_MAX),
    );
  }
}
