/**
 * Receiving IPv4: what is plain and for our primary address goes to its transport after one
 * comparison chain; everything else is looked at again slowly, and each reason to drop has a
 * counter. Read first: RFC 791, RFC 1122 §3.2, RFC 1812 §5.3.7. Not here: forwarding.
 */

import { assert, hot, writeU16be } from '#core';
import type { ForeignAddresses } from '../foreign.ts';
import {
  type Ipv4Address,
  PROTOCOL_IGMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  type TransportInput,
} from '../ip.ts';
import { IPV4_ANY, IPV4_BROADCAST, isHostAddress, isMulticast } from '../ip-address.ts';
import type { LinkInput } from '../link/ethernet-link.ts';
import type { FragmentOwner, Reassembly } from '../reassembly.ts';
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts';
import {
  checkIpv4,
  IPV4_BYTES_MAX,
  IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_HEADER_BYTES,
  IPV4_MORE_FRAGMENTS_BIT,
  ipv4Destination,
  ipv4Fragment,
  ipv4HeaderBytes,
  ipv4Identification,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalBytes,
  ipv4Ttl,
} from '../wire/ipv4.ts';
import {
  checkIpv4Options,
  hasIpv4Option,
  IPV4_OPTION_LOOSE_SOURCE_ROUTE,
  IPV4_OPTION_STRICT_SOURCE_ROUTE,
} from '../wire/ipv4-options.ts';
import { TCP_HEADER_BYTES } from '../wire/tcp.ts';
import type { InterfaceAddresses } from './interface-addresses.ts';

/** No 32-bit address equals it. */
const NO_SOURCE = 0x100000000;
const FRAGMENT_MASK = IPV4_MORE_FRAGMENTS_BIT | IPV4_FRAGMENT_OFFSET_MASK;
const TRANSPORT_AT = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;
const TOTAL_BYTES_AT = ETHERNET_HEADER_BYTES + 2;
const FRAGMENT_AT = ETHERNET_HEADER_BYTES + 6;
const TTL_AT = ETHERNET_HEADER_BYTES + 8;
const CHECKSUM_AT = ETHERNET_HEADER_BYTES + 10;

/**
 * Tells senders what is wrong with their packets (icmpv4/). frame[at..end) is what follows the IP
 * header; nobody else than us was addressed, unless said otherwise.
 */
export interface Ipv4Errors {
  protocolUnreachable(frame: Uint8Array, at: number, end: number): void;
  /** `pointer`: the offset in the IP header of what is wrong. */
  parameterProblem(frame: Uint8Array, at: number, end: number, pointer: number): void;
  /** The rest of the datagram that this first fragment begins didn't come in time. */
  reassemblyTimeExceeded(frame: Uint8Array, at: number, end: number): void;
  /** A packet for another host may go no further than to us. */
  timeExceeded(frame: Uint8Array, end: number): void;
}

/** The multicast groups that we belong to. */
export interface Ipv4Groups {
  isMember(group: Ipv4Address): boolean;
}

export class Ipv4Input implements LinkInput, FragmentOwner {
  readonly counters = {
    ipv4Received: 0,
    ipv4Malformed: 0,
    ipv4BadChecksum: 0,
    ipv4BadOptions: 0,
    ipv4SourceRouted: 0,
    ipv4TinyFragments: 0,
    ipv4Fragments: 0,
    /** Sources that no packet of another host has, by reason (RFC 1812 §5.3.7, RFC 6890). */
    ipv4SourceNone: 0,
    ipv4SourceLoopback: 0,
    ipv4SourceMulticast: 0,
    ipv4SourceReserved: 0,
    ipv4SourceBroadcast: 0,
    ipv4SourceOurs: 0,
    /** Destinations that aren't ours; one host's in a frame for many; groups not joined. */
    ipv4NotOurs: 0,
    /** For others, taken by `foreign`, but from no neighbour, or with no hop left. */
    ipv4ForeignSource: 0,
    ipv4ForeignTtl: 0,
    ipv4LinkBroadcast: 0,
    ipv4NotJoined: 0,
    ipv4GroupForTcp: 0,
    ipv4UnknownProtocol: 0,
  };
  /** Without a longer header. */
  readonly payloadBytesMax = IPV4_BYTES_MAX - IPV4_HEADER_BYTES;
  /**
   * While we have no address: UDP to any address that came to our station is delivered, for a DHCP
   * server that sends to the address it gives (RFC 2131 §4.1).
   */
  acceptsAnyDestination = false;
  /** Null unless we stand in for others. */
  foreign: ForeignAddresses | null = null;
  private readonly addresses: InterfaceAddresses;
  private readonly groups: Ipv4Groups;
  private readonly reassembly: Reassembly;
  private readonly errors: Ipv4Errors;
  private readonly transports: (TransportInput | null)[] = new Array(256).fill(null);
  private received = 0;
  /** A source that passed `isGoodSource` since the last `reset`. */
  private goodSource: number = NO_SOURCE;
  /** A destination that `foreign` took, and a source that may send to it, since then. */
  private goodForeign: number = NO_SOURCE;
  private goodForeignSource: number = NO_SOURCE;

  constructor(
    addresses: InterfaceAddresses,
    groups: Ipv4Groups,
    reassembly: Reassembly,
    errors: Ipv4Errors,
  ) {
    this.addresses = addresses;
    this.groups = groups;
    this.reassembly = reassembly;
    this.errors = errors;
  }

  /** Once a protocol (0..255). */
  register(protocol: number, transport: TransportInput): void {
    assert(this.transports[protocol] === null, 'protocol registered twice');
    this.transports[protocol] = transport;
  }

  /** Our addresses changed. */
  reset(): void {
    this.goodSource = NO_SOURCE;
    this.goodForeign = NO_SOURCE;
    this.goodForeignSource = NO_SOURCE;
  }

  frame(frame: Uint8Array, fields: Int32Array, isGroup: boolean, checksumGood: boolean): void {
    // The indexes are those of `field` in link/ethernet-link.ts; named lookups would double this
    // path's cost.
    const totalBytes = fields[4]!;
    const source = fields[7] as Ipv4Address;
    const destination = this.addresses.primary;
    if (
      fields[3] === 0x45 &&
      fields[8] === destination &&
      (fields[5]! & FRAGMENT_MASK) === 0 &&
      totalBytes >= IPV4_HEADER_BYTES &&
      totalBytes + ETHERNET_HEADER_BYTES <= frame.length &&
      (source === this.goodSource || this.isGoodSource(source)) &&
      !isGroup &&
      destination !== IPV4_ANY &&
      hot.checksum(frame, ETHERNET_HEADER_BYTES, IPV4_HEADER_BYTES, 0) === 0xffff
    ) {
      const transport = this.transports[fields[6]!];
      if (transport) {
        this.received += 1;
        const end = totalBytes + ETHERNET_HEADER_BYTES;
        transport.packet(frame, TRANSPORT_AT, end, source, destination, checksumGood);
        return;
      }
    }
    if (this.foreign !== null && this.isPlainForeign(frame, fields, isGroup)) {
      const transport = this.transports[fields[6]!];
      if (transport) {
        this.received += 1;
        const end = totalBytes + ETHERNET_HEADER_BYTES;
        const to = fields[8] as Ipv4Address;
        transport.packet(frame, TRANSPORT_AT, end, source, to, checksumGood);
        return;
      }
    }
    this.receiveSlowly(frame, isGroup, checksumGood);
  }

  /** RFC 1122 §3.3.2: the sender hears of it. The head and payload become a packet again. */
  reassemblyExpired(head: Uint8Array, payload: Uint8Array): void {
    const frame = new Uint8Array(head.length + payload.length);
    hot.copy(frame, 0, head, 0, head.length);
    hot.copy(frame, head.length, payload, 0, payload.length);
    this.errors.reassemblyTimeExceeded(frame, head.length, frame.length);
  }

  /** Folds the hot path's counter into the named ones. */
  snapshot(): Readonly<Record<string, number>> {
    this.counters.ipv4Received = this.received;
    return this.counters;
  }

  /** As the chain in `frame`, for a destination and a source that were looked at before. */
  private isPlainForeign(frame: Uint8Array, fields: Int32Array, isGroup: boolean): boolean {
    const totalBytes = fields[4]!;
    return (
      fields[3] === 0x45 &&
      fields[8] === this.goodForeign &&
      fields[7] === this.goodForeignSource &&
      (fields[5]! & FRAGMENT_MASK) === 0 &&
      totalBytes >= IPV4_HEADER_BYTES &&
      totalBytes + ETHERNET_HEADER_BYTES <= frame.length &&
      !isGroup &&
      frame[TTL_AT]! > 1 &&
      hot.checksum(frame, ETHERNET_HEADER_BYTES, IPV4_HEADER_BYTES, 0) === 0xffff
    );
  }

  private receiveSlowly(frame: Uint8Array, isGroup: boolean, checksumGood: boolean): void {
    const b = frame.subarray(ETHERNET_HEADER_BYTES);
    const fault = checkIpv4(b);
    if (fault !== null) {
      if (fault.kind === 'checksum') this.counters.ipv4BadChecksum += 1;
      else this.counters.ipv4Malformed += 1;
      return;
    }
    if (!this.isAcceptable(b, isGroup)) return;
    const at = ETHERNET_HEADER_BYTES + ipv4HeaderBytes(b);
    const end = ETHERNET_HEADER_BYTES + ipv4TotalBytes(b);
    if (at > TRANSPORT_AT && !this.areOptionsGood(frame, at, end)) return;
    if ((ipv4Fragment(b) & FRAGMENT_MASK) === 0) {
      this.deliver(frame, at, end, isGroup, checksumGood);
      return;
    }
    const whole = this.reassembled(frame, b, at, end);
    if (whole === null) return;
    const wholeAt = ETHERNET_HEADER_BYTES + ipv4HeaderBytes(whole.subarray(ETHERNET_HEADER_BYTES));
    this.deliver(whole, wholeAt, whole.length, isGroup, false);
  }

  /** A packet from another host, for us; else counted by reason. */
  private isAcceptable(b: Uint8Array, isGroup: boolean): boolean {
    const source = ipv4Source(b);
    const destination = ipv4Destination(b);
    const protocol = ipv4Protocol(b);
    // A host that asks for its address has none (RFC 1122 §3.2.1.3 (a)), nor has a switch that asks
    // for group members (RFC 3376 §4.2.13 for reports, RFC 4541 §2.1.1 for queries).
    const isAsking =
      source === IPV4_ANY &&
      ((destination === IPV4_BROADCAST && protocol === PROTOCOL_UDP) ||
        (isMulticast(destination) && protocol === PROTOCOL_IGMP));
    if (!isAsking && !this.isGoodSource(source)) {
      this.counters[this.badSourceReason(source)] += 1;
      return false;
    }
    if (this.addresses.isBroadcast(destination)) return true;
    if (isMulticast(destination)) {
      if (this.groups.isMember(destination)) return true;
      this.counters.ipv4NotJoined += 1;
      return false;
    }
    if (this.acceptsAnyDestination && protocol === PROTOCOL_UDP && isHostAddress(destination)) {
      return true;
    }
    if (!this.addresses.isOurs(destination)) {
      if (this.foreign !== null && !isGroup) return this.isForeignTaken(b, source, destination);
      this.counters.ipv4NotOurs += 1;
      return false;
    }
    // One host's address in a frame for all stations is somebody's mistake (RFC 1122 §3.3.6).
    if (isGroup) this.counters.ipv4LinkBroadcast += 1;
    return !isGroup;
  }

  /** A neighbour's packet for a host that we stand in for; else counted by reason. */
  private isForeignTaken(b: Uint8Array, source: Ipv4Address, destination: Ipv4Address): boolean {
    if (this.foreign?.takes(destination) !== true) {
      this.counters.ipv4NotOurs += 1;
      return false;
    }
    // Nobody else's answers would find their way back.
    if (!this.addresses.isOnLink(source)) {
      this.counters.ipv4ForeignSource += 1;
      return false;
    }
    if (this.isLastHop(b, destination)) {
      this.counters.ipv4ForeignTtl += 1;
      return true;
    }
    this.goodForeign = destination;
    this.goodForeignSource = source;
    return true;
  }

  /** Whether a packet for a host that is farther than we are comes no farther than to us. */
  private isLastHop(b: Uint8Array, destination: Ipv4Address): boolean {
    const { foreign } = this;
    if (ipv4Ttl(b) > 1 || foreign?.takes(destination) !== true) return false;
    return !foreign.isOnOurStation(destination);
  }

  /**
   * Source routes are refused (RFC 7126 §4.3, §4.4): they make us speak to whom the sender likes.
   * Other options are skipped. Malformed ones are told to the sender (RFC 1122 §3.2.2.5).
   */
  private areOptionsGood(frame: Uint8Array, at: number, end: number): boolean {
    const options = frame.subarray(TRANSPORT_AT, at);
    const fault = checkIpv4Options(options);
    if (fault !== null) {
      this.counters.ipv4BadOptions += 1;
      const offset = fault.kind === 'field' ? fault.offset : 0;
      this.errors.parameterProblem(frame, at, end, IPV4_HEADER_BYTES + offset);
      return false;
    }
    const isRouted =
      hasIpv4Option(options, IPV4_OPTION_LOOSE_SOURCE_ROUTE) ||
      hasIpv4Option(options, IPV4_OPTION_STRICT_SOURCE_ROUTE);
    if (isRouted) this.counters.ipv4SourceRouted += 1;
    return !isRouted;
  }

  /** The frame of a whole packet, when the fragment at frame[at..end) was its last piece. */
  private reassembled(
    frame: Uint8Array,
    b: Uint8Array,
    at: number,
    end: number,
  ): Uint8Array | null {
    this.counters.ipv4Fragments += 1;
    const fragment = ipv4Fragment(b);
    const offset = fragment & IPV4_FRAGMENT_OFFSET_MASK;
    const protocol = ipv4Protocol(b);
    // A TCP header cut in two hides its flags from whoever filters by them (RFC 1858 §3, RFC 3128).
    const isTiny = offset === 1 || (offset === 0 && end - at < TCP_HEADER_BYTES);
    if (protocol === PROTOCOL_TCP && isTiny) {
      this.counters.ipv4TinyFragments += 1;
      return null;
    }
    const whole = this.reassembly.take(
      {
        key: `4 ${ipv4Source(b)} ${ipv4Destination(b)} ${protocol} ${ipv4Identification(b)}`,
        at: offset * 8,
        isMore: (fragment & IPV4_MORE_FRAGMENTS_BIT) !== 0,
        head: frame.subarray(0, at),
        payload: frame.subarray(at, end),
      },
      this,
    );
    if (whole === null) return null;
    const totalBytes = whole.length - ETHERNET_HEADER_BYTES;
    if (totalBytes > IPV4_BYTES_MAX) {
      // Only with options in the first fragment's header.
      this.counters.ipv4Malformed += 1;
      return null;
    }
    const headerBytes = ipv4HeaderBytes(whole.subarray(ETHERNET_HEADER_BYTES));
    writeU16be(whole, TOTAL_BYTES_AT, totalBytes);
    writeU16be(whole, FRAGMENT_AT, 0);
    writeU16be(whole, CHECKSUM_AT, 0);
    const sum = hot.checksum(whole, ETHERNET_HEADER_BYTES, headerBytes, 0);
    writeU16be(whole, CHECKSUM_AT, 0xffff - sum);
    return whole;
  }

  private deliver(
    frame: Uint8Array,
    at: number,
    end: number,
    isGroup: boolean,
    checksumGood: boolean,
  ): void {
    const b = frame.subarray(ETHERNET_HEADER_BYTES);
    const destination = ipv4Destination(b);
    const protocol = ipv4Protocol(b);
    if (this.foreign !== null && this.isLastHop(b, destination)) {
      this.errors.timeExceeded(frame, end);
      return;
    }
    const isForMany =
      isGroup || isMulticast(destination) || this.addresses.isBroadcast(destination);
    if (protocol === PROTOCOL_TCP && isForMany) {
      this.counters.ipv4GroupForTcp += 1; // RFC 9293 §3.9.2.3.
      return;
    }
    const transport = this.transports[protocol];
    if (!transport) {
      this.counters.ipv4UnknownProtocol += 1;
      if (!isForMany) this.errors.protocolUnreachable(frame, at, end);
      return;
    }
    this.received += 1;
    transport.packet(frame, at, end, ipv4Source(b), destination, checksumGood);
  }

  /** One host that isn't us (RFC 1122 §3.2.1.3); remembers the last good one. */
  private isGoodSource(source: Ipv4Address): boolean {
    if (!isHostAddress(source)) return false;
    if (this.addresses.isOurs(source) || this.addresses.isBroadcast(source)) return false;
    this.goodSource = source;
    return true;
  }

  private badSourceReason(source: Ipv4Address): BadSource {
    const high = (source >> 24) & 255;
    if (this.addresses.isOurs(source)) return 'ipv4SourceOurs';
    if (this.addresses.isBroadcast(source)) return 'ipv4SourceBroadcast';
    if (isMulticast(source)) return 'ipv4SourceMulticast';
    if (high === 0) return 'ipv4SourceNone';
    return high === 127 ? 'ipv4SourceLoopback' : 'ipv4SourceReserved';
  }
}

type BadSource =
  | 'ipv4SourceNone'
  | 'ipv4SourceLoopback'
  | 'ipv4SourceMulticast'
  | 'ipv4SourceReserved'
  | 'ipv4SourceBroadcast'
  | 'ipv4SourceOurs';
