/**
 * What transports (UDP, TCP, ICMP) and IP see of each other. A packet is built in place, in the
 * device's memory: `begin`, write the transport header and payload at `route.transportAt`,
 * `finish`. Not here: IP itself (ipv4/) and the transports.
 */

import type { ChecksumRequest } from '#device';
import type { Ipv6Address } from './ipv6-address.ts';

/** An IPv4 address as a signed 32-bit integer, network order: 10.0.2.15 is 0x0a00020f. */
declare const ipv4: unique symbol;
export type Ipv4Address = number & { readonly [ipv4]: true };
/** Tell them apart by `typeof`; compare with `sameAddress` of ip-family.ts. */
export type IpAddress = Ipv4Address | Ipv6Address;

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_IGMP = 2;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
/** For IpOutput.finish: TCP in a packet that says ECT(0), RFC 3168 §5. */
export const PROTOCOL_TCP_ECT = 0x0106;

/** A way to one destination: kept by a connection, shared between connections, refreshed by IP. */
export interface Route {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** What packets on this way are begun and finished with. */
  readonly output: IpOutput;
  /** Where the transport header starts in the frame: 34 for IPv4 on Ethernet, 54 for IPv6. */
  readonly transportAt: number;
  /** The IP header's part of `transportAt`, and of `mtuBytes`. */
  readonly headerBytes: number;
  /** Largest IP packet that needs no fragmentation on this way. */
  readonly mtuBytes: number;
  /** To a broadcast address or a group. */
  readonly isForMany: boolean;
}

/** Finds ways, of either family. */
export interface IpRouter {
  /**
   * The way to `destination`, from `source` when given; null when there is none. Of one family
   * both, and the route's addresses are the ones to keep: they are this stack's own objects.
   */
  route(destination: IpAddress, source?: IpAddress): Route | null;
}

/** Sends packets of one family. */
export interface IpOutput {
  /** Memory for one frame (NetDevice.reserve), or null when the transmit queue is full. */
  begin(): Uint8Array | null;
  /**
   * Writes the Ethernet and IP headers before `transportBytes` bytes at `route.transportAt` and
   * sends the frame, followed by `parts` (see NetDevice.commit). When the next hop's link address
   * isn't known yet the packet is copied into a bounded queue and the link asked. `transportBytes`
   * excludes `parts`. Don't-fragment is set for TCP.
   */
  finish(
    route: Route,
    protocol: number,
    transportBytes: number,
    parts: readonly Uint8Array[],
    checksum: ChecksumRequest | null,
  ): void;
  /**
   * Sends a packet that isn't TCP's, of any length up to 65,535 with its headers: in fragments
   * when it is larger than `route.mtuBytes`. Borrows `transport`. False when there is no way any
   * more, or the transmit queue had no room for all of it.
   */
  sendDatagram(route: Route, protocol: number, transport: Uint8Array): boolean;
  /**
   * For a burst of TCP packets that differ in nothing before the transport header: writes what
   * `finish` would into head[0..route.transportAt). False when the next hop's link address isn't
   * known, or such packets are too long for the way: then send them one by one.
   */
  burst(route: Route, transportBytes: number, head: Uint8Array): boolean;
  /** Sends the memory of the last `begin`: `frameBytes` that begin with a burst's headers. */
  commitBurst(frameBytes: number): void;
}

/** Which addresses are ours, for transports. */
export interface LocalAddresses {
  /** The source of what has no other; 0 when there is none. */
  readonly primary: IpAddress;
  isOurs(address: IpAddress): boolean;
  /** A destination that other hosts share with us: broadcast, or a group that we belong to. */
  isShared(address: IpAddress): boolean;
  isMulticast(address: IpAddress): boolean;
  /** Belongs to a multicast group once more; false when it is none, or one too many. */
  join(group: IpAddress): boolean;
  /** Undoes one `join` that returned true. */
  leave(group: IpAddress): void;
}

/** A transport's receiving side, registered with IP by protocol number. */
export interface TransportInput {
  /**
   * A packet for one of our addresses: transport header and payload in frame[at..end). Borrowed for
   * this call.
   * `checksumGood`: the transport checksum must not be verified (NetHandler.receive).
   */
  packet(
    frame: Uint8Array,
    at: number,
    end: number,
    source: IpAddress,
    destination: IpAddress,
    checksumGood: boolean,
  ): void;
}
