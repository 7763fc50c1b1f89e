// tidy: int32
/**
 * The window that we advertise, RFC 9293 §3.8.6.2.2: its right edge never goes back, and moves only
 * by amounts worth sending. It grows while the peer fills it within a round trip and there is
 * memory. Read first: receive-queue.ts.
 */

import type { Instant, SeqNumber } from '#core';
import type { Connection } from './connection.ts';

/** Where the right edge would be if we told the peer now; rcvEdge when it isn't worth telling. */
export function windowEdge(c: Connection): SeqNumber {
  const ready = c.queue === null ? 0 : c.queue.readyBytes;
  const edge = (c.rcvNxt + c.windowBytes - ready) | 0;
  const gain = (edge - c.rcvEdge) | 0;
  const worth = Math.min(c.windowBytes >> 1, c.mss);
  return (gain >= worth ? edge : c.rcvEdge) as SeqNumber;
}

/**
 * Fits the window to the memory that is left: larger at once, smaller only by what arrived since we
 * last told, so that the right edge stays where it is (RFC 9293 §3.8.6.2.1: never shrink).
 */
export function fitWindow(c: Connection): void {
  const { limits, memory, tcpMemory } = c.stack;
  const unit = 1 << c.rcvShift;
  const usual = c.windowScaling
    ? limits.receiveWindowBytes
    : Math.min(0xffff, limits.receiveWindowBytes);
  const least = memory.isScarce ? 0 : c.windowBytes;
  const wanted = Math.max(least, tcpMemory.windowOf(usual));
  const ready = c.queue === null ? 0 : c.queue.readyBytes;
  const told = ((c.rcvEdge - c.rcvNxt) | 0) + ready;
  const window = Math.max(wanted - (wanted % unit), told);
  c.windowBytes = Math.min(0xffff, Math.ceil(window / unit)) * unit;
}

/**
 * The window field of a segment that leaves now; moves rcvEdge. Rounded up: the edge must not go
 * back.
 */
export function advertisedWindow(c: Connection): number {
  if (c.queue === null) {
    // Everything was read: the window is whole, however little the edge moves.
    c.rcvEdge = ((c.rcvNxt + c.windowBytes) | 0) as SeqNumber;
    return c.windowBytes >> c.rcvShift;
  }
  const edge = windowEdge(c);
  const unit = 1 << c.rcvShift;
  const field = Math.min(0xffff, (((edge - c.rcvNxt) | 0) + unit - 1) >> c.rcvShift);
  c.rcvEdge = ((c.rcvNxt + (field << c.rcvShift)) | 0) as SeqNumber;
  return field;
}

/** The reader took enough that the peer should hear of it. */
export function isUpdateDue(c: Connection): boolean {
  const gain = (windowEdge(c) - c.rcvEdge) | 0;
  // A window that was closed, or half of it: between, the next acknowledgment is early enough.
  return gain > 0 && (gain >= c.windowBytes >> 1 || ((c.rcvEdge - c.rcvNxt) | 0) < c.mss);
}

/**
 * Half a window came since `windowMark` was set: within about a round trip, it is the window that
 * holds the peer back. While the mark is fresh, at the start and after a hole, full segments are
 * acknowledged at once, so that the peer's congestion window opens quickly (RFC 5681 §3.1, §4.2).
 */
export function passWindowMark(c: Connection): void {
  const { limits, memory, timers } = c.stack;
  const most = c.windowScaling ? limits.receiveWindowBytesMax : 0xffff;
  const isQuick = !c.markIsFresh && timers.now - c.windowMarkAt <= 1.5 * c.srtt;
  if (isQuick && c.windowBytes < most && memory.windowShare >= 1) {
    c.windowBytes = Math.min(most, 2 * c.windowBytes);
    c.stack.counts.windowsGrown += 1;
  }
  setWindowMark(c);
  c.markIsFresh = false;
}

export function setWindowMark(c: Connection): void {
  c.windowMark = ((c.rcvNxt + (c.windowBytes >> 1)) | 0) as SeqNumber;
  c.windowMarkAt = c.stack.timers.now as Instant;
}

/** Something is missing, or was: quick acknowledgments help the peer to repair it. */
export function freshenWindowMark(c: Connection): void {
  if (c.markIsFresh) return;
  setWindowMark(c);
  c.markIsFresh = true;
}
