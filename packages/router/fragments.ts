/**
 * Fragments on their way through (RFC 4787 REQ-14): only the first one of a datagram has ports, so
 * what became of it is remembered for the others, and those that came before it wait. Nothing is
 * put together.
 */

import { after, assert, type Instant, Timer, type TimerQueue } from '#core';
import { datagramsMax, fragmentBytesMax, fragmentsHeldMax, fragmentTime } from './limits.ts';

export interface FragmentCounters {
  fragmentsHeld: number;
  dropFragment: number;
}

/** What becomes of a datagram: it belongs to a session, to the router itself, or to nobody. */
export type Fate<S> = S | 'own' | 'dropped';

/** A fragment that waits, as the link handed it over. */
export interface HeldFragment {
  readonly frame: Uint8Array;
  readonly fields: Int32Array;
}

interface Datagram<S> {
  fate: Fate<S> | null;
  readonly held: HeldFragment[];
  readonly until: Instant;
}

/** One for each side, so that nobody outside can make what leaves be forgotten. */
export class FragmentTables<S extends object> {
  readonly inside: FragmentTable<S>;
  readonly outside: FragmentTable<S>;

  constructor(timers: TimerQueue, counters: FragmentCounters) {
    this.inside = new FragmentTable(timers, counters);
    this.outside = new FragmentTable(timers, counters);
  }

  clear(): void {
    this.inside.clear();
    this.outside.clear();
  }

  checkInvariants(): void {
    this.inside.checkInvariants();
    this.outside.checkInvariants();
  }
}

export class FragmentTable<S extends object> {
  private readonly timers: TimerQueue;
  private readonly counters: FragmentCounters;
  /** In order of coming, which is that of expiry. By what RFC 791 tells datagrams by. */
  private readonly datagrams = new Map<string, Datagram<S>>();
  private heldBytes = 0;
  private readonly timer = new Timer((now) => this.due(now));

  constructor(timers: TimerQueue, counters: FragmentCounters) {
    this.timers = timers;
    this.counters = counters;
  }

  /** `key`: what tells datagrams apart. Null: the first fragment hasn't come. */
  fateOf(key: string): Fate<S> | null {
    return this.datagrams.get(key)?.fate ?? null;
  }

  /** Keeps a copy of frame[0..end) until `decide`. */
  hold(key: string, frame: Uint8Array, end: number, fields: Int32Array): void {
    const datagram = this.datagram(key);
    const isFull =
      datagram.held.length >= fragmentsHeldMax || this.heldBytes + end > fragmentBytesMax;
    if (isFull) {
      this.counters.dropFragment += 1;
      return;
    }
    this.counters.fragmentsHeld += 1;
    this.heldBytes += end;
    datagram.held.push({ frame: frame.slice(0, end), fields: fields.slice() });
  }

  /** The first fragment came; returns those that waited for it. */
  decide(key: string, fate: Fate<S>): HeldFragment[] {
    const datagram = this.datagram(key);
    datagram.fate = fate;
    const held = datagram.held.splice(0);
    for (const { frame } of held) this.heldBytes -= frame.length;
    return held;
  }

  clear(): void {
    for (const key of [...this.datagrams.keys()]) this.remove(key);
  }

  checkInvariants(): void {
    assert(this.datagrams.size <= datagramsMax);
    let bytes = 0;
    for (const { held, fate } of this.datagrams.values()) {
      assert(held.length <= fragmentsHeldMax && (fate === null || held.length === 0));
      for (const { frame } of held) bytes += frame.length;
    }
    assert(bytes === this.heldBytes && bytes <= fragmentBytesMax);
  }

  private datagram(key: string): Datagram<S> {
    const known = this.datagrams.get(key);
    if (known !== undefined) return known;
    if (this.datagrams.size >= datagramsMax) {
      for (const oldest of this.datagrams.keys()) {
        this.remove(oldest);
        break;
      }
    }
    const until = after(this.timers.now, fragmentTime);
    const made: Datagram<S> = { fate: null, held: [], until };
    this.datagrams.set(key, made);
    if (this.datagrams.size === 1) this.timers.arm(this.timer, until);
    return made;
  }

  private remove(key: string): void {
    const datagram = this.datagrams.get(key);
    assert(datagram !== undefined);
    for (const { frame } of datagram.held) {
      this.heldBytes -= frame.length;
      this.counters.dropFragment += 1;
    }
    this.datagrams.delete(key);
  }

  private due(now: Instant): void {
    for (const [key, { until }] of this.datagrams) {
      if (until > now) {
        this.timers.arm(this.timer, until);
        return;
      }
      this.remove(key);
    }
  }
}
