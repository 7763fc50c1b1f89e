/** Builds the network that a seed drew: segments, routers, routes, hosts, DHCP servers. */

import { after, type Instant, instantOfMicros, millis, Timer } from '#core';
import { type Ipv4Address, type Ipv6Address, ipv4AddressOf, parseIpv6Address } from '#net';
import { IPV6_MTU_BYTES_MIN } from '#net/wire';
import type { SimSwitch, SimWorld } from '#targets/sim/index';
import { TestDhcpServer } from './dhcp-server.ts';
import type { LinkPlan, NetworkOptions } from './network-options.ts';
import { RaRouter } from './ra-router.ts';
import { type RouterInterface, SimRouter } from './router.ts';
import { StackHost } from './stack-host.ts';

const SEGMENT_PREFIX_BITS = 24;
const LINK_PREFIX_BITS = 30;
const LEASE_SECONDS = 600;

/** 10.SEGMENT.0.NUMBER. */
export const segmentAddress = (segment: number, number: number): Ipv4Address =>
  ipv4AddressOf((10 << 24) | (segment << 16) | number);
const linkAddress = (link: number, number: number): Ipv4Address =>
  ipv4AddressOf((10 << 24) | (200 << 16) | (link << 2) | number);
const prefix6 = (segment: number): string => `fd00:0:0:${segment}::`;
const address6 = (segment: number, host: number): Ipv6Address =>
  parseIpv6Address(`${prefix6(segment)}${host + 1}`)!;
const GATEWAY = 254;
const DHCP_SERVER = 253;
const DHCP_FIRST = 100;
const STATIC_FIRST = 10;

interface Link {
  readonly plan: LinkPlan;
  readonly network: SimSwitch;
  readonly from: RouterInterface;
  readonly to: RouterInterface;
}

export class Network {
  readonly world: SimWorld;
  readonly hosts: StackHost[] = [];
  readonly routers: SimRouter[] = [];
  readonly segments: SimSwitch[] = [];
  private readonly options: NetworkOptions;
  private readonly links: Link[] = [];

  constructor(world: SimWorld, options: NetworkOptions) {
    this.world = world;
    this.options = options;
    for (const plan of options.segments) {
      const network = world.addSwitch();
      network.tap = world.network.tap;
      network.faults = plan.faults;
      this.segments.push(network);
    }
    for (let i = 0; i < options.routers; i++) this.addRouter(i);
    for (const [i, plan] of options.links.entries()) this.addLink(i, plan);
    this.addRoutes();
    this.segments.forEach((_, i) => {
      this.addDhcp(i);
    });
    if (options.hasIpv6Router) this.addIpv6Router();
    options.hosts.forEach((_, i) => {
      this.addHost(i);
    });
    this.scheduleTrouble();
  }

  /** Ends all faults and cuts; what is slow, small or asymmetric stays so. */
  heal(): void {
    for (const network of [...this.segments, ...this.links.map((link) => link.network)]) {
      network.heal();
    }
  }

  private addRouter(i: number): void {
    const router = new SimRouter(this.world, `router${i}`);
    router.isBlackHole = this.options.blackHoles.includes(i);
    const { mtuBytes } = this.options.segments[i]!;
    const address = segmentAddress(i, GATEWAY);
    router.addInterface(this.segments[i]!, address, SEGMENT_PREFIX_BITS, { mtuBytes });
    this.routers.push(router);
  }

  private addLink(i: number, plan: LinkPlan): void {
    const network = this.world.addSwitch();
    network.tap = this.world.network.tap;
    const [a, b] = [this.routers[plan.from]!, this.routers[plan.to]!];
    const from = a.addInterface(network, linkAddress(i, 1), LINK_PREFIX_BITS, plan.there.device);
    const to = b.addInterface(network, linkAddress(i, 2), LINK_PREFIX_BITS, plan.back.device);
    network.setFaultsFrom(from.device, plan.there.faults);
    network.setFaultsFrom(to.device, plan.back.faults);
    this.links.push({ plan, network, from, to });
  }

  /** Bellman-Ford from each router to each segment and link, by the weights of each direction. */
  private addRoutes(): void {
    const count = this.routers.length;
    for (let target = 0; target < count; target++) {
      const cost = Array.from({ length: count }, (_, i) => (i === target ? 0 : Infinity));
      const first: ([RouterInterface, Ipv4Address] | null)[] = cost.map(() => null);
      const relax = (
        from: number,
        to: number,
        weight: number,
        hop: [RouterInterface, Ipv4Address],
      ) => {
        if (cost[to]! + weight >= cost[from]!) return;
        cost[from] = cost[to]! + weight;
        first[from] = hop;
      };
      for (let round = 0; round < count; round++) {
        for (const { plan, from, to } of this.links) {
          relax(plan.from, plan.to, plan.there.weight, [from, to.address]);
          relax(plan.to, plan.from, plan.back.weight, [to, from.address]);
        }
      }
      const networks = this.routers[target]!.interfaces;
      for (let i = 0; i < count; i++) {
        const hop = first[i];
        if (hop === null || hop === undefined) continue;
        for (const { address, prefixBits } of networks) {
          const isOwn = this.routers[i]!.interfaces.some((own) => isSame(own, address));
          if (!isOwn) this.routers[i]!.addRoute(address, prefixBits, ...hop);
        }
      }
    }
  }

  private addDhcp(segment: number): void {
    if (!this.options.hosts.some((host) => host.isDhcp && host.segment === segment)) return;
    const { mtuBytes } = this.options.segments[segment]!;
    const network = this.segments[segment]!;
    const host = new StackHost(this.world, `dhcp${segment}`, { mtuBytes }, {}, network);
    const gateway = this.gatewayOf(segment);
    new TestDhcpServer({
      stack: host.net,
      address: segmentAddress(segment, DHCP_SERVER),
      prefixBits: SEGMENT_PREFIX_BITS,
      firstAddress: segmentAddress(segment, DHCP_FIRST),
      leaseSeconds: LEASE_SECONDS,
      repliesToAll: segment % 2 === 0,
      ...(gateway === null ? {} : { router: gateway }),
    });
  }

  private addIpv6Router(): void {
    let router: RaRouter | null = null;
    for (const [i, { mtuBytes }] of this.options.segments.entries()) {
      if (mtuBytes < IPV6_MTU_BYTES_MIN) continue;
      const host = this.world.addHost(`router6.${i}`, { mtuBytes }, this.segments[i]!);
      if (router === null) router = new RaRouter(this.world, host, prefix6(i));
      else router.addLink(host, prefix6(i));
    }
  }

  private addHost(i: number): void {
    const plan = this.options.hosts[i]!;
    const { mtuBytes } = this.options.segments[plan.segment]!;
    const device = { ...plan.device, mtuBytes };
    const network = this.segments[plan.segment]!;
    const host = new StackHost(this.world, `host${i}`, device, {}, network);
    host.run(() => {
      if (plan.hasIpv6 && mtuBytes >= IPV6_MTU_BYTES_MIN) {
        const fixed = { address: address6(plan.segment, i), prefixBits: 64, gateway: null };
        const { hasIpv6Router } = this.options;
        host.net.startIpv6({ secret: null, fixed: hasIpv6Router ? null : fixed });
      }
      if (plan.isDhcp) host.net.startDhcp();
      else {
        const address = segmentAddress(plan.segment, STATIC_FIRST + i);
        host.configure(address, SEGMENT_PREFIX_BITS, this.gatewayOf(plan.segment));
      }
    });
    this.hosts.push(host);
  }

  private gatewayOf(segment: number): Ipv4Address | null {
    return this.options.routers === 0 ? null : segmentAddress(segment, GATEWAY);
  }

  /** Crashes and cuts; all are over by the end of the safety phase. */
  private scheduleTrouble(): void {
    const { safetySeconds, hosts, cuts } = this.options;
    const end = safetySeconds * 1_000 - 1;
    hosts.forEach(({ crash }, i) => {
      if (crash === null) return;
      this.at(Math.min(crash.at, end - 1), () => this.hosts[i]!.crash());
      this.at(Math.min(crash.at + crash.downFor, end), () => this.hosts[i]!.boot());
    });
    for (const { link, at, length } of cuts) {
      const { network, from, to } = this.links[link]!;
      this.at(at, () => network.cut(from.device, to.device));
      this.at(at + length, () => network.mend(from.device, to.device));
    }
  }

  private at(waitMillis: number, act: () => void): void {
    const at: Instant = after(instantOfMicros(0), millis(waitMillis));
    this.world.timers.arm(new Timer(act), at);
  }
}

const isSame = ({ address, prefixBits }: RouterInterface, other: Ipv4Address): boolean =>
  address >> (32 - prefixBits) === other >> (32 - prefixBits);
