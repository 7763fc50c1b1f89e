// tidy: int32
/**
 * TIME_WAIT, RFC 9293 §3.10.7.4 and §3.6.1: what a finished connection leaves behind, so that a
 * lost last acknowledgment can be repeated and old segments find nobody to disturb. A record is
 * small; all wait equally long, so the Map's insertion order is the order of expiry and one timer
 * does for all.
 */

import { after, assert, type Instant, type SeqNumber, seqDistance, Timer } from '#core';
import { type IpAddress, PROTOCOL_TCP } from '../ip.ts';
import { sameAddress } from '../ip-family.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import {
  clearTcpOptions,
  TCP_ACK,
  TCP_FIN,
  TCP_HEADER_BYTES,
  TCP_RST,
  TCP_SYN,
  type TcpOptions,
} from '../wire/tcp.ts';
import type { Connection } from './connection.ts';
import { emitBare } from './emit.ts';
import { TIME_WAIT_BYTES, TIME_WAIT_LENGTH } from './limits.ts';
import type { Segment } from './segment.ts';
import type { TcpStack } from './stack.ts';
import { timestampAt } from './timestamps.ts';

interface Waiting {
  /** Not the route: one that nobody else holds would take more memory than all this. */
  readonly local: IpAddress;
  readonly remote: IpAddress;
  readonly portsIn: number;
  /** See timestamps.ts; 20 without them. */
  readonly headerBytes: number;
  readonly timestampOffset: number;
  readonly timestampRecent: number;
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
      local: c.localAddress,
      remote: c.remoteAddress,
      portsIn: c.portsIn,
      headerBytes: c.headerBytes,
      timestampOffset: c.timestampOffset,
      timestampRecent: c.timestampRecent,
      sndNxt: c.sndMax,
      rcvNxt: c.rcvNxt,
      until: 0 as Instant,
    });
  }

  has(key: number): boolean {
    return this.records.has(key);
  }

  /** Forgets the record; the first sequence number of a connection that takes its ports. */
  reuse(key: number): SeqNumber | null {
    const record = this.records.get(key);
    if (record === undefined) return null;
    this.drop(key);
    return nextIss(record);
  }

  /** The record that a segment is for. */
  find(key: number, s: Segment): Waiting | null {
    const record = this.records.get(key);
    if (record === undefined || record.portsIn !== s.ports) return null;
    const { local, remote } = record;
    return sameAddress(local, s.destination) && sameAddress(remote, s.source) ? record : null;
  }

  /**
   * A segment for `record`. Returns null when that was all, else the first sequence number that a
   * new connection between the same ports may use: a SYN beyond everything that the old one saw,
   * by its timestamp or its sequence number, reuses it (RFC 6191 §2, RFC 9293 §3.10.7.4).
   */
  arrives(key: number, record: Waiting, s: Segment): SeqNumber | null {
    // Deviates: RFC 1337 §3 (F1), a RST doesn't end TIME_WAIT.
    if (s.flags & TCP_RST) return null;
    const offset = seqDistance(s.seq, record.rcvNxt);
    if (s.flags & TCP_SYN && (s.flags & TCP_ACK) === 0 && isLater(record, s, offset)) {
      this.drop(key);
      return nextIss(record);
    }
    if (s.flags & TCP_FIN) this.put(key, record);
    if (s.flags & (TCP_FIN | TCP_SYN) || s.payloadBytes > 0 || offset !== 0) this.answer(record);
    return null;
  }

  /** The oldest records make room for `bytes`. */
  forget(bytes: number): void {
    let left = bytes;
    for (const key of this.records.keys()) {
      if (left <= 0) return;
      left -= TIME_WAIT_BYTES;
      this.stack.counts.timeWaitEvicted += 1;
      this.drop(key);
    }
  }

  checkInvariants(): void {
    const { usedBytes } = this.stack.tcpMemory.timeWait;
    assert(usedBytes === this.records.size * TIME_WAIT_BYTES, 'memory of TIME_WAIT');
    let before = 0;
    for (const record of this.records.values()) {
      assert(record.until >= before, 'in order of expiry');
      before = record.until;
    }
  }

  private put(key: number, record: Waiting): void {
    // The place of a record that is put again is its own.
    if (!this.records.delete(key) && !this.stack.tcpMemory.timeWait.take(TIME_WAIT_BYTES)) {
      this.stack.counts.timeWaitEvicted += 1;
      return;
    }
    record.until = after(this.stack.timers.now, TIME_WAIT_LENGTH);
    this.records.set(key, record);
    if (record.until < this.timer.at) this.stack.timers.arm(this.timer, record.until);
  }

  private drop(key: number): void {
    if (this.records.delete(key)) this.stack.tcpMemory.timeWait.give(TIME_WAIT_BYTES);
  }

  private answer(record: Waiting): void {
    const { local, remote, portsIn, sndNxt, rcvNxt } = record;
    const route = this.stack.ip.route(remote, local);
    if (route === null) return;
    const sum = pseudoHeaderSum(local, remote, PROTOCOL_TCP, 0);
    const ports = (portsIn << 16) | (portsIn >>> 16);
    const options = this.optionsOf(record);
    emitBare(this.stack, route, sum, ports, sndNxt, rcvNxt, TCP_ACK, 0xffff, options);
  }

  /** RFC 7323 §3.2: here too. */
  private optionsOf(record: Waiting): TcpOptions | null {
    if (record.headerBytes === TCP_HEADER_BYTES) return null;
    const options = this.stack.optionsOut;
    clearTcpOptions(options);
    options.hasTimestamps = true;
    options.timestamp = timestampAt(this.stack.timers.now, record.timestampOffset);
    options.timestampEcho = record.timestampRecent;
    return options;
  }

  private expire(now: Instant): void {
    for (const [key, record] of this.records) {
      if (record.until > now) {
        this.stack.timers.arm(this.timer, record.until);
        return;
      }
      this.drop(key);
    }
  }
}

/** A SYN, `offset` after what the old connection received, can't be an old duplicate. */
function isLater(record: Waiting, s: Segment, offset: number): boolean {
  if (record.headerBytes === TCP_HEADER_BYTES || !s.options.hasTimestamps) return offset > 0;
  const later = (s.options.timestamp - record.timestampRecent) | 0;
  return later > 0 || (later === 0 && offset > 0);
}

/** Beyond all that was sent, and what its window may have let through. */
const nextIss = (record: Waiting): SeqNumber => ((record.sndNxt + 0x2_0000) | 0) as SeqNumber;
