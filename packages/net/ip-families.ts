/** Both families behind one face, for transports: ways to destinations, and what is ours. */

import type { Igmp } from './igmp/igmp.ts';
import type { IpAddress, IpRouter, LocalAddresses, Route } from './ip.ts';
import { IPV4_ANY, isMulticast } from './ip-address.ts';
import type { InterfaceAddresses } from './ipv4/interface-addresses.ts';
import type { Ipv4Output } from './ipv4/ipv4-output.ts';
import type { Ipv6 } from './ipv6/ipv6.ts';
import { type ReachableDestination, sortDestinations } from './ipv6/source-selection.ts';
import { isIpv6Multicast } from './ipv6-address.ts';

export class IpFamilies implements IpRouter, LocalAddresses {
  /** Null while there is no IPv6. */
  ipv6: Ipv6 | null = null;
  private readonly ipv4: Ipv4Output;
  private readonly ipv4Addresses: InterfaceAddresses;
  private readonly igmp: Igmp;

  constructor(ipv4: Ipv4Output, ipv4Addresses: InterfaceAddresses, igmp: Igmp) {
    this.ipv4 = ipv4;
    this.ipv4Addresses = ipv4Addresses;
    this.igmp = igmp;
  }

  route(destination: IpAddress, source?: IpAddress): Route | null {
    if (typeof destination === 'number') {
      if (source !== undefined && typeof source !== 'number') return null;
      return this.ipv4.route(destination, source);
    }
    if (typeof source === 'number') return null;
    return this.ipv6?.route(destination, source) ?? null;
  }

  get primary(): IpAddress {
    const { primary } = this.ipv4Addresses;
    if (primary !== IPV4_ANY) return primary;
    const list = this.ipv6?.addresses ?? [];
    const global = list.find(({ origin }) => origin !== 'link-local');
    return global?.address ?? list[0]?.address ?? IPV4_ANY;
  }

  isOurs(address: IpAddress): boolean {
    if (typeof address === 'number') return this.ipv4Addresses.isOurs(address);
    return this.ipv6?.isOurs(address) ?? false;
  }

  isShared(address: IpAddress): boolean {
    if (typeof address !== 'number') return this.ipv6?.isMember(address) ?? false;
    return this.ipv4Addresses.isBroadcast(address) || this.igmp.isMember(address);
  }

  isMulticast(address: IpAddress): boolean {
    return typeof address === 'number' ? isMulticast(address) : isIpv6Multicast(address);
  }

  join(group: IpAddress): boolean {
    if (typeof group === 'number') return this.igmp.join(group);
    return this.ipv6?.mld.join(this.ipv6.intern(group)) ?? false;
  }

  leave(group: IpAddress): void {
    if (typeof group === 'number') this.igmp.leave(group);
    else this.ipv6?.mld.leave(group);
  }

  /** A host's addresses in the order to try them in (RFC 6724 §6). */
  sortDestinations(addresses: readonly IpAddress[]): IpAddress[] {
    const list = addresses.map((address) => this.reachable(address));
    return sortDestinations(list).map(({ address }) => address);
  }

  private reachable(address: IpAddress): ReachableDestination {
    if (typeof address === 'number') {
      const source = this.ipv4.route(address)?.source ?? null;
      return { address, source, isSourceDeprecated: false };
    }
    const from = this.ipv6?.sourceAndAge(this.ipv6.intern(address)) ?? null;
    return {
      address,
      source: from?.source ?? null,
      isSourceDeprecated: from?.isDeprecated ?? false,
    };
  }
}
