/**
 * The one joiner of this package: a network device, its Ethernet, ARP, IPv4, ICMP, UDP and DHCP,
 * and IPv6 (ipv6/ipv6.ts joins its parts).
 * Transports of other packages register by protocol number. Not here: TCP (tcp/, joined by
 * packages/stack), names, a second interface.
 */

import type { Logger, TimerQueue } from '#core';
import { assert, Timer } from '#core';
import type { Entropy, NetDevice, StackSnapshot } from '#device';
import type { GiveUp } from './arp/address-guard.ts';
import { ARP_POLICY, type ArpPolicy } from './arp/arp-table.ts';
import { NeighborCache } from './arp/neighbor-cache.ts';
import { Dhcpv4Client } from './dhcpv4/dhcpv4-client.ts';
import type { Lease } from './dhcpv4/lease.ts';
import type { ForeignAddresses, ForeignErrors } from './foreign.ts';
import type { IcmpErrorInput } from './icmp-error.ts';
import { Icmpv4 } from './icmpv4/icmpv4.ts';
import { Igmp } from './igmp/igmp.ts';
import {
  inspectIpv4Address,
  inspectIpv4Route,
  inspectIpv6Address,
  inspectLease,
  inspectMemory,
  inspectNeighbor,
  inspectRouters,
} from './inspect.ts';
import {
  type IpAddress,
  type IpRouter,
  type Ipv4Address,
  PROTOCOL_ICMP,
  PROTOCOL_IGMP,
  PROTOCOL_UDP,
  type TransportInput,
} from './ip.ts';
import {
  formatIpv4Address,
  IPV4_ANY,
  IPV4_BROADCAST,
  ipv4AddressOf,
  isHostAddress,
  netmaskOf,
} from './ip-address.ts';
import { IpFamilies } from './ip-families.ts';
import { formatIpAddress, sameAddress } from './ip-family.ts';
import { type InterfaceAddress, InterfaceAddresses } from './ipv4/interface-addresses.ts';
import type { ForwardingParts, Ipv4Forwarding } from './ipv4/ipv4-forwarding.ts';
import { Ipv4Input } from './ipv4/ipv4-input.ts';
import { Ipv4Output } from './ipv4/ipv4-output.ts';
import { type Ipv4RouteEntry, RoutingTable } from './ipv4/routing-table.ts';
import { Ipv6, type Ipv6Settings } from './ipv6/ipv6.ts';
import type { Ipv6Forwarding, Ipv6ForwardingParts } from './ipv6/ipv6-forwarding.ts';
import { isIpv6HostAddress, isIpv6LinkLocal } from './ipv6-address.ts';
import { formatIpv6Address } from './ipv6-text.ts';
import { configuredRoutesMax, memoryBytesDefault, mtuBytesMin } from './limits.ts';
import { EthernetLink } from './link/ethernet-link.ts';
import { Neighbor } from './link/neighbor.ts';
import { MemoryBudget } from './memory-budget.ts';
import { PathMtuCache } from './path-mtu.ts';
import { Reassembly } from './reassembly.ts';
import { Udp } from './udp/udp.ts';
import { ETHERTYPE_IPV4, ethernetType, formatMac } from './wire/ethernet.ts';

export interface NetConfiguration {
  /** The first one is the source of what has no other; at least one. */
  readonly addresses: readonly InterfaceAddress[];
  /** Where what no other route matches goes; null: nowhere. */
  readonly gateway: Ipv4Address | null;
  /** Beside those of the addresses' own prefixes and `gateway`. */
  readonly routes?: readonly Ipv4RouteEntry[];
  readonly dnsServers: readonly Ipv4Address[];
  readonly domain: string | null;
  /** Where names without a dot are looked for, in order; absent: in `domain`. */
  readonly searchDomains?: readonly string[];
  readonly ntpServers?: readonly Ipv4Address[];
  /** Largest IP packet, at most the device's; null: the device's. */
  readonly mtuBytes: number | null;
}

/** Whom to ask for names, as all that configures us says. */
export interface NameConfiguration {
  /** DHCP's first, then those of router advertisements and DHCPv6; each once. */
  readonly servers: readonly IpAddress[];
  /** Where names without a dot are looked for, in order; each once. */
  readonly searchDomains: readonly string[];
}

export interface NetStackOptions {
  readonly device: NetDevice;
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  readonly logger: Logger;
  /** For all that peers can make the stack keep; TCP gets the same. */
  readonly memory?: MemoryBudget;
  /** How ARP remembers, asks and believes; ARP_POLICY when absent. */
  readonly arp?: ArpPolicy;
}

/** Told about a new configuration, or null when there is none any more. */
export type ConfigurationListener = (configuration: NetConfiguration | null) => void;

export class NetStack {
  readonly ip: IpRouter;
  readonly udp: Udp;
  readonly device: NetDevice;
  readonly memory: MemoryBudget;
  private readonly options: NetStackOptions;
  private readonly interfaceAddresses = new InterfaceAddresses();
  private readonly arp: NeighborCache;
  private readonly table = new RoutingTable();
  private readonly paths: PathMtuCache;
  private readonly reassembly: Reassembly;
  private readonly output: Ipv4Output;
  private readonly input: Ipv4Input;
  private readonly icmp: Icmpv4;
  private readonly igmp: Igmp;
  private readonly link: EthernetLink;
  private dhcp: Dhcpv4Client | null = null;
  private forwarding: Ipv4Forwarding | null = null;
  private current: NetConfiguration | null = null;
  private readonly configurationListeners: ConfigurationListener[] = [];
  private readonly readyListeners: (() => void)[] = [];
  private readonly nameListeners: (() => void)[] = [];
  private readonly families: IpFamilies;
  private readonly transports: [protocol: number, TransportInput, IcmpErrorInput | undefined][] =
    [];

  /** Attaches to the device, and is silent until configured or told to use DHCP. */
  constructor(options: NetStackOptions) {
    const { device, timers, entropy, logger } = options;
    assert(device.mtuBytes >= mtuBytesMin);
    this.options = options;
    this.device = device;
    this.memory = options.memory ?? new MemoryBudget(memoryBytesDefault);
    const addresses = this.interfaceAddresses;
    const waiting = this.memory.account('neighborPackets');
    const policy = options.arp ?? ARP_POLICY;
    this.arp = new NeighborCache(device, timers, addresses, waiting, entropy, logger, policy);
    waiting.reclaim = (bytes) => {
      const before = waiting.usedBytes;
      this.arp.dropWaiting(bytes);
      const left = bytes - (before - waiting.usedBytes);
      if (left > 0) this.ipv6?.dropWaiting(left);
    };
    const group = new Neighbor(
      IPV4_BROADCAST,
      this.arp.nextEpoch(),
      timers.now,
      new Timer(() => {}),
    );
    const { table, arp } = this;
    this.paths = new PathMtuCache(timers);
    this.reassembly = new Reassembly(timers, this.memory.account('fragments'));
    this.output = new Ipv4Output(device, addresses, table, this.paths, arp, group, entropy);
    this.icmp = new Icmpv4(this.output, addresses, timers);
    arp.unresolved = (head) => {
      if (this.forwarding?.unresolved(head) !== true) this.icmp.unresolved(head);
    };
    this.igmp = new Igmp(this.output, device.mac, addresses, timers, entropy);
    const families = new IpFamilies(this.output, addresses, this.igmp);
    this.families = families;
    this.ip = families;
    this.input = new Ipv4Input(addresses, this.igmp, this.reassembly, this.icmp);
    this.udp = new Udp(families, families, entropy, (frame, at, end, source) => {
      if (typeof source === 'number') this.icmp.portUnreachable(frame, at, end);
      else families.ipv6?.icmp.portUnreachable(frame, end);
    });
    this.input.register(PROTOCOL_ICMP, this.icmp);
    this.input.register(PROTOCOL_IGMP, this.igmp);
    this.registerTransport(PROTOCOL_UDP, this.udp, this.udp);
    this.link = new EthernetLink(
      device,
      this.input,
      (frame) => this.arp.receive(frame),
      () => {
        for (const listener of this.readyListeners) listener();
      },
    );
  }

  /** Once a protocol. `errors` hears of ICMP errors about this protocol's packets. */
  registerTransport(protocol: number, input: TransportInput, errors?: IcmpErrorInput): void {
    this.input.register(protocol, input);
    if (errors !== undefined) this.icmp.registerErrors(protocol, errors);
    this.transports.push([protocol, input, errors]);
    if (this.ipv6 !== null) registerIpv6(this.ipv6, protocol, input, errors);
  }

  /**
   * Puts a router's part between the link and our own IPv4; once. A stack without one isn't any
   * slower for it.
   */
  forwardIpv4(make: (parts: ForwardingParts) => Ipv4Forwarding): Ipv4Forwarding {
    assert(this.forwarding === null);
    const { device, interfaceAddresses: addresses, table, arp, icmp: errors, input: own } = this;
    const made = make({ device, addresses, table, arp, errors, own });
    this.forwarding = made;
    this.link.ipv4 = made.input;
    made.reset(this.output.linkMtuBytes);
    return made;
  }

  /** After `IpOutput.begin` returned null: `listener` is called whenever there is room again. */
  onTransmitReady(listener: () => void): void {
    this.readyListeners.push(listener);
  }

  /** Told about every later change; read `configuration` for now. */
  onConfiguration(listener: ConfigurationListener): void {
    this.configurationListeners.push(listener);
  }

  get configuration(): NetConfiguration | null {
    return this.current;
  }

  /**
   * Uses fixed addresses from now on, in place of earlier ones; null: none. Not while DHCP runs.
   */
  configure(configuration: NetConfiguration | null): void {
    assert(this.dhcp === null || configuration === null);
    this.apply(configuration, null);
  }

  /** Gets an address by DHCP and keeps it; the first message leaves at once. */
  startDhcp(hostName?: string): void {
    assert(this.dhcp === null);
    const { device, timers, entropy, logger } = this.options;
    this.dhcp = new Dhcpv4Client({
      mac: device.mac,
      udp: this.udp,
      timers,
      entropy,
      logger,
      mtuBytes: device.mtuBytes,
      listener: {
        acquiring: (isAcquiring) => {
          this.input.acceptsAnyDestination = isAcquiring;
        },
        configured: (lease) =>
          this.apply(configurationOf(lease), (address) => this.dhcp?.conflict(address)),
        deconfigured: () => this.apply(null, null),
      },
      ...(hostName === undefined ? {} : { hostName }),
    });
    const isStarted = this.dhcp.start();
    assert(isStarted, 'port 68 was taken before DHCP started');
  }

  /** IPv6 from now on, with what it needs; once. False when the device can't carry it. */
  startIpv6(settings: Ipv6Settings): boolean {
    assert(this.ipv6 === null);
    const { device, timers, entropy, logger } = this.options;
    const { reassembly } = this;
    const memory = this.memory.account('neighborPackets');
    const ipv6 = new Ipv6({ device, timers, entropy, logger, memory, reassembly });
    for (const [protocol, input, errors] of this.transports) {
      registerIpv6(ipv6, protocol, input, errors);
    }
    ipv6.onChange(() => {
      for (const listener of this.nameListeners) listener();
    });
    this.families.ipv6 = ipv6;
    this.link.ipv6 = ipv6.input;
    if (ipv6.start(settings, this.udp)) return true;
    this.families.ipv6 = null;
    this.link.ipv6 = null;
    return false;
  }

  /** As `forwardIpv4`; once, after `startIpv6`. */
  forwardIpv6(make: (parts: Ipv6ForwardingParts) => Ipv6Forwarding): Ipv6Forwarding {
    const { ipv6, device } = this;
    assert(ipv6 !== null);
    const made = ipv6.forward((parts) => make({ ...parts, device }));
    this.link.ipv6 = made.input;
    return made;
  }

  /** Null before `startIpv6`. */
  get ipv6(): Ipv6 | null {
    return this.families.ipv6;
  }

  /** Whom to ask for names now. */
  get names(): NameConfiguration {
    const { current, ipv6 } = this;
    const domains = current?.searchDomains ?? (current?.domain ? [current.domain] : []);
    const ipv4Servers: readonly IpAddress[] = current?.dnsServers ?? [];
    return {
      servers: distinct([...ipv4Servers, ...(ipv6?.dnsServers ?? [])], sameAddress),
      searchDomains: distinct([...domains, ...(ipv6?.searchList ?? [])], (a, b) => a === b),
    };
  }

  /** Told that `names`, or our IPv6 addresses, may have changed. */
  onNames(listener: () => void): void {
    this.nameListeners.push(listener);
  }

  /** A host's addresses in the order to try them in (RFC 6724 §6). */
  sortDestinations(addresses: readonly IpAddress[]): IpAddress[] {
    return this.families.sortDestinations(addresses);
  }

  /**
   * Stands in for other hosts from now on, as `settings` says; once, and after `startIpv6` if there
   * is IPv6. Returns what `ForeignTcp` and
   * `ForeignUdp` need, which take their packets.
   */
  takeForeign(settings: ForeignAddresses): {
    readonly addresses: ForeignAddresses;
    readonly errors: ForeignErrors;
  } {
    const { families } = this;
    const takes = (address: IpAddress): boolean =>
      isHost(address) && !families.isOurs(address) && settings.takes(address);
    const addresses: ForeignAddresses = {
      takes,
      isOnOurStation: (address) => takes(address) && settings.isOnOurStation(address),
      answersEcho: (address) => takes(address) && settings.answersEcho(address),
    };
    this.input.foreign = addresses;
    this.output.foreign = addresses;
    this.icmp.foreign = addresses;
    this.arp.foreign = addresses;
    if (this.ipv6 !== null) this.ipv6.foreign = addresses;
    return {
      addresses,
      errors: (frame, end, fault) => {
        if (ethernetType(frame) === ETHERTYPE_IPV4) this.icmp.foreignFault(frame, end, fault);
        else this.ipv6?.icmp.foreignFault(frame, end, fault);
      },
    };
  }

  /**
   * The program ends in order: gives an address from DHCP back to its server, as far as one message
   * does. Use the stack no more.
   */
  release(): void {
    this.dhcp?.release();
  }

  /** "10.0.2.15/24", then "2001:db8::1/64"; empty until configured. */
  addresses(): string[] {
    const ipv4 = this.interfaceAddresses.list.map(
      ({ address, prefixBits }) => `${formatIpv4Address(address)}/${prefixBits}`,
    );
    const ipv6 = (this.ipv6?.addresses ?? []).map(
      ({ address, prefixBits }) => `${formatIpv6Address(address)}/${prefixBits}`,
    );
    return [...ipv4, ...ipv6];
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...this.memory.counters(),
      ...this.link.counters,
      ...this.arp.counters,
      ...this.arp.guard.counters,
      ...this.input.snapshot(),
      ...this.output.snapshot(),
      ...this.paths.counters,
      ...this.reassembly.counters,
      ...this.icmp.counters,
      ...this.igmp.counters,
      ...this.udp.counters,
      ...this.dhcp?.counters,
      ...this.ipv6?.counters(),
    };
  }

  /** All but TCP. */
  inspect(): Omit<StackSnapshot, 'connections'> {
    const { device, dhcp, ipv6, names } = this;
    const { now } = this.options.timers;
    const learned = ipv6 === null ? null : inspectRouters(ipv6.routers, now);
    const neighbors: readonly Neighbor<IpAddress>[] = [
      ...this.arp.list,
      ...(ipv6?.neighbors ?? []),
    ];
    const ipv4 = this.interfaceAddresses.list.map((own) => inspectIpv4Address(own, dhcp !== null));
    return {
      mac: formatMac(device.mac),
      mtuBytes: device.mtuBytes,
      addresses: [...ipv4, ...(ipv6?.addresses ?? []).map((own) => inspectIpv6Address(own, now))],
      routes: [...this.table.list.map(inspectIpv4Route), ...(learned?.routes ?? [])],
      neighbors: neighbors.map((entry) => inspectNeighbor(entry, now)),
      routers: learned?.routers ?? [],
      prefixes: learned?.prefixes ?? [],
      nameServers: names.servers.map(formatIpAddress),
      searchDomains: names.searchDomains,
      ...(dhcp === null ? {} : { lease: inspectLease(dhcp, now) }),
      datagramPorts: this.udp.ports,
      memory: inspectMemory(this.memory),
      counters: this.counters(),
      deviceCounters: device.counters(),
    };
  }

  checkInvariants(): void {
    this.memory.checkInvariants();
    this.arp.checkInvariants();
    this.udp.checkInvariants();
    this.icmp.checkInvariants();
    this.igmp.checkInvariants();
    this.reassembly.checkInvariants();
    this.paths.checkInvariants();
    this.forwarding?.checkInvariants();
    this.dhcp?.checkInvariants();
    this.ipv6?.checkInvariants();
    const waitingBytes = this.arp.waitingBytes + (this.ipv6?.waitingBytes ?? 0);
    assert(waitingBytes === this.memory.account('neighborPackets').usedBytes);
    assert((this.current === null) === (this.interfaceAddresses.list.length === 0));
  }

  /** `giveUp`: see AddressGuard. */
  private apply(configuration: NetConfiguration | null, giveUp: GiveUp | null): void {
    assert(configuration === null || configuration.addresses.length > 0);
    if (isSame(configuration, this.current)) return;
    this.current = configuration;
    this.interfaceAddresses.set(configuration?.addresses ?? []);
    this.table.set(configuration === null ? [] : tableOf(configuration));
    const mtuBytes = configuration?.mtuBytes ?? this.device.mtuBytes;
    this.output.reset(Math.min(mtuBytes, this.device.mtuBytes));
    this.forwarding?.reset(Math.min(mtuBytes, this.device.mtuBytes));
    this.input.reset();
    this.reassembly.clear();
    const claimed = configuration?.addresses.map(({ address }) => address) ?? [];
    this.arp.guard.claim(claimed, giveUp);
    if (configuration !== null) {
      this.igmp.configured();
      // The first clients' answers would overflow the queue of packets that wait for it.
      for (const { prefixBits, gateway } of this.table.list) {
        if (prefixBits === 0 && gateway !== null) this.arp.ask(this.arp.neighbor(gateway));
      }
    }
    for (const listener of this.configurationListeners) listener(configuration);
    for (const listener of this.nameListeners) listener();
  }
}

function registerIpv6(
  ipv6: Ipv6,
  protocol: number,
  input: TransportInput,
  errors: IcmpErrorInput | undefined,
): void {
  ipv6.input.register(protocol, input);
  if (errors !== undefined) ipv6.icmp.registerErrors(protocol, errors);
}

/** Whether one host, on the link or beyond, can have it. */
const isHost = (address: IpAddress): boolean =>
  typeof address === 'number'
    ? isHostAddress(address)
    : isIpv6HostAddress(address) && !isIpv6LinkLocal(address);

const distinct = <T>(list: readonly T[], isSame: (a: T, b: T) => boolean): T[] =>
  list.filter((value, i) => list.findIndex((other) => isSame(other, value)) === i);

/** The prefixes of our addresses, the default route, and what was configured beside them. */
function tableOf({ addresses, gateway, routes = [] }: NetConfiguration): Ipv4RouteEntry[] {
  assert(routes.length <= configuredRoutesMax);
  const connected = addresses.map(({ address, prefixBits }) => ({
    prefix: ipv4AddressOf(address & netmaskOf(prefixBits)),
    prefixBits,
    gateway: null,
  }));
  const defaults = gateway === null ? [] : [{ prefix: IPV4_ANY, prefixBits: 0, gateway }];
  return [...connected, ...defaults, ...routes];
}

function configurationOf(lease: Lease): NetConfiguration {
  const { address, prefixBits, broadcast, ...rest } = lease;
  const { gateway, routes, dnsServers, domain, searchDomains, ntpServers, mtuBytes } = rest;
  return {
    addresses: [broadcast === null ? { address, prefixBits } : { address, prefixBits, broadcast }],
    gateway,
    routes,
    dnsServers,
    domain,
    searchDomains,
    ntpServers,
    mtuBytes,
  };
}

/** A renewed lease mostly changes nothing, and must not disturb what is under way. */
const isSame = (a: NetConfiguration | null, b: NetConfiguration | null): boolean =>
  JSON.stringify(a) === JSON.stringify(b);
