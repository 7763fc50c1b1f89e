// tidy: int32
/**
 * TIME_WAIT, RFC 9293 §3.10.7.4 and §3.6.1: what a finished connection leaves behind, so that a
 * lost last acknowledgment can be repeated and old segments find nobody to disturb. A record is
 * small; all wait equally long, so the Map's insertion order is the order of expiry and one timer
 * does for all.
 */

import { after, assert, type Instant, type SeqNumber, seqDistance, Timer } from '#core';
import type { Route } from '../ip.ts';
import { sameAddress } from '../ip-family.ts';
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../wire/tcp.ts';
import type { Connection } from './connection.ts';
import { emitBare } from './emit.ts';
import { TIME_WAIT_LENGTH } from './limits.ts';
import type { Segment } from './segment.ts';
import type { TcpStack } from './stack.ts';

interface Waiting {
  readonly route: Route;
  readonly portsIn: number;
  readonly portsOut: number;
  readonly pseudoSum: number;
  readonly sndNxt: SeqNumber;
  readonly rcvNxt: SeqNumber;
  until: Instant;
}

export class TimeWaitTable {
  private readonly stack: TcpStack;
  private readonly records = new Map<number, Waiting>();
  private readonly timer: Timer;

  constructor(stack: TcpStack) {
    this.stack = stack;
    this.timer = new Timer((now) => this.expire(now));
  }

  get size(): number {
    return this.records.size;
  }

  /** Full: the oldest is forgotten. Another connection under the same key is forgotten too. */
  add(c: Connection, key: number): void {
    this.put(key, {
      route: c.route,
      portsIn: c.portsIn,
      portsOut: c.portsOut,
      pseudoSum: c.pseudoSum,
      sndNxt: c.sndMax,
      rcvNxt: c.rcvNxt,
      until: 0 as Instant,
    });
  }

  has(key: number): boolean {
    return this.records.has(key);
  }

  /** The record that a segment is for. */
  find(key: number, s: Segment): Waiting | null {
    const record = this.records.get(key);
    if (record === undefined || record.portsIn !== s.ports) return null;
    const { source, destination } = record.route;
    const isIt = sameAddress(source, s.destination) && sameAddress(destination, s.source);
    return isIt ? record : null;
  }

  /**
   * A segment for `record`. Returns null when that was all, else the first sequence number that a
   * new connection between the same ports may use: a SYN beyond everything that the old one saw
   * reuses it (RFC 6191 without timestamps, RFC 9293 §3.10.7.4).
   */
  arrives(key: number, record: Waiting, s: Segment): SeqNumber | null {
    // Deviates: RFC 1337 §3 (F1), a RST doesn't end TIME_WAIT.
    if (s.flags & TCP_RST) return null;
    const offset = seqDistance(s.seq, record.rcvNxt);
    if (s.flags & TCP_SYN && (s.flags & TCP_ACK) === 0 && offset > 0) {
      this.records.delete(key);
      return ((record.sndNxt + 0x2_0000) | 0) as SeqNumber;
    }
    if (s.flags & TCP_FIN) this.put(key, record);
    if (s.flags & (TCP_FIN | TCP_SYN) || s.payloadBytes > 0 || offset !== 0) this.answer(record);
    return null;
  }

  checkInvariants(): void {
    assert(this.records.size <= this.stack.limits.timeWaitMax);
    let before = 0;
    for (const record of this.records.values()) {
      assert(record.until >= before, 'in order of expiry');
      before = record.until;
    }
  }

  private put(key: number, record: Waiting): void {
    this.records.delete(key);
    if (this.records.size >= this.stack.limits.timeWaitMax) {
      const oldest = this.records.keys().next().value;
      if (oldest !== undefined) this.records.delete(oldest);
      this.stack.counts.timeWaitEvicted += 1;
    }
    record.until = after(this.stack.timers.now, TIME_WAIT_LENGTH);
    this.records.set(key, record);
    if (record.until < this.timer.at) this.stack.timers.arm(this.timer, record.until);
  }

  private answer(record: Waiting): void {
    const { route, pseudoSum, portsOut, sndNxt, rcvNxt } = record;
    emitBare(this.stack, route, pseudoSum, portsOut, sndNxt, rcvNxt, TCP_ACK, 0xffff, null);
  }

  private expire(now: Instant): void {
    for (const [key, record] of this.records) {
      if (record.until > now) {
        this.stack.timers.arm(this.timer, record.until);
        return;
      }
      this.records.delete(key);
    }
  }
}
