/**
 * Everything below TCP as somebody sees it who looks: plain data, made at each look. Bounded by the
 * tables' own bounds (limits.ts, ipv6/limits.ts). Not here: TCP (tcp/inspect.ts).
 */

import { FOREVER, type Instant, since } from '#core';
import type {
  AddressSnapshot,
  LeaseSnapshot,
  MemoryAccountSnapshot,
  NeighborSnapshot,
  RouterSnapshot,
  RouteSnapshot,
  StackSnapshot,
} from '#device';
import type { Dhcpv4Client } from './dhcpv4/dhcpv4-client.ts';
import type { IpAddress } from './ip.ts';
import { formatIpAddress } from './ip-family.ts';
import type { InterfaceAddress } from './ipv4/interface-addresses.ts';
import type { Ipv4RouteEntry } from './ipv4/routing-table.ts';
import type { OwnAddress } from './ipv6/own-addresses.ts';
import type { Neighbor } from './link/neighbor.ts';
import { MEMORY_KINDS, type MemoryBudget } from './memory-budget.ts';
import type { RouterTable } from './ndp/router-table.ts';
import { formatMac } from './wire/ethernet.ts';

const MICROS = 1_000_000;

/** Whole seconds from `now` to `until`, 0 when that is over; null for ever. */
export const secondsLeft = (now: Instant, until: Instant): number | null =>
  until === FOREVER ? null : Math.max(0, Math.floor(since(now, until) / MICROS));

export function inspectNeighbor(entry: Neighbor<IpAddress>, now: Instant): NeighborSnapshot {
  const { address, isUsable, mac, state, confirmedAt, waiting } = entry;
  return {
    address: formatIpAddress(address),
    mac: isUsable ? formatMac(mac) : null,
    state,
    confirmedSecondsAgo: Math.floor(since(confirmedAt, now) / MICROS),
    waitingPackets: waiting.length,
    ...('isRouter' in entry ? { isRouter: entry.isRouter === true } : {}),
  };
}

export const inspectIpv4Address = (
  { address, prefixBits }: InterfaceAddress,
  isLeased: boolean,
): AddressSnapshot => ({
  address: formatIpAddress(address),
  prefixBits,
  origin: isLeased ? 'dhcp' : 'static',
});

export const inspectIpv6Address = (own: OwnAddress, now: Instant): AddressSnapshot => ({
  address: formatIpAddress(own.address),
  prefixBits: own.prefixBits,
  origin: own.origin,
  isTentative: own.isOptimistic,
  preferredSeconds: secondsLeft(now, own.preferredUntil),
  validSeconds: secondsLeft(now, own.validUntil),
});

export const inspectIpv4Route = (entry: Ipv4RouteEntry): RouteSnapshot => ({
  prefix: `${formatIpAddress(entry.prefix)}/${entry.prefixBits}`,
  gateway: entry.gateway === null ? null : formatIpAddress(entry.gateway),
  ...(entry.metric === undefined ? {} : { metric: entry.metric }),
});

/** Routers, prefixes on the link, and routes: those learned, and one by each default router. */
export function inspectRouters(
  table: RouterTable,
  now: Instant,
): { routers: RouterSnapshot[]; prefixes: RouteSnapshot[]; routes: RouteSnapshot[] } {
  const { routers, prefixes, routes } = table.entries;
  const route = (
    prefix: IpAddress,
    prefixBits: number,
    gateway: IpAddress | null,
    until: Instant,
  ): RouteSnapshot => ({
    prefix: `${formatIpAddress(prefix)}/${prefixBits}`,
    gateway: gateway === null ? null : formatIpAddress(gateway),
    validSeconds: secondsLeft(now, until),
  });
  const onLink = prefixes.map((entry) => route(entry.prefix, entry.prefixBits, null, entry.until));
  return {
    routers: routers.map(({ address, isSilent, preference, until }) => ({
      address: formatIpAddress(address),
      isSilent,
      preference,
      validSeconds: secondsLeft(now, until),
    })),
    prefixes: onLink,
    routes: [
      ...onLink,
      ...routes.map((entry) => route(entry.prefix, entry.prefixBits, entry.router, entry.until)),
      ...routers.map(({ address, until }) => ({
        prefix: '::/0',
        gateway: formatIpAddress(address),
        validSeconds: secondsLeft(now, until),
      })),
    ],
  };
}

export function inspectLease(dhcp: Dhcpv4Client, now: Instant): LeaseSnapshot {
  const { state } = dhcp;
  const { lease, renewAt, rebindAt, expiresAt } = dhcp.held;
  return {
    state,
    address: lease === null ? null : `${formatIpAddress(lease.address)}/${lease.prefixBits}`,
    server: lease === null ? null : formatIpAddress(lease.server),
    renewSeconds: state === 'bound' ? secondsLeft(now, renewAt) : null,
    rebindSeconds: secondsLeft(now, rebindAt),
    expireSeconds: secondsLeft(now, expiresAt),
  };
}

export function inspectMemory(memory: MemoryBudget): NonNullable<StackSnapshot['memory']> {
  const accounts: Record<string, MemoryAccountSnapshot> = {};
  for (const kind of MEMORY_KINDS) {
    const { usedBytes, bytesMax, refused } = memory.account(kind);
    accounts[kind] = { usedBytes, bytesMax, refused };
  }
  return { usedBytes: memory.usedBytes, bytesMax: memory.bytesMax, accounts };
}
