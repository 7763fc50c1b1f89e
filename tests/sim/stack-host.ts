/** A whole network stack on a simulated host. */

import { type Ipv4Address, NetStack, PROTOCOL_TCP, TcpStack } from '#net';
import type { SimHost, SimNetDeviceOptions, SimWorld } from '#targets/sim/index';

export class StackHost {
  readonly name: string;
  readonly world: SimWorld;
  readonly host: SimHost;
  readonly net: NetStack;
  readonly tcp: TcpStack;

  constructor(world: SimWorld, name: string, options: Partial<SimNetDeviceOptions>) {
    this.name = name;
    this.world = world;
    this.host = world.addHost(name, options);
    const { device, entropy, log } = this.host;
    const { timers } = world;
    this.net = new NetStack({ device, timers, entropy, logger: log.source('net') });
    this.tcp = new TcpStack({
      ip: this.net.ip,
      timers,
      entropy,
      log: log.source('tcp'),
      offload: device.offload,
      memory: this.net.memory,
    });
    this.net.registerTransport(PROTOCOL_TCP, this.tcp, this.tcp);
    this.net.onTransmitReady(() => this.tcp.transmitReady());
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
