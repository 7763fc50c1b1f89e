// tidy: int32
/**
 * Loss without a timeout, and what a timeout leaves to repair: fast recovery, with SACK by RFC 8985
 * (rack.ts finds what is lost) and RFC 6937 (how much leaves meanwhile), without it by RFC 6582
 * (NewReno). What is lost goes again first, new data after it, as far as cwnd exceeds what is in
 * the network. Read first: loss-state.ts, flight.ts.
 */

import { FOREVER } from '#core';
import { acknowledge } from './ack.ts';
import type { Connection } from './connection.ts';
import { Cubic } from './cubic.ts';
import type { Flight } from './flight.ts';
import { DUPLICATE_ACKS, LIMITED_TRANSMIT_SEGMENTS } from './limits.ts';
import { DISORDER, FAST, type LossState, lossOf, OPEN, TIMEOUT } from './loss-state.ts';
import { flightOf, output, retransmit, sendNew } from './output.ts';
import { isOnlyProbe } from './path-probe.ts';
import { detectLosses, noteDuplicate, noteRecovered } from './rack.ts';
import { takeReports } from './reports.ts';
import type { Segment } from './segment.ts';
import { probeAcknowledged } from './tail-loss.ts';
import { sampleRtt, startRetransmitTimer } from './timers.ts';
import { rememberForUndo, undoDuplicates, undoSpurious } from './undo.ts';

/**
 * An acknowledgment that header prediction refused, of `acked` sequence numbers, 0 or more. May
 * call `drained`.
 */
export function acknowledgeCarefully(
  c: Connection,
  s: Segment,
  acked: number,
  same: boolean,
): void {
  if (c.repair === OPEN && s.options.sackCount === 0) {
    if (acked > 0) {
      acknowledge(c, acked, 1);
      return;
    }
    if (c.sackOk || !same) return;
  }
  const loss = lossOf(c);
  loss.begin(s.options.hasTimestamps ? s.options.timestampEcho : 0);
  if (c.sackOk) withReports(c, s, loss, acked, same);
  else withoutReports(c, s, loss, acked, same);
  c.updatePrediction();
}

/** The peer has SACK: RFC 8985 §6.2. */
function withReports(
  c: Connection,
  s: Segment,
  loss: LossState,
  acked: number,
  same: boolean,
): void {
  if (c.repair === OPEN) {
    c.repair = DISORDER;
    loss.restart(c.sndUna);
  }
  const repeated = takeReports(c, s, loss);
  let delivered = loss.news;
  if (acked > 0) delivered += acknowledge(c, acked, 1);
  if (c.isClosed()) return;
  if (loss.sampleMicros >= 0 && ((loss.sampleEnd - c.rttSeq) | 0) > 0) {
    sampleRtt(c, loss.sampleMicros);
  }
  if (repeated > 0) {
    noteDuplicate(c, loss);
    undoDuplicates(c, loss, repeated);
  }
  if (acked > 0) undoSpurious(c, s, loss, acked);
  if (probeAcknowledged(c, loss, same && s.options.sackCount === 0, repeated > 0)) {
    if (c.repair < FAST) c.cwnd = reduce(c);
  }
  settleRepair(c, loss);
  const flight = c.flight;
  if (flight === null) return;
  let isFound = detectLosses(c, flight, loss);
  if (flight.isReneged) {
    flight.loseAll(true);
    isFound = true;
  }
  if (c.repair < FAST && isFound && !isOnlyProbe(c, flight)) enterRecovery(c, loss);
  if (c.repair === FAST) setRate(c, flight, loss, delivered, acked > 0 && !isFound);
  else if (c.repair === TIMEOUT && loss.news > 0) c.cwnd += Math.min(loss.news, c.mss);
}

/** Without SACK: RFC 6582 §3.2. */
function withoutReports(
  c: Connection,
  s: Segment,
  loss: LossState,
  acked: number,
  same: boolean,
): void {
  if (acked === 0) {
    if (same) duplicateAcknowledged(c, loss);
    return;
  }
  acknowledge(c, acked, 1);
  if (c.isClosed()) return;
  c.dupAcks = 0;
  undoSpurious(c, s, loss, acked);
  settleRepair(c, loss);
  if (c.repair !== FAST) return;
  // Step 3, partial: the next hole begins at sndUna.
  c.cwnd = Math.max(c.mss, c.cwnd - acked + (acked >= c.mss ? c.mss : 0));
  flightOf(c).loseFirst(c.mss);
  loss.mustSend = true;
}

/** A duplicate acknowledgment, RFC 5681 §2. */
function duplicateAcknowledged(c: Connection, loss: LossState): void {
  if (c.repair === TIMEOUT) return;
  if (c.repair === FAST) {
    // RFC 6582 §3.2 step 3: a segment has left the network.
    c.cwnd += c.mss;
    return;
  }
  // RFC 6582 §4.1: these still answer what the last recovery or timeout sent twice.
  // (Beyond sndMax it is of 2 GiB ago.)
  const isBefore = ((c.sndUna - loss.recover) | 0) <= 0 && ((c.sndMax - loss.recover) | 0) >= 0;
  if (loss.hasRecovered && isBefore) return;
  c.repair = DISORDER;
  c.dupAcks += 1;
  if (c.dupAcks < DUPLICATE_ACKS) return;
  enterRecovery(c, loss);
  c.cwnd = c.ssthresh + DUPLICATE_ACKS * c.mss;
  flightOf(c).loseFirst(c.mss);
}

/** The reorder timer of RFC 8985 §6.3: what was too early to tell may be lost now. */
export function reorderingExpired(c: Connection): void {
  const { flight, loss } = c;
  if (flight === null || loss === null || !c.sackOk) return;
  if (!detectLosses(c, flight, loss)) return;
  if (c.repair < FAST && !isOnlyProbe(c, flight)) enterRecovery(c, loss);
  if (c.repair === FAST) setRate(c, flight, loss, 0, false);
  c.updatePrediction();
  output(c);
}

/** Congestion: sets ssthresh, and returns it. */
export function reduce(c: Connection): number {
  c.cubic ??= new Cubic();
  c.ssthresh = c.cubic.reduce(c.cwnd, (c.sndMax - c.sndUna) | 0, c.mss);
  return c.ssthresh;
}

function enterRecovery(c: Connection, loss: LossState): void {
  c.stack.counts.recoveries += 1;
  rememberForUndo(c, loss);
  reduce(c);
  c.repair = FAST;
  loss.probe = 0;
  loss.recover = c.sndMax;
  loss.hasRecovered = true;
  loss.recoverBytes = (c.sndMax - c.sndUna) | 0;
  loss.prrDelivered = 0;
  loss.prrOut = 0;
  // RFC 6675 §5 step 4.3, RFC 6582 §3.2 step 3: one segment, whatever the window says.
  loss.mustSend = true;
  startRetransmitTimer(c);
}

/** The retransmission timer expired: all of it is lost, RFC 6298 §5.4, RFC 5681 §3.1. */
export function enterTimeout(c: Connection): void {
  const loss = lossOf(c);
  if (c.repair !== TIMEOUT || c.retries === 1) {
    if (c.repair < FAST) rememberForUndo(c, loss);
    if (c.retries === 1) reduce(c);
  }
  c.cwnd = c.mss;
  c.repair = TIMEOUT;
  // Deviates: RFC 2018 §8 forgets all reports here. We believe them, as RFC 6675 §5.1 allows, until
  // an acknowledgment ends where one begins: that shows a peer that dropped what it had.
  loseAll(c);
}

/** All of the flight goes again, as far as cwnd lets it. */
export function loseAll(c: Connection): void {
  const loss = lossOf(c);
  flightOf(c).loseAll(false);
  if (c.repair === OPEN) c.repair = DISORDER;
  c.dupAcks = 0;
  loss.probe = 0;
  // RFC 6582 §4: duplicates of what is sent again don't start a recovery.
  loss.recover = c.sndMax;
  loss.hasRecovered = true;
  c.lossAt = FOREVER;
  c.updatePrediction();
}

/** Ends what has come to its end. */
export function settleRepair(c: Connection, loss: LossState): void {
  if (c.repair >= FAST) {
    if (((c.sndUna - loss.recover) | 0) < 0 && c.flight !== null) return;
    if (c.repair === FAST) {
      const flight = (c.sndMax - c.sndUna) | 0;
      // RFC 6582 §3.2 step 3, first choice: no burst after recovery. With SACK cwnd is at ssthresh.
      const calm = Math.min(c.ssthresh, Math.max(flight, c.mss) + c.mss);
      c.cwnd = c.sackOk ? c.ssthresh : calm;
    }
    noteRecovered(loss);
    loss.mustSend = false;
    c.dupAcks = 0;
  }
  const { flight } = c;
  const isOdd = flight !== null && (flight.sackedBytes > 0 || flight.lostBytes > 0);
  c.repair = isOdd || loss.probe !== 0 || c.dupAcks > 0 ? DISORDER : OPEN;
}

/**
 * RFC 6937 §3.1: what leaves during recovery follows what arrives, so that cwnd comes down to
 * ssthresh within a round trip, or comes up to it by slow start when more was lost.
 */
function setRate(
  c: Connection,
  flight: Flight,
  loss: LossState,
  delivered: number,
  isProgress: boolean,
): void {
  const pipe = pipeBytes(c, flight);
  loss.prrDelivered += delivered;
  let count: number;
  if (pipe > c.ssthresh) {
    const share = Math.ceil((loss.prrDelivered * c.ssthresh) / loss.recoverBytes);
    count = share - loss.prrOut;
  } else {
    // Conservative, but by a segment when the last retransmissions arrived: RFC 9937 §5.
    const limit = Math.max(loss.prrDelivered - loss.prrOut, delivered) + (isProgress ? c.mss : 0);
    count = Math.min(c.ssthresh - pipe, limit);
  }
  c.cwnd = Math.max(c.mss, pipe + Math.max(0, count));
}

/** Bytes believed to be in the network, RFC 6675 §4. */
const pipeBytes = (c: Connection, flight: Flight): number =>
  ((c.sndMax - c.sndUna) | 0) - flight.sackedBytes - flight.lostBytes;

/** Sends while something is odd or lost: `output` with an open window. */
export function sendRepairing(c: Connection): void {
  const { flight } = c;
  const loss = lossOf(c);
  if (flight !== null && flight.lostBytes > 0 && !sendLost(c, flight, loss)) return;
  const before = c.sndMax;
  // RFC 3042, limited transmit: duplicates without reports count as two segments at most.
  const counted = c.repair === DISORDER ? Math.min(c.dupAcks, LIMITED_TRANSMIT_SEGMENTS) : 0;
  const sacked = flight === null ? 0 : flight.sackedBytes;
  sendNew(c, c.cwnd + sacked + counted * c.mss);
  loss.prrOut += (c.sndMax - before) | 0;
}

/** What is lost goes again; false when some of it has to wait. */
function sendLost(c: Connection, flight: Flight, loss: LossState): boolean {
  let room = c.cwnd - pipeBytes(c, flight);
  while (flight.nextLost()) {
    const length = Math.min(c.mss, flight.lostBytesThere);
    if (room < length && !loss.mustSend) return false;
    const sent = retransmit(c, flight.lostStart, length);
    if (sent === 0) return false;
    // The hole that everything waits for: timed anew.
    if (flight.lostStart === c.sndUna) startRetransmitTimer(c);
    loss.mustSend = false;
    loss.prrOut += sent;
    room -= sent;
  }
  return true;
}
