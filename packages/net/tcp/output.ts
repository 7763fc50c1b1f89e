// tidy: int32
/**
 * What to send now: RFC 9293 §3.8.6.2.1 (silly window avoidance), Nagle's rule in Minshall's
 * variant, RFC 5681's window. Called once for each connection that something happened to, at the
 * end of the turn.
 */

import { after, FOREVER, type SeqNumber } from '#core';
import { PROTOCOL_TCP, PROTOCOL_TCP_ECT } from '../ip.ts';
import {
  clearTcpOptions,
  SACK_BLOCKS_MAX,
  TCP_ACK,
  TCP_ECE,
  TCP_FIN,
  TCP_PSH,
  TCP_SYN,
  type TcpOptions,
} from '../wire/tcp.ts';
import type { Connection } from './connection.ts';
import { ECN_FLAGS, takeDataFlags } from './ecn.ts';
import { emitBurst, emitControl, emitData, largeBytes } from './emit.ts';
import { Flight } from './flight.ts';
import { ACK_DELAY, FLIGHT_GRAIN_SHARE, INITIAL_WINDOW_SEGMENTS } from './limits.ts';
import { OPEN } from './loss-state.ts';
import { tryLarger } from './path-probe.ts';
import type { ReceiveQueue } from './receive-queue.ts';
import { sendRepairing } from './recovery.ts';
import { locate } from './send-queue.ts';
import { ESTABLISHED, SYN_RECEIVED, SYN_SENT } from './state.ts';
import { armRetransmit, armTimer, startPersist, startProbeTimer } from './timers.ts';
import { addTimestamps, timestampNow } from './timestamps.ts';

/** Sends what may leave now, and an acknowledgment when one is due that nothing carried. */
export function output(c: Connection): void {
  if (c.state < ESTABLISHED) {
    // A SYN that found no room in the device.
    if (c.state !== 0 && c.sndNxt === c.sndUna) sendSyn(c);
    return;
  }
  // Only an acknowledgment without data can carry SACK blocks, RFC 2018 §4.
  if (c.ackNow && c.queue !== null && !sendAck(c)) return;
  if (c.repair === OPEN) sendNew(c, c.cwnd);
  else sendRepairing(c);
  if (c.ackSegments === 0 && !c.ackNow) return;
  if (c.ackNow || c.ackSegments >= 2) sendAck(c);
  else if (c.ackAt === FOREVER) {
    c.ackAt = after(c.stack.timers.now, ACK_DELAY);
    armTimer(c, c.ackAt);
  }
}

/** Sends from sndNxt on, as far as the peer's window and `cwnd` let it. */
export function sendNew(c: Connection, cwnd: number): void {
  const mss = c.mss;
  // Not Math.min: a call costs more, on each packet.
  let window = c.sndWnd < cwnd ? c.sndWnd : cwnd;
  if (c.sndMax === c.sndUna && c.cwnd > INITIAL_WINDOW_SEGMENTS * mss) {
    // RFC 5681 §4.1: after an idle RTO the window is no longer known to be good.
    if (c.stack.timers.now - c.sentAt > c.rto) {
      c.cwnd = INITIAL_WINDOW_SEGMENTS * mss;
      if (window > c.cwnd) window = c.cwnd;
    }
  }
  for (;;) {
    const flight = (c.sndNxt - c.sndUna) | 0;
    const unsent = c.queuedBytes - flight;
    if (unsent <= 0 && (unsent < 0 || !c.finQueued)) return;
    let length = window - flight;
    if (length > unsent) length = unsent;
    if (length > mss) {
      if (c.pathProbe !== null && c.repair === OPEN && tryLarger(c, c.pathProbe)) continue;
      if (c.stack.segmentBytesLimit > 0) length = wholeSegments(c, length, unsent);
      else {
        if (length >= 2 * mss && sendBurst(c, length, unsent, flight)) continue;
        length = mss;
      }
    }
    if (length < mss) {
      if (unsent === 0) length = 0;
      else if (!maySendLess(c, length, unsent, flight)) {
        if (flight === 0) startPersist(c);
        return;
      }
    }
    if (!sendSegment(c, length, length === unsent)) return;
    if (flight === 0) armRetransmit(c);
    else if (c.lossAt === FOREVER) startProbeTimer(c);
  }
}

/**
 * The full segments in `length` bytes that lie in one chunk and aren't the last of all, without
 * retransmissions; false when there are too few for a burst or none could leave so.
 */
function sendBurst(c: Connection, length: number, unsent: number, flight: number): boolean {
  const { mss } = c;
  if (c.stack.checksumRequest !== null || c.sndNxt !== c.sndMax || c.ecn !== 0) return false;
  const inChunk = c.chunks[c.cursor]!.length - c.cursorAt - 1;
  const bytes = Math.min(length, unsent - 1, inChunk);
  if (bytes < 2 * mss) return false;
  const seq = c.sndNxt;
  const sent = emitBurst(c, seq, Math.floor(bytes / mss));
  if (sent === 0) return false;
  c.sndNxt = ((seq + sent * mss) | 0) as SeqNumber;
  noteSent(c, c.sndNxt);
  if (flight === 0) armRetransmit(c);
  else if (c.lossAt === FOREVER) startProbeTimer(c);
  return true;
}

/** One segment at sndNxt, with FIN when it is the last of all. */
export function sendSegment(c: Connection, length: number, isLast: boolean): boolean {
  const fin = isLast && c.finQueued ? 1 : 0;
  const flags = isLast ? TCP_ACK | TCP_PSH | fin : TCP_ACK;
  const isSent = c.ecn === 0 ? emitData(c, c.sndNxt, length, flags) : emitCapable(c, length, flags);
  if (!isSent) return false;
  c.sndNxt = ((c.sndNxt + length + fin) | 0) as SeqNumber;
  if (length < c.mss) c.sndSmall = c.sndNxt;
  if (fin !== 0) c.finSent = true;
  if (((c.sndNxt - c.sndMax) | 0) > 0) noteSent(c, c.sndNxt);
  else noteResent(c);
  return true;
}

function noteResent(c: Connection): void {
  c.stack.counts.retransmitted += 1;
  if (c.loss !== null) c.loss.resent += 1;
}

/** As emitData at sndNxt, with the marks of ecn.ts. */
function emitCapable(c: Connection, length: number, flags: number): boolean {
  const { stack, ecn } = c;
  // Not what a probe of the window has sent before.
  const isNew = c.sndNxt === c.sndMax;
  if (isNew) stack.protocolOut = PROTOCOL_TCP_ECT;
  const isSent = emitData(c, c.sndNxt, length, flags | (isNew ? takeDataFlags(c) : ecn & TCP_ECE));
  stack.protocolOut = PROTOCOL_TCP;
  if (!isSent) c.ecn = ecn;
  return isSent;
}

/** New data up to `end` leaves now: sndMax, and the sent times. */
function noteSent(c: Connection, end: SeqNumber): void {
  const { now } = c.stack.timers;
  if (c.flight !== null) c.flight.append(end, now, c.srtt * FLIGHT_GRAIN_SHARE);
  else if (c.sentAt !== now && c.sndMax !== c.sndUna) {
    c.flight = new Flight(c.sndUna, c.sndMax, c.sentAt);
    c.flight.append(end, now, 0);
  }
  c.sentAt = now;
  c.sndMax = end;
}

/** The runs of what is in flight, of which there is something. */
export function flightOf(c: Connection): Flight {
  c.flight ??= new Flight(c.sndUna, c.sndMax, c.sentAt);
  return c.flight;
}

/** Whole segments of at most `length` bytes for the device to cut, or all of what is left. */
function wholeSegments(c: Connection, length: number, unsent: number): number {
  let large = Math.min(length, c.stack.segmentBytesMaxOf(c.route, c.mss));
  if (large < unsent) large -= large % c.mss;
  return largeBytes(c, large);
}

/** A segment that isn't full may leave: RFC 9293 §3.8.6.2.1 and §3.7.4. */
function maySendLess(c: Connection, length: number, unsent: number, flight: number): boolean {
  if (length <= 0) return false;
  if (length < unsent) return 2 * length >= c.sndWndMax;
  if (flight === 0 || c.noDelay || !c.stack.nagle || c.finQueued) return true;
  if (c.sndNxt !== c.sndMax) return true;
  // Minshall: wait only for a segment that wasn't full either. (After 2 GiB of full ones the
  // comparison may err, and a small segment waits once for an acknowledgment.)
  return ((c.sndSmall - c.sndUna) | 0) <= 0;
}

/** An acknowledgment by itself. */
export function sendAck(c: Connection): boolean {
  // RFC 9293 §3.10.7.4: SEQ is SND.NXT; never beyond the peer's window, where it would be dropped.
  const edge = (c.sndUna + c.sndWnd) | 0;
  const seq = ((edge - c.sndMax) | 0) < 0 ? edge : c.sndMax;
  const { queue, stack } = c;
  const flags = TCP_ACK | (c.ecn & TCP_ECE);
  const hasRanges = queue !== null && queue.starts.length > 0;
  const repeats = stack.duplicateOf === c;
  if ((!hasRanges && !repeats) || !c.sackOk) return emitControl(c, seq, flags, null);
  const options = stack.optionsOut;
  clearTcpOptions(options);
  addTimestamps(c, options);
  // Three fit beside timestamps, RFC 2018 §3.
  const most = options.hasTimestamps ? SACK_BLOCKS_MAX - 1 : SACK_BLOCKS_MAX;
  if (repeats) {
    stack.duplicateOf = null;
    options.sack[0] = stack.duplicateStart;
    options.sack[1] = stack.duplicateEnd;
    options.sackCount = 1;
  }
  if (hasRanges) addRanges(queue, options, most);
  return emitControl(c, seq, flags, options);
}

/** The range that grew last comes first, RFC 2018 §4; then the others, from there on around. */
function addRanges(queue: ReceiveQueue, options: TcpOptions, most: number): void {
  const count = queue.starts.length;
  let first = 0;
  for (let i = 0; i < count; i++) {
    if (((queue.starts[i]! - queue.recent) | 0) <= 0) first = i;
  }
  for (let i = 0; i < count && options.sackCount < most; i++) {
    const range = (first + i) % count;
    options.sack[2 * options.sackCount] = queue.starts[range]!;
    options.sack[2 * options.sackCount + 1] = queue.ends[range]!;
    options.sackCount += 1;
  }
}

/** SYN or, in SYN_RECEIVED, SYN-ACK; again with the same options when it is a retransmission. */
export function sendSyn(c: Connection): void {
  const options = c.stack.optionsOut;
  clearTcpOptions(options);
  options.mss = c.stack.mssOf(c.route, 0);
  // In an answer only what the peer offered (RFC 7323 §2.2, RFC 2018 §2); the shift is -1 when it
  // didn't.
  const isAnswer = c.state === SYN_RECEIVED;
  options.windowShift = isAnswer ? c.rcvShift : c.stack.windowShift;
  if (isAnswer && !c.windowScaling) options.windowShift = -1;
  options.sackPermitted = isAnswer ? c.sackOk : true;
  addTimestamps(c, options);
  if (!isAnswer && c.stack.timestamps) {
    options.hasTimestamps = true;
    options.timestamp = timestampNow(c);
    options.timestampEcho = 0;
  }
  const isFirst = c.sndNxt === c.sndUna;
  let flags = c.state === SYN_SENT ? TCP_SYN : TCP_SYN | TCP_ACK;
  // RFC 3168 §6.1.1; a SYN that was lost goes again without, for those who drop it (§6.1.1.1).
  if (c.state === SYN_SENT) flags |= c.stack.ecn && isFirst ? ECN_FLAGS : 0;
  else if (c.ecn !== 0) flags |= TCP_ECE;
  if (!emitControl(c, c.sndUna, flags, options)) return;
  if (c.sndNxt === c.sndUna) {
    c.sndNxt = ((c.sndUna + 1) | 0) as SeqNumber;
    c.sndMax = c.sndNxt;
    c.sentAt = c.stack.timers.now;
  } else c.rttSeq = c.sndMax; // Karn's rule.
  armRetransmit(c);
}

/**
 * Sends `length` sequence numbers from `seq` on again, a FIN among them, without moving sndNxt.
 * Returns how many left; 0 when the device is full.
 */
export function retransmit(c: Connection, seq: SeqNumber, length: number): number {
  const { cursor, cursorAt } = c;
  const flight = flightOf(c);
  const offset = (seq - c.sndUna) | 0;
  const bytes = Math.min(length, c.queuedBytes - offset);
  locate(c, seq);
  const isLast = offset + bytes === c.queuedBytes;
  const fin = isLast && c.finSent ? TCP_FIN : 0;
  const flags = TCP_ACK | (isLast ? TCP_PSH : 0) | fin | (c.ecn & TCP_ECE);
  const isSent = emitData(c, seq, bytes, flags);
  c.cursor = cursor;
  c.cursorAt = cursorAt;
  if (!isSent) return 0;
  noteResent(c);
  const sent = bytes + fin;
  flight.resend(seq, ((seq + sent) | 0) as SeqNumber, c.stack.timers.now);
  c.sentAt = c.stack.timers.now;
  if (c.loss !== null) c.loss.undoBytes += sent;
  return sent;
}
