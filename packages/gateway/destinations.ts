/**
 * Where guests may go through the gateway: everywhere beyond the network, as the host may, but not
 * to the host's own loopback interface, save by the one address that stands for it, and not to
 * link-local addresses, which routers never pass on (RFC 3927 §7; on rented machines they are where
 * the owner's secrets are told).
 */

import {
  type ForeignAddresses,
  formatIpAddress,
  hasPrefix,
  type IpAddress,
  type Ipv4Address,
  ipv4AddressOf,
  netmaskOf,
  parseIpv4Address,
} from '#net';
import type { GatewayNetwork } from './network.ts';

const LINK_LOCAL = parseIpv4Address('169.254.0.0')!;

export class Destinations implements ForeignAddresses {
  private readonly network: GatewayNetwork;
  private readonly prefix: Ipv4Address;
  private readonly netmask: Ipv4Address;

  constructor(network: GatewayNetwork) {
    this.network = network;
    this.netmask = netmaskOf(network.prefixBits);
    this.prefix = ipv4AddressOf(network.address & this.netmask);
  }

  /** All but the network's own: a guest reaches those without us. */
  takes(address: IpAddress): boolean {
    if (typeof address !== 'number') {
      const { ipv6 } = this.network;
      return ipv6 !== null && !hasPrefix(address, ipv6.prefix, 64);
    }
    return ((address ^ this.prefix) & this.netmask) !== 0 || this.isHost(address);
  }

  isOnOurStation(address: IpAddress): boolean {
    return typeof address === 'number' && this.isHost(address);
  }

  /** The host is here; whether others answer can't be asked from user mode. */
  answersEcho(address: IpAddress): boolean {
    return this.isHost(address);
  }

  /** What the host calls a guest's destination; null: guests may not go there. */
  onHost(address: IpAddress): string | null {
    const { allowsHost, hostLoopback, hostLoopback6 } = this.network;
    if (this.isHost(address)) {
      if (!allowsHost) return null;
      return typeof address === 'number' ? hostLoopback : hostLoopback6;
    }
    // (The stack takes no link-local addresses of IPv6.)
    if (typeof address === 'number' && this.isLinkLocal(address)) return null;
    return formatIpAddress(address);
  }

  private isHost(address: IpAddress): boolean {
    const { hostAddress, ipv6 } = this.network;
    if (typeof address === 'number') return address === hostAddress;
    return ipv6?.hostAddress?.equals(address) === true;
  }

  private isLinkLocal(address: Ipv4Address): boolean {
    return ((address ^ LINK_LOCAL) & netmaskOf(16)) === 0;
  }
}
