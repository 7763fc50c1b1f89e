/**
 * SYNs from outside that nobody asked for: for 6 seconds nothing is said about them, so that an
 * inside host that opens the same connection meanwhile isn't told that it is refused; then the
 * sender hears that the port can't be reached (RFC 5382 REQ-4).
 */

import { after, assert, type Instant, Timer, type TimerQueue } from '#core';
import type { NatCounters } from '../counters.ts';
import { heldSynBytesMax, heldSynsMax, heldSynTime } from '../limits.ts';
import { type Packet, PORTS } from '../packet.ts';

interface HeldSyn {
  readonly frame: Uint8Array;
  readonly until: Instant;
}

export class HeldSyns {
  private readonly timers: TimerQueue;
  private readonly counters: NatCounters;
  private readonly answer: (frame: Uint8Array) => void;
  /** In order of coming, which is that of answering. By both endpoints. */
  private readonly held = new Map<string, HeldSyn>();
  private readonly timer = new Timer((now) => this.due(now));

  /** `answer` tells the sender of a packet, from its Ethernet header on. */
  constructor(timers: TimerQueue, counters: NatCounters, answer: (frame: Uint8Array) => void) {
    this.timers = timers;
    this.counters = counters;
    this.answer = answer;
  }

  get size(): number {
    return this.held.size;
  }

  hold(packet: Packet): void {
    const { v, frame, end } = packet;
    const key = keyOf(packet.source, v[PORTS]!);
    if (this.held.has(key)) return;
    if (this.held.size >= heldSynsMax) {
      this.counters.natDropSyn += 1;
      return;
    }
    this.counters.natSynsHeld += 1;
    const until = after(this.timers.now, heldSynTime);
    this.held.set(key, { frame: frame.slice(0, Math.min(end, heldSynBytesMax)), until });
    if (this.held.size === 1) this.timers.arm(this.timer, until);
  }

  /** An inside host opens a connection to that end: it is what the SYN wanted. */
  forget(remoteAddress: number, remotePort: number, outsidePort: number): void {
    if (this.held.size > 0)
      this.held.delete(keyOf(remoteAddress, (remotePort << 16) | outsidePort));
  }

  clear(): void {
    this.held.clear();
  }

  checkInvariants(): void {
    assert(this.held.size <= heldSynsMax);
  }

  private due(now: Instant): void {
    for (const [key, { frame, until }] of this.held) {
      if (until > now) {
        this.timers.arm(this.timer, until);
        return;
      }
      this.held.delete(key);
      this.counters.natSynsAnswered += 1;
      this.answer(frame);
    }
  }
}

/** `ports`: theirs, ours. */
const keyOf = (address: number, ports: number): string => `${address} ${ports}`;
