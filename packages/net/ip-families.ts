/** Both families behind one face, for transports: ways to destinations, and what is ours. */

import type { IpAddress, IpRouter, LocalAddresses, Route } from './ip.ts';
import type { InterfaceAddresses } from './ipv4/interface-addresses.ts';
import type { Ipv4Output } from './ipv4/ipv4-output.ts';

export class IpFamilies implements IpRouter, LocalAddresses {
  private readonly ipv4: Ipv4Output;
  private readonly ipv4Addresses: InterfaceAddresses;

  constructor(ipv4: Ipv4Output, ipv4Addresses: InterfaceAddresses) {
    this.ipv4 = ipv4;
    this.ipv4Addresses = ipv4Addresses;
  }

  route(destination: IpAddress, source?: IpAddress): Route | null {
    if (typeof destination !== 'number') return null;
    if (source !== undefined && typeof source !== 'number') return null;
    return this.ipv4.route(destination, source);
  }

  get primary(): IpAddress {
    return this.ipv4Addresses.primary;
  }

  isOurs(address: IpAddress): boolean {
    return typeof address === 'number' && this.ipv4Addresses.isOurs(address);
  }

  isShared(address: IpAddress): boolean {
    return typeof address === 'number' && this.ipv4Addresses.isBroadcast(address);
  }
}
