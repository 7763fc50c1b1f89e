/**
 * IPv6 on one interface: joins input, output, ICMPv6, neighbour discovery, autoconfiguration,
 * multicast groups and DHCPv6. Silent until started. Not here: transports, IPv4.
 */

import type { Logger, TimerQueue } from '#core';
import { assert, FOREVER, Timer } from '#core';
import type { Entropy, NetDevice } from '#device';
import { Dhcpv6Client, NO_INFORMATION } from '../dhcpv6/dhcpv6-client.ts';
import type { ForeignAddresses } from '../foreign.ts';
import { Icmpv6 } from '../icmpv6/icmpv6.ts';
import type { Route } from '../ip.ts';
import {
  hasPrefix,
  IPV6_ALL_NODES,
  IPV6_ALL_ROUTERS,
  type Ipv6Address,
  isIpv6LinkLocal,
  isIpv6Multicast,
  prefixOf,
  solicitedNodeOf,
} from '../ipv6-address.ts';
import { Neighbor } from '../link/neighbor.ts';
import type { MemoryAccount } from '../memory-budget.ts';
import { Mld } from '../mld/mld.ts';
import { LinkMessages } from '../ndp/link-messages.ts';
import { Ndp } from '../ndp/ndp.ts';
import type { Ipv6Neighbor } from '../ndp/ndp-neighbors.ts';
import { type LinkParameters, RouterAdvertisements } from '../ndp/router-advertisements.ts';
import { RouterSolicitation } from '../ndp/router-solicitation.ts';
import { RouterTable } from '../ndp/router-table.ts';
import { PathMtuCache } from '../path-mtu.ts';
import type { Reassembly } from '../reassembly.ts';
import type { Udp } from '../udp/udp.ts';
import { PROTOCOL_ICMPV6 } from '../wire/icmpv6.ts';
import { IPV6_MTU_BYTES_MIN } from '../wire/ipv6.ts';
import type { RouterAdvertisement } from '../wire/ndp.ts';
import { Ipv6AddressCache } from './address-cache.ts';
import { InterfaceIdentifiers, SECRET_BYTES } from './interface-identifier.ts';
import type { Ipv6Forwarding, Ipv6ForwardingParts } from './ipv6-forwarding.ts';
import { type Ipv6Destinations, Ipv6Input } from './ipv6-input.ts';
import { Ipv6Output, type Ipv6Ways } from './ipv6-output.ts';
import { hopLimitDefault } from './limits.ts';
import { Ipv6OwnAddresses, isDeprecated, type OwnAddress } from './own-addresses.ts';
import { type AddressEvents, Slaac } from './slaac.ts';
import { selectSource } from './source-selection.ts';

export interface Ipv6Settings {
  /** Of stable addresses (interface-identifier.ts), 16 bytes; null: random, another every time. */
  readonly secret: Uint8Array | null;
  /** Addresses set by hand: then routers aren't asked, and not believed. Null: they are. */
  readonly fixed: {
    readonly address: Ipv6Address;
    /** 0..128. */
    readonly prefixBits: number;
    /** On the link; null: none. */
    readonly gateway: Ipv6Address | null;
  } | null;
}

export interface Ipv6Parts {
  readonly device: NetDevice;
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  readonly logger: Logger;
  /** For packets that wait for link addresses. */
  readonly memory: MemoryAccount;
  readonly reassembly: Reassembly;
}

export class Ipv6 implements Ipv6Ways, Ipv6Destinations, AddressEvents {
  readonly output: Ipv6Output;
  readonly input: Ipv6Input;
  readonly icmp: Icmpv6;
  readonly mld: Mld;
  readonly routers = new RouterTable();
  private readonly parts: Ipv6Parts;
  private readonly cache: Ipv6AddressCache;
  private readonly own6 = new Ipv6OwnAddresses();
  private readonly messages: LinkMessages;
  private readonly ndp: Ndp;
  private readonly paths: PathMtuCache;
  private readonly link: LinkParameters;
  private readonly solicitation: RouterSolicitation;
  private readonly tableTimer = new Timer(() => this.tableExpired());
  private readonly listeners: (() => void)[] = [];
  /** Set by `start`. */
  private slaac: Slaac | null = null;
  private advertisements: RouterAdvertisements | null = null;
  private dhcp: Dhcpv6Client | null = null;
  private asked: () => void = () => {};
  private forwarding: Ipv6Forwarding | null = null;

  constructor(parts: Ipv6Parts) {
    const { device, timers, entropy, logger, memory, reassembly } = parts;
    this.parts = parts;
    this.cache = new Ipv6AddressCache(entropy);
    this.messages = new LinkMessages(device);
    this.link = { hopLimit: hopLimitDefault, mtuBytes: device.mtuBytes };
    this.ndp = new Ndp(
      device,
      timers,
      entropy,
      logger,
      this.own6,
      this.cache,
      this.messages,
      memory,
      {
        advertised: (message, router, mac) => this.advertised(message, router, mac),
        asked: () => this.asked(),
        unresolved: (head) => this.forwarding?.unresolved(head),
        lost: (neighbor) => {
          if (this.routers.silence(neighbor)) this.changed();
        },
        unique: (own) => this.unique(own),
        duplicate: (own) => this.slaac?.duplicate(own),
      },
    );
    this.paths = new PathMtuCache(timers);
    const { neighbors } = this.ndp;
    const groups = new Neighbor(
      IPV6_ALL_NODES,
      neighbors.nextEpoch(),
      timers.now,
      new Timer(() => {}),
    );
    this.output = new Ipv6Output(device, this, neighbors, groups, this.paths, entropy);
    this.mld = new Mld(timers, entropy, this.own6, this.messages);
    this.icmp = new Icmpv6(this.output, this, this.ndp, this.mld, timers);
    this.input = new Ipv6Input(this, reassembly, this.icmp);
    this.input.register(PROTOCOL_ICMPV6, this.icmp);
    this.solicitation = new RouterSolicitation(timers, entropy, () => this.ndp.solicitRouters());
  }

  get isStarted(): boolean {
    return this.slaac !== null;
  }

  /** Once. False when the device's frames are too small for IPv6 (RFC 8200 §5). */
  start(settings: Ipv6Settings, udp: Udp): boolean {
    assert(!this.isStarted);
    const { device, timers, entropy, logger } = this.parts;
    if (device.mtuBytes < IPV6_MTU_BYTES_MIN) return false;
    const secret = settings.secret ?? new Uint8Array(SECRET_BYTES);
    assert(secret.length === SECRET_BYTES);
    if (settings.secret === null) entropy.fill(secret);
    const identifiers = new InterfaceIdentifiers(secret, device.mac);
    const slaac = new Slaac(this.own6, this.cache, identifiers, timers, logger, this);
    this.slaac = slaac;
    slaac.addLinkLocal();
    if (settings.fixed !== null) {
      this.fix(slaac, settings.fixed);
      return true;
    }
    this.advertisements = new RouterAdvertisements(
      this.routers,
      this.ndp.neighbors,
      slaac,
      this.cache,
      timers,
      device.mtuBytes,
      this.link,
    );
    this.dhcp = new Dhcpv6Client({
      mac: device.mac,
      udp,
      timers,
      entropy,
      source: () => this.own6.linkLocal?.address ?? null,
      changed: () => this.tell(),
    });
    this.solicitation.start();
    return true;
  }

  /**
   * Speaks as a router of the link from now on (RFC 4861 §6.2.2): `asked` hears of each question
   * for routers. Null: as a host again. After `start`.
   */
  speakAsRouter(asked: (() => void) | null): void {
    assert(this.isStarted);
    const group = this.intern(IPV6_ALL_ROUTERS);
    if (asked !== null && !this.ndp.isRouter) this.mld.join(group);
    if (asked === null && this.ndp.isRouter) this.mld.leave(group);
    this.ndp.isRouter = asked !== null;
    this.asked = asked ?? (() => {});
  }

  /** Of NetStack.forwardIpv6; once. */
  forward(make: (parts: Omit<Ipv6ForwardingParts, 'device'>) => Ipv6Forwarding): Ipv6Forwarding {
    assert(this.forwarding === null);
    const { neighbors } = this.ndp;
    this.forwarding = make({ ways: this, neighbors, errors: this.icmp, own: this.input });
    this.forwarding.reset(this.link.mtuBytes);
    return this.forwarding;
  }

  /** To all nodes of the link; false when no address of ours is surely ours yet. */
  advertiseRouter(message: RouterAdvertisement): boolean {
    return this.ndp.advertiseRouter(message);
  }

  /** Told that addresses, routers or DNS changed. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** The link-local one first. */
  get addresses(): readonly OwnAddress[] {
    return this.own6.list;
  }

  /** Whether packets can go beyond the link. */
  get isGlobal(): boolean {
    return this.own6.list.some(({ origin }) => origin !== 'link-local');
  }

  get dnsServers(): readonly Ipv6Address[] {
    const { dnsServers } = this.dhcp?.information ?? NO_INFORMATION;
    return [...this.routers.dnsServers, ...dnsServers];
  }

  get searchList(): readonly string[] {
    const { searchList } = this.dhcp?.information ?? NO_INFORMATION;
    return [...this.routers.searchList, ...searchList];
  }

  /** For inspection. */
  get neighbors(): readonly Ipv6Neighbor[] {
    return this.ndp.neighbors.list;
  }

  route(destination: Ipv6Address, source?: Ipv6Address): Route | null {
    return this.isStarted ? this.output.route(destination, source) : null;
  }

  /** Packets that wait for link addresses: makes room by dropping some; and what they take. */
  dropWaiting(bytes: number): void {
    this.ndp.neighbors.dropWaiting(bytes);
  }

  get waitingBytes(): number {
    return this.ndp.neighbors.waitingBytes;
  }

  // For input and output.

  of(w0: number, w1: number, w2: number, w3: number): Ipv6Address {
    return this.cache.of(w0, w1, w2, w3);
  }

  intern(address: Ipv6Address): Ipv6Address {
    return this.cache.intern(address);
  }

  own(address: Ipv6Address): Ipv6Address | null {
    return this.own6.find(address)?.address ?? null;
  }

  isOurs(address: Ipv6Address): boolean {
    return this.own6.isOurs(address);
  }

  isOnLink(address: Ipv6Address): boolean {
    return this.routers.onLinkPrefixes.some(({ prefix, prefixBits }) =>
      hasPrefix(address, prefix, prefixBits),
    );
  }

  /** Stands in for other hosts (../foreign.ts). */
  set foreign(addresses: ForeignAddresses) {
    this.input.foreign = addresses;
    this.output.foreign = addresses;
    this.icmp.foreign = addresses;
  }

  isMember(group: Ipv6Address): boolean {
    return this.mld.isMember(group);
  }

  nextHop(destination: Ipv6Address): Ipv6Address | null {
    return isIpv6LinkLocal(destination) ? destination : this.routers.nextHop(destination);
  }

  sourceFor(destination: Ipv6Address): Ipv6Address | null {
    return selectSource(this.own6.list, destination, this.parts.timers.now)?.address ?? null;
  }

  /** What a packet to `destination` would come from, and whether that address is on its way out. */
  sourceAndAge(destination: Ipv6Address): { source: Ipv6Address; isDeprecated: boolean } | null {
    const { now } = this.parts.timers;
    const own = selectSource(this.own6.list, destination, now);
    const isReachable = isIpv6Multicast(destination) || this.nextHop(destination) !== null;
    if (own === null || !isReachable) return null;
    return { source: own.address, isDeprecated: isDeprecated(own, now) };
  }

  // AddressEvents.

  added(own: OwnAddress): void {
    // Its group comes first, so that a rival's answer reaches us (RFC 4862 §5.4.2).
    this.mld.join(this.intern(solicitedNodeOf(own.address)));
    this.ndp.duplicates.start(own, this.ndp.neighbors.retransmitTime);
  }

  removed(own: OwnAddress): void {
    this.ndp.duplicates.stop(own);
    const group = solicitedNodeOf(own.address);
    if (this.mld.isMember(group)) this.mld.leave(group);
  }

  /** Addresses, routers or parameters of the link. */
  changed(): void {
    this.output.hopLimit = this.link.hopLimit;
    this.output.reset(this.link.mtuBytes);
    this.forwarding?.reset(this.link.mtuBytes);
    this.input.reset();
    this.tell();
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...this.messages.counters,
      ...this.ndp.counters,
      ...this.ndp.neighbors.counters,
      ...this.ndp.duplicates.counters,
      ...this.routers.counters,
      ...this.advertisements?.counters,
      ...this.slaac?.counters,
      ...this.input.snapshot(),
      ...this.output.snapshot(),
      ...this.icmp.counters,
      ...this.mld.counters,
      ...this.dhcp?.counters,
    };
  }

  checkInvariants(): void {
    this.own6.checkInvariants();
    this.ndp.checkInvariants();
    this.routers.checkInvariants();
    this.output.checkInvariants();
    this.icmp.checkInvariants();
    this.mld.checkInvariants();
    this.paths.checkInvariants();
    this.dhcp?.checkInvariants();
    this.forwarding?.checkInvariants();
  }

  private fix(slaac: Slaac, fixed: NonNullable<Ipv6Settings['fixed']>): void {
    const { now } = this.parts.timers;
    const { address, prefixBits, gateway } = fixed;
    this.routers.setOnLink(prefixOf(address, prefixBits), prefixBits, FOREVER, now);
    if (gateway !== null) this.routers.setRouter(this.intern(gateway), 0, FOREVER, now);
    slaac.addStatic(address, prefixBits);
  }

  private advertised(
    message: RouterAdvertisement,
    router: Ipv6Address,
    mac: Uint8Array | null,
  ): void {
    if (this.advertisements === null) return;
    const isChanged = this.advertisements.take(message, router, mac);
    if (message.lifetimeSeconds > 0) this.solicitation.stop();
    if (message.isManaged || message.isOther) this.dhcp?.start();
    if (isChanged) this.changed();
    this.armTableTimer();
  }

  /** Nobody else has it. */
  private unique(own: OwnAddress): void {
    if (own.origin === 'link-local') this.mld.repeat();
    this.changed();
  }

  private tableExpired(): void {
    const { now } = this.parts.timers;
    if (this.routers.expire(now)) this.changed();
    if (this.routers.defaultRouters.length === 0 && this.advertisements !== null) {
      this.solicitation.start();
    }
    this.armTableTimer();
  }

  private armTableTimer(): void {
    this.parts.timers.arm(this.tableTimer, this.routers.nextChange());
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
