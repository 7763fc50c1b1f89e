/**
 * What a router (packages/router) needs of one interface's IPv6, as ipv4/ipv4-forwarding.ts. Not
 * here: the rules of forwarding. Read first: ipv6-output.ts.
 */

import type { NetDevice } from '#device';
import type { Icmpv6 } from '../icmpv6/icmpv6.ts';
import { type Ipv6Address, isIpv6HostAddress, isIpv6LinkLocal } from '../ipv6-address.ts';
import type { Ipv6LinkInput } from '../link/ethernet-link.ts';
import { type ForwardingHop, ForwardingHops } from '../link/forwarding-hop.ts';
import type { NdpNeighbors } from '../ndp/ndp-neighbors.ts';
import { ETHERTYPE_IPV6 } from '../wire/ethernet.ts';
import { ipv6WaysMax } from './limits.ts';

/** Addresses and ways of the interface (Ipv6). */
interface ForwardingWays {
  of(w0: number, w1: number, w2: number, w3: number): Ipv6Address;
  intern(address: Ipv6Address): Ipv6Address;
  isOurs(address: Ipv6Address): boolean;
  nextHop(destination: Ipv6Address): Ipv6Address | null;
}

/** What a stack shows of its insides for that (NetStack.forwardIpv6). */
export interface Ipv6ForwardingParts {
  readonly device: NetDevice;
  readonly ways: ForwardingWays;
  readonly neighbors: NdpNeighbors;
  readonly errors: Icmpv6;
  /** Our own IPv6: what isn't forwarded goes there. */
  readonly own: Ipv6LinkInput;
}

export class Ipv6Forwarding extends ForwardingHops<Ipv6Address> {
  readonly ways: ForwardingWays;
  readonly errors: Icmpv6;
  readonly own: Ipv6LinkInput;
  readonly input: Ipv6LinkInput;
  /** See Ipv4Forwarding. */
  readonly unresolved: (head: Uint8Array) => void;

  constructor(
    parts: Ipv6ForwardingParts,
    input: Ipv6LinkInput,
    unresolved: (head: Uint8Array) => void,
  ) {
    super(parts.device, parts.neighbors, ETHERTYPE_IPV6, ipv6WaysMax);
    this.ways = parts.ways;
    this.errors = parts.errors;
    this.own = parts.own;
    this.input = input;
    this.unresolved = unresolved;
  }

  /** Whether packets to `destination`, which isn't ours, would leave by this interface. */
  reaches(destination: Ipv6Address): boolean {
    return this.ways.nextHop(destination) !== null;
  }

  hop(destination: Ipv6Address): ForwardingHop<Ipv6Address> | null {
    if (!isIpv6HostAddress(destination) || isIpv6LinkLocal(destination)) return null;
    if (this.ways.isOurs(destination)) return null;
    const next = this.ways.nextHop(destination);
    return next === null ? null : this.at(this.ways.intern(next), this.mtuBytes);
  }
}
