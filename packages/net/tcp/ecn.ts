// tidy: int32
/**
 * Explicit congestion notification, RFC 3168 §6.1: routers mark packets that they would have
 * dropped, the receiver echoes that until the sender says that it slowed down. On when both SYNs
 * say so: a listener agrees, connect asks only when configured to. Only new data is marked as
 * capable (§6.1.4 to 6.1.6: no retransmission, no probe of a window, no bare acknowledgment), and
 * no SYN (RFC 5562 isn't done).
 */

import { TCP_CWR, TCP_ECE } from '../wire/tcp.ts';
import type { Connection } from './connection.ts';
import { FAST, lossOf } from './loss-state.ts';
import { reduce } from './recovery.ts';

/** Bits of `Connection.ecn`: agreed on; ECE is owed to the peer, CWR too. The latter as in flags. */
export const ECN_ON = 1;
export const ECN_FLAGS = TCP_ECE | TCP_CWR;

/** After the Ethernet header: type of service of IPv4, and half of the traffic class of IPv6. */
const CLASS_AT = 15;
const IPV4_HEADERS_BYTES = 34;

/**
 * Before a segment with header `h`, frame[at..), is taken: a mark to echo, or the peer's word that
 * it slowed down.
 */
export function noteMarks(c: Connection, h: Int32Array, frame: Uint8Array, at: number): void {
  // Of something that can be the peer's: its sequence number is in the window.
  const offset = (h[1]! - c.rcvNxt) | 0;
  if (offset < 0 || offset > ((c.rcvEdge - c.rcvNxt) | 0)) return;
  if (h[3]! & TCP_CWR) c.ecn &= ~TCP_ECE;
  // What was reassembled has no header before it.
  if (at < IPV4_HEADERS_BYTES) return;
  const bits = typeof c.remoteAddress === 'number' ? frame[CLASS_AT]! : frame[CLASS_AT]! >> 4;
  if ((bits & 3) !== 3) return;
  c.ecn |= TCP_ECE;
  c.stack.counts.congestionMarks += 1;
}

/** The peer echoes a mark: one reduction a window of data, §6.1.2, and CWR says so. */
export function congestionEchoed(c: Connection): void {
  const loss = lossOf(c);
  // (Beyond sndMax it is of 2 GiB ago.)
  const isAnswered =
    ((c.sndUna - loss.echoedUntil) | 0) < 0 && ((c.sndMax - loss.echoedUntil) | 0) >= 0;
  if (c.repair >= FAST || isAnswered) return;
  loss.echoedUntil = c.sndMax;
  c.cwnd = reduce(c);
  c.ecn |= TCP_CWR;
  c.stack.counts.congestionEchoes += 1;
}

/** Flags for new data, and that CWR is on its way. */
export function takeDataFlags(c: Connection): number {
  const flags = c.ecn & ECN_FLAGS;
  c.ecn &= ~TCP_CWR;
  return flags;
}
