/**
 * The one joiner: a NetDevice in, the `Stack` that applications see out. Ethernet to UDP is
 * packages/net's NetStack, TCP its TcpStack; names.ts adds names where they are wanted. Not here:
 * reading the command line (packages/morgana/direct-stack.ts).
 */

import { after, err, type Logger, ok, type Result, seconds, Timer } from '#core';
import type { Endpoint, Machine, NetDevice, Stack } from '#device';
import {
  formatIpv4Address,
  type Ipv4Address,
  isHostAddress,
  type NetConfiguration,
  type NetStack,
  netmaskOf,
  parseIpAddress,
  parseIpv4Address,
  type TcpStack,
} from '#net';
import { joinStacks } from './join-stacks.ts';
import { type NamesMaker, NumericNames, type StackNames } from './numeric-stack.ts';

export interface StackOptions {
  /** A fixed address; null: DHCP. */
  readonly address: { readonly address: Ipv4Address; readonly prefixBits: number } | null;
  /** Only with a fixed address. */
  readonly gateway: Ipv4Address | null;
  /** What DHCP tells the server; null: nothing. */
  readonly hostName: string | null;
  /** The declared memory of the stack; memoryBytesDefault when absent. */
  readonly memoryBytes?: number;
  /** Makes names; absent: the stack connects to numeric addresses only. */
  readonly names?: NamesMaker;
  /** Asked for names in place of those that the network tells; absent or none: those. */
  readonly nameServers?: readonly Endpoint[];
}

/** One sentence for a person: which text is wrong, and why. */
export type StackOptionsFault = {
  readonly kind: 'address' | 'gateway' | 'host name';
  readonly message: string;
};

/** After this long without an address a line in the log says so; the client goes on asking. */
const PATIENCE = seconds(5);
const HOST_NAME = /^(?!-)[a-zA-Z0-9-]{1,63}(?<!-)$/;

/**
 * Reads "10.0.2.15/24", "10.0.2.2" and a host name (RFC 1123 §2.1); empty texts mean "not given".
 */
export function stackOptions(
  cidr: string,
  gatewayText: string,
  hostName: string,
): Result<StackOptions, StackOptionsFault> {
  if (hostName !== '' && !HOST_NAME.test(hostName)) {
    return fault('host name', `'${hostName}' must be letters, digits and '-'`);
  }
  const name = hostName === '' ? null : hostName;
  if (cidr === '') {
    if (gatewayText !== '') return fault('gateway', 'a gateway needs a fixed address too');
    return ok({ address: null, gateway: null, hostName: name });
  }
  const [text, prefix] = cidr.split('/');
  const address = parseIpv4Address(text ?? '');
  const prefixBits = Number(prefix);
  if (address === null || !isHostAddress(address) || !(prefixBits >= 1 && prefixBits <= 32)) {
    return fault('address', `'${cidr}' is not an address for a host`);
  }
  if (gatewayText === '') {
    return ok({ address: { address, prefixBits }, gateway: null, hostName: name });
  }
  const gateway = parseIpv4Address(gatewayText);
  const mask = netmaskOf(prefixBits);
  if (gateway === null || (gateway & mask) !== (address & mask) || gateway === address) {
    return fault('gateway', `'${gatewayText}' is not another host of ${cidr}`);
  }
  return ok({ address: { address, prefixBits }, gateway, hostName: name });
}

const fault = (
  kind: StackOptionsFault['kind'],
  message: string,
): Result<StackOptions, StackOptionsFault> => err({ kind, message });

/**
 * Our own TCP/IP on `device`. Resolves once it has an address: at once with a fixed one, else when
 * a DHCP server answers; it never gives up asking. The stack owns `device` from now on.
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
  });
  const makeNames: NamesMaker = options.names ?? ((numeric) => new NumericNames(numeric));
  const names = makeNames({
    timers,
    entropy,
    bind: (port, handler) => Promise.resolve(net.udp.bind(port, handler)),
    addresses: () => net.addresses(),
    isAddress: (text) => parseIpAddress(text) !== null,
    open: (text, port, opened) => tcp.connect(parseIpAddress(text)!, port, opened),
    order: ipv6First,
  });
  const stack = joined(net, tcp, names);
  net.onConfiguration((configuration) => configureNames(names, configuration, options));
  if (options.address !== null) {
    const { address, gateway } = options;
    net.configure({ addresses: [address], gateway, dnsServers: [], domain: null, mtuBytes: null });
    logger.info(`address ${stack.addresses().join(', ')}`);
    return Promise.resolve(stack);
  }
  return new Promise((resolve) => {
    const impatience = new Timer(() => {
      logger.warn(
        'no DHCP server has answered for 5 s; still asking (--ipv4=ADDRESS/PREFIX sets one)',
      );
    });
    net.onConfiguration((configuration) => {
      if (configuration === null) return logger.warn('the address is gone: its lease ended');
      timers.stop(impatience);
      resolve(stack);
    });
    timers.arm(impatience, after(timers.now, PATIENCE));
    net.startDhcp(options.hostName ?? undefined);
  });
}

const DNS_PORT = 53;

/** Name servers and search list as the network says, unless they were given. */
function configureNames(
  names: StackNames,
  configuration: NetConfiguration | null,
  { nameServers = [] }: StackOptions,
): void {
  const told = (configuration?.dnsServers ?? []).map((address) => ({
    address: formatIpv4Address(address),
    port: DNS_PORT,
  }));
  const domain = configuration?.domain ?? null;
  names.configure(nameServers.length > 0 ? nameServers : told, domain === null ? [] : [domain]);
}

function ipv6First(addresses: readonly string[]): readonly string[] {
  const isIpv6 = (address: string): boolean => address.includes(':');
  return [...addresses.filter(isIpv6), ...addresses.filter((address) => !isIpv6(address))];
}

function joined(net: NetStack, tcp: TcpStack, names: StackNames): Stack {
  return {
    listen: (port, accept) => Promise.resolve(tcp.listen(port, accept)),
    connect: (text, port, opened) => names.connect(text, port, opened),
    resolve: (name) => names.resolve(name),
    bind: (port, handler) => Promise.resolve(net.udp.bind(port, handler)),
    addresses: () => net.addresses(),
    counters: () => ({
      ...net.device.counters(),
      ...net.counters(),
      ...tcp.counters(),
      ...names.counters(),
    }),
  };
}
