/**
 * SYNs from outside that nobody asked for: for 6 seconds nothing is said about them, so that an
 * inside host that opens the same connection meanwhile isn't told that it is refused; then the
 * sender hears that the port can't be reached (RFC 5382 REQ-4).
 */

import { after, assert, type Instant, Timer, type TimerQueue } from '#core';
import { heldSynBytesMax, heldSynsMax, heldSynTime } from './limits.ts';

export interface SynCounters {
  synsHeld: number;
  synsAnswered: number;
  dropSyn: number;
}

interface HeldSyn {
  readonly frame: Uint8Array;
  readonly until: Instant;
}

export class HeldSyns {
  private readonly timers: TimerQueue;
  private readonly counters: SynCounters;
  private readonly answer: (frame: Uint8Array) => void;
  /** In order of coming, which is that of answering. By both endpoints. */
  private readonly held = new Map<string, HeldSyn>();
  private readonly timer = new Timer((now) => this.due(now));

  /** `answer` tells the sender of a packet, from its Ethernet header on. */
  constructor(timers: TimerQueue, counters: SynCounters, answer: (frame: Uint8Array) => void) {
    this.timers = timers;
    this.counters = counters;
    this.answer = answer;
  }

  get size(): number {
    return this.held.size;
  }

  /** `key`: both endpoints (`synKey`). Keeps the beginning of frame[0..end). */
  hold(key: string, frame: Uint8Array, end: number): void {
    if (this.held.has(key)) return;
    if (this.held.size >= heldSynsMax) {
      this.counters.dropSyn += 1;
      return;
    }
    this.counters.synsHeld += 1;
    const until = after(this.timers.now, heldSynTime);
    this.held.set(key, { frame: frame.slice(0, Math.min(end, heldSynBytesMax)), until });
    if (this.held.size === 1) this.timers.arm(this.timer, until);
  }

  /** An inside host opens a connection between these: it is what the SYN wanted. */
  forget(key: string): void {
    this.held.delete(key);
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
      this.counters.synsAnswered += 1;
      this.answer(frame);
    }
  }
}

/** Their address (IPv4's, or the key of an IPv6 one), their port, and ours. */
export const synKey = (address: number, port: number, ours: number): string =>
  `${address} ${port} ${ours}`;
