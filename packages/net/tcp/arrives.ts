// tidy: int32
/**
 * SEGMENT ARRIVES, RFC 9293 §3.10.7.4: the synchronized states and SYN_RECEIVED, step by step in
 * the RFC's order. SYN_SENT is in arrives-syn-sent.ts, LISTEN and CLOSED are in stack.ts, TIME_WAIT
 * in time-wait.ts. With RFC 5961: a RST counts only at rcvNxt exactly, a SYN never does, both are
 * challenged.
 */

import type { Instant } from '#core';
import { TCP_ACK, TCP_ECE, TCP_FIN, TCP_RST, TCP_SYN } from '../wire/tcp.ts';
import { acknowledge } from './ack.ts';
import type { Connection } from './connection.ts';
import { congestionEchoed } from './ecn.ts';
import { emitControl } from './emit.ts';
import { abort } from './ending.ts';
import { CHALLENGE_INTERVAL, RTO_AFTER_SYN_LOSS } from './limits.ts';
import { sendAck, sendSyn } from './output.ts';
import { noteDuplicate, receiveFin, receiveText } from './receive.ts';
import { acknowledgeCarefully } from './recovery.ts';
import type { Segment } from './segment.ts';
import { CLOSING, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, LAST_ACK, SYN_RECEIVED } from './state.ts';
import { noteStuck, startFinWait2 } from './timers.ts';
import { hasTimestamps, isTimely, noteTimestamp } from './timestamps.ts';

export function segmentArrives(c: Connection, s: Segment): void {
  if (c.state === SYN_RECEIVED && !isSynAgain(c, s)) return;
  if (hasTimestamps(c) && (s.flags & (TCP_RST | TCP_SYN)) === 0) {
    // RFC 7323 §3.2: without its timestamps the segment may be from any time.
    if (!s.options.hasTimestamps) {
      c.stack.counts.noTimestamps += 1;
      return;
    }
    if (!isTimely(c, s)) {
      c.stack.counts.paws += 1;
      answerUnacceptable(c, s);
      return;
    }
  }
  // First: the sequence number.
  if (!isAcceptable(c, s)) {
    c.stack.counts.unacceptable += 1;
    answerUnacceptable(c, s);
    return;
  }
  // Second: RST. (Third, security, is obsolete.)
  if (s.flags & TCP_RST) {
    if (s.seq === c.rcvNxt) c.stack.remove(c, 'reset');
    else challenge(c);
    return;
  }
  // Fourth: SYN.
  if (s.flags & TCP_SYN) {
    challenge(c);
    return;
  }
  // Fifth: ACK.
  if ((s.flags & TCP_ACK) === 0) {
    c.stack.counts.noAck += 1;
    return;
  }
  if (c.state === SYN_RECEIVED && !opens(c, s)) return;
  if (!receiveAck(c, s)) return;
  // Sixth, the urgent pointer: ignored, urgent data stays in line (RFC 6093 §4).
  // Seventh and eighth: text and FIN.
  const before = c.state;
  if (before === ESTABLISHED || before === FIN_WAIT_1 || before === FIN_WAIT_2) {
    if (s.payloadBytes > 0) receiveText(c, s);
    if (s.flags & TCP_FIN) receiveFin(c, s);
  }
  // What the peer says keeps a half-closed connection alive.
  if (c.state === FIN_WAIT_2) startFinWait2(c);
}

/**
 * A segment with data deserves an answer (it may be a probe, or tell of a lost acknowledgment);
 * others are rationed.
 */
function answerUnacceptable(c: Connection, s: Segment): void {
  if (s.flags & TCP_RST) return;
  if (s.payloadBytes > 0 || s.flags & TCP_FIN) sendAck(c);
  else challenge(c);
}

/**
 * A SYN in SYN_RECEIVED: the peer's own again, when our answer was lost, or its answer in a
 * simultaneous open. True when there is something left of the segment.
 */
function isSynAgain(c: Connection, s: Segment): boolean {
  if ((s.flags & TCP_SYN) === 0 || ((s.seq + 1) | 0) !== c.rcvNxt) return true;
  if (s.flags & TCP_ACK) {
    s.seq = c.rcvNxt;
    s.flags &= ~TCP_SYN;
    return true;
  }
  c.stack.counts.retransmitted += 1;
  sendSyn(c);
  return false;
}

/**
 * RFC 9293 §3.10.7.4 Table 6, and then trims the segment to the window. With a window of zero a
 * segment at rcvNxt keeps its acknowledgment and loses its text.
 */
function isAcceptable(c: Connection, s: Segment): boolean {
  const window = (c.rcvEdge - c.rcvNxt) | 0;
  const offset = (s.seq - c.rcvNxt) | 0;
  const fin = s.flags & TCP_FIN;
  const length = s.payloadBytes + fin + (s.flags & TCP_SYN ? 1 : 0);
  if (length === 0) return offset === 0 || (offset > 0 && offset < window);
  if (offset > 0 && offset >= window) return false;
  if (offset < 0 && offset + length <= 0) {
    if (s.payloadBytes > 0) noteDuplicate(c, s.seq, s.seq + s.payloadBytes);
    return false;
  }
  // A RST counts by where it begins (RFC 5961 §3.2), which trimming would move to rcvNxt.
  if (offset < 0 && (s.flags & (TCP_SYN | TCP_RST)) === 0) {
    const cut = Math.min(-offset, s.payloadBytes);
    if (cut > 0) noteDuplicate(c, s.seq, s.seq + cut);
    s.seq = c.rcvNxt;
    s.payloadAt += cut;
    s.payloadBytes -= cut;
  }
  const room = window - Math.max(0, offset);
  if (s.payloadBytes + fin > room) {
    c.ackNow = true; // The sender must learn where the window ends.
    s.flags &= ~TCP_FIN;
    s.payloadBytes = Math.min(s.payloadBytes, room);
  }
  return true;
}

/** Fifth step in SYN_RECEIVED: true when the connection is open now. */
function opens(c: Connection, s: Segment): boolean {
  if (((s.ack - c.sndUna) | 0) <= 0 || ((c.sndMax - s.ack) | 0) < 0) {
    c.stack.counts.badAck += 1;
    c.stack.reset(s);
    return false;
  }
  c.sndWnd = s.window << c.sndShift;
  c.sndWndMax = c.sndWnd;
  c.sndWl1 = s.seq;
  return opened(c, s.ack);
}

/** Our SYN is acknowledged by `ack`: tells who waits. False when the connection is gone again. */
export function opened(c: Connection, ack: number): boolean {
  const isRepeated = c.retries > 0;
  acknowledge(c, (ack - c.sndUna) | 0, 1);
  // RFC 5681 §3.1: a SYN or SYN-ACK that was lost says that the way is crowded.
  if (isRepeated) {
    c.cwnd = c.mss;
    c.rto = RTO_AFTER_SYN_LOSS;
  }
  c.enter('open');
  c.stack.leftHalfOpen(c);
  const opener = c.opener;
  c.opener = null;
  if (opener === null || !opener.opened(c)) {
    abort(c, 'reset');
    return false;
  }
  if (!c.isAttached && !c.isClosed()) {
    c.stack.log.error('a new connection got no handler and is reset');
    abort(c, 'reset');
  }
  return !c.isClosed();
}

/** Fifth step in the synchronized states; false ends the segment. */
function receiveAck(c: Connection, s: Segment): boolean {
  const acked = (s.ack - c.sndUna) | 0;
  // RFC 5961 §5: an acknowledgment too old or of something never sent.
  if (((c.sndMax - s.ack) | 0) < 0 || acked < -c.sndWndMax) {
    c.stack.counts.badAck += 1;
    challenge(c);
    return false;
  }
  // Not of a segment whose acknowledgment nobody could have sent: TS.Recent would take a forger's
  // word, and shut the peer out.
  if (hasTimestamps(c)) noteTimestamp(c, s);
  if (acked < 0) return true;
  if (c.ecn !== 0 && s.flags & TCP_ECE) congestionEchoed(c);
  const window = s.window << c.sndShift;
  const sameWindow = window === c.sndWnd;
  // WL2 needs no place of its own: acknowledgments below sndUna don't come here.
  if (((s.seq - c.sndWl1) | 0) >= 0) {
    c.sndWl1 = s.seq;
    c.sndWnd = window;
    if (window > c.sndWndMax) c.sndWndMax = window;
  }
  const isProbed = c.sndMax === c.sndUna || c.sndNxt === c.sndUna || window === 0;
  if (acked === 0 && isProbed && s.options.sackCount === 0) {
    if (c.retries > 0) c.retries = 0; // An answer to a probe: the peer lives, RFC 9293 §3.8.6.1.
    // The window closed before what is in flight: no retries will end that, so the clock must.
    if (c.sndNxt !== c.sndUna) noteStuck(c);
  } else {
    // RFC 5681 §2: no data, no news of the window.
    const same = acked === 0 && s.payloadBytes === 0 && sameWindow && !(s.flags & TCP_FIN);
    acknowledgeCarefully(c, s, acked, same);
    if (c.isClosed()) return false;
  }
  if (c.finSent && c.sndUna === c.sndMax) return finAcked(c);
  return true;
}

/** Our FIN is acknowledged. */
function finAcked(c: Connection): boolean {
  switch (c.state) {
    case FIN_WAIT_1:
      c.enter('finAcked');
      return true;
    case CLOSING:
      c.enter('finAcked');
      c.stack.timeWait(c);
      return false;
    case LAST_ACK:
      c.stack.remove(c, 'closed');
      return false;
    default:
      // FIN_WAIT_2: acknowledged before.
      return true;
  }
}

/**
 * An acknowledgment that asks whether the peer meant it, RFC 5961; rationed for each connection,
 * and for all by a limit that nobody can count (jittered-rate.ts).
 */
export function challenge(c: Connection): void {
  const now = c.stack.timers.now;
  if (now < c.challengedAt || !c.stack.challenges.take(now)) {
    c.stack.counts.challengesHeld += 1;
    return;
  }
  c.challengedAt = (now + CHALLENGE_INTERVAL) as Instant;
  c.stack.counts.challenges += 1;
  if (c.state === SYN_RECEIVED) emitControl(c, c.sndNxt, TCP_ACK, null);
  else sendAck(c);
}
