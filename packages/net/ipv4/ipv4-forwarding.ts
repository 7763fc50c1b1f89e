/**
 * What a router (packages/router) needs of one interface's IPv4: next hops and their link
 * addresses, packets that wait for them, errors about what can't be forwarded. Not here: the rules
 * of forwarding, headers. Read first: ipv4-output.ts.
 */

import { assert } from '#core';
import type { NetDevice } from '#device';
import type { NeighborCache } from '../arp/neighbor-cache.ts';
import type { Icmpv4 } from '../icmpv4/icmpv4.ts';
import type { Ipv4Address } from '../ip.ts';
import { isHostAddress } from '../ip-address.ts';
import { routesMax } from '../limits.ts';
import type { LinkInput } from '../link/ethernet-link.ts';
import { ForwardingHop } from '../link/forwarding-hop.ts';
import type { WaitingPacket } from '../link/neighbor.ts';
import { ETHERTYPE_IPV4, emitEthernetHeader } from '../wire/ethernet.ts';
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

export class Ipv4Forwarding {
  readonly device: NetDevice;
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
  private readonly arp: NeighborCache;
  private readonly hops = new Map<Ipv4Address, ForwardingHop>();
  private mtuBytes: number;
  private generation = 0;

  constructor(parts: ForwardingParts, input: LinkInput, unresolved: (head: Uint8Array) => boolean) {
    this.device = parts.device;
    this.addresses = parts.addresses;
    this.table = parts.table;
    this.arp = parts.arp;
    this.errors = parts.errors;
    this.own = parts.own;
    this.input = input;
    this.unresolved = unresolved;
    this.mtuBytes = parts.device.mtuBytes;
  }

  /** Addresses, routes or the MTU changed. */
  reset(mtuBytes: number): void {
    this.mtuBytes = mtuBytes;
    this.generation += 1;
    this.hops.clear();
  }

  /** Whether packets to `destination`, which isn't ours, would leave by this interface. */
  reaches(destination: Ipv4Address): boolean {
    return this.table.lookup(destination) !== null;
  }

  /** Where packets to `destination` go next; null: nowhere, or it is no other host's address. */
  hop(destination: Ipv4Address): ForwardingHop | null {
    const { addresses } = this;
    if (!isHostAddress(destination) || addresses.isBroadcast(destination)) return null;
    if (addresses.isOurs(destination)) return null;
    const entry = this.table.lookup(destination);
    if (entry === null) return null;
    const next = entry.gateway ?? destination;
    const known = this.hops.get(next);
    const mtuBytes = Math.min(this.mtuBytes, entry.mtuBytes ?? this.mtuBytes);
    if (known !== undefined && known.mtuBytes === mtuBytes) return this.refresh(known);
    if (this.hops.size >= routesMax) {
      for (const oldest of this.hops.keys()) {
        this.hops.delete(oldest);
        break;
      }
    }
    const made = new ForwardingHop(next, this.arp.neighbor(next), mtuBytes, this.generation);
    this.hops.set(next, made);
    return this.refresh(made);
  }

  /**
   * `hop.epoch` isn't its neighbour's any more, or never was: the hop to use now; its epoch is -1
   * while the link address isn't known, and packets are parked. Null: there is no way any more.
   */
  renew(hop: ForwardingHop, destination: Ipv4Address): ForwardingHop | null {
    return hop.generation !== this.generation ? this.hop(destination) : this.refresh(hop);
  }

  /** Keeps a packet until `hop` has a link address, which takes its first six bytes. */
  park(hop: ForwardingHop, packet: WaitingPacket): void {
    assert(hop.epoch === -1);
    this.arp.enqueue(hop.neighbor, packet);
  }

  checkInvariants(): void {
    assert(this.hops.size <= routesMax);
    for (const [address, hop] of this.hops)
      assert(hop.address === address && hop.generation === this.generation);
  }

  private refresh(hop: ForwardingHop): ForwardingHop {
    if (hop.epoch === hop.neighbor.epoch) return hop;
    if (hop.neighbor.state === 'gone') hop.neighbor = this.arp.neighbor(hop.address);
    const { neighbor } = hop;
    const isUsable = this.arp.use(neighbor);
    hop.epoch = isUsable ? neighbor.epoch : -1;
    if (isUsable) emitEthernetHeader(hop.header, 0, neighbor.mac, this.device.mac, ETHERTYPE_IPV4);
    return hop;
  }
}
