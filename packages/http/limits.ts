/** What a client may cost, and what happens past each bound. */

import { type Duration, millis, seconds } from '#core';

export interface HttpLimits {
  /** Request target; longer: 414. */
  readonly targetBytesMax: number;
  /** Request line and fields together; longer: 431. */
  readonly headBytesMax: number;
  /** Fields in a head; more: 431. */
  readonly fieldsMax: number;
  /** Request body; longer: 413. */
  readonly bodyBytesMax: number;
  /**
   * Connections open at once; one more: the oldest one that waits for a request goes, or else the
   * new one.
   */
  readonly connectionsMax: number;
  /** How many of them are looked at to find that one; none is found: the new one goes. */
  readonly evictionLooksMax: number;
  /** Bytes that all connections together hold while incomplete; more: 503 for the one that asks. */
  readonly heldBytesMax: number;
  /** A longer head, or one with Range, is read anew each time: every connection keeps its last. */
  readonly repeatedHeadBytesMax: number;
  /** Response bytes queued on a connection above which its next pipelined request waits. */
  readonly queuedBytesMax: number;
  /** How long a connection may wait for a first or next request; longer: closed. */
  readonly idleMax: Duration;
  /** How long a head may take from its first byte on; longer: 408. */
  readonly headMax: Duration;
  /**
   * Each `progressEvery`, a request body that is wanted (408) and a response that waits (abort)
   * must have ...
   */
  readonly progressEvery: Duration;
  /** ... moved by this much, or have come to its end. */
  readonly progressBytesMin: number;
  /** After the last response: how long the client has for closing its side; longer: abort. */
  readonly lingerMax: Duration;
  /** Bytes thrown away of a body that nobody wants, and while lingering; more: close, abort. */
  readonly discardBytesMax: number;
}

export const DEFAULT_LIMITS: HttpLimits = {
  targetBytesMax: 4_096,
  headBytesMax: 16_384,
  fieldsMax: 100,
  bodyBytesMax: 16_777_216,
  // Our own TCP has its memory budget, and fewer; a host's sockets have no other bound.
  connectionsMax: 16_384,
  evictionLooksMax: 256,
  heldBytesMax: 1_048_576,
  repeatedHeadBytesMax: 1_024,
  queuedBytesMax: 65_536,
  idleMax: seconds(30),
  headMax: seconds(10),
  progressEvery: seconds(10),
  progressBytesMin: 4_096,
  lingerMax: millis(2_000),
  discardBytesMax: 262_144,
};
