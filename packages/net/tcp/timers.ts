/**
 * Time in a connection: one timer, two deadlines (rtoAt: retransmission, window probe, FIN_WAIT_2;
 * ackAt: delayed acknowledgment). The timer may fire before either, because moving a deadline later
 * doesn't touch it: then it is armed again. RFC 6298 for the retransmission timeout, RFC 9293
 * §3.8.6.1 for probes.
 */

import { after, FOREVER, type Instant, seqAdd, seqDistance } from '#core';
import { TCP_ACK } from '../wire/tcp.ts';
import { applyHeld } from './ack.ts';
import type { Connection } from './connection.ts';
import { emitData } from './emit.ts';
import {
  DATA_RETRIES_MAX,
  FIN_WAIT_2_LENGTH,
  RTO_MAX,
  RTO_MIN,
  SYN_ACK_RETRIES_MAX,
  SYN_RETRIES_MAX,
} from './limits.ts';
import { output, sendAck, sendSyn } from './output.ts';
import { locate, NO_CHUNKS } from './send-queue.ts';
import { CLOSED, FIN_WAIT_2, SYN_RECEIVED, SYN_SENT } from './state.ts';
import { optionBytes } from './timestamps.ts';

/** Makes sure that the timer fires at `at` or before. */
export function armTimer(c: Connection, at: Instant): void {
  if (at < c.at) c.stack.timers.arm(c, at);
}

/** Starts the retransmission timeout anew. */
export function armRetransmit(c: Connection): void {
  const { timers } = c.stack;
  const at = (timers.now + c.rto) as Instant;
  c.rtoAt = at;
  if (at < c.at) timers.arm(c, at);
}

/** Something waits for a window that doesn't open: ask when nothing is heard. */
export function startPersist(c: Connection): void {
  if (c.rtoAt === FOREVER) armRetransmit(c);
}

export function startFinWait2(c: Connection): void {
  c.rtoAt = after(c.stack.timers.now, FIN_WAIT_2_LENGTH);
  armTimer(c, c.rtoAt);
}

/** RFC 6298 §2: a round trip took from rttAt to now. */
export function sampleRtt(c: Connection): void {
  const sample = c.stack.timers.now - c.rttAt;
  c.rttAt = -1;
  if (c.srtt === 0) {
    c.srtt = sample;
    c.rttvar = sample / 2;
  } else {
    c.rttvar += (Math.abs(c.srtt - sample) - c.rttvar) / 4;
    c.srtt += (sample - c.srtt) / 8;
  }
  if (c.scoreboard !== null) c.scoreboard.repeated = false;
  setRto(c);
}

function setRto(c: Connection): void {
  c.rto = Math.min(RTO_MAX, Math.max(RTO_MIN, Math.round(c.srtt + 4 * c.rttvar)));
}

/**
 * Data is acknowledged that timeouts sent again. Deviates: RFC 6298 §5 keeps the timeout backed off
 * until a round trip is measured, which takes minutes when every fifth segment is lost. A peer with
 * SACK would tell of duplicates (RFC 2883): while it doesn't, the timeouts were not too early.
 */
export function endBackoff(c: Connection): void {
  c.retries = 0;
  if (c.srtt > 0 && c.sackOk && c.scoreboard?.repeated !== true) setRto(c);
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
  if (c.rtoAt <= now) {
    c.rtoAt = FOREVER;
    onTimeout(c);
    if (c.isClosed()) return;
  }
  const next = Math.min(c.rtoAt, c.ackAt) as Instant;
  if (next !== FOREVER) armTimer(c, next);
  else if (c.queuedBytes === 0) c.chunks = NO_CHUNKS;
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
  if (c.sndNxt === c.sndUna) probe(c);
  else goBack(c);
}

function onSynTimeout(c: Connection): void {
  const most = c.state === SYN_SENT ? SYN_RETRIES_MAX : SYN_ACK_RETRIES_MAX;
  if (c.retries >= most) {
    c.stack.remove(c, 'timeout');
    return;
  }
  c.retries += 1;
  c.rto = Math.min(RTO_MAX, c.rto * 2);
  c.rttAt = -1; // Karn's rule.
  c.stack.counts.retransmitted += 1;
  sendSyn(c);
  // No room in the device: the next timeout tries again.
  if (c.rtoAt === FOREVER) armRetransmit(c);
}

/** RFC 6298 §5.4 to 5.6 and RFC 5681 §3.1: start again at sndUna with one segment. */
function goBack(c: Connection): void {
  c.stack.counts.timeouts += 1;
  if (c.retries === 1) {
    c.ssthresh = Math.max(seqDistance(c.sndMax, c.sndUna) / 2, 2 * c.mss);
  }
  // The way may have changed under us (a lease with another MTU).
  const options = optionBytes(c);
  const mss = c.stack.mssOf(c.route, c.mss + options) - options;
  if (mss < c.mss) c.mss = mss;
  c.cwnd = c.mss;
  resendFromStart(c);
}

/** Everything from sndUna on is taken for lost and sent again, as far as cwnd lets it. */
export function resendFromStart(c: Connection): void {
  c.growth = 0;
  c.dupAcks = 0;
  c.recovering = false;
  c.hasRecovered = true;
  c.recover = c.sndMax; // RFC 6582 §4: duplicates of what is sent again don't start a recovery.
  c.rttAt = -1;
  // RFC 2018 §8: the peer may have dropped what it reported. As RFC 6675 §5.1 lets us, we believe
  // it until it is silent twice.
  if (c.retries > 1) c.scoreboard?.clear();
  c.sndNxt = c.sndUna;
  locate(c, c.sndUna);
  c.updatePrediction();
  output(c);
  if (c.rtoAt === FOREVER) armRetransmit(c);
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
  c.rttAt = -1;
}
