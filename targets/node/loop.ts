/**
 * The event loop of a Node process as a machine's: each callback of Node's is one turn of the timer
 * queue.
 */

// Node's own, by import: the globals of these names are packages/web's in a bundled app.
import { performance } from 'node:perf_hooks';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { instantOfMicros, TimerQueue } from '#core';
import { type LoopVitals, SLOW_MICROS, SlowCounts } from '#device';

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
  private readonly started = this.timers.now;
  private readonly slow = new SlowCounts();
  private readonly late = new SlowCounts();
  private turns = 0;
  private busyMicros = 0;

  constructor() {
    this.timers.onLate = (micros, now) => this.late.note(micros, now);
  }

  /**
   * Runs `work` with `timers.now` set, after the timers that are due. Every entry from Node goes
   * through here.
   */
  turn(work: () => void): void {
    if (this.isStopped) return;
    const began = instantOfMicros(nowMicros());
    this.timers.run(began);
    work();
    this.note(began);
    this.plan();
  }

  /** What its promises do isn't known to belong to a turn: unlike in an image, it isn't counted. */
  private note(began: number): void {
    const now = instantOfMicros(nowMicros());
    const micros = now - began;
    this.turns++;
    this.busyMicros += micros;
    if (micros >= SLOW_MICROS) this.slow.note(micros, now);
  }

  vitals(): LoopVitals {
    const now = instantOfMicros(nowMicros());
    return {
      micros: now - this.started,
      turns: this.turns,
      busyMicros: this.busyMicros,
      slowTurns: [...this.slow.counts],
      turnMicrosMax: this.slow.maxMicros(now),
      lateTimers: [...this.late.counts],
      lateMicrosMax: this.late.maxMicros(now),
    };
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
