/**
 * Standing in for other hosts: a stack that takes packets for addresses that aren't its own, and
 * answers in their name, as a user-mode NAT does (packages/gateway). Off unless a NetStack is told
 * `takeForeign`; then what isn't ours is asked for here, and nothing else changes. Read first:
 * ip.ts. Not here: what becomes of the packets (tcp/foreign-tcp.ts, udp/foreign-udp.ts).
 */

import type { IpAddress } from './ip.ts';

/** What a stack asks. `NetStack.takeForeign` keeps our own addresses out of it. */
export interface ForeignAddresses {
  /**
   * Whether packets for `address` are taken as if it were ours, and may leave from it; never for
   * one of ours, or one that is no host's. Always the same answer for the same address; asked more
   * often than once a packet at worst.
   */
  takes(address: IpAddress): boolean;
  /** Of those: whether the link is told that its station is ours (ARP, neighbour discovery). */
  isOnOurStation(address: IpAddress): boolean;
  /** Of those: whether an echo request is answered in its name; else its sender hears why not. */
  answersEcho(address: IpAddress): boolean;
}

/** What a packet's sender is told of a host that can't be reached. */
export type ForeignFault =
  /** The host itself says that nobody listens on the UDP port. */
  | 'port'
  /** There is no way to it. */
  | 'host'
  /** There may be one, but not from here (RFC 1812 §5.2.7.1, RFC 4443 §3.1). */
  | 'prohibited';

/** Tells the sender of the packet in frame[14..end). Rationed as all ICMP errors. */
export type ForeignErrors = (frame: Uint8Array, end: number, fault: ForeignFault) => void;
