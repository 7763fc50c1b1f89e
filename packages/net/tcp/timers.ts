// tidy: int32
/**
 * Time in a connection: one timer, three deadlines (rtoAt: retransmission, window probe,
 * FIN_WAIT_2; lossAt: tail loss probe, reordering window; ackAt: delayed acknowledgment).
 * The timer may fire before all, because moving a deadline later doesn't touch it: then it is armed
 * again. RFC 6298 for the retransmission timeout, RFC 9293 §3.8.6.1 for probes.
 */

import { after, FOREVER, type Instant, seqAdd, seqDistance } from '#core';
import { TCP_ACK } from '../wire/tcp.ts';
import { applyHeld } from './ack.ts';
import type { Connection } from './connection.ts';
import { emitData } from './emit.ts';
import { abort } from './ending.ts';
import { keepAliveAt, onKeepAlive } from './keep-alive.ts';
import {
  DATA_RETRIES_MAX,
  FIN_WAIT_2_LENGTH,
  PROBE_SLACK,
  PROMPT_RETRIES_MAX,
  RTO_MAX,
  RTO_MIN,
  RTO_MIN_PROMPT,
  SYN_ACK_RETRIES_MAX,
  SYN_RETRIES_MAX,
} from './limits.ts';
import { OPEN } from './loss-state.ts';
import { output, sendAck, sendSyn } from './output.ts';
import { giveUp, shrinkSegments } from './path-probe.ts';
import { enterTimeout, reorderingExpired } from './recovery.ts';
import { locate, NO_CHUNKS } from './send-queue.ts';
import { CLOSED, FIN_WAIT_2, SYN_RECEIVED, SYN_SENT } from './state.ts';
import { probeTail } from './tail-loss.ts';
import { optionBytes } from './timestamps.ts';
import { fitWindow } from './window.ts';

/** Makes sure that the timer fires at `at` or before. */
export function armTimer(c: Connection, at: Instant): void {
  if (at < c.at) c.stack.timers.arm(c, at);
}

/**
 * Starts the retransmission timeout anew, and with more than a segment in flight the tail loss
 * probe's; recovery.ts and rack.ts set lossAt otherwise when something is odd.
 */
export function armRetransmit(c: Connection): void {
  const { timers } = c.stack;
  let at = (timers.now + (c.repair === OPEN ? c.rto : promptRto(c))) as Instant;
  c.rtoAt = at;
  const isLong = ((c.sndMax - c.sndUna) | 0) > c.mss;
  // (A flight of one segment waits for the timeout, which is hardly later.)
  const probeAt = isLong ? ((timers.now + probeTimeout(c)) as Instant) : FOREVER;
  c.lossAt = probeAt;
  if (probeAt < at) at = probeAt;
  if (at < c.at) timers.arm(c, at);
}

/** Only the retransmission timeout. */
export function startRetransmitTimer(c: Connection): void {
  c.rtoAt = (c.stack.timers.now + promptRto(c)) as Instant;
  armTimer(c, c.rtoAt);
}

/** The timeout, with a lower floor when the peer owes an acknowledgment at once. */
function promptRto(c: Connection): number {
  if (c.flight === null || c.loss === null || c.srtt === 0) return c.rto;
  if (c.retries > PROMPT_RETRIES_MAX) return c.rto;
  if (c.flight.sackedBytes === 0 && c.loss.probe === 0) return c.rto;
  const rto = Math.max(RTO_MIN_PROMPT, c.srtt + 4 * c.rttvar) * 2 ** c.retries;
  return Math.min(c.rto, Math.ceil(rto));
}

/** A second segment follows the first, RFC 8985 §7.2. */
export function startProbeTimer(c: Connection): void {
  if (c.repair !== OPEN || ((c.sndMax - c.sndUna) | 0) <= c.mss) return;
  c.lossAt = (c.stack.timers.now + probeTimeout(c)) as Instant;
  armTimer(c, c.lossAt);
}

/** Something waits for a window that doesn't open: ask when nothing is heard. */
export function startPersist(c: Connection): void {
  if (c.rtoAt === FOREVER) armRetransmit(c);
}

export function startFinWait2(c: Connection): void {
  c.rtoAt = after(c.stack.timers.now, FIN_WAIT_2_LENGTH);
  armTimer(c, c.rtoAt);
}

/** RFC 6298 §2: a round trip took `sample` microseconds. */
export function sampleRtt(c: Connection, sample: number): void {
  c.rttSeq = c.sndMax;
  if (c.srtt === 0) {
    c.srtt = sample;
    c.rttvar = sample / 2;
  } else {
    c.rttvar += (Math.abs(c.srtt - sample) - c.rttvar) / 4;
    c.srtt += (sample - c.srtt) / 8;
  }
  if (c.loss !== null) {
    c.loss.repeated = false;
    if (sample < c.loss.minRtt || c.loss.minRtt === 0) c.loss.minRtt = sample;
  }
  setRto(c);
}

function setRto(c: Connection): void {
  c.rto = Math.min(RTO_MAX, Math.max(RTO_MIN, Math.round(c.srtt + 4 * c.rttvar)));
}

/** From the last segment to a tail loss probe, RFC 8985 §7.2; Infinity while there are none. */
export function probeTimeout(c: Connection): number {
  return c.sackOk && c.srtt > 0 ? Math.ceil(2 * c.srtt) + PROBE_SLACK : Number.POSITIVE_INFINITY;
}

/**
 * Data is acknowledged that timeouts sent again. With timestamps that measures a round trip (RFC
 * 7323 §4), from the last retransmission on when it can be the answer to that: the echo may be as
 * old as the first sending, whose acknowledgment was lost, and the timeout must not grow by that.
 * Deviates without: RFC 6298 §5 keeps the timeout backed off until a round trip is measured, which
 * takes minutes when every fifth segment is lost. A peer with SACK would tell of duplicates (RFC
 * 2883): while it doesn't, the timeouts were not too early.
 */
export function endBackoff(c: Connection): void {
  c.retries = 0;
  const since = c.stack.timers.now - c.sentAt;
  if (c.loss !== null && c.loss.tripMax < RTO_MAX) {
    sampleRtt(c, since >= c.loss.minRtt && since < c.loss.tripMax ? since : c.loss.tripMax);
  } else if (c.srtt > 0 && c.sackOk && c.loss?.repeated !== true) setRto(c);
}

export function onTimer(c: Connection, now: Instant): void {
  if (c.state === CLOSED) return;
  applyHeld(c);
  if (c.isClosed()) return;
  if (c.ackAt <= now) {
    c.ackAt = FOREVER;
    // What was acknowledged since by other means left nothing to do.
    if (c.ackSegments > 0) {
      c.ackNow = true;
      sendAck(c);
    }
  }
  if (c.lossAt <= now) {
    c.lossAt = FOREVER;
    if (c.repair === OPEN) probeTail(c, now);
    else reorderingExpired(c);
  }
  if (c.rtoAt <= now) {
    c.rtoAt = FOREVER;
    onTimeout(c);
    if (c.isClosed()) return;
  }
  const { keepAlive } = c;
  if (keepAlive !== null && keepAlive.at <= now) {
    onKeepAlive(c, keepAlive, now);
    if (c.isClosed()) return;
  }
  const next = Math.min(c.rtoAt, c.lossAt, c.ackAt) as Instant;
  if (next === FOREVER && c.queuedBytes === 0) rest(c);
  if (next !== FOREVER || keepAlive !== null)
    armTimer(c, Math.min(next, keepAliveAt(c)) as Instant);
}

/** Nothing is due and nothing queued: gives back what an idle connection doesn't need. */
function rest(c: Connection): void {
  c.chunks = NO_CHUNKS;
  // It was smaller while memory was scarce.
  fitWindow(c);
}

function onTimeout(c: Connection): void {
  if (c.state === SYN_SENT || c.state === SYN_RECEIVED) {
    onSynTimeout(c);
    return;
  }
  if (seqDistance(c.sndMax, c.sndUna) === 0 && c.state === FIN_WAIT_2) {
    c.stack.remove(c, 'timeout');
    return;
  }
  if (c.retries >= DATA_RETRIES_MAX) {
    c.stack.remove(c, 'timeout');
    return;
  }
  c.retries += 1;
  c.rto = Math.min(RTO_MAX, c.rto * 2);
  const isProbe = c.sndNxt === c.sndUna;
  if ((isProbe || c.stuck !== null) && isStuck(c)) abort(c, 'timeout');
  else if (isProbe) probe(c);
  else retransmitFirst(c);
}

function onSynTimeout(c: Connection): void {
  const most = c.state === SYN_SENT ? SYN_RETRIES_MAX : SYN_ACK_RETRIES_MAX;
  if (c.retries >= most) {
    c.stack.remove(c, 'timeout');
    return;
  }
  c.retries += 1;
  c.rto = Math.min(RTO_MAX, c.rto * 2);
  c.stack.counts.retransmitted += 1;
  sendSyn(c);
  // No room in the device: the next timeout tries again.
  if (c.rtoAt === FOREVER) armRetransmit(c);
}

/**
 * The peer answers probes, and has taken nothing for as long as it may: RFC 9293 §3.8.3's user
 * timeout.
 */
function isStuck(c: Connection): boolean {
  const { timers, limits } = c.stack;
  return timers.now - noteStuck(c) >= limits.userTimeout;
}

/** Since when the peer has taken nothing, as far as anybody looked. */
export function noteStuck(c: Connection): Instant {
  if (c.stuck?.una !== c.sndUna) c.stuck = { una: c.sndUna, since: c.stack.timers.now };
  return c.stuck.since;
}

/** RFC 6298 §5.4 to 5.6 and RFC 5681 §3.1: start again at sndUna with one segment. */
function retransmitFirst(c: Connection): void {
  c.stack.counts.timeouts += 1;
  // The way may have changed under us (a lease with another MTU).
  const options = optionBytes(c);
  const mss = c.stack.mssOf(c.route, c.mss + options) - options;
  if (mss < c.mss) c.mss = mss;
  giveUp(c);
  shrinkSegments(c);
  enterTimeout(c);
  output(c);
  if (c.rtoAt === FOREVER) startRetransmitTimer(c);
}

/**
 * RFC 9293 §3.8.6.1: one byte beyond the window, of which sndNxt takes no notice until it is
 * acknowledged; or the small segment that silly window avoidance held back.
 */
function probe(c: Connection): void {
  armRetransmit(c);
  if (c.queuedBytes === 0) {
    // A FIN that found no room in the device.
    output(c);
    return;
  }
  c.stack.counts.probes += 1;
  const length = Math.max(1, Math.min(c.sndWnd, c.queuedBytes, c.mss));
  locate(c, c.sndUna);
  if (!emitData(c, c.sndUna, length, TCP_ACK)) return;
  locate(c, c.sndUna);
  const end = seqAdd(c.sndUna, length);
  if (seqDistance(end, c.sndMax) > 0) c.sndMax = end;
  c.sentAt = c.stack.timers.now;
  c.rttSeq = c.sndMax; // Karn's rule.
  c.flight = null;
}
