/**
 * Next hops of packets that are forwarded, of either family, and one interface's table of them. Not
 * here: which one a destination has (ipv4/ipv4-forwarding.ts, ipv6/ipv6-forwarding.ts).
 */

import { assert } from '#core';
import type { NetDevice } from '#device';
import type { IpAddress, Ipv4Address } from '../ip.ts';
import { sameAddress } from '../ip-family.ts';
import { ETHERNET_HEADER_BYTES, emitEthernetHeader } from '../wire/ethernet.ts';
import type { Neighbor, WaitingPacket } from './neighbor.ts';

/** Usable while `epoch` is the neighbour's. */
export class ForwardingHop<A extends IpAddress = Ipv4Address> {
  /** The Ethernet header of what goes there. */
  readonly header = new Uint8Array(ETHERNET_HEADER_BYTES);
  readonly address: A;
  readonly mtuBytes: number;
  neighbor: Neighbor<A>;
  /** -1: the link address isn't known. */
  epoch = -1;
  /** Of the interface's addresses and routes when it was found: later ones may lead elsewhere. */
  readonly generation: number;

  constructor(address: A, neighbor: Neighbor<A>, mtuBytes: number, generation: number) {
    this.address = address;
    this.neighbor = neighbor;
    this.mtuBytes = mtuBytes;
    this.generation = generation;
  }
}

/** What hops need of a cache of neighbours: ARP's, or neighbour discovery's. */
export interface HopNeighbors<A extends IpAddress> {
  neighbor(address: A): Neighbor<A>;
  use(entry: Neighbor<A>): boolean;
  enqueue(entry: Neighbor<A>, packet: WaitingPacket): void;
}

export abstract class ForwardingHops<A extends IpAddress> {
  readonly device: NetDevice;
  protected mtuBytes: number;
  private readonly neighbors: HopNeighbors<A>;
  private readonly etherType: number;
  private readonly hopsMax: number;
  /** By the address, or an IPv6 address's key. */
  private readonly hops = new Map<number, ForwardingHop<A>>();
  private generation = 0;

  /** Full, the table of `hopsMax` drops its oldest. */
  constructor(device: NetDevice, neighbors: HopNeighbors<A>, etherType: number, hopsMax: number) {
    this.device = device;
    this.mtuBytes = device.mtuBytes;
    this.neighbors = neighbors;
    this.etherType = etherType;
    this.hopsMax = hopsMax;
  }

  /** Where packets to `destination` go next; null: nowhere, or it is no other host's address. */
  abstract hop(destination: A): ForwardingHop<A> | null;

  /** Addresses, routes, routers or the MTU changed. */
  reset(mtuBytes: number): void {
    this.mtuBytes = mtuBytes;
    this.generation += 1;
    this.hops.clear();
  }

  /**
   * `hop.epoch` isn't its neighbour's any more, or never was: the hop to use now; its epoch is -1
   * while the link address isn't known, and packets are parked. Null: there is no way any more.
   */
  renew(hop: ForwardingHop<A>, destination: A): ForwardingHop<A> | null {
    return hop.generation !== this.generation ? this.hop(destination) : this.refresh(hop);
  }

  /** Keeps a packet until `hop` has a link address, which takes its first six bytes. */
  park(hop: ForwardingHop<A>, packet: WaitingPacket): void {
    assert(hop.epoch === -1);
    this.neighbors.enqueue(hop.neighbor, packet);
  }

  checkInvariants(): void {
    assert(this.hops.size <= this.hopsMax);
    for (const [key, hop] of this.hops)
      assert(keyOf(hop.address) === key && hop.generation === this.generation);
  }

  /** The hop at `next`, on the link. */
  protected at(next: A, mtuBytes: number): ForwardingHop<A> {
    const key = keyOf(next);
    const known = this.hops.get(key);
    if (known !== undefined && known.mtuBytes === mtuBytes && sameAddress(known.address, next)) {
      return this.refresh(known);
    }
    if (known === undefined && this.hops.size >= this.hopsMax) {
      for (const oldest of this.hops.keys()) {
        this.hops.delete(oldest);
        break;
      }
    }
    const made = new ForwardingHop(next, this.neighbors.neighbor(next), mtuBytes, this.generation);
    this.hops.set(key, made);
    return this.refresh(made);
  }

  private refresh(hop: ForwardingHop<A>): ForwardingHop<A> {
    if (hop.epoch === hop.neighbor.epoch) return hop;
    if (hop.neighbor.state === 'gone') hop.neighbor = this.neighbors.neighbor(hop.address);
    const { neighbor } = hop;
    const isUsable = this.neighbors.use(neighbor);
    hop.epoch = isUsable ? neighbor.epoch : -1;
    if (isUsable) emitEthernetHeader(hop.header, 0, neighbor.mac, this.device.mac, this.etherType);
    return hop;
  }
}

const keyOf = (address: IpAddress): number => (typeof address === 'number' ? address : address.key);
