/**
 * Every bound of TCP, with what happens at it. Times are RFC 9293's and RFC 6298's unless said
 * otherwise.
 */

import { assert, type Duration, millis, seconds } from '#core';

export interface TcpLimits {
  readonly listenersMax: number;
  /**
   * Receive window of a connection at first, 4 KiB..1 MiB, and the most that it grows to while the
   * peer fills it (window.ts). Multiples of 2^shift of the latter, so that full windows are exact.
   */
  readonly receiveWindowBytes: number;
  readonly receiveWindowBytesMax: number;
  /** RST segments in answer to strays, per second; at least half of it. Beyond: silence. */
  readonly strayResetsPerSecondMax: number;
  /**
   * How long a peer may take nothing of what is written, while it says that it has no room (RFC
   * 9293 §3.8.6.1 has it wait for ever). Longer: reset, 'timeout', RFC 5482's user timeout.
   */
  readonly userTimeout: Duration;
}

export const DEFAULT_LIMITS: TcpLimits = {
  listenersMax: 64,
  receiveWindowBytes: 65_536,
  receiveWindowBytesMax: 1_048_576,
  strayResetsPerSecondMax: 100,
  userTimeout: seconds(300),
};

/**
 * What the memory budget is charged, so how many of each there can be follows from it. Measured in
 * QuickJS by bench/connection-memory.ts, and rounded up: a connection 1.2 KiB, and 0.6 KiB of a
 * route of its own; a record of TIME_WAIT 0.3 KiB; a receive queue 0.5 KiB and its ring.
 */
export const CONNECTION_BYTES = 2_048;
export const TIME_WAIT_BYTES = 384;
export const RECEIVE_QUEUE_BYTES = 768;
/** A place in the array of a send queue, and the least that is charged at once. */
export const CHUNK_BYTES = 16;
export const CHUNKS_STEP_BYTES = 512;
/**
 * When memory is scarce (memoryLevels.acceptSlows), so many connections open in a second. Beyond:
 * the acknowledgment that would open one is dropped, and comes again with the peer's data.
 */
export const ACCEPTS_PER_SECOND = 1_000;
export const ACCEPTS_BURST = 50;
/**
 * When there is none left: how long nothing happened on a connection that is reset for another,
 * with nothing queued, or with something that the peer doesn't take; and how many are looked at for
 * one that is needed. None is found: the new one is refused.
 */
export const IDLE_MIN: Duration = seconds(1);
export const STALLED_MIN: Duration = seconds(10);
export const IDLE_LOOKS_MAX = 64;
/**
 * SYNs to hosts that we stand in for, held until those were reached (foreign-tcp.ts): all of them,
 * and of one peer, so that it can't keep out the others. Beyond: dropped, and sent again by their
 * peers. After so long one is given up: as long as peers go on asking (RFC 9293 §3.8.3).
 */
export const HELD_SYNS_MAX = 1_024;
export const HELD_SYNS_PER_PEER_MAX = 512;
export const HELD_SYN_LENGTH: Duration = seconds(180);
/** Windows shrink no further. */
export const WINDOW_MIN = 4_096;
/** SYN cookies are good for one to two of these: far more than a round trip. */
export const COOKIE_PERIOD: Duration = seconds(16);

/** Out-of-order ranges kept for one connection. Full: the segment is dropped. */
export const RECEIVE_RANGES_MAX = 64;
/**
 * Runs of a flight (flight.ts). Full: a new SACK block is ignored, which only costs a
 * retransmission; what leaves joins the last run.
 */
export const FLIGHT_RUNS_MAX = 256;
/** Segments that leave within this part of a round trip may share a sent time. */
export const FLIGHT_GRAIN_SHARE = 1 / 32;
/** Ephemeral ports, RFC 6335 §6, and how many are tried at random before connect says 'no port'. */
export const EPHEMERAL_PORT_FIRST = 49_152;
export const EPHEMERAL_PORT_LAST = 65_535;
export const EPHEMERAL_TRIES_MAX = 64;

/**
 * RFC 6691: what a peer that says nothing can take; and the least that we cut to (RFC 791's 576,
 * less options).
 */
export const MSS_DEFAULT = 536;
export const MSS_MIN = 88;
/**
 * What an ICMP error can lower a path's MTU to: less is a sign of forgery (RFC 5927 §7.2), as Linux
 * has it.
 */
export const PATH_MTU_BYTES_MIN = 552;
/**
 * RFC 4821 §7.2: sizes of packets to try when larger ones vanish, after so many timeouts in a row;
 * and how long after that, or after an attempt that failed, a larger one is tried (RFC 8899
 * §5.1.1).
 */
export const PATH_PROBE_MTUS = [4_352, 1_500, 1_280, 1_024, 576] as const;
export const PATH_PROBE_TIMEOUTS = 3;
export const PATH_PROBE_INTERVAL: Duration = seconds(600);
/** RFC 6928. */
export const INITIAL_WINDOW_SEGMENTS = 10;
export const CONGESTION_WINDOW_BYTES_MAX = 16 * 1_048_576;
export const DUPLICATE_ACKS = 3;
/** RFC 3042: segments that the first duplicates let leave. */
export const LIMITED_TRANSMIT_SEGMENTS = 2;
/** RFC 3465 §2.3 as RFC 9406 §4.2 has it: segments by which one acknowledgment opens cwnd. */
export const SLOW_START_SEGMENTS = 8;
/** RFC 8985 §6.2.4: recoveries for which a wider reordering window stays; and the widest. */
export const REORDERING_PERSIST = 16;
export const REORDERING_WINDOW_MULT_MAX = 64;

export const RTO_INITIAL: Duration = seconds(1);
/**
 * Deviates: RFC 6298 §2.4 wants 1 s; 200 ms as Linux has it, above every delayed-ACK timer in use.
 */
export const RTO_MIN: Duration = millis(200);
/** RFC 6298 §5.7: when the SYN or its answer had to be sent again. */
export const RTO_AFTER_SYN_LOSS: Duration = seconds(3);
/** Added to two round trips before a tail loss probe: what timers and turns take. */
export const PROBE_SLACK: Duration = millis(2);
/**
 * Deviates: as above, but when no delayed acknowledgment has to be waited for, because the peer
 * holds data after a hole or got a second segment by a tail loss probe (RFC 5681 §4.2).
 */
export const RTO_MIN_PROMPT: Duration = millis(20);
/** So many retries in a row have that floor; then the usual one, so that DATA_RETRIES_MAX hold. */
export const PROMPT_RETRIES_MAX = 3;
export const RTO_MAX: Duration = seconds(60);
/** Retransmissions of data before 'timeout': more than 100 s for any RTO (RFC 9293 §3.8.3). */
export const DATA_RETRIES_MAX = 10;
/** 1 + 2 + 4 + ... + 60 + 60 s: three minutes, RFC 9293 §3.8.3. */
export const SYN_RETRIES_MAX = 7;
/** Deviates: RFC 9293 §3.8.3 asks for 3 minutes; half-open connections of strangers get 31 s. */
export const SYN_ACK_RETRIES_MAX = 4;
/** RFC 7323 §5.5: after so long without a segment the peer's last timestamp says nothing. */
export const TIMESTAMP_LIFE: Duration = seconds(24 * 86_400);
/** A flow's mark for `drained` as long as nobody set it and nothing made it grow. */
export const LOW_WATER_BYTES = 65_536;
/** A send queue that nobody set a mark for may grow to twice cwnd, and to this. */
export const SEND_MARK_BYTES_MAX = 1_048_576;
/**
 * Keep-alive: no sooner than this after the last segment; then so many probes without an answer, so
 * far apart, before 'timeout'. Deviates: RFC 9293 §3.8.4 has two hours as the least default; there
 * is no default here, it is off until the application says how long.
 */
export const KEEP_ALIVE_IDLE_MIN: Duration = seconds(1);
export const KEEP_ALIVE_INTERVAL: Duration = seconds(10);
export const KEEP_ALIVE_PROBES_MAX = 5;
/** RFC 9293 §3.8.6.3 allows 500 ms. */
export const ACK_DELAY: Duration = millis(40);
/**
 * Deviates: RFC 9293 §3.4.2 has 2 MSL = 4 minutes; as long as a segment lives in today's networks.
 */
export const TIME_WAIT_LENGTH: Duration = seconds(10);
/** Without a segment from the peer; Deviates: RFC 9293 has no such limit. */
export const FIN_WAIT_2_LENGTH: Duration = seconds(60);
/**
 * One challenge ACK a connection in this time (RFC 5961 §7); per connection, so that it leaks
 * nothing to others.
 */
export const CHALLENGE_INTERVAL: Duration = millis(500);
/** Challenge ACKs of all connections together, at most; at least half of it (jittered-rate.ts). */
export const CHALLENGES_PER_SECOND = 1_000;
/** When the device has no room and nobody calls transmitReady. */
export const TRANSMIT_RETRY: Duration = millis(1);

/** The smallest shift under which `windowBytes` fits the window field. */
export function windowShiftOf(windowBytes: number): number {
  let shift = 0;
  while (windowBytes >> shift > 0xffff) shift++;
  return shift;
}

export function checkLimits(limits: TcpLimits): void {
  const window = limits.receiveWindowBytes;
  const most = limits.receiveWindowBytesMax;
  assert(window >= 4_096 && window <= most && most <= 2 ** 30, 'receiveWindowBytes');
  const unit = 1 << windowShiftOf(most);
  assert(window % unit === 0 && most % unit === 0, 'receiveWindowBytes and the shift');
  assert(limits.listenersMax >= 1, 'listenersMax');
  assert(limits.strayResetsPerSecondMax >= 2, 'strayResetsPerSecondMax');
  assert(limits.userTimeout >= RTO_MAX, 'userTimeout: at least one probe at its slowest');
}
