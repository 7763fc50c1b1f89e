/** What servers may cost a client, and what happens past each bound. */

import { assert, type Duration, seconds } from '#core';

export interface ClientLimits {
  /** Status line and fields together; longer: 'malformed'. */
  readonly headBytesMax: number;
  /** Fields in a head; more: 'malformed'. */
  readonly fieldsMax: number;
  /** Interim responses (1xx) before the one that counts; more: 'malformed'. */
  readonly interimMax: number;
  /** Connections to one origin at once; one more: its request waits. */
  readonly originConnectionsMax: number;
  /** Connections in all; one more: the one idle for the longest goes, or else the request waits. */
  readonly connectionsMax: number;
  /** Requests that wait for a connection, in all; one more: 'busy'. */
  readonly waitingMax: number;
  /** How often a request goes to another connection because the one it got was dead. */
  readonly retriesMax: number;
  /** How long an idle connection is kept when its server says nothing: less than servers do ... */
  readonly idleMax: Duration;
  /** ... and at most, when it does. */
  readonly idleToldMax: Duration;
  /** How long nothing may move of a request, or of its response; longer: 'timeout'. */
  readonly stallMax: Duration;
  /** A rest of so many bytes is read and thrown away to keep the connection; more: it is closed. */
  readonly discardBytesMax: number;
}

export const DEFAULT_CLIENT_LIMITS: ClientLimits = {
  headBytesMax: 32_768,
  fieldsMax: 200,
  interimMax: 8,
  originConnectionsMax: 16,
  connectionsMax: 128,
  waitingMax: 1_024,
  retriesMax: 3,
  idleMax: seconds(4),
  idleToldMax: seconds(60),
  stallMax: seconds(300),
  discardBytesMax: 16_384,
};

export function checkClientLimits(limits: ClientLimits): void {
  assert(limits.originConnectionsMax >= 1 && limits.connectionsMax >= 1);
  assert(limits.headBytesMax >= 64 && limits.fieldsMax >= 1);
  assert(limits.idleMax > 0 && limits.idleMax <= limits.idleToldMax && limits.stallMax > 0);
}
