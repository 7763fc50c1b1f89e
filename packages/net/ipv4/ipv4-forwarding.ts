/**
 * What a router (packages/router) needs of one interface's IPv4: next hops and their link
 * addresses, packets that wait for them, errors about what can't be forwarded. Not here: the rules
 * of forwarding, headers. Read first: ipv4-output.ts, link/forwarding-hop.ts.
 */

import type { NetDevice } from '#device';
import type { NeighborCache } from '../arp/neighbor-cache.ts';
import type { Icmpv4 } from '../icmpv4/icmpv4.ts';
import type { Ipv4Address } from '../ip.ts';
import { isHostAddress } from '../ip-address.ts';
import { routesMax } from '../limits.ts';
import type { LinkInput } from '../link/ethernet-link.ts';
import { type ForwardingHop, ForwardingHops } from '../link/forwarding-hop.ts';
import { ETHERTYPE_IPV4 } from '../wire/ethernet.ts';
import type { InterfaceAddresses } from './interface-addresses.ts';
import type { RoutingTable } from './routing-table.ts';

/** What a stack shows of its insides for that (NetStack.forwardIpv4). */
export interface ForwardingParts {
  readonly device: NetDevice;
  readonly addresses: InterfaceAddresses;
  readonly table: RoutingTable;
  readonly arp: NeighborCache;
  readonly errors: Icmpv4;
  /** Our own IPv4: what isn't forwarded goes there. */
  readonly own: LinkInput;
}

export class Ipv4Forwarding extends ForwardingHops<Ipv4Address> {
  readonly addresses: InterfaceAddresses;
  readonly errors: Icmpv4;
  readonly own: LinkInput;
  /** IPv4 frames for our station, or for all, go there. */
  readonly input: LinkInput;
  /**
   * Told of each packet (from its Ethernet header on) that was dropped because its next hop doesn't
   * answer. Borrows `head`; true when it was a forwarded one.
   */
  readonly unresolved: (head: Uint8Array) => boolean;
  private readonly table: RoutingTable;

  constructor(parts: ForwardingParts, input: LinkInput, unresolved: (head: Uint8Array) => boolean) {
    super(parts.device, parts.arp, ETHERTYPE_IPV4, routesMax);
    this.addresses = parts.addresses;
    this.table = parts.table;
    this.errors = parts.errors;
    this.own = parts.own;
    this.input = input;
    this.unresolved = unresolved;
  }

  /** Whether packets to `destination`, which isn't ours, would leave by this interface. */
  reaches(destination: Ipv4Address): boolean {
    return this.table.lookup(destination) !== null;
  }

  hop(destination: Ipv4Address): ForwardingHop | null {
    const { addresses } = this;
    if (!isHostAddress(destination) || addresses.isBroadcast(destination)) return null;
    if (addresses.isOurs(destination)) return null;
    const entry = this.table.lookup(destination);
    if (entry === null) return null;
    const mtuBytes = Math.min(this.mtuBytes, entry.mtuBytes ?? this.mtuBytes);
    return this.at(entry.gateway ?? destination, mtuBytes);
  }
}
