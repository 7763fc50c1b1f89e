// tidy: int32
/**
 * Keep-alive, RFC 9293 §3.8.4: off until the application asks for it. When nothing came for a
 * while, a segment that the peer has had already asks for an acknowledgment; after a few without an
 * answer the connection is given up, so that the dead leave memory. Read first: timers.ts.
 */

import { type Duration, FOREVER, type Instant } from '#core';
import { TCP_ACK } from '../wire/tcp.ts';
import type { Connection } from './connection.ts';
import { emitControl } from './emit.ts';
import { KEEP_ALIVE_IDLE_MIN, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_PROBES_MAX } from './limits.ts';
import { ESTABLISHED } from './state.ts';
import { armTimer } from './timers.ts';

export interface KeepAlive {
  readonly idle: Duration;
  /** When to look next. */
  at: Instant;
  /** What had come when we last looked. */
  mark: number;
  /** A probe is on its way; `retries` counts those without an answer. */
  isProbing: boolean;
}

/** `idle` below KEEP_ALIVE_IDLE_MIN counts as that; null ends it. */
export function setKeepAlive(c: Connection, idle: Duration | null): void {
  if (idle === null) {
    c.keepAlive = null;
    return;
  }
  const wait = Math.max(idle, KEEP_ALIVE_IDLE_MIN) as Duration;
  const at = (c.stack.timers.now + wait) as Instant;
  c.keepAlive = { idle: wait, at, mark: markOf(c), isProbing: false };
  armTimer(c, at);
}

export const keepAliveAt = (c: Connection): Instant => c.keepAlive?.at ?? FOREVER;

/** The time has come to look. */
export function onKeepAlive(c: Connection, keep: KeepAlive, now: Instant): void {
  const mark = markOf(c);
  const isQuiet = mark === keep.mark && c.state >= ESTABLISHED && c.sndMax === c.sndUna;
  // An answer to a probe brings nothing new, but ends its retries (arrives.ts).
  if (!isQuiet || (keep.isProbing && c.retries === 0)) {
    keep.mark = mark;
    keep.isProbing = false;
    keep.at = (now + keep.idle) as Instant;
    return;
  }
  if (keep.isProbing && c.retries >= KEEP_ALIVE_PROBES_MAX) {
    c.stack.remove(c, 'timeout');
    return;
  }
  keep.isProbing = true;
  c.retries += 1;
  c.stack.counts.keepAlives += 1;
  keep.at = (now + KEEP_ALIVE_INTERVAL) as Instant;
  emitControl(c, (c.sndMax - 1) | 0, TCP_ACK, null);
}

const markOf = (c: Connection): number => (c.rcvNxt + c.sndUna) | 0;
