/** The two addresses of a packet, to recognise the next one between the same by its words. */

import { Ipv6Address } from '../ipv6-address.ts';

/** Equal to no address. */
export const NOBODY = new Ipv6Address(Number.NaN, 0, 0, 0);

export class AddressPair {
  source: Ipv6Address = NOBODY;
  destination: Ipv6Address = NOBODY;

  set(source: Ipv6Address, destination: Ipv6Address): void {
    this.source = source;
    this.destination = destination;
  }

  /** Whether words 3 to 10 of `f` are these two, as a packet has them. */
  is(f: Int32Array): boolean {
    const { source, destination } = this;
    return (
      f[10] === destination.w3 &&
      f[9] === destination.w2 &&
      f[8] === destination.w1 &&
      f[7] === destination.w0 &&
      f[6] === source.w3 &&
      f[5] === source.w2 &&
      f[4] === source.w1 &&
      f[3] === source.w0
    );
  }
}
