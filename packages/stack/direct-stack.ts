/**
 * The one joiner: a NetDevice in, the `Stack` that applications see out. Ethernet to UDP is
 * packages/net's NetStack, TCP its TcpStack; names.ts adds names where they are wanted. Not here:
 * reading the command line (packages/morgana/direct-stack.ts).
 */

import { after, err, FOREVER, type Logger, ok, type Result, seconds, Timer } from '#core';
import type { Machine, NetDevice, Stack } from '#device';
import type { DnsServer } from '#dns';
import {
  ADDRESSES_MAX,
  type ArpPolicy,
  formatIpAddress,
  type InterfaceAddress,
  type IpAddress,
  type Ipv4Address,
  type Ipv4RouteEntry,
  type Ipv6Settings,
  inspectTcp,
  isHostAddress,
  type NetStack,
  netmaskOf,
  parseIpAddress,
  parseIpv4Address,
  ROUTES_MAX,
  type TcpStack,
} from '#net';
import { joinStacks } from './join-stacks.ts';
import { type NamesMaker, NumericNames, type StackNames } from './numeric-stack.ts';

export interface StackOptions {
  /** Fixed addresses; none: DHCP. */
  readonly addresses: readonly InterfaceAddress[];
  /** Only with fixed addresses, as are routes. */
  readonly gateway: Ipv4Address | null;
  readonly routes: readonly Ipv4RouteEntry[];
  /** What DHCP tells the server; null: nothing. */
  readonly hostName: string | null;
  /** How IPv6 gets its addresses (ipv6-options.ts); absent or null: there is none. */
  readonly ipv6?: Ipv6Settings | null;
  /** The declared memory of the stack; memoryBytesDefault when absent. */
  readonly memoryBytes?: number;
  /** Makes names; absent: the stack connects to numeric addresses only. */
  readonly names?: NamesMaker;
  /** Told of the stack before it has an address: for whoever looks into it. */
  readonly early?: (stack: Stack) => void;
  /** Asked for names in place of those that the network tells; absent or none: those. */
  readonly nameServers?: readonly DnsServer[];
  /** How ARP remembers, asks and believes; as packages/net does when absent. */
  readonly arp?: ArpPolicy;
}

/** One sentence for a person: which text is wrong, and why. */
export type StackOptionsFault = {
  readonly kind:
    | 'address'
    | 'gateway'
    | 'routes'
    | 'host name'
    | 'ipv6'
    | 'ipv6-gateway'
    | 'ipv6-secret';
  readonly message: string;
};

/** After this long without an address a line in the log says so; the client goes on asking. */
const PATIENCE = seconds(5);
/** How long an IPv6 address alone waits for an IPv4 one: DHCP is mostly the slower of the two. */
const IPV4_GRACE = seconds(1);
const HOST_NAME = /^(?!-)[a-zA-Z0-9-]{1,63}(?<!-)$/;

/**
 * Reads "10.0.2.15/24,10.0.3.1/16", "10.0.2.2", a host name (RFC 1123 §2.1) and
 * "172.16.0.0/12=10.0.2.3,192.0.2.0/24=link"; empty texts mean "not given".
 */
export function stackOptions(
  cidrs: string,
  gatewayText: string,
  hostName: string,
  routesText = '',
): Result<StackOptions, StackOptionsFault> {
  if (hostName !== '' && !HOST_NAME.test(hostName)) {
    return fault('host name', `'${hostName}' must be letters, digits and '-'`);
  }
  const name = hostName === '' ? null : hostName;
  if (cidrs === '') {
    if (gatewayText !== '') return fault('gateway', 'a gateway needs a fixed address too');
    if (routesText !== '') return fault('routes', 'routes need a fixed address too');
    return ok({ addresses: [], gateway: null, routes: [], hostName: name });
  }
  const addresses: InterfaceAddress[] = [];
  for (const cidr of cidrs.split(',')) {
    const found = prefixed(cidr);
    const isHost = found !== null && isHostAddress(found.address) && found.prefixBits >= 1;
    if (!isHost) return fault('address', `'${cidr}' is not an address for a host`);
    if (addresses.some(({ address }) => address === found.address)) {
      return fault('address', `'${cidr}' is given twice`);
    }
    addresses.push(found);
  }
  if (addresses.length > ADDRESSES_MAX) {
    return fault('address', `more than ${ADDRESSES_MAX} addresses`);
  }
  const gateway = gatewayText === '' ? null : neighborOf(addresses, gatewayText);
  if (gateway === null && gatewayText !== '') {
    return fault('gateway', `'${gatewayText}' is not another host of ${cidrs}`);
  }
  const routes = readRoutes(addresses, routesText);
  return routes.ok ? ok({ addresses, gateway, routes: routes.value, hostName: name }) : routes;
}

function prefixed(text: string): InterfaceAddress | null {
  const [addressText = '', prefix = ''] = text.split('/');
  const address = parseIpv4Address(addressText);
  const prefixBits = /^\d{1,2}$/.test(prefix) ? Number(prefix) : 33;
  return address === null || prefixBits > 32 ? null : { address, prefixBits };
}

/** A host on the link of one of our addresses that isn't one of them; null for other texts. */
function neighborOf(addresses: readonly InterfaceAddress[], text: string): Ipv4Address | null {
  const neighbor = parseIpv4Address(text);
  if (neighbor === null || addresses.some(({ address }) => address === neighbor)) return null;
  const isNear = addresses.some(
    ({ address, prefixBits }) => ((address ^ neighbor) & netmaskOf(prefixBits)) === 0,
  );
  return isNear ? neighbor : null;
}

function readRoutes(
  addresses: readonly InterfaceAddress[],
  text: string,
): Result<readonly Ipv4RouteEntry[], StackOptionsFault> {
  const routes: Ipv4RouteEntry[] = [];
  for (const word of text === '' ? [] : text.split(',')) {
    const [prefixText = '', gatewayText = ''] = word.split('=');
    const found = prefixed(prefixText);
    const gateway = neighborOf(addresses, gatewayText);
    const isKnown = gatewayText === 'link' || gateway !== null;
    if (found === null || (found.address & ~netmaskOf(found.prefixBits)) !== 0 || !isKnown) {
      return fault(
        'routes',
        `'${word}' is not PREFIX=ROUTER, with a router on our link, or 'link'`,
      );
    }
    routes.push({ prefix: found.address, prefixBits: found.prefixBits, gateway });
  }
  if (routes.length > ROUTES_MAX) return fault('routes', `more than ${ROUTES_MAX} routes`);
  return ok(routes);
}

const fault = (
  kind: StackOptionsFault['kind'],
  message: string,
): Result<never, StackOptionsFault> => err({ kind, message });

/**
 * Our own TCP/IP on `device`. Resolves once it has an address: at once with a fixed one, else when
 * a DHCP server answers, or where only a router speaks IPv6, a second after that; it never gives up
 * asking. The stack owns `device` from now on.
 */
export function directStack(
  machine: Pick<Machine, 'timers' | 'entropy'>,
  device: NetDevice,
  options: StackOptions,
  logger: Logger,
): Promise<Stack> {
  const { timers, entropy } = machine;
  const { net, tcp } = joinStacks({
    device,
    timers,
    entropy,
    netLog: logger,
    tcpLog: logger,
    ...(options.memoryBytes === undefined ? {} : { memoryBytes: options.memoryBytes }),
    ...(options.arp === undefined ? {} : { arp: options.arp }),
  });
  const makeNames: NamesMaker = options.names ?? ((numeric) => new NumericNames(numeric));
  const names = makeNames({
    timers,
    entropy,
    bind: (port, handler) => Promise.resolve(net.udp.bind(port, handler)),
    addresses: () => net.addresses(),
    isAddress: (text) => parseIpAddress(text) !== null,
    open: (text, port, opened) => tcp.connect(parseIpAddress(text)!, port, opened),
    order: (texts) => net.sortDestinations(parsed(texts)).map(formatIpAddress),
  });
  const stack = joined(net, tcp, names, options.nameServers ?? []);
  options.early?.(stack);
  followNames(net, names, options);
  startIpv6(net, options.ipv6 ?? null, logger);
  const { addresses, gateway, routes } = options;
  if (addresses.length > 0) {
    const none = { dnsServers: [], domain: null, mtuBytes: null };
    net.configure({ addresses, gateway, routes, ...none });
    logger.info(`address ${stack.addresses().join(', ')}`);
    return Promise.resolve(stack);
  }
  return new Promise((resolve) => {
    const impatience = new Timer(() => {
      logger.warn(
        'no DHCP server has answered for 5 s; still asking (--ipv4=ADDRESS/PREFIX sets one)',
      );
    });
    const found = (): void => {
      timers.stop(impatience);
      timers.stop(grace);
      resolve(stack);
    };
    const grace = new Timer(found);
    net.onConfiguration((configuration) => {
      if (configuration === null) logger.warn('the address is gone: its lease ended');
      else found();
    });
    const ipv6Changed = (): void => {
      const isFirst = net.ipv6?.isGlobal && net.configuration === null && grace.at === FOREVER;
      if (isFirst) timers.arm(grace, after(timers.now, IPV4_GRACE));
    };
    net.onNames(ipv6Changed);
    ipv6Changed();
    timers.arm(impatience, after(timers.now, PATIENCE));
    net.startDhcp(options.hostName ?? undefined);
  });
}

const DNS_PORT = 53;

/** Keeps name servers and search list as the network says, unless they were given. */
function followNames(net: NetStack, names: StackNames, { nameServers = [] }: StackOptions): void {
  let known = '';
  const follow = (): void => {
    const { servers, searchDomains } = net.names;
    const told = servers.map((server) => ({ address: formatIpAddress(server), port: DNS_PORT }));
    const used = nameServers.length > 0 ? nameServers : told;
    const now = JSON.stringify([used, searchDomains]);
    // Addresses come and go more often, and a resolver that is configured forgets what it knew.
    if (now !== known) names.configure(used, searchDomains);
    known = now;
  };
  net.onNames(follow);
  follow();
}

function startIpv6(net: NetStack, settings: Ipv6Settings | null, logger: Logger): void {
  if (settings === null || net.startIpv6(settings)) return;
  logger.warn(`no IPv6: frames of ${net.device.mtuBytes} bytes are too small for it`);
}

const parsed = (texts: readonly string[]): IpAddress[] =>
  texts.flatMap((text) => parseIpAddress(text) ?? []);

/** As the argument has it. */
function formatNameServer({ address, port, tlsName }: DnsServer): string {
  const host = address.includes(':') ? `[${address}]` : address;
  if (tlsName === undefined) return port === DNS_PORT ? address : `${host}:${port}`;
  return `tls://${host}:${port}${tlsName === null ? '' : `#${tlsName}`}`;
}

function joined(
  net: NetStack,
  tcp: TcpStack,
  names: StackNames,
  nameServers: readonly DnsServer[],
): Stack {
  // Those that the network tells aren't asked when others were given.
  const given = nameServers.length === 0 ? {} : { nameServers: nameServers.map(formatNameServer) };
  return {
    listen: (port, accept) => Promise.resolve(tcp.listen(port, accept)),
    connect: (text, port, opened) => names.connect(text, port, opened),
    resolve: (name) => names.resolve(name),
    bind: (port, handler) => Promise.resolve(net.udp.bind(port, handler)),
    addresses: () => net.addresses(),
    release: () => net.release(),
    inspect: (request) => {
      const below = net.inspect();
      const counters = { ...below.counters, ...tcp.counters(), ...names.counters() };
      return { ...below, ...given, ...inspectTcp(tcp, request), counters };
    },
    counters: () => ({
      ...net.device.counters(),
      ...net.counters(),
      ...tcp.counters(),
      ...names.counters(),
    }),
  };
}
