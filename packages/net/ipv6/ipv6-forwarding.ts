/**
 * What a router (packages/router) needs of one interface's IPv6, as ipv4/ipv4-forwarding.ts. Not
 * here: the rules of forwarding. Read first: ipv6-output.ts.
 */

import { assert } from '#core';
import type { NetDevice } from '#device';
import type { Icmpv6 } from '../icmpv6/icmpv6.ts';
import { type Ipv6Address, isIpv6HostAddress, isIpv6LinkLocal } from '../ipv6-address.ts';
import type { Ipv6LinkInput } from '../link/ethernet-link.ts';
import { ForwardingHop } from '../link/forwarding-hop.ts';
import type { WaitingPacket } from '../link/neighbor.ts';
import { Ipv6Neighbor, type NdpNeighbors } from '../ndp/ndp-neighbors.ts';
import { ETHERTYPE_IPV6, emitEthernetHeader } from '../wire/ethernet.ts';
import { ipv6WaysMax } from './limits.ts';

/** Addresses and ways of the interface (Ipv6). */
export interface ForwardingWays {
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

export class Ipv6Forwarding {
  readonly device: NetDevice;
  readonly ways: ForwardingWays;
  readonly errors: Icmpv6;
  readonly own: Ipv6LinkInput;
  readonly input: Ipv6LinkInput;
  /** See Ipv4Forwarding. */
  readonly unresolved: (head: Uint8Array) => void;
  private readonly neighbors: NdpNeighbors;
  /** By the address's key. */
  private readonly hops = new Map<number, ForwardingHop<Ipv6Address>>();
  private mtuBytes: number;
  private generation = 0;

  constructor(
    parts: Ipv6ForwardingParts,
    input: Ipv6LinkInput,
    unresolved: (head: Uint8Array) => void,
  ) {
    this.device = parts.device;
    this.ways = parts.ways;
    this.neighbors = parts.neighbors;
    this.errors = parts.errors;
    this.own = parts.own;
    this.input = input;
    this.unresolved = unresolved;
    this.mtuBytes = parts.device.mtuBytes;
  }

  /** Addresses, routers or the MTU changed. */
  reset(mtuBytes: number): void {
    this.mtuBytes = mtuBytes;
    this.generation += 1;
    this.hops.clear();
  }

  /** Whether packets to `destination`, which isn't ours, would leave by this interface. */
  reaches(destination: Ipv6Address): boolean {
    return this.ways.nextHop(destination) !== null;
  }

  /** Where packets to `destination` go next; null: nowhere, or it is no other host's address. */
  hop(destination: Ipv6Address): ForwardingHop<Ipv6Address> | null {
    if (!isIpv6HostAddress(destination) || isIpv6LinkLocal(destination)) return null;
    if (this.ways.isOurs(destination)) return null;
    const found = this.ways.nextHop(destination);
    if (found === null) return null;
    const next = this.ways.intern(found);
    const known = this.hops.get(next.key);
    if (known?.address.equals(next)) return this.refresh(known);
    if (known === undefined && this.hops.size >= ipv6WaysMax) {
      for (const oldest of this.hops.keys()) {
        this.hops.delete(oldest);
        break;
      }
    }
    const made = new ForwardingHop(
      next,
      this.neighbors.neighbor(next),
      this.mtuBytes,
      this.generation,
    );
    this.hops.set(next.key, made);
    return this.refresh(made);
  }

  /** See Ipv4Forwarding. */
  renew(
    hop: ForwardingHop<Ipv6Address>,
    destination: Ipv6Address,
  ): ForwardingHop<Ipv6Address> | null {
    return hop.generation !== this.generation ? this.hop(destination) : this.refresh(hop);
  }

  /** Keeps a packet until `hop` has a link address, which takes its first six bytes. */
  park(hop: ForwardingHop<Ipv6Address>, packet: WaitingPacket): void {
    const { neighbor } = hop;
    assert(hop.epoch === -1 && neighbor instanceof Ipv6Neighbor);
    this.neighbors.enqueue(neighbor, packet);
  }

  checkInvariants(): void {
    assert(this.hops.size <= ipv6WaysMax);
    for (const [key, hop] of this.hops)
      assert(hop.address.key === key && hop.generation === this.generation);
  }

  private refresh(hop: ForwardingHop<Ipv6Address>): ForwardingHop<Ipv6Address> {
    if (hop.epoch === hop.neighbor.epoch) return hop;
    if (hop.neighbor.state === 'gone') hop.neighbor = this.neighbors.neighbor(hop.address);
    const { neighbor } = hop;
    assert(neighbor instanceof Ipv6Neighbor);
    const isUsable = this.neighbors.use(neighbor);
    hop.epoch = isUsable ? neighbor.epoch : -1;
    if (isUsable) emitEthernetHeader(hop.header, 0, neighbor.mac, this.device.mac, ETHERTYPE_IPV6);
    return hop;
  }
}
