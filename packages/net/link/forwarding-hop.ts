/** A next hop of packets that are forwarded, of either family. */

import type { IpAddress, Ipv4Address } from '../ip.ts';
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts';
import type { Neighbor } from './neighbor.ts';

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
