// tidy: int32
/**
 * RFC 9293 §3.10.7.4, fifth step, for acknowledgments that advance sndUna: release what is
 * acknowledged, time it, let the congestion window grow (RFC 5681, RFC 3465 with L = 2). Shared by
 * the fast path and the general one.
 */

import { FOREVER, type SeqNumber } from '#core';
import type { Connection } from './connection.ts';
import { CONGESTION_WINDOW_BYTES_MAX } from './limits.ts';
import { recoveryAcknowledged } from './recovery.ts';
import type { Scoreboard } from './scoreboard.ts';
import { locate, release } from './send-queue.ts';
import { armRetransmit, endBackoff, sampleRtt } from './timers.ts';

/**
 * `acked` sequence numbers from sndUna on, 1..sndMax - sndUna, are acknowledged, by `count`
 * segments. May call `drained`.
 */
export function acknowledge(c: Connection, acked: number, count: number): void {
  if (c.heldBytes > 0) {
    c.heldBytes = 0;
    c.heldCount = 0;
  }
  const flight = (c.sndNxt - c.sndUna) | 0;
  const una = ((c.sndUna + acked) | 0) as SeqNumber;
  c.sndUna = una;
  // A FIN counts as one sequence number and is no byte.
  // Not Math.min: a call costs more, on each packet.
  const bytes = acked < c.queuedBytes ? acked : c.queuedBytes;
  if (bytes > 0) release(c, bytes);
  if (acked > flight) {
    c.sndNxt = una;
    locate(c, una);
  }
  if (c.rttAt >= 0 && ((una - c.rttSeq) | 0) >= 0) sampleRtt(c);
  if (c.retries > 0) endBackoff(c);
  if (c.scoreboard?.acknowledge(una)) reneged(c, c.scoreboard);
  if (c.recovering) recoveryAcknowledged(c, acked);
  else {
    if (c.dupAcks > 0) c.dupAcks = 0;
    // Only a window that was in use grows, RFC 2861's reason.
    if (2 * flight > c.cwnd) grow(c, acked, flight, count);
  }
  if (una === c.sndMax) c.rtoAt = FOREVER;
  else armRetransmit(c);
  if (c.aboveLowWater && c.queuedBytes <= c.lowWaterBytes) {
    c.aboveLowWater = false;
    c.handler.drained();
  }
}

/** The peer dropped what it had reported: while going back, this goes again too. */
function reneged(c: Connection, board: Scoreboard): void {
  board.clear();
  if (c.sndNxt === c.sndMax) return;
  c.sndNxt = c.sndUna;
  locate(c, c.sndUna);
}

/** Does what header prediction put off. */
export function applyHeld(c: Connection): void {
  if (c.heldBytes > 0) acknowledge(c, c.heldBytes, c.heldCount);
}

function grow(c: Connection, acked: number, flight: number, count: number): void {
  if (c.cwnd >= CONGESTION_WINDOW_BYTES_MAX) return;
  if (c.cwnd < c.ssthresh) {
    c.cwnd += Math.min(acked, 2 * c.mss * count);
    return;
  }
  if (flight + c.mss < c.cwnd) return;
  c.growth += acked;
  if (c.growth < c.cwnd) return;
  c.growth -= c.cwnd;
  c.cwnd += c.mss;
}
