/**
 * For tests: guests on a network with a gateway, whose host is a machine of another network, where
 * a server is. All in one simulated world.
 */

import { setImmediate } from 'node:timers/promises';
import { after, type Instant, type Result, seconds } from '#core';
import type { Flow, FlowEnd, FlowHandler, Stack } from '#device';
import {
  formatIpv4Address,
  type IpAddress,
  type Ipv4Address,
  type Ipv6Settings,
  type NetStack,
  parseIpAddress,
  parseIpv4Address,
  parseIpv6Address,
  type TcpStack,
} from '#net';
import { directStack, joinStacks, stackOptions } from '#stack';
import { type SimHost, type SimSwitch, SimWorld } from '#targets/sim/index';
import { Gateway } from './gateway.ts';
import type { Member } from './guests.ts';
import type { GatewayHost } from './host.ts';
import { type GatewayNetwork, gatewayNetwork } from './network.ts';

export const SERVER = '192.0.2.10';
export const SERVER6 = '2001:db8::10';
export const NOWHERE = '192.0.2.99';

export interface Machine {
  readonly host: SimHost;
  readonly net: NetStack;
  readonly tcp: TcpStack;
}

function machineOn(world: SimWorld, name: string, network: SimSwitch): Machine {
  const host = world.addHost(name, {}, network);
  const { net, tcp } = joinStacks({
    device: host.device,
    timers: world.timers,
    entropy: host.entropy,
    netLog: host.log.source('net'),
    tcpLog: host.log.source('tcp'),
  });
  world.onCheck(() => net.checkInvariants());
  world.onCheck(() => tcp.checkInvariants());
  return { host, net, tcp };
}

export class TestNetwork {
  readonly world: SimWorld;
  readonly outside: SimSwitch;
  readonly gateway: Gateway;
  readonly server: Machine;
  readonly host: Stack;
  readonly hostDevice: SimHost;

  private constructor(
    world: SimWorld,
    outside: SimSwitch,
    host: Stack,
    hostDevice: SimHost,
    network: GatewayNetwork,
    wrap: (host: Stack) => GatewayHost,
    members: Member[],
  ) {
    this.world = world;
    this.outside = outside;
    this.host = host;
    this.hostDevice = hostDevice;
    this.server = machineOn(world, 'server', outside);
    configure(this.server.net, SERVER);
    this.server.net.startIpv6(fixedIpv6(SERVER6));
    const own = world.addHost('gateway');
    this.gateway = new Gateway({
      device: own.device,
      host: wrap(host),
      timers: world.timers,
      entropy: own.entropy,
      clock: world.clock,
      logger: own.log.source('gateway'),
      network,
      members: () => members,
    });
    world.onCheck(() => this.gateway.checkInvariants());
  }

  static async open(
    change: Partial<GatewayNetwork> = {},
    wrap: (host: Stack) => GatewayHost = (host) => host,
    seed = 5,
    members: Member[] = [],
  ): Promise<TestNetwork> {
    const world = new SimWorld(seed);
    const outside = world.addSwitch();
    const hostDevice = world.addHost('host', {}, outside);
    const options = stackOptions('192.0.2.1/24', '', '');
    if (!options.ok) throw new TypeError(options.error.message);
    const machine = { timers: world.timers, entropy: hostDevice.entropy };
    const logger = hostDevice.log.source('host');
    const both = { ...options.value, ipv6: fixedIpv6('2001:db8::1') };
    const host = await directStack(machine, hostDevice.device, both, logger);
    const loopbacks = { hostLoopback: SERVER, hostLoopback6: SERVER6 };
    const network = gatewayNetwork('10.77.0.0/24', { ...loopbacks, ...change });
    if (!network.ok) throw new TypeError(network.error.message);
    return new TestNetwork(world, outside, host, hostDevice, network.value, wrap, members);
  }

  /** A guest with an address from the gateway. */
  async guest(name: string): Promise<Machine> {
    const guest = machineOn(this.world, name, this.world.network);
    guest.net.startDhcp(name);
    await this.until(() => guest.net.configuration !== null);
    return guest;
  }

  /** As `guest`, with an address of the gateway's IPv6 prefix too. */
  async guest6(name: string): Promise<Machine> {
    const guest = await this.guest(name);
    guest.net.startIpv6({ secret: null, fixed: null });
    await this.until(() => guest.net.ipv6?.isGlobal === true);
    return guest;
  }

  async until(isDone: () => boolean, limitSeconds = 60): Promise<void> {
    await this.world.runAsync(isDone, this.limit(limitSeconds), setImmediate);
  }

  async wait(howLong: number): Promise<void> {
    const end = this.limit(howLong);
    await this.world.runAsync(() => this.world.timers.now >= end, end, setImmediate);
  }

  counter(name: string): number {
    const value = this.gateway.counters()[name];
    if (value === undefined) throw new TypeError(`no counter ${name}`);
    return value;
  }

  private limit(howLong: number): Instant {
    return after(this.world.timers.now, seconds(howLong));
  }
}

export function configure(net: NetStack, text: string): void {
  const address = addressOf(text);
  const none = { gateway: null, dnsServers: [], domain: null, mtuBytes: null };
  net.configure({ addresses: [{ address, prefixBits: 24 }], ...none });
}

function fixedIpv6(text: string): Ipv6Settings {
  const address = parseIpv6Address(text);
  if (address === null) throw new TypeError(text);
  return { secret: null, fixed: { address, prefixBits: 64, gateway: null } };
}

export function anyAddressOf(text: string): IpAddress {
  const address = parseIpAddress(text);
  if (address === null) throw new TypeError(text);
  return address;
}

export function addressOf(text: string): Ipv4Address {
  const address = parseIpv4Address(text);
  if (address === null) throw new TypeError(text);
  return address;
}

export const addressOfGuest = (guest: Machine): string =>
  formatIpv4Address(guest.net.configuration!.addresses[0]!.address);

/** One end of a connection, and all that happened at it. */
export class Ending implements FlowHandler {
  readonly flow: Flow;
  text = '';
  bytes = 0;
  isEnded = false;
  how: FlowEnd | null = null;
  readonly onData: (bytes: Uint8Array) => void;

  constructor(flow: Flow, onData: (bytes: Uint8Array) => void = () => {}) {
    this.flow = flow;
    this.onData = onData;
    flow.attach(this);
  }

  data(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    if (this.text.length < 1_000) this.text += Buffer.from(bytes).toString('latin1');
    this.onData(bytes);
  }

  drained(): void {}

  end(): void {
    this.isEnded = true;
  }

  closed(how: FlowEnd): void {
    this.how = how;
  }
}

export const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));

/** Opens a connection; what became of it is in the box, later. */
export function connect(
  tcp: TcpStack,
  to: string,
  port: number,
): { ending: Ending | null; error: string | null } {
  const box: { ending: Ending | null; error: string | null } = { ending: null, error: null };
  tcp.connect(anyAddressOf(to), port, (result: Result<Flow, { kind: string }>) => {
    if (result.ok) box.ending = new Ending(result.value);
    else box.error = result.error.kind;
  });
  return box;
}
