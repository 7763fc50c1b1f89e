/** A whole network stack on a simulated host. */

import type { Ipv4Address, NetStack, TcpStack } from '#net';
import { type JoinOptions, joinStacks } from '#stack';
import type { SimHost, SimNetDeviceOptions, SimWorld } from '#targets/sim/index';

export class StackHost {
  readonly name: string;
  readonly world: SimWorld;
  readonly host: SimHost;
  readonly net: NetStack;
  readonly tcp: TcpStack;

  constructor(
    world: SimWorld,
    name: string,
    options: Partial<SimNetDeviceOptions>,
    join: Pick<JoinOptions, 'tcp' | 'memoryBytes'> = {},
  ) {
    this.name = name;
    this.world = world;
    this.host = world.addHost(name, options);
    const { device, entropy, log } = this.host;
    const { net, tcp } = joinStacks({
      device,
      timers: world.timers,
      entropy,
      netLog: log.source('net'),
      tcpLog: log.source('tcp'),
      ...join,
    });
    this.net = net;
    this.tcp = tcp;
    world.onCheck(() => this.net.checkInvariants());
    world.onCheck(() => this.tcp.checkInvariants());
  }

  /** The address in use, or null. */
  address(): Ipv4Address | null {
    return this.net.configuration?.addresses[0]?.address ?? null;
  }

  configure(address: Ipv4Address, prefixBits: number): void {
    this.net.configure({
      addresses: [{ address, prefixBits }],
      gateway: null,
      dnsServers: [],
      domain: null,
      mtuBytes: null,
    });
  }
}
