// tidy: int32
/**
 * The window that we advertise, RFC 9293 §3.8.6.2.2: its right edge never goes back, and moves only
 * by amounts worth sending. Read first: receive-queue.ts.
 */

import type { SeqNumber } from '#core';
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
 * The window field of a segment that leaves now; moves rcvEdge. Rounded up: the edge must not go
 * back.
 */
export function advertisedWindow(c: Connection): number {
  if (c.queue === null) {
    // Everything was read: the window is whole, however little the edge moves.
    c.rcvEdge = ((c.rcvNxt + c.windowBytes) | 0) as SeqNumber;
    return c.windowField;
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
