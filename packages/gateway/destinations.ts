/**
 * Where guests may go through the gateway: everywhere beyond the network, as the host may, but not
 * to the host's own loopback interface, save by the one address that stands for it, not to
 * link-local addresses, which routers never pass on (RFC 3927 §7), and not to where rented machines
 * are told their owner's secrets. An IPv6 address that carries an IPv4 one is judged by both.
 */

import {
  type ForeignAddresses,
  formatIpAddress,
  hasPrefix,
  type IpAddress,
  type Ipv4Address,
  type Ipv6Address,
  ipv4AddressOf,
  isHostAddress,
  isIpv6HostAddress,
  isIpv6LinkLocal,
  netmaskOf,
  parseIpv4Address,
  parseIpv6Address,
} from '#net';
import type { GatewayNetwork } from './network.ts';

const LINK_LOCAL = parseIpv4Address('169.254.0.0')!;
/**
 * Where providers of machines serve metadata beside 169.254.169.254: Azure's wire server, Alibaba,
 * Oracle's first; AWS, Google, Oracle.
 */
const METADATA = new Set(
  ['168.63.129.16', '100.100.100.200', '192.0.0.192'].map((text) => parseIpv4Address(text)!),
);
const METADATA6 = ['fd00:ec2::254', 'fd20:ce::254', 'fd00:c1::a9fe:a9fe'].map(
  (text) => parseIpv6Address(text)!,
);
/**
 * Prefixes of addresses whose last 32 bits are an IPv4 address that the host's network may take
 * them for: RFC 6052 §2.1, RFC 8215, RFC 2765 §2.1, and RFC 4291 §2.5.5.1.
 */
const CARRIERS = (
  [
    ['64:ff9b::', 96],
    ['64:ff9b:1::', 48],
    ['::ffff:0:0:0', 96],
    ['::', 96],
  ] as const
).map(([text, bits]) => ({ prefix: parseIpv6Address(text)!, bits }));
/** 2002::/16, RFC 3056 §2: the IPv4 address is behind it. */
const SIX_TO_FOUR = 0x2002;

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
    const isOpen = typeof address === 'number' ? isOpen4(address) : isOpen6(address);
    return isOpen ? formatIpAddress(address) : null;
  }

  private isHost(address: IpAddress): boolean {
    const { hostAddress, ipv6 } = this.network;
    if (typeof address === 'number') return address === hostAddress;
    return ipv6?.hostAddress?.equals(address) === true;
  }
}

function isOpen4(address: Ipv4Address): boolean {
  const isLinkLocal = ((address ^ LINK_LOCAL) & netmaskOf(16)) === 0;
  return isHostAddress(address) && !isLinkLocal && !METADATA.has(address);
}

function isOpen6(address: Ipv6Address): boolean {
  // (The stack takes none of these anyway.)
  if (!isIpv6HostAddress(address) || isIpv6LinkLocal(address)) return false;
  if (METADATA6.some((one) => one.equals(address))) return false;
  const carried = ipv4In(address);
  return carried === null || isOpen4(carried);
}

/** The IPv4 address that an IPv6 address leads to by itself; null: none. */
function ipv4In(address: Ipv6Address): Ipv4Address | null {
  const { w0, w1, w3 } = address;
  if (w0 >>> 16 === SIX_TO_FOUR) return ipv4AddressOf((w0 << 16) | (w1 >>> 16));
  const isCarrier = CARRIERS.some(({ prefix, bits }) => hasPrefix(address, prefix, bits));
  return isCarrier ? ipv4AddressOf(w3) : null;
}
