// tidy: int32
/**
 * Header prediction: the segment that an open connection nearly always gets next, in order and
 * without options but timestamps, handled with as few steps as it takes. Whatever is unusual goes
 * the general way (arrives.ts), which gives the same result for every segment that is accepted
 * here. Read first: RFC 9293 §3.10.7.4.
 */

import type { SeqNumber } from '#core';
import { TCP_ACK, TCP_HEADER_BYTES, TCP_PSH, TCP_TIMESTAMPS_WORD } from '../wire/tcp.ts';
import { acknowledge } from './ack.ts';
import type { Connection } from './connection.ts';
import { CLOSED } from './state.ts';
import { passWindowMark } from './window.ts';

/**
 * Takes the segment frame[at..end) with header `h`, or returns false and has done nothing. An
 * acknowledgment without data is only noted (`heldBytes`): a burst of them costs one.
 */
export function receivePredicted(
  c: Connection,
  h: Int32Array,
  frame: Uint8Array,
  at: number,
  end: number,
): boolean {
  const headerBytes = c.headerBytes;
  // Data offset and ACK, PSH aside: no other option, no other flag, no reserved bit.
  if ((h[3]! & ~TCP_PSH) !== ((headerBytes << 10) | TCP_ACK) || h[1] !== c.rcvNxt) return false;
  const ack = h[2]!;
  const acked = (ack - c.sndUna) | 0;
  // Older than what is held: its window must not count, RFC 9293 §3.10.7.4's WL2.
  if (((c.sndMax - ack) | 0) < 0 || acked < c.heldBytes) return false;
  const payloadAt = at + headerBytes;
  const count = end - payloadAt;
  // The words after the header are there when the offset doesn't lie; PAWS, RFC 7323 §5.3.
  if (headerBytes !== TCP_HEADER_BYTES) {
    if (count < 0 || h[7] !== TCP_TIMESTAMPS_WORD) return false;
    if (((h[8]! - c.timestampRecent) | 0) < 0) return false;
  }
  if (count === 0) {
    // Else a duplicate acknowledgment or a window update.
    if (acked === c.heldBytes) return false;
    c.heldBytes = acked;
    c.heldCount += 1;
  } else if (count > ((c.rcvEdge - c.rcvNxt) | 0)) return false;
  if (headerBytes !== TCP_HEADER_BYTES && c.ackSegments === 0) c.timestampRecent = h[8]!;
  const window = h[4]! << c.sndShift;
  c.sndWnd = window;
  if (window > c.sndWndMax) c.sndWndMax = window;
  c.sndWl1 = c.rcvNxt;
  if (count > 0) {
    if (acked > 0) acknowledge(c, acked, c.heldCount + 1);
    // `drained` may have reset or paused us: then the bytes come again, unacknowledged as they are.
    if (c.state === CLOSED || c.paused) return true;
    c.rcvNxt = ((c.rcvNxt + count) | 0) as SeqNumber;
    c.ackSegments += count < c.mss || (count === c.mss && !c.markIsFresh) ? 1 : 2;
    if (((c.rcvNxt - c.windowMark) | 0) >= 0) passWindowMark(c);
    c.handler.data(frame.subarray(payloadAt, end));
  }
  return true;
}
