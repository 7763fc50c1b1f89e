// tidy: int32
/**
 * RFC 9293 §3.10.7.4, fifth step, for acknowledgments that advance sndUna: release what is
 * acknowledged, time it, let the congestion window grow (slow start by RFC 5681 and 3465, then
 * cubic.ts). Shared by the fast path and the general one.
 */

import { FOREVER, type SeqNumber } from '#core';
import type { Connection } from './connection.ts';
import { Cubic } from './cubic.ts';
import {
  CONGESTION_WINDOW_BYTES_MAX,
  LOW_WATER_BYTES,
  SEND_MARK_BYTES_MAX,
  SLOW_START_SEGMENTS,
} from './limits.ts';
import { FAST, OPEN } from './loss-state.ts';
import { giveChunksBack, locate, release } from './send-queue.ts';
import { armRetransmit, endBackoff, sampleRtt } from './timers.ts';

/**
 * `acked` sequence numbers from sndUna on, 1..sndMax - sndUna, are acknowledged, by `count`
 * segments. Returns how many of them the peer had not reported. May call `drained`.
 */
export function acknowledge(c: Connection, acked: number, count: number): number {
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
  const runs = c.flight;
  let news = acked;
  let { sentAt } = c;
  if (runs !== null) {
    news = runs.acknowledge(una, c.repair === OPEN ? null : c.loss);
    sentAt = runs.ackedAt as typeof sentAt;
    if (una === c.sndMax) c.flight = null;
  }
  // Karn's rule, RFC 6298 §3: what left twice has no sent time.
  if (((una - c.rttSeq) | 0) > 0 && sentAt >= 0) {
    const trip = c.stack.timers.now - sentAt;
    sampleRtt(c, c.repair === OPEN || c.loss === null ? trip : Math.min(trip, c.loss.tripMax));
  }
  if (c.retries > 0) endBackoff(c);
  // Only a window that was in use grows, RFC 2861's reason.
  if (c.repair !== FAST && 2 * flight > c.cwnd && news > 0) grow(c, news, flight, count);
  if (una === c.sndMax) {
    c.rtoAt = FOREVER;
    c.lossAt = FOREVER;
  } else armRetransmit(c);
  if (c.queuedBytes <= c.drainAt) drain(c);
  return news;
}

/** Does what header prediction put off. */
export function applyHeld(c: Connection): void {
  if (c.heldBytes > 0) acknowledge(c, c.heldBytes, c.heldCount);
}

function grow(c: Connection, acked: number, flight: number, count: number): void {
  if (c.cwnd >= CONGESTION_WINDOW_BYTES_MAX) return;
  if (c.cwnd < c.ssthresh) {
    const most = SLOW_START_SEGMENTS * c.mss * count;
    c.cwnd += acked < most ? acked : most;
    if (2 * c.cwnd > c.sendMark && c.sendMark < SEND_MARK_BYTES_MAX) raiseMark(c);
    return;
  }
  c.cubic ??= new Cubic();
  const { now } = c.stack.timers;
  if (flight + c.mss < c.cwnd) c.cubic.idle(now);
  else c.cwnd = c.cubic.grow(c.cwnd, acked, c.srtt, c.mss, now);
  if (2 * c.cwnd > c.sendMark && c.sendMark < SEND_MARK_BYTES_MAX) raiseMark(c);
}

/** A writer that follows `drained` keeps the window full: twice of it is queued. */
function raiseMark(c: Connection): void {
  c.sendMark = Math.floor(Math.min(2 * c.cwnd, SEND_MARK_BYTES_MAX));
  // Half a byte says that it is the application's: whoever waits for `drained` counts on it.
  if (Number.isInteger(c.mark)) c.mark = c.sendMark;
}

/**
 * Tells the writer. At a mark that grew by itself, one with a bound of its own may find its queue
 * still too long: it is told again at half of that, and so on down to the mark that it knows.
 */
function drain(c: Connection): void {
  const isGrown = c.drainAt > LOW_WATER_BYTES && Number.isInteger(c.mark);
  c.drainAt = isGrown ? Math.max(LOW_WATER_BYTES, c.drainAt / 2) : -1;
  giveChunksBack(c);
  c.handler.drained();
}
