// tidy: int32
/**
 * What a connection knows about its losses: made at the first sign of one, so that connections
 * without any don't pay for it. The fields are grouped by who writes them. Read first: flight.ts.
 */

import type { Instant, SeqNumber } from '#core';
import type { Connection } from './connection.ts';
import { AGAIN, type DeliveryWatcher } from './flight.ts';
import { hasTimestamps, timestampAt, timestampNow } from './timestamps.ts';

/** How a connection sends: `Connection.repair`. */
export type Repair = 0 | 1 | 2 | 3;
/** Everything is acknowledged in order, as far as we know. */
export const OPEN = 0;
/** Something is odd (duplicates, reports, a probe): it may be a loss or not. */
export const DISORDER = 1;
/** Something is lost, and later data arrived: fast recovery. */
export const FAST = 2;
/** The retransmission timeout expired: slow start from one segment. */
export const TIMEOUT = 3;

/** A tail loss probe in flight: none, new data, or something that left before. */
export type Probe = 0 | 1 | 2;

export class LossState implements DeliveryWatcher {
  private readonly c: Connection;
  // RFC 8985 §5.3: the segment delivered that left last, its round trip, the highest delivered.
  sentAt = -1;
  end: SeqNumber;
  rtt = 0;
  /** The shortest round trip since trouble began. */
  minRtt: number;
  fack: SeqNumber;
  /** §6.2.3, and the window's size, §6.2.4. */
  hasReordering = false;
  windowMult = 1;
  windowPersist = 0;
  /** Duplicates count once until sndUna is here. */
  duplicateRound: SeqNumber;
  inDuplicateRound = false;
  /** The peer got something twice since a round trip was last measured. */
  repeated = false;

  // Of the acknowledgment at hand: `fack` before it, the round trip of its last segment that left
  // once (-1: none), and what it echoes.
  private fackBefore: SeqNumber;
  sampleMicros = -1;
  /** No round trip is longer: what the echo says, or Infinity. */
  tripMax = Number.POSITIVE_INFINITY;
  /** Bytes that its reports told of first. */
  news = 0;
  sampleEnd: SeqNumber;
  echo = 0;

  // Recovery: sndMax when the last one began, if there was one; PRR, RFC 6937 §3.
  recover: SeqNumber;
  hasRecovered = false;
  recoverBytes = 0;
  prrDelivered = 0;
  prrOut = 0;
  /** One segment leaves whatever the window says. */
  mustSend = false;

  // Undo (undo.ts): what a spurious recovery gives back, 0 when there is nothing; bytes sent again
  // that no report of duplicates covers; our clock when the first of them left.
  undoCwnd = 0;
  undoSsthresh = 0;
  undoBytes = 0;
  undoStart: SeqNumber;
  undoStamp = 0;

  // Tail loss probes, §7.2.
  probe: Probe = 0;
  probeEnd: SeqNumber;

  /** Segments sent again, for inspection. */
  resent = 0;

  // ECN: echoes of marks up to here were answered.
  echoedUntil: SeqNumber;

  constructor(c: Connection) {
    this.c = c;
    this.end = c.sndUna;
    this.minRtt = c.srtt;
    this.fack = c.sndUna;
    this.fackBefore = c.sndUna;
    this.sampleEnd = c.sndUna;
    this.duplicateRound = c.sndUna;
    this.recover = c.sndUna;
    this.undoStart = c.sndUna;
    this.probeEnd = c.sndUna;
    this.echoedUntil = c.sndUna;
  }

  /** Trouble begins anew: what was delivered before is below `una`. */
  restart(una: SeqNumber): void {
    this.fack = una;
    this.fackBefore = una;
  }

  /** Before the reports of one segment that came in. */
  begin(echo: number): void {
    this.fackBefore = this.fack;
    this.sampleMicros = -1;
    this.news = 0;
    this.echo = echo;
    // An acknowledgment that was lost must not make the round trip of the next one longer.
    this.tripMax = Number.POSITIVE_INFINITY;
    if (echo === 0 || !hasTimestamps(this.c)) return;
    const trip = (timestampNow(this.c) - echo) | 0;
    if (trip >= 0) this.tripMax = (trip + 1) * 1_000;
  }

  /** RFC 8985 §6.2, steps 1 to 3, for one piece that the peer got. */
  delivered(sentAt: number, end: SeqNumber, fate: number): void {
    const { c } = this;
    const rtt = Math.min(c.stack.timers.now - sentAt, this.tripMax);
    if (fate & AGAIN) {
      // The answer may be to the first sending: then its round trip would be too short.
      if (rtt < this.minRtt) return;
      if (hasTimestamps(c)) {
        const stamp = timestampAt(sentAt as Instant, c.timestampOffset);
        if (((this.echo - stamp) | 0) < 0) return;
      }
    } else {
      if (((end - this.fackBefore) | 0) < 0) this.hasReordering = true;
      // The one that left last: reports of those before may have been lost.
      if (this.sampleMicros < 0 || rtt <= this.sampleMicros) {
        this.sampleMicros = rtt;
        this.sampleEnd = end;
      }
    }
    if (((end - this.fack) | 0) > 0) this.fack = end;
    if (sentAt > this.sentAt || (sentAt === this.sentAt && ((end - this.end) | 0) > 0)) {
      this.sentAt = sentAt;
      this.end = end;
      this.rtt = rtt;
    }
  }
}

/** The state, made when it is first needed. */
export function lossOf(c: Connection): LossState {
  c.loss ??= new LossState(c);
  return c.loss;
}
