/**
 * Fragments through translation (RFC 4787 REQ-14): only the first one of a datagram has ports, so
 * what it was translated by is remembered for the others, and those that came before it wait.
 * Nothing is put together. Read first: packet.ts.
 */

import { after, assert, type Instant, readU16be, Timer, type TimerQueue } from '#core';
import { ETHERNET_HEADER_BYTES } from '#net/wire';
import type { NatCounters } from '../counters.ts';
import {
  natDatagramsMax,
  natFragmentBytesMax,
  natFragmentsHeldMax,
  natFragmentTime,
} from '../limits.ts';
import { type Packet, PROTOCOL } from '../packet.ts';
import type { Session } from './session.ts';

/** What becomes of a datagram: translated by a session, the router's own, or nothing. */
export type Fate = Session | 'own' | 'dropped';

/** A fragment that waits, as the link handed it over. */
export interface HeldFragment {
  readonly frame: Uint8Array;
  readonly fields: Int32Array;
}

interface Datagram {
  fate: Fate | null;
  readonly held: HeldFragment[];
  readonly until: Instant;
}

export class NatFragments {
  private readonly timers: TimerQueue;
  private readonly counters: NatCounters;
  /** In order of coming, which is that of expiry. By side and what RFC 791 tells datagrams by. */
  private readonly datagrams = new Map<string, Datagram>();
  private heldBytes = 0;
  private readonly timer = new Timer((now) => this.due(now));

  constructor(timers: TimerQueue, counters: NatCounters) {
    this.timers = timers;
    this.counters = counters;
  }

  /** Null: the first fragment hasn't come. */
  fateOf(packet: Packet, side: string): Fate | null {
    return this.datagrams.get(keyOf(packet, side))?.fate ?? null;
  }

  /** Keeps a fragment until `decide`. */
  hold(packet: Packet, side: string, fields: Int32Array): void {
    const datagram = this.datagram(keyOf(packet, side));
    const { frame, end } = packet;
    const isFull =
      datagram.held.length >= natFragmentsHeldMax || this.heldBytes + end > natFragmentBytesMax;
    if (isFull) {
      this.counters.natDropFragment += 1;
      return;
    }
    this.counters.natFragmentsHeld += 1;
    this.heldBytes += end;
    datagram.held.push({ frame: frame.slice(0, end), fields: fields.slice() });
  }

  /** The first fragment came; returns those that waited for it. */
  decide(packet: Packet, side: string, fate: Fate): HeldFragment[] {
    const datagram = this.datagram(keyOf(packet, side));
    datagram.fate = fate;
    const held = datagram.held.splice(0);
    for (const { frame } of held) this.heldBytes -= frame.length;
    return held;
  }

  clear(): void {
    for (const key of [...this.datagrams.keys()]) this.remove(key);
  }

  checkInvariants(): void {
    assert(this.datagrams.size <= natDatagramsMax);
    let bytes = 0;
    for (const { held, fate } of this.datagrams.values()) {
      assert(held.length <= natFragmentsHeldMax && (fate === null || held.length === 0));
      for (const { frame } of held) bytes += frame.length;
    }
    assert(bytes === this.heldBytes && bytes <= natFragmentBytesMax);
  }

  private datagram(key: string): Datagram {
    const known = this.datagrams.get(key);
    if (known !== undefined) return known;
    if (this.datagrams.size >= natDatagramsMax) {
      for (const oldest of this.datagrams.keys()) {
        this.remove(oldest);
        break;
      }
    }
    const until = after(this.timers.now, natFragmentTime);
    const made: Datagram = { fate: null, held: [], until };
    this.datagrams.set(key, made);
    if (this.datagrams.size === 1) this.timers.arm(this.timer, until);
    return made;
  }

  private remove(key: string): void {
    const datagram = this.datagrams.get(key);
    assert(datagram !== undefined);
    for (const { frame } of datagram.held) {
      this.heldBytes -= frame.length;
      this.counters.natDropFragment += 1;
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

function keyOf(packet: Packet, side: string): string {
  const identification = readU16be(packet.frame, ETHERNET_HEADER_BYTES + 4);
  const { source, destination, v } = packet;
  return `${side} ${source} ${destination} ${v[PROTOCOL]} ${identification}`;
}
