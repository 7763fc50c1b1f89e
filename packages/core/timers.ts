/**
 * The one queue of deadlines of an event loop. A target owns it: it sets `now` at the start of each
 * turn, calls `run`, and sleeps until `nextDeadline`. Protocols read `now` and arm timers; they
 * never read a clock.
 *
 * Moving a timer later only stores a number (the queue finds out when the old deadline passes), so
 * a per-packet timer costs nothing; moving it earlier costs O(log n).
 */

import { assert } from './assert.ts';
import { FOREVER, type Instant } from './time.ts';

/** `place` of a timer that the queue does not hold. */
export const TIMER_IDLE = -1;

export class Timer {
  /** When to fire; FOREVER when stopped. Only TimerQueue writes it. */
  at: Instant = FOREVER;
  /**
   * The deadline under which the queue holds it, at most `at`; and its place in the heap, or
   * TIMER_IDLE.
   */
  queuedAt: Instant = FOREVER;
  place: number = TIMER_IDLE;
  /** Orders timers of one deadline by when they were queued. */
  order = 0;
  readonly fire: (now: Instant) => void;

  constructor(fire: (now: Instant) => void) {
    this.fire = fire;
  }
}

const precedes = (a: Timer, b: Timer): boolean =>
  a.queuedAt < b.queuedAt || (a.queuedAt === b.queuedAt && a.order < b.order);

/** Being late by less is nothing that anybody wants to know. */
const LATE_MICROS_MIN = 1_000;

export class TimerQueue {
  /** Told how late a timer fires, when that is a millisecond or more: for statistics. */
  onLate: ((lateMicros: number, now: Instant) => void) | null = null;
  /** The time of this turn, the same for everything that happens in it. */
  now: Instant;
  private readonly heap: Timer[] = [];
  private queued = 0;

  constructor(now: Instant) {
    this.now = now;
  }

  /** Fires `timer` once when `now` reaches `at`, in place of any earlier arming. */
  arm(timer: Timer, at: Instant): void {
    timer.at = at;
    if (timer.place !== TIMER_IDLE) {
      if (at >= timer.queuedAt) return;
      timer.queuedAt = at;
      this.siftUp(timer.place);
      return;
    }
    if (at === FOREVER) return;
    timer.queuedAt = at;
    timer.order = this.queued++;
    timer.place = this.heap.length;
    this.heap.push(timer);
    this.siftUp(timer.place);
  }

  /**
   * Stops `timer` and forgets it, so that its owner can be freed; harmless when it isn't armed.
   * O(log n).
   */
  stop(timer: Timer): void {
    timer.at = FOREVER;
    const place = timer.place;
    if (place === TIMER_IDLE) return;
    this.swap(place, this.heap.length - 1);
    this.removeLast(timer);
    if (place >= this.heap.length) return;
    this.siftUp(place);
    this.siftDown(place);
  }

  /**
   * Sets `now` and fires what is due, in order of deadline, then of arming (HTML §8.6 asks that of
   * setTimeout); a timer armed meanwhile for now fires too. Returns whether any fired.
   */
  run(now: Instant): boolean {
    assert(now >= this.now, 'time went back');
    this.now = now;
    let fired = false;
    for (;;) {
      const timer = this.heap[0];
      if (timer === undefined || timer.queuedAt > now) return fired;
      if (timer.at > now) {
        this.requeue(timer);
        continue;
      }
      const lateMicros = now - timer.at;
      if (lateMicros >= LATE_MICROS_MIN) this.onLate?.(lateMicros, now);
      timer.at = FOREVER;
      this.requeue(timer);
      fired = true;
      timer.fire(now);
    }
  }

  /**
   * When `run` has something to do next; FOREVER when nothing is armed. May be early, never late.
   */
  nextDeadline(): Instant {
    for (;;) {
      const timer = this.heap[0];
      if (timer === undefined) return FOREVER;
      if (timer.at === timer.queuedAt) return timer.at;
      this.requeue(timer);
    }
  }

  /** Timers held: those armed, and those moved to FOREVER until their old deadline passes. */
  get size(): number {
    return this.heap.length;
  }

  /** Heap order and back pointers; for the simulator. */
  checkInvariants(): void {
    for (let i = 0; i < this.heap.length; i++) {
      const timer = this.heap[i]!;
      assert(timer.place === i);
      assert(timer.queuedAt <= timer.at);
      assert(i === 0 || precedes(this.heap[(i - 1) >> 1]!, timer));
    }
  }

  /** Puts the first timer at its true deadline, or out of the heap when it is stopped. */
  private requeue(timer: Timer): void {
    assert(timer.place === 0);
    if (timer.at !== FOREVER) {
      timer.queuedAt = timer.at;
      this.siftDown(0);
      return;
    }
    const last = this.heap[this.heap.length - 1]!;
    this.swap(0, last.place);
    this.removeLast(timer);
    if (this.heap.length > 0) this.siftDown(0);
  }

  private removeLast(timer: Timer): void {
    this.heap.pop();
    timer.place = TIMER_IDLE;
    timer.queuedAt = FOREVER;
  }

  private siftUp(from: number): void {
    let i = from;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (precedes(this.heap[parent]!, this.heap[i]!)) return;
      this.swap(i, parent);
      i = parent;
    }
  }

  private siftDown(from: number): void {
    let i = from;
    for (;;) {
      const left = 2 * i + 1;
      if (left >= this.heap.length) return;
      const right = left + 1;
      const least =
        right < this.heap.length && precedes(this.heap[right]!, this.heap[left]!) ? right : left;
      if (precedes(this.heap[i]!, this.heap[least]!)) return;
      this.swap(i, least);
      i = least;
    }
  }

  private swap(a: number, b: number): void {
    const first = this.heap[a]!;
    const second = this.heap[b]!;
    this.heap[a] = second;
    this.heap[b] = first;
    second.place = a;
    first.place = b;
  }
}

/**
 * Resolves in a later turn of the event loop: packets and other timers come in between, which they
 * don't where one only waits for a promise.
 */
export const nextTurn = (timers: TimerQueue): Promise<void> =>
  new Promise((resolve) => timers.arm(new Timer(() => resolve()), timers.now));
