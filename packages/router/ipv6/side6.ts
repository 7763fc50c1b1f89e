/** One interface of the router, for IPv6, as side.ts. Not here: which way packets go. */

import type { NetDevice } from '#device';
import {
  type ForwardingHop,
  type Ipv6Address,
  Ipv6Forwarding,
  type Ipv6LinkInput,
  isIpv6HostAddress,
  isIpv6LinkLocal,
  isIpv6Multicast,
  type NetStack,
} from '#net';
import {
  ETHERTYPE_IPV6,
  ICMPV6_CODE_ADDRESS,
  ICMPV6_CODE_NO_ROUTE,
  ICMPV6_CODE_SCOPE,
  ICMPV6_CODE_TRANSIT,
  ICMPV6_PACKET_TOO_BIG,
  ICMPV6_TIME_EXCEEDED,
  ICMPV6_UNREACHABLE,
} from '#net/wire';
import type { Router6Counters } from '../counters.ts';
import { Egress } from '../egress.ts';
import type { Packet6, Read6Result } from './packet6.ts';

/** What a side does with a frame that isn't for a group; borrows it. */
export type Taker6 = (frame: Uint8Array, checksumGood: boolean) => void;

export class Side6 implements Ipv6LinkInput {
  readonly name: 'inside' | 'outside';
  readonly forwarding: Ipv6Forwarding;
  readonly device: NetDevice;
  readonly own: Ipv6LinkInput;
  readonly egress: Egress<ForwardingHop<Ipv6Address>>;
  private readonly counters: Router6Counters;
  private readonly take: Taker6;

  constructor(
    name: Side6['name'],
    net: NetStack,
    counters: Router6Counters,
    take: Taker6,
    unresolved: (side: Side6, head: Uint8Array) => void,
  ) {
    this.name = name;
    this.forwarding = net.forwardIpv6(
      (parts) => new Ipv6Forwarding(parts, this, (head) => unresolved(this, head)),
    );
    this.own = this.forwarding.own;
    this.device = net.device;
    this.counters = counters;
    this.take = take;
    this.egress = new Egress(this.forwarding, ETHERTYPE_IPV6, counters);
  }

  receive(frame: Uint8Array, isGroup: boolean, checksumGood: boolean): void {
    if (isGroup) this.own.receive(frame, true, checksumGood);
    else this.take(frame, checksumGood);
  }

  isOurs(address: Ipv6Address): boolean {
    return this.forwarding.ways.isOurs(address);
  }

  drop(why: Exclude<Read6Result, 'ok'>): void {
    switch (why) {
      case 'malformed':
        this.counters.dropMalformed += 1;
        return;
      case 'short transport':
        this.counters.dropShortTransport += 1;
        return;
      case 'bad offload':
        this.counters.dropBadOffload += 1;
        return;
      case 'source routed':
        this.counters.dropSourceRouted += 1;
        return;
    }
  }

  /** Whether a packet from here may go on: its addresses (RFC 4291 §2.5), its hop limit. */
  mayGoOn(packet: Packet6): boolean {
    const { source, destination } = packet;
    if (!isIpv6HostAddress(source) || isIpv6Multicast(destination) || this.isOurs(source)) {
      this.counters.dropMartian += 1;
      return false;
    }
    if (isIpv6LinkLocal(source)) {
      this.counters.dropScope += 1;
      this.tell(packet, ICMPV6_UNREACHABLE, ICMPV6_CODE_SCOPE, 0);
      return false;
    }
    return this.isAlive(packet);
  }

  isAlive(packet: Packet6): boolean {
    if (packet.hopLimit > 1) return true;
    this.counters.dropHopLimit += 1;
    this.tell(packet, ICMPV6_TIME_EXCEEDED, ICMPV6_CODE_TRANSIT, 0);
    return false;
  }

  noRoute(packet: Packet6): void {
    this.counters.dropNoRoute += 1;
    this.tell(packet, ICMPV6_UNREACHABLE, ICMPV6_CODE_NO_ROUTE, 0);
  }

  /** The sender, who is on this side, hears of it. */
  tell(packet: Packet6, type: number, code: number, word: number): void {
    this.forwarding.errors.forwardingError(type, code, word, packet.frame, packet.end);
  }

  /** The sender of a packet from this side hears that its next hop doesn't answer. */
  addressUnreachable(frame: Uint8Array): void {
    const [type, code] = [ICMPV6_UNREACHABLE, ICMPV6_CODE_ADDRESS];
    this.forwarding.errors.forwardingError(type, code, 0, frame, frame.length);
  }

  hopTo(
    known: ForwardingHop<Ipv6Address> | null,
    destination: Ipv6Address,
  ): ForwardingHop<Ipv6Address> | null {
    if (known === null) return this.forwarding.hop(destination);
    if (known.epoch === known.neighbor.epoch) return known;
    return this.forwarding.renew(known, destination);
  }

  /** Sends `packet`, which came in at `from`, to `hop` of this side. True when it went. */
  send(packet: Packet6, hop: ForwardingHop<Ipv6Address>, from: Side6): boolean {
    const result = this.egress.send(packet, hop);
    if (result !== 'too large') return result === 'sent';
    this.counters.dropTooLarge += 1;
    from.tell(packet, ICMPV6_PACKET_TOO_BIG, 0, hop.mtuBytes);
    return false;
  }
}
