/** What transports hear of ICMP errors, of either family (RFC 792, RFC 4443). */

import type { IpAddress } from './ip.ts';

export type IcmpErrorKind =
  | 'unreachable'
  | 'protocol unreachable'
  | 'port unreachable'
  /** Also ICMPv6's "packet too big". */
  | 'fragmentation needed'
  | 'time exceeded'
  | 'parameter problem';

/**
 * An error that a router or host reports about a packet we are said to have sent: a hint, never
 * proof.
 */
export interface IcmpError {
  readonly kind: IcmpErrorKind;
  /**
   * For 'fragmentation needed': the next hop's MTU, or our guess when it isn't told (RFC 1191 §5);
   * less than the packet.
   */
  readonly mtuBytes: number;
  /**
   * Of our packet: its source (ours), its destination, and at least 8 bytes of its transport
   * header, borrowed.
   */
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly transport: Uint8Array;
}

export interface IcmpErrorInput {
  /**
   * Verify that `error.transport` names something of yours, as far as its bytes go, before acting
   * on it. True when it does, and is in flight: only then is a path's MTU believed (RFC 5927 §7.2).
   */
  icmpError(error: IcmpError): boolean;
}
