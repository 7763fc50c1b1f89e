/** Both families behind one face, for transports: ways to destinations, and what is ours. */

import type { Igmp } from './igmp/igmp.ts';
import type { IpAddress, IpRouter, LocalAddresses, Route } from './ip.ts';
import { isMulticast } from './ip-address.ts';
import type { InterfaceAddresses } from './ipv4/interface-addresses.ts';
import type { Ipv4Output } from './ipv4/ipv4-output.ts';

export class IpFamilies implements IpRouter, LocalAddresses {
  private readonly ipv4: Ipv4Output;
  private readonly ipv4Addresses: InterfaceAddresses;
  private readonly igmp: Igmp;

  constructor(ipv4: Ipv4Output, ipv4Addresses: InterfaceAddresses, igmp: Igmp) {
    this.ipv4 = ipv4;
    this.ipv4Addresses = ipv4Addresses;
    this.igmp = igmp;
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
    if (typeof address !== 'number') return false;
    return this.ipv4Addresses.isBroadcast(address) || this.igmp.isMember(address);
  }

  isMulticast(address: IpAddress): boolean {
    return typeof address === 'number' && isMulticast(address);
  }

  join(group: IpAddress): boolean {
    return typeof group === 'number' && this.igmp.join(group);
  }

  leave(group: IpAddress): void {
    if (typeof group === 'number') this.igmp.leave(group);
  }
}
