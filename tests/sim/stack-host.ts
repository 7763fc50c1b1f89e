/** A whole network stack on a simulated host, which may crash and boot again. */

import {
  type IpAddress,
  type Ipv4Address,
  type Ipv6Address,
  ipv4AddressOf,
  isIpv6LinkLocal,
  type NetStack,
  type TcpStack,
} from '#net';
import { type JoinOptions, joinStacks } from '#stack';
import type { SimHost, SimNetDeviceOptions, SimSwitch, SimWorld } from '#targets/sim/index';

export class StackHost {
  readonly name: string;
  readonly world: SimWorld;
  /** The machine, device and stack of this boot: new ones after the next. */
  host!: SimHost;
  net!: NetStack;
  tcp!: TcpStack;
  /** How often it has booted. What a boot began ends with it. */
  boots = 0;
  private readonly options: Partial<SimNetDeviceOptions>;
  private readonly join: Pick<JoinOptions, 'arp' | 'tcp' | 'memoryBytes'>;
  private readonly network: SimSwitch;
  private readonly programs: (() => void)[] = [];
  private isUp = false;

  constructor(
    world: SimWorld,
    name: string,
    options: Partial<SimNetDeviceOptions>,
    join: Pick<JoinOptions, 'arp' | 'tcp' | 'memoryBytes'> = {},
    network: SimSwitch = world.network,
  ) {
    this.name = name;
    this.world = world;
    this.options = options;
    this.join = join;
    this.network = network;
    this.boot();
  }

  /** Runs `program` now, and after every boot. */
  run(program: () => void): void {
    this.programs.push(program);
    program();
  }

  /**
   * Power is lost. The stack of this boot runs on, deaf and mute: whoever hears from it compares
   * `boots`.
   */
  crash(): void {
    this.network.unplug(this.host.device);
    this.isUp = false;
  }

  /** After `crash`: the same interface, and nothing else that was before. */
  boot(): void {
    if (this.isUp) throw new TypeError(`${this.name} is up`);
    const mac = this.boots === 0 ? {} : { mac: this.host.device.mac };
    this.host = this.world.addHost(this.name, { ...this.options, ...mac }, this.network);
    const { device, entropy, log } = this.host;
    const { net, tcp } = joinStacks({
      device,
      timers: this.world.timers,
      entropy,
      netLog: log.source('net'),
      tcpLog: log.source('tcp'),
      ...this.join,
    });
    this.net = net;
    this.tcp = tcp;
    this.world.onCheck(() => net.checkInvariants());
    this.world.onCheck(() => tcp.checkInvariants());
    this.boots += 1;
    this.isUp = true;
    for (const program of this.programs) program();
  }

  /** What a client connects to: over IPv6 when both have it, and a router where one is needed. */
  addressFor(client: StackHost): IpAddress | null {
    const [ours, theirs] = [this.address6(), client.address6()];
    const isNear = this.network === client.network;
    const isRouted = client.net.ipv6?.routers.defaultRouters.length !== 0;
    const canMeet = theirs !== null && (isNear || isRouted);
    return canMeet && ours !== null ? ours : this.address();
  }

  /** An address of IPv6 that isn't of the link only, or null. */
  address6(): Ipv6Address | null {
    const own = this.net.ipv6?.addresses ?? [];
    return own.find(({ address }) => !isIpv6LinkLocal(address))?.address ?? null;
  }

  /** The address in use, or null. */
  address(): Ipv4Address | null {
    const first = this.net.configuration?.addresses[0]?.address;
    return first === undefined ? null : ipv4AddressOf(first);
  }

  configure(address: Ipv4Address, prefixBits: number, gateway: Ipv4Address | null = null): void {
    this.net.configure({
      addresses: [{ address, prefixBits }],
      gateway,
      dnsServers: [],
      domain: null,
      mtuBytes: null,
    });
  }
}
