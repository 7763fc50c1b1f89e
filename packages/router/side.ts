/**
 * One interface of the router: takes every IPv4 frame that the link has for our station, leaves to
 * the stack what is its own, and gives the rest to the router. Not here: which way it goes
 * (router.ts).
 */

import type { NetDevice } from '#device';
import {
  type ForwardingHop,
  type Ipv4Address,
  Ipv4Forwarding,
  isHostAddress,
  type LinkInput,
  type NetStack,
  PROTOCOL_TCP,
} from '#net';
import {
  checkIpv4Options,
  ETHERNET_HEADER_BYTES,
  ETHERTYPE_IPV4,
  hasIpv4Option,
  ICMPV4_CODE_FRAGMENTATION_NEEDED,
  ICMPV4_CODE_HOST,
  ICMPV4_CODE_NET,
  ICMPV4_CODE_PORT,
  ICMPV4_CODE_TRANSIT,
  ICMPV4_PARAMETER_PROBLEM,
  ICMPV4_TIME_EXCEEDED,
  ICMPV4_UNREACHABLE,
  IPV4_HEADER_BYTES,
  IPV4_OPTION_LOOSE_SOURCE_ROUTE,
  IPV4_OPTION_STRICT_SOURCE_ROUTE,
  TCP_SYN,
} from '#net/wire';
import type { RouterCounters } from './counters.ts';
import { Egress } from './egress.ts';
import { clampMss } from './mss.ts';
import { type Packet, PROTOCOL, type ReadResult, TCP_FLAGS, TTL } from './packet.ts';

const OPTIONS_AT = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;

/** What a side does with a frame that isn't for everybody. */
export type Taker = (frame: Uint8Array, fields: Int32Array, checksumGood: boolean) => void;

export class Side implements LinkInput {
  readonly name: 'inside' | 'outside';
  readonly forwarding: Ipv4Forwarding;
  readonly device: NetDevice;
  readonly egress: Egress<ForwardingHop>;
  readonly own: LinkInput;
  private readonly counters: RouterCounters;
  private readonly take: Taker;

  /** `unresolved`: see Ipv4Forwarding. */
  constructor(
    name: Side['name'],
    net: NetStack,
    counters: RouterCounters,
    take: Taker,
    unresolved: (side: Side, head: Uint8Array) => boolean,
  ) {
    this.name = name;
    this.forwarding = net.forwardIpv4(
      (parts) => new Ipv4Forwarding(parts, this, (head) => unresolved(this, head)),
    );
    this.own = this.forwarding.own;
    this.device = net.device;
    this.counters = counters;
    this.take = take;
    this.egress = new Egress(this.forwarding, ETHERTYPE_IPV4, counters);
  }

  frame(frame: Uint8Array, fields: Int32Array, isGroup: boolean, checksumGood: boolean): void {
    if (isGroup) this.own.frame(frame, fields, true, checksumGood);
    else this.take(frame, fields, checksumGood);
  }

  isOurs(address: number): boolean {
    return this.forwarding.addresses.isOurs(address as Ipv4Address);
  }

  /** Counts what `Packet.read` found. */
  drop(why: Exclude<ReadResult, 'ok'>): void {
    switch (why) {
      case 'malformed':
        this.counters.dropMalformed += 1;
        return;
      case 'bad checksum':
        this.counters.dropBadChecksum += 1;
        return;
      case 'short transport':
        this.counters.dropShortTransport += 1;
        return;
      case 'bad offload':
        this.counters.dropBadOffload += 1;
        return;
    }
  }

  /** Options, time to live: whether a packet from this side may go on (RFC 1812 §5.2, §5.3). */
  mayGoOn(packet: Packet): boolean {
    if (packet.at !== OPTIONS_AT && !this.areOptionsGood(packet)) return false;
    if (packet.v[TTL]! > 1) return true;
    this.counters.dropTtl += 1;
    this.tell(packet, ICMPV4_TIME_EXCEEDED, ICMPV4_CODE_TRANSIT, 0);
    return false;
  }

  /** Addresses that no packet between two hosts has (RFC 1812 §5.3.7, RFC 2644). */
  isMartian(packet: Packet): boolean {
    const { source, destination } = packet;
    const { addresses } = this.forwarding;
    const isGood =
      isHostAddress(source) &&
      isHostAddress(destination) &&
      !addresses.isBroadcast(source) &&
      !addresses.isBroadcast(destination) &&
      !addresses.isOurs(source);
    if (!isGood) this.counters.dropMartian += 1;
    return !isGood;
  }

  /** Whether a source may be here, and isn't on the other side (RFC 2827); else counted. */
  isFromHere(packet: Packet, other: Side): boolean {
    if (this.isMartian(packet)) return false;
    const { source } = packet;
    const { addresses } = this.forwarding;
    const isThere =
      other.isOurs(source) || (other.forwarding.reaches(source) && !addresses.isOnLink(source));
    if (isThere) this.counters.dropSpoofed += 1;
    return !isThere;
  }

  /** `packet` came from here and has no way. */
  noRoute(packet: Packet): void {
    this.counters.dropNoRoute += 1;
    this.tell(packet, ICMPV4_UNREACHABLE, ICMPV4_CODE_NET, 0);
  }

  /** The sender, who is on this side, hears of it. */
  tell(packet: Packet, type: number, code: number, word: number): void {
    this.forwarding.errors.forwardingError(type, code, word, packet.frame, packet.end);
  }

  /** A frame of a packet from this side, whose next hop doesn't answer. */
  hostUnreachable(frame: Uint8Array): void {
    const [type, code] = [ICMPV4_UNREACHABLE, ICMPV4_CODE_HOST];
    this.forwarding.errors.forwardingError(type, code, 0, frame, frame.length);
  }

  /** Nobody wants a packet that came from this side to us. */
  portUnreachable(frame: Uint8Array): void {
    const [type, code] = [ICMPV4_UNREACHABLE, ICMPV4_CODE_PORT];
    this.forwarding.errors.forwardingError(type, code, 0, frame, frame.length);
  }

  /** The hop to use for `destination` on this side; `known` was used before. */
  hopTo(known: ForwardingHop | null, destination: Ipv4Address): ForwardingHop | null {
    if (known === null) return this.forwarding.hop(destination);
    if (known.epoch === known.neighbor.epoch) return known;
    return this.forwarding.renew(known, destination);
  }

  /** Sends `packet`, which came in at `from`, to `hop` of this side. True when it went. */
  send(packet: Packet, hop: ForwardingHop, from: Side, mss: number): boolean {
    const { v } = packet;
    const isSyn = v[PROTOCOL] === PROTOCOL_TCP && (v[TCP_FLAGS]! & TCP_SYN) !== 0;
    if (isSyn && mss > 0 && packet.hasTransport && clampMss(packet, mss)) {
      this.counters.mssClamped += 1;
    }
    packet.age();
    const result = this.egress.send(packet, hop);
    if (result !== 'too large') return result === 'sent';
    this.counters.dropTooLarge += 1;
    from.tell(packet, ICMPV4_UNREACHABLE, ICMPV4_CODE_FRAGMENTATION_NEEDED, hop.mtuBytes);
    return false;
  }

  /** RFC 7126 §4.3, §4.4: source routes are refused; others are carried on as they are. */
  private areOptionsGood(packet: Packet): boolean {
    const options = packet.frame.subarray(OPTIONS_AT, packet.at);
    const fault = checkIpv4Options(options);
    if (fault !== null) {
      this.counters.dropBadOptions += 1;
      const offset = IPV4_HEADER_BYTES + (fault.kind === 'field' ? fault.offset : 0);
      this.tell(packet, ICMPV4_PARAMETER_PROBLEM, 0, offset << 24);
      return false;
    }
    const isRouted =
      hasIpv4Option(options, IPV4_OPTION_LOOSE_SOURCE_ROUTE) ||
      hasIpv4Option(options, IPV4_OPTION_STRICT_SOURCE_ROUTE);
    if (isRouted) this.counters.dropSourceRouted += 1;
    return !isRouted;
  }
}
