/**
 * The one joiner: a NetDevice in, the `Stack` that applications see out. Ethernet to UDP is
 * packages/net's NetStack, TCP its TcpStack. Not here: reading the command line
 * (packages/morgana/direct-stack.ts).
 */

import { after, err, type Logger, ok, type Result, seconds, Timer, type TimerQueue } from '#core';
import type { ConnectError, Flow, Machine, NetDevice, Stack } from '#device';
import {
  type Ipv4Address,
  isHostAddress,
  MemoryBudget,
  memoryBytesDefault,
  NetStack,
  netmaskOf,
  PROTOCOL_TCP,
  parseIpAddress,
  parseIpv4Address,
  TcpStack,
} from '#net';

export interface StackOptions {
  /** A fixed address; null: DHCP. */
  readonly address: { readonly address: Ipv4Address; readonly prefixBits: number } | null;
  /** Only with a fixed address. */
  readonly gateway: Ipv4Address | null;
  /** What DHCP tells the server; null: nothing. */
  readonly hostName: string | null;
  /** The declared memory of the stack; memoryBytesDefault when absent. */
  readonly memoryBytes?: number;
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
  const memory = new MemoryBudget(options.memoryBytes ?? memoryBytesDefault);
  const net = new NetStack({ device, timers, entropy, logger, memory });
  const { offload } = device;
  const tcp = new TcpStack({ ip: net.ip, timers, entropy, log: logger, offload, memory });
  net.registerTransport(PROTOCOL_TCP, tcp, tcp);
  net.onTransmitReady(() => tcp.transmitReady());
  const stack = joined(net, tcp, timers);
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

function joined(net: NetStack, tcp: TcpStack, timers: TimerQueue): Stack {
  return {
    listen: (port, accept) => Promise.resolve(tcp.listen(port, accept)),
    connect: (text, port, opened) => {
      let isWithin = true;
      // What fails at once is told later too: callers expect one order only.
      const tell = (result: Result<Flow, ConnectError>): void => {
        if (isWithin) timers.arm(new Timer(() => opened(result)), timers.now);
        else opened(result);
      };
      const address = parseIpAddress(text);
      if (address === null) tell(err({ kind: 'bad address' }));
      else tcp.connect(address, port, tell);
      isWithin = false;
    },
    bind: (port, handler) => Promise.resolve(net.udp.bind(port, handler)),
    addresses: () => net.addresses(),
    counters: () => ({ ...net.device.counters(), ...net.counters(), ...tcp.counters() }),
  };
}
