// tidy: int32
/**
 * Ways that swallow large packets without a word: packetization layer path MTU discovery, RFC 4821
 * (as RFC 8899 has it for datagrams). When full segments time out again and again they become
 * smaller; later one larger segment tries whether the way takes it again, and when only that is
 * lost, congestion isn't to blame. Not here: what routers say (icmp.ts, ../path-mtu.ts).
 */

import { after, type Instant, type SeqNumber } from '#core';
import type { Connection } from './connection.ts';
import type { Flight } from './flight.ts';
import { PATH_PROBE_INTERVAL, PATH_PROBE_MTUS, PATH_PROBE_TIMEOUTS } from './limits.ts';
import { sendSegment } from './output.ts';
import { armRetransmit } from './timers.ts';
import { optionBytes } from './timestamps.ts';

export class PathProbe {
  /** The segment size before the first reduction. */
  readonly mssMax: number;
  /** When a larger segment may be tried. */
  nextAt: Instant;
  /** The one that is in flight: size 0 when none is. */
  size = 0;
  end: SeqNumber;

  constructor(c: Connection) {
    this.mssMax = c.mss;
    this.nextAt = after(c.stack.timers.now, PATH_PROBE_INTERVAL);
    this.end = c.sndUna;
  }
}

/** Payload of a full segment in a packet of `mtuBytes`. */
const mssIn = (c: Connection, mtuBytes: number): number =>
  mtuBytes - c.route.headerBytes - c.headerBytes;

/**
 * The retransmission timer expired: from the third time in a row on, each time, segments become
 * smaller than those in flight, which needn't be full. The smallest is tried before the connection
 * is given up, whatever the first were.
 */
export function shrinkSegments(c: Connection): void {
  if (c.retries < PATH_PROBE_TIMEOUTS) return;
  // What the peer reported came through; but that may be small segments, each of them.
  const reported = c.flight === null ? 0 : c.flight.sackedBytes;
  if (reported >= c.mss && c.retries < 2 * PATH_PROBE_TIMEOUTS) return;
  const inFlight = Math.min(c.mss, (c.sndMax - c.sndUna) | 0);
  for (const mtuBytes of PATH_PROBE_MTUS) {
    const mss = mssIn(c, mtuBytes);
    if (mss >= inFlight) continue;
    c.pathProbe ??= new PathProbe(c);
    c.pathProbe.nextAt = after(c.stack.timers.now, PATH_PROBE_INTERVAL);
    c.mss = mss;
    c.stack.counts.blackHoles += 1;
    return;
  }
}

/** Tries the next larger size when it is time and there is enough to send. True when it left. */
export function tryLarger(c: Connection, probe: PathProbe): boolean {
  const { now } = c.stack.timers;
  if (probe.size > 0) {
    if (((c.sndUna - probe.end) | 0) < 0) return false;
    // It arrived.
    c.mss = probe.size;
    probe.size = 0;
    probe.nextAt = now;
    if (c.mss >= probe.mssMax) {
      c.pathProbe = null;
      return false;
    }
  }
  if (now < probe.nextAt || c.sndNxt !== c.sndMax) return false;
  const size = nextSize(c, probe);
  if (size <= c.mss) {
    // The way itself became smaller.
    c.pathProbe = null;
    return false;
  }
  const flight = (c.sndNxt - c.sndUna) | 0;
  const window = Math.min(c.sndWnd, c.cwnd);
  // What follows makes its loss known by RFC 8985.
  if (window - flight < size + 3 * c.mss || c.queuedBytes - flight < size + 3 * c.mss) return false;
  const { mss } = c;
  c.mss = size;
  const isSent = sendSegment(c, size, false);
  c.mss = mss;
  if (!isSent) return false;
  if (flight === 0) armRetransmit(c);
  probe.size = size;
  probe.end = c.sndNxt;
  return true;
}

/** Half of the way up to the largest, or all of it when little is left: RFC 4821 §7.3. */
function nextSize(c: Connection, probe: PathProbe): number {
  const most = Math.min(probe.mssMax, c.stack.mssOf(c.route, 0) - optionBytes(c));
  for (let i = PATH_PROBE_MTUS.length - 1; i >= 0; i--) {
    const mss = mssIn(c, PATH_PROBE_MTUS[i]!);
    if (mss > c.mss && mss < most) return mss;
  }
  return Math.max(most, c.mss);
}

/** Whether all that is lost is the larger segment: then the way doesn't take it, and that's all. */
export function isOnlyProbe(c: Connection, flight: Flight): boolean {
  const { pathProbe } = c;
  if (pathProbe === null || pathProbe.size === 0) return false;
  const isIt = flight.lostBytes === pathProbe.size && flight.nextLost();
  const end = (flight.lostStart + pathProbe.size) | 0;
  giveUp(c);
  return isIt && end === pathProbe.end;
}

/** The larger segment didn't arrive, or nobody knows: try again much later. */
export function giveUp(c: Connection): void {
  const { pathProbe } = c;
  if (pathProbe === null || pathProbe.size === 0) return;
  pathProbe.size = 0;
  pathProbe.nextAt = after(c.stack.timers.now, PATH_PROBE_INTERVAL);
}
