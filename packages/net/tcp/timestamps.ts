// tidy: int32
/**
 * Timestamps, RFC 7323 §3 to §5: our clock as the peer sees it, and PAWS, which keeps segments of
 * an earlier time out. The option is on every segment of a connection or on none, so `headerBytes`
 * says whether it is in use. Not here: the layout (wire/tcp.ts), the fast path's own copy of the
 * rules (predicted.ts), what echoes tell about retransmissions (undo.ts).
 */

import type { Instant } from '#core';
import { TCP_HEADER_BYTES, TCP_TIMESTAMPS_BYTES, type TcpOptions } from '../wire/tcp.ts';
import type { Connection } from './connection.ts';
import { TIMESTAMP_LIFE } from './limits.ts';
import type { Segment } from './segment.ts';

/** `headerBytes` of a connection with timestamps. */
export const TIMESTAMPS_HEADER_BYTES = TCP_HEADER_BYTES + TCP_TIMESTAMPS_BYTES;

export const hasTimestamps = (c: Connection): boolean => c.headerBytes !== TCP_HEADER_BYTES;

/**
 * TSval: milliseconds (RFC 7323 §5.4 allows 1 ms to 1 s) from an origin that nobody else can tell,
 * another for each pair of addresses and ports (§7.1): it says nothing about how long we run.
 */
export const timestampAt = (now: Instant, offset: number): number => (now / 1_000 + offset) | 0;
export const timestampNow = (c: Connection): number =>
  (c.stack.timers.now / 1_000 + c.timestampOffset) | 0;

/** Both SYNs carried the option: from here on every segment does, RFC 7323 §3.2. */
export function startTimestamps(c: Connection, peerTimestamp: number): void {
  c.headerBytes = TIMESTAMPS_HEADER_BYTES;
  c.timestampRecent = peerTimestamp;
}

/** Bytes that the options of every segment take from its payload, RFC 6691. */
export const optionBytes = (c: Connection): number => c.headerBytes - TCP_HEADER_BYTES;

/** For segments with more than this option. */
export function addTimestamps(c: Connection, options: TcpOptions): void {
  if (!hasTimestamps(c)) return;
  options.hasTimestamps = true;
  options.timestamp = timestampNow(c);
  options.timestampEcho = c.timestampRecent;
}

/**
 * RFC 7323 §5.3, R1: false for a segment from an earlier time, which is dropped with an
 * acknowledgment. (Not asked of a RST, §5.2.)
 */
export function isTimely(c: Connection, s: Segment): boolean {
  if (((s.options.timestamp - c.timestampRecent) | 0) >= 0) return true;
  // §5.5: after 24 days the peer's clock may have gone around. (When TS.Recent was set is known
  // from what else happened then: data left, or half a window of it came.)
  return c.stack.timers.now - Math.max(c.sentAt, c.windowMarkAt) > TIMESTAMP_LIFE;
}

/**
 * RFC 7323 §4.3 (2), for an acceptable segment, trimmed to the window: TS.Recent follows when the
 * segment begins where our last acknowledgment ended. (That was at rcvNxt, when nothing is
 * unacknowledged.)
 */
export function noteTimestamp(c: Connection, s: Segment): void {
  if (s.seq === c.rcvNxt && c.ackSegments === 0) c.timestampRecent = s.options.timestamp;
}
