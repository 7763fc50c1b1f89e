/** `morgana/router`: forwarding and address translation, for applications with two interfaces. */

import type { NetDevice } from '#device';
import {
  type AdvertisedConfiguration,
  Dhcpv4Server,
  formatIpv4Address,
  type Ipv4Address,
  Ipv6Address,
  NetStack,
  netmaskOf,
  parseIpv4Address,
  RouterAdvertiser,
} from '#net';
import { type Router, Router6, type Router6Options } from '#router';
import { ipv6Options, stackOptions } from '#stack';
import type { Environment } from './index.ts';

export * from '#router';

type Surroundings = Pick<Environment, 'timers' | 'entropy' | 'log'>;

const LEASE_SECONDS = 3_600;
const ADVERTISED_SECONDS = 1_800;
const PREFIX_SECONDS = 86_400;
const DNS_SECONDS = 1_800;

/** Texts as boot-time arguments have them; empty ones: not given. */
export interface SideTexts {
  /** "192.168.7.1/24", several with commas; none: DHCP. */
  readonly ipv4: string;
  /** The next router, with fixed addresses. */
  readonly gateway?: string;
  /** "2001:db8:7::1/64", 'off', or none: router advertisements. */
  readonly ipv6?: string;
  readonly ipv6Gateway?: string;
}

/**
 * A stack on `device` for a router's side. Throws one sentence when a text is wrong. The stack owns
 * the device from now on.
 */
export function openSide(device: NetDevice, texts: SideTexts, around: Surroundings): NetStack {
  const { timers, entropy, log } = around;
  const options = stackOptions(texts.ipv4, texts.gateway ?? '', '');
  if (!options.ok) throw new Error(options.error.message);
  const ipv6 = ipv6Options(texts.ipv6 ?? 'off', texts.ipv6Gateway ?? '', '');
  if (!ipv6.ok) throw new Error(ipv6.error.message);
  const net = new NetStack({ device, timers, entropy, logger: log });
  if (ipv6.value !== null && !net.startIpv6(ipv6.value)) {
    throw new Error(`frames of ${device.mtuBytes} bytes are too small for IPv6`);
  }
  const { addresses, gateway, routes } = options.value;
  if (addresses.length === 0) net.startDhcp();
  else net.configure({ addresses, gateway, routes, dnsServers: [], domain: null, mtuBytes: null });
  return net;
}

/**
 * Gives addresses of `pool` ("192.168.7.100-192.168.7.199") to hosts of the inside, with us as
 * router and the outside's name servers. Throws one sentence when the pool is wrong.
 */
export function serveAddresses(
  inside: NetStack,
  outside: NetStack,
  pool: string,
  { timers, log }: Surroundings,
): Dhcpv4Server {
  const own = inside.configuration?.addresses[0];
  const [first, last] = pool.split('-').map(parseIpv4Address);
  if (own === undefined) throw new Error('who gives addresses has a fixed one');
  const { address, prefixBits } = own;
  const network = address & netmaskOf(prefixBits);
  const isInside = (other: Ipv4Address | null | undefined): other is Ipv4Address =>
    other !== null &&
    other !== undefined &&
    (other & netmaskOf(prefixBits)) === network &&
    other !== network &&
    other !== (network | ~netmaskOf(prefixBits));
  if (prefixBits > 30 || !isInside(first) || !isInside(last) || first > last) {
    throw new Error(`'${pool}' is not FIRST-LAST in the network of ${formatIpv4Address(address)}`);
  }
  const server = new Dhcpv4Server({
    udp: inside.udp,
    timers,
    logger: log,
    pool: { first, last },
    serve: {
      address,
      prefixBits,
      leaseSeconds: LEASE_SECONDS,
      router: address,
      searchDomains: [],
      get dnsServers() {
        return outside.names.servers.filter((server) => typeof server === 'number');
      },
      get domain() {
        return outside.configuration?.domain ?? null;
      },
      get mtuBytes() {
        return inside.configuration?.mtuBytes ?? null;
      },
    },
  });
  server.start();
  return server;
}

/**
 * Forwards IPv6, advertises the inside's prefixes and us as router to it, and hands on the
 * outside's name servers. We are a default router only while the outside has one.
 */
export function routeIpv6(options: Router6Options, around: Surroundings): Router6 {
  const { inside, outside } = options;
  const router = new Router6(options);
  const { ipv6, device } = inside;
  if (ipv6 === null) throw new Error('the inside speaks no IPv6');
  const advertiser = new RouterAdvertiser(ipv6, device.mac, around.timers, around.entropy);
  let known = '';
  const follow = (): void => {
    const configuration = advertised(inside, outside);
    const text = JSON.stringify(configuration);
    if (text !== known) advertiser.configure(configuration);
    known = text;
  };
  outside.onNames(follow);
  follow();
  return router;
}

/** Sessions and flows that one look shows; counts say how many there are. */
const SHOWN_MAX = 200;

/** What `morgana inspect` sees of a router: both stacks, counters, sessions, flows, leases. */
export function showRouter(
  inspect: Environment['inspect'],
  { inside, outside }: Pick<Router6Options, 'inside' | 'outside'>,
  parts: {
    readonly router: Router;
    readonly router6?: Router6 | null;
    readonly leases?: Dhcpv4Server | null;
  },
): void {
  const { router, router6, leases } = parts;
  inspect.stack('inside', () => inside.inspect());
  inspect.stack('outside', () => outside.inspect());
  inspect.section('router', () => ({ counters: router.counters(), ...router.tables(SHOWN_MAX) }));
  if (router6) {
    inspect.section('firewall', () => ({
      counters: router6.counters(),
      ...router6.tables(SHOWN_MAX),
    }));
  }
  if (leases) inspect.section('leases', () => leases.leases());
}

/** What the inside is told. */
function advertised(inside: NetStack, outside: NetStack): AdvertisedConfiguration {
  const own = inside.ipv6?.addresses.filter(({ origin }) => origin !== 'link-local') ?? [];
  const hasWay = outside.ipv6?.isGlobal === true && outside.ipv6.routers.defaultRouters.length > 0;
  return {
    lifetimeSeconds: hasWay ? ADVERTISED_SECONDS : 0,
    hopLimit: 64,
    mtuBytes: inside.device.mtuBytes,
    prefixes: own.map(({ address, prefixBits }) => ({
      prefix: address,
      prefixBits,
      isOnLink: true,
      isAutonomous: prefixBits === 64,
      validSeconds: PREFIX_SECONDS,
      preferredSeconds: PREFIX_SECONDS / 2,
    })),
    dnsServers: outside.names.servers.filter((server) => server instanceof Ipv6Address).slice(0, 4),
    searchDomains: [],
    dnsSeconds: DNS_SECONDS,
  };
}
