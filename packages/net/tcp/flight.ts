/**
 * What is in flight, as runs of sequence numbers with one sent time and one fate each: what the
 * peer reported (RFC 2018), what is lost, what went again, and when (RFC 8985 §5.2, RFC 6675 §2).
 * Segments that leave in one turn share a time, and so do turns that are close together, so a
 * flight has some dozens of runs whatever its size. A connection has none while one time says it
 * all (`sentAt`). Not here: what to conclude (rack.ts, recovery.ts). Everything is O(runs).
 */

import { assert, type SeqNumber, seqAdd, seqDistance, seqLess, seqLessOrEqual } from '#core';
import { FLIGHT_RUNS_MAX } from './limits.ts';

/** Fates of a run, as bits. */
export const AGAIN = 1; // It was sent more than once.
export const LOST = 2; // It is to be sent again.
export const SACKED = 4; // The peer has it; the other bits are 0.

/** Is told of each piece that the peer got, once, with what was known of it. */
export interface DeliveryWatcher {
  delivered(sentAt: number, end: SeqNumber, fate: number): void;
}

export class Flight {
  /** Run i is [ends[i - 1], ends[i]), the first begins at `una`. */
  readonly ends: SeqNumber[];
  /** When the last segment of a run last left. */
  readonly times: number[];
  readonly fates: number[];
  una: SeqNumber;
  sackedBytes = 0;
  lostBytes = 0;
  /** When the last byte that was acknowledged had left; -1 when some left more than once. */
  ackedAt = -1;
  /** What `nextLost` found. */
  lostStart: SeqNumber;
  lostBytesThere = 0;
  /** When the first segment of the last run left. */
  private openedAt: number;

  /** [una, max) left at `sentAt`. */
  constructor(una: SeqNumber, max: SeqNumber, sentAt: number) {
    this.una = una;
    this.ends = [max];
    this.times = [sentAt];
    this.fates = [0];
    this.lostStart = una;
    this.openedAt = sentAt;
  }

  /**
   * New data up to `end` left at `now`. It joins the last run when that began less than `grain`
   * ago: the run counts as sent later than it was, which makes nothing lost too early.
   */
  append(end: SeqNumber, now: number, grain: number): void {
    const last = this.ends.length - 1;
    const isFull = this.ends.length >= FLIGHT_RUNS_MAX;
    if (last >= 0 && this.fates[last] === 0 && (isFull || now - this.openedAt <= grain)) {
      this.ends[last] = end;
      this.times[last] = now;
      return;
    }
    this.ends.push(end);
    this.times.push(now);
    this.fates.push(0);
    this.openedAt = now;
  }

  /** Everything below `una` is acknowledged; sets ackedAt. Returns the bytes that are news. */
  acknowledge(una: SeqNumber, watcher: DeliveryWatcher | null): number {
    let news = 0;
    let isAgain = false;
    this.ackedAt = -1;
    while (seqLess(this.una, una)) {
      const end = this.ends[0]!;
      const to = seqLessOrEqual(end, una) ? end : una;
      const length = seqDistance(to, this.una);
      const fate = this.fates[0]!;
      if (fate === SACKED) this.sackedBytes -= length;
      else {
        if (fate & LOST) this.lostBytes -= length;
        news += length;
        this.ackedAt = this.times[0]!;
        if (fate & AGAIN) isAgain = true;
        watcher?.delivered(this.times[0]!, to, fate);
      }
      this.una = to;
      if (to !== end) break;
      this.ends.shift();
      this.times.shift();
      this.fates.shift();
    }
    if (isAgain) this.ackedAt = -1;
    return news;
  }

  /** The peer reported what follows `una` and doesn't acknowledge it: RFC 2018 §8. */
  get isReneged(): boolean {
    return this.fates[0] === SACKED;
  }

  /**
   * The peer has [start, end), which lies above una. Returns the bytes that are news. Too many
   * runs: ignored, which only costs a retransmission.
   */
  sack(start: SeqNumber, end: SeqNumber, watcher: DeliveryWatcher): number {
    let news = 0;
    let from = this.una;
    for (let i = 0; i < this.ends.length && seqLess(from, end); i++) {
      const to = this.ends[i]!;
      if (seqLess(start, to) && this.fates[i] !== SACKED) {
        const first = seqLess(from, start) ? start : from;
        const last = seqLess(end, to) ? end : to;
        if (!this.carve(i, from, first, last)) break;
        if (first !== from) i++;
        const length = seqDistance(last, first);
        if (this.fates[i]! & LOST) this.lostBytes -= length;
        watcher.delivered(this.times[i]!, last, this.fates[i]!);
        this.fates[i] = SACKED;
        this.sackedBytes += length;
        news += length;
        from = last;
      } else from = to;
    }
    if (news > 0) this.merge();
    return news;
  }

  /** [start, end), not reported, leaves again at `now`. */
  resend(start: SeqNumber, end: SeqNumber, now: number): void {
    let from = this.una;
    for (let i = 0; i < this.ends.length && seqLess(from, end); i++) {
      const to = this.ends[i]!;
      if (seqLess(start, to) && this.fates[i] !== SACKED) {
        let first = seqLess(from, start) ? start : from;
        let last = seqLess(end, to) ? end : to;
        if (!this.carve(i, from, first, last)) {
          // Too many runs: all of it counts as sent, what wasn't is found lost by its time.
          first = from;
          last = to;
        }
        if (first !== from) i++;
        if (this.fates[i]! & LOST) this.lostBytes -= seqDistance(last, first);
        this.fates[i] = AGAIN;
        this.times[i] = now;
        from = last;
      } else from = to;
    }
    this.merge();
  }

  /** Run i, neither reported nor lost, is lost. Call `merge` after the last. */
  lose(i: number): void {
    assert((this.fates[i]! & (LOST | SACKED)) === 0);
    this.fates[i]! |= LOST;
    this.lostBytes += seqDistance(this.ends[i]!, this.startOf(i));
  }

  /** The first `bytes` are lost, without news of later ones: RFC 6582. */
  loseFirst(bytes: number): void {
    const end = this.ends[0]!;
    if (this.fates[0]! & (LOST | SACKED)) return;
    const to = Math.min(bytes, seqDistance(end, this.una));
    this.carve(0, this.una, this.una, seqAdd(this.una, to));
    this.lose(0);
    this.merge();
  }

  /** Everything that isn't reported is lost; with `reported`, that too (RFC 2018 §8). */
  loseAll(reported: boolean): void {
    for (let i = 0; i < this.ends.length; i++) {
      if (this.fates[i] !== SACKED) this.fates[i]! |= LOST;
      else if (reported) this.fates[i] = AGAIN | LOST;
    }
    if (reported) this.sackedBytes = 0;
    this.lostBytes = seqDistance(this.ends[this.ends.length - 1]!, this.una) - this.sackedBytes;
    this.merge();
  }

  /** What was taken for lost wasn't. */
  unlose(): void {
    for (let i = 0; i < this.ends.length; i++) this.fates[i]! &= ~LOST;
    this.lostBytes = 0;
    this.merge();
  }

  /** Finds the first bytes that are lost, over all runs that touch: lostStart, lostBytesThere. */
  nextLost(): boolean {
    if (this.lostBytes === 0) return false;
    let from = this.una;
    for (let i = 0; i < this.ends.length; i++) {
      if (this.fates[i]! & LOST) {
        this.lostStart = from;
        while (i + 1 < this.ends.length && this.fates[i + 1]! & LOST) i++;
        this.lostBytesThere = seqDistance(this.ends[i]!, from);
        return true;
      }
      from = this.ends[i]!;
    }
    assert(false, 'lostBytes');
  }

  /** Joins neighbours that differ in nothing that matters. */
  merge(): void {
    const { ends, times, fates } = this;
    let to = 0;
    for (let i = 1; i < ends.length; i++) {
      const fate = fates[i]!;
      if (fate === fates[to] && (fate >= LOST || times[i] === times[to])) {
        ends[to] = ends[i]!;
        if (times[i]! > times[to]!) times[to] = times[i]!;
      } else {
        to += 1;
        ends[to] = ends[i]!;
        times[to] = times[i]!;
        fates[to] = fate;
      }
    }
    ends.length = to + 1;
    times.length = to + 1;
    fates.length = to + 1;
  }

  checkInvariants(una: SeqNumber, max: SeqNumber): void {
    assert(this.una === una && this.ends.length > 0 && this.ends.length <= FLIGHT_RUNS_MAX + 2);
    let from = una;
    let sacked = 0;
    let lost = 0;
    for (let i = 0; i < this.ends.length; i++) {
      const length = seqDistance(this.ends[i]!, from);
      assert(length > 0, 'runs are in order');
      const fate = this.fates[i]!;
      assert(fate >= 0 && fate <= SACKED, 'a fate');
      if (fate === SACKED) sacked += length;
      else if (fate & LOST) lost += length;
      from = this.ends[i]!;
    }
    assert(from === max, 'runs are all that is in flight');
    assert(sacked === this.sackedBytes && lost === this.lostBytes);
  }

  private startOf(i: number): SeqNumber {
    return i === 0 ? this.una : this.ends[i - 1]!;
  }

  /** Makes [first, last), within run i that begins at `from`, a run of its own; false when full. */
  private carve(i: number, from: SeqNumber, first: SeqNumber, last: SeqNumber): boolean {
    const { ends, times, fates } = this;
    const isHead = first !== from;
    const isTail = last !== ends[i];
    if (!isHead && !isTail) return true;
    if (ends.length >= FLIGHT_RUNS_MAX) return false;
    if (isTail) {
      ends.splice(i, 0, last);
      times.splice(i, 0, times[i]!);
      fates.splice(i, 0, fates[i]!);
    }
    if (isHead) {
      ends.splice(i, 0, first);
      times.splice(i, 0, times[i]!);
      fates.splice(i, 0, fates[i]!);
    }
    return true;
  }
}
