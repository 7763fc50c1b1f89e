/** What a DHCPACK grants, taken from its options with everything that makes no sense left out. */

import { assert, readU16be, toU32 } from '#core';
import type { Ipv4Address } from '../ip.ts';
import { IPV4_ANY, ipv4AddressOf, isHostAddress, netmaskOf, prefixBitsOf } from '../ip-address.ts';
import type { Ipv4RouteEntry } from '../ipv4/routing-table.ts';
import {
  configuredRoutesMax,
  dhcpLeaseSecondsMax,
  dhcpLeaseSecondsMin,
  dnsServersMax,
  mtuBytesMin,
  ntpServersMax,
} from '../limits.ts';
import {
  type Dhcpv4Repr,
  dhcpv4Option,
  dhcpv4OptionAddresses,
  dhcpv4OptionBytes,
  dhcpv4OptionI32,
} from '../wire/dhcpv4.ts';
import { parseClasslessRoutes, parseDomainSearch } from '../wire/dhcpv4-options.ts';

export interface Lease {
  readonly address: Ipv4Address;
  readonly prefixBits: number;
  /** Another broadcast address than follows from the prefix, or null. */
  readonly broadcast: Ipv4Address | null;
  /** From option 3; null when option 121 has all routes, the default too. */
  readonly gateway: Ipv4Address | null;
  readonly routes: readonly Ipv4RouteEntry[];
  readonly dnsServers: readonly Ipv4Address[];
  /** Printable ASCII, or null. */
  readonly domain: string | null;
  readonly searchDomains: readonly string[];
  readonly ntpServers: readonly Ipv4Address[];
  readonly mtuBytes: number | null;
  readonly server: Ipv4Address;
  /** Seconds from the request; Infinity for a lease without end. */
  readonly leaseSeconds: number;
  readonly renewSeconds: number;
  readonly rebindSeconds: number;
}

/** The lease in an ACK, or null when the ACK lacks what RFC 2131 table 3 demands. */
export function leaseOf(ack: Dhcpv4Repr): Lease | null {
  const address = ack.yourAddress;
  const server = dhcpv4OptionI32(ack, dhcpv4Option.serverIdentifier);
  const leaseValue = dhcpv4OptionI32(ack, dhcpv4Option.leaseSeconds);
  if (!isHostAddress(address) || server === null || leaseValue === null) return null;
  const leaseU32 = toU32(leaseValue);
  if (leaseU32 < dhcpLeaseSecondsMin) return null;
  const leaseSeconds = leaseU32 >= dhcpLeaseSecondsMax ? Number.POSITIVE_INFINITY : leaseU32;
  const rebindSeconds = timeOption(ack, dhcpv4Option.rebindSeconds, leaseSeconds, 0.875);
  const renewSeconds = timeOption(ack, dhcpv4Option.renewSeconds, rebindSeconds, 0.5 / 0.875);
  const prefixBits = prefixOf(ack, address);
  const routes = routesOf(ack);
  return {
    address,
    prefixBits,
    broadcast: broadcastOf(ack, address, prefixBits),
    gateway: routes === null ? (hostsOf(ack, dhcpv4Option.router, 1)[0] ?? null) : null,
    routes: routes ?? [],
    dnsServers: hostsOf(ack, dhcpv4Option.dnsServers, dnsServersMax),
    domain: domainOf(ack),
    searchDomains: searchDomainsOf(ack),
    ntpServers: hostsOf(ack, dhcpv4Option.ntpServers, ntpServersMax),
    mtuBytes: mtuOf(ack),
    server: ipv4AddressOf(server),
    leaseSeconds,
    renewSeconds,
    rebindSeconds,
  };
}

/** A time in (0, end), else the given share of `end` (RFC 2131 §4.4.5). */
function timeOption(ack: Dhcpv4Repr, code: number, end: number, share: number): number {
  assert(end > 0);
  const value = dhcpv4OptionI32(ack, code);
  const wanted = value === null ? 0 : toU32(value);
  return wanted > 0 && wanted < end ? wanted : end * share;
}

/** Without a netmask that makes sense: that of the address's class (RFC 950 §2.1). */
function prefixOf(ack: Dhcpv4Repr, address: Ipv4Address): number {
  const netmask = dhcpv4OptionI32(ack, dhcpv4Option.netmask);
  const bits = netmask === null ? null : prefixBitsOf(ipv4AddressOf(netmask));
  // A /0 would put the whole internet on the link.
  if (bits !== null && bits > 0) return bits;
  if ((address & netmaskOf(1)) === 0) return 8;
  return (address & ipv4AddressOf(0x40000000)) === 0 ? 16 : 24;
}

const hostsOf = (ack: Dhcpv4Repr, code: number, countMax: number): readonly Ipv4Address[] =>
  dhcpv4OptionAddresses(ack, code, countMax).filter(isHostAddress);

/** One in the prefix that isn't ours and isn't the usual one; old networks have all zeros. */
function broadcastOf(
  ack: Dhcpv4Repr,
  address: Ipv4Address,
  prefixBits: number,
): Ipv4Address | null {
  const value = dhcpv4OptionI32(ack, dhcpv4Option.broadcast);
  const netmask = netmaskOf(prefixBits);
  if (value === null || value === address || value === (address | ~netmask)) return null;
  return ((value ^ address) & netmask) === 0 ? ipv4AddressOf(value) : null;
}

/**
 * Option 121, or null without it or when it is malformed. Routes to what no host has and over
 * routers that no host is are left out.
 */
function routesOf(ack: Dhcpv4Repr): readonly Ipv4RouteEntry[] | null {
  const value = dhcpv4OptionBytes(ack, dhcpv4Option.classlessRoutes);
  const parsed = value === null ? null : parseClasslessRoutes(value);
  if (parsed === null || !parsed.ok) return null;
  const routes: Ipv4RouteEntry[] = [];
  for (const { prefix, prefixBits, gateway } of parsed.value) {
    const isOnLink = gateway === IPV4_ANY;
    const isUsable = isOnLink ? prefixBits > 0 : isHostAddress(gateway);
    if (!isUsable || routes.length >= configuredRoutesMax) continue;
    routes.push({ prefix, prefixBits, gateway: isOnLink ? null : gateway });
  }
  return routes;
}

function searchDomainsOf(ack: Dhcpv4Repr): readonly string[] {
  const value = dhcpv4OptionBytes(ack, dhcpv4Option.domainSearch);
  const parsed = value === null ? null : parseDomainSearch(value);
  return parsed?.ok === true ? parsed.value : [];
}

function domainOf(ack: Dhcpv4Repr): string | null {
  const value = dhcpv4OptionBytes(ack, dhcpv4Option.domain);
  if (value === null) return null;
  // Some servers count a closing NUL (RFC 2132 §2 asks receivers to bear it).
  const end = value[value.length - 1] === 0 ? value.length - 1 : value.length;
  const text = String.fromCharCode(...value.subarray(0, Math.min(end, 255)));
  return /^[A-Za-z0-9._-]+$/.test(text) ? text : null;
}

function mtuOf(ack: Dhcpv4Repr): number | null {
  const value = dhcpv4OptionBytes(ack, dhcpv4Option.mtu);
  if (value === null || value.length !== 2) return null;
  const mtuBytes = readU16be(value, 0);
  return mtuBytes < mtuBytesMin ? null : mtuBytes;
}
