// tidy: int32
/**
 * ICMP errors about our segments, RFC 5927 and RFC 9293 §3.9.2.2: hints, believed only when they
 * quote a sequence number that is in flight. They end an open that never had an answer, and lower
 * the path's MTU (RFC 1191); an open connection is never broken by them.
 */

import { applyHeld } from './ack.ts';
import type { Connection } from './connection.ts';
import { PATH_MTU_BYTES_MIN } from './limits.ts';
import { output } from './output.ts';
import { PathProbe } from './path-probe.ts';
import { loseAll } from './recovery.ts';
import { SYN_SENT } from './state.ts';

/** Whether `seq`, from an error's quote, is of a segment that we sent and that isn't answered. */
export const isInFlight = (c: Connection, seq: number): boolean =>
  ((seq - c.sndUna) | 0) >= 0 && ((c.sndMax - seq) | 0) > 0;

/** An open without an answer fails: the way is closed, RFC 1122 §4.2.3.9. */
export function unreachable(c: Connection, seq: number): void {
  if (c.state !== SYN_SENT || seq !== c.sndUna) return;
  const opener = c.opener;
  c.opener = null;
  c.stack.remove(c, 'reset');
  opener?.failed(c, 'unreachable');
}

/** A segment in flight was too large for the way; `mtuBytes` is the next hop's. */
export function fragmentationNeeded(c: Connection, mtuBytes: number): void {
  applyHeld(c);
  if (c.isClosed()) return;
  const mtu = Math.max(PATH_MTU_BYTES_MIN, mtuBytes);
  const mss = mtu - c.route.headerBytes - c.headerBytes;
  if (mss >= c.mss) return;
  c.stack.counts.pathMtu += 1;
  c.pathProbe ??= new PathProbe(c);
  c.mss = mss;
  if (c.state === SYN_SENT) return;
  // RFC 1191 §6.4: again at once, and no sign of congestion.
  loseAll(c);
  output(c);
}
