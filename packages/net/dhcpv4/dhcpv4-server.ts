/**
 * DHCP server (RFC 2131 §4.3), the only one of its link: gives addresses from a pool and fixed
 * ones, keeps them with their clients, and knows what those call themselves. Read first: RFC 2131
 * §4.3, lease-table.ts. Not here: relays (a message that came by one is dropped), BOOTP, several
 * subnets, FORCERENEW, memory beyond a restart; proof of who asks (RFC 3118): a host of the link
 * can ask in others' names, and offers that it lets lie hold the pool for dhcpOfferHold each.
 *
 * Deviates: RFC 2131 §4.3.2 has a server say nothing to a client that it doesn't know; this one is
 * the only one, and lets a client go on with an address that is free, so that a server which was
 * started anew disturbs nobody. §2.2 has servers probe addresses before they offer them; here
 * clients do (RFC 5227), and DECLINE. §4.1 has replies to clients without an address sent to their
 * station; they are broadcast, which it allows, and which needs no ARP.
 */

import {
  after,
  assert,
  hot,
  type Instant,
  type Logger,
  seconds,
  since,
  Timer,
  type TimerQueue,
  toU32,
} from '#core';
import { isHostName } from '#device';
import type { IpAddress, Ipv4Address } from '../ip.ts';
import {
  formatIpv4Address,
  IPV4_ANY,
  IPV4_BROADCAST,
  ipv4AddressOf,
  isHostAddress,
  netmaskOf,
} from '../ip-address.ts';
import {
  dhcpClientIdentifierBytesMax,
  dhcpLeaseSecondsMax,
  dhcpLeaseSecondsMin,
  dhcpMessageBytesMin,
} from '../limits.ts';
import type { Udp, UdpReceiver, UdpSocket } from '../udp/udp.ts';
import {
  DHCPV4_ACK,
  DHCPV4_BOOT_REPLY,
  DHCPV4_BOOT_REQUEST,
  DHCPV4_DECLINE,
  DHCPV4_DISCOVER,
  DHCPV4_INFORM,
  DHCPV4_NAK,
  DHCPV4_OFFER,
  DHCPV4_RELEASE,
  DHCPV4_REQUEST,
  type Dhcpv4Repr,
  dhcpv4Bytes,
  dhcpv4MessageType,
  dhcpv4Option,
  dhcpv4OptionBytes,
  dhcpv4OptionI32,
  emitDhcpv4,
  parseDhcpv4,
} from '../wire/dhcpv4.ts';
import { formatMac, MAC_BYTES } from '../wire/ethernet.ts';
import { type FixedLease, type Lease, type LeasePool, LeaseTable, macKey } from './lease-table.ts';
import { replyOptions, type ServedConfiguration } from './served-options.ts';

const CLIENT_PORT = 68;
const SERVER_PORT = 67;

export interface Dhcpv4ServerOptions {
  readonly udp: Udp;
  readonly timers: TimerQueue;
  readonly logger: Logger;
  /** The stack's address on the link that is served, and what clients are told beside theirs. */
  readonly serve: ServedConfiguration;
  /** In the prefix of `serve`; the server's own address may be among them. */
  readonly pool: LeasePool;
  readonly fixed?: readonly FixedLease[];
  /** In the pool, but not to be given. */
  readonly reserved?: readonly Ipv4Address[];
  /** Names that mean something else where names are told; a client that says one has none. */
  readonly reservedNames?: readonly string[];
  /** Called after leases were bound, named, or given up; not when one expires. */
  readonly changed?: () => void;
}

/** A lease as others see it. */
export interface LeaseInfo {
  readonly address: string;
  readonly mac: string;
  readonly hostName: string | null;
  readonly state: Lease['state'];
  /** Whole ones until the state ends; 0 for 'ended'. */
  readonly secondsLeft: number;
}

export class Dhcpv4Server implements UdpReceiver {
  readonly counters = {
    dhcpServerDiscovers: 0,
    dhcpServerOffers: 0,
    dhcpServerAcks: 0,
    dhcpServerNaks: 0,
    dhcpServerReleases: 0,
    dhcpServerDeclines: 0,
    dhcpServerInforms: 0,
    dhcpServerMalformed: 0,
    dhcpServerRelayed: 0,
    /** For another server, or of a kind that no server answers, or about a lease that isn't. */
    dhcpServerIgnored: 0,
    dhcpServerPoolFull: 0,
    dhcpServerBadNames: 0,
    /** Names that aren't to be had: reserved, or of a fixed lease. */
    dhcpServerTakenNames: 0,
    dhcpServerNotSent: 0,
  };
  private readonly options: Dhcpv4ServerOptions;
  private readonly timers: TimerQueue;
  private readonly table: LeaseTable;
  private readonly timer = new Timer((now) => this.expire(now));
  private socket: UdpSocket | null = null;

  constructor(options: Dhcpv4ServerOptions) {
    const { serve, pool, fixed = [], reserved = [], reservedNames = [] } = options;
    const netmask = netmaskOf(serve.prefixBits);
    const broadcast = ipv4AddressOf(serve.address | ~netmask);
    const isServed = (address: Ipv4Address): boolean =>
      isHostAddress(address) &&
      ((address ^ serve.address) & netmask) === 0 &&
      address !== broadcast &&
      address !== ipv4AddressOf(serve.address & netmask);
    assert(serve.prefixBits >= 1 && serve.prefixBits <= 30);
    assert(isServed(pool.first) && isServed(pool.last) && pool.first <= pool.last);
    for (const { address } of fixed) assert(isServed(address));
    assert(serve.leaseSeconds >= dhcpLeaseSecondsMin && serve.leaseSeconds <= dhcpLeaseSecondsMax);
    this.options = options;
    this.timers = options.timers;
    this.table = new LeaseTable(pool, fixed, [serve.address, ...reserved], reservedNames);
  }

  /** Answers from now on. False when port 67 is taken. */
  start(): boolean {
    assert(this.socket === null);
    const opened = this.options.udp.open(SERVER_PORT, this);
    if (opened.ok) this.socket = opened.value;
    return opened.ok;
  }

  /** Answers no more; forgets nothing. */
  stop(): void {
    this.timers.stop(this.timer);
    this.socket?.close();
    this.socket = null;
  }

  /** All leases and offers, and what was one lately. O(leases). */
  leases(): LeaseInfo[] {
    const { now } = this.timers;
    this.table.expire(now);
    return Array.from(this.table.values(), (lease) => ({
      address: formatIpv4Address(lease.address),
      mac: formatMac(lease.mac),
      hostName: lease.hostName,
      state: lease.state,
      secondsLeft: lease.state === 'ended' ? 0 : Math.floor(since(now, lease.until) / 1_000_000),
    }));
  }

  /** The address of the client that calls itself so, in any case; null: none does now. O(1). */
  addressOf(hostName: string): Ipv4Address | null {
    return this.table.named(hostName.toLowerCase(), this.timers.now)?.address ?? null;
  }

  /** What the client with this address calls itself, in lower case. O(1). */
  nameOf(address: Ipv4Address): string | null {
    const lease = this.table.at(address);
    return lease !== null && lease.until > this.timers.now ? lease.hostName : null;
  }

  /** The address that a station, as "52:54:00:00:00:01", has now; null: none. O(leases). */
  addressOfStation(mac: string): Ipv4Address | null {
    for (const lease of this.table.values()) {
      if (this.isInForce(lease) && formatMac(lease.mac) === mac) return lease.address;
    }
    return null;
  }

  /** The station that has this address now, written so; null: none. O(1). */
  stationOf(address: Ipv4Address): string | null {
    const lease = this.table.at(address);
    return lease !== null && this.isInForce(lease) ? formatMac(lease.mac) : null;
  }

  datagram(bytes: Uint8Array, source: IpAddress, sourcePort: number, destination: IpAddress): void {
    const parsed = parseDhcpv4(bytes);
    const client = parsed.ok ? clientOf(parsed.value, this.table) : null;
    if (!parsed.ok || client === null || parsed.value.operation !== DHCPV4_BOOT_REQUEST) {
      this.counters.dhcpServerMalformed += 1;
      return;
    }
    const message = parsed.value;
    if (message.relayAddress !== IPV4_ANY) {
      this.counters.dhcpServerRelayed += 1;
      return;
    }
    const { address } = this.options.serve;
    const isForUs = destination === address || destination === IPV4_BROADCAST;
    // Who has no address yet, or says the one that it sends from.
    const isOwn = source === IPV4_ANY || source === message.clientAddress;
    const isMeant = isOwn && sourcePort === CLIENT_PORT && isForUs;
    if (!isMeant || !this.step(message, client, source)) this.counters.dhcpServerIgnored += 1;
    const next = this.table.expire(this.timers.now);
    this.timers.arm(this.timer, next);
  }

  checkInvariants(): void {
    this.table.checkInvariants();
  }

  private isInForce(lease: Lease): boolean {
    return lease.state === 'bound' && lease.until > this.timers.now;
  }

  private expire(now: Instant): void {
    this.timers.arm(this.timer, this.table.expire(now));
  }

  /** One message (RFC 2131 §4.3.1 to §4.3.5); false when there is nothing to do about it. */
  private step(message: Dhcpv4Repr, client: string, source: IpAddress): boolean {
    this.table.expire(this.timers.now);
    const type = dhcpv4MessageType(message);
    switch (type) {
      case DHCPV4_DISCOVER:
        return this.discover(message, client);
      case DHCPV4_REQUEST:
        return this.request(message, client);
      case DHCPV4_DECLINE:
        return this.decline(message, client);
      case DHCPV4_RELEASE:
        // §4.4.6: from the address that it gives up.
        return source === message.clientAddress && this.release(message, client);
      case DHCPV4_INFORM:
        return this.inform(message);
      default:
        return false;
    }
  }

  private discover(message: Dhcpv4Repr, client: string): boolean {
    this.counters.dhcpServerDiscovers += 1;
    const asked = dhcpv4OptionI32(message, dhcpv4Option.requestedAddress);
    const wanted = asked === null ? null : ipv4AddressOf(asked);
    const lease = this.table.offer(client, message.clientMac, wanted, this.timers.now);
    if (lease === null) {
      this.counters.dhcpServerPoolFull += 1;
      this.options.logger.warn(`no address left for ${formatMac(message.clientMac)}`);
      return true;
    }
    this.counters.dhcpServerOffers += 1;
    this.reply(message, DHCPV4_OFFER, lease.address, this.secondsFor(message));
    return true;
  }

  /** RFC 2131 table 4 tells the four kinds apart; what they are about is the same. */
  private request(message: Dhcpv4Repr, client: string): boolean {
    const { clientMac, clientAddress } = message;
    const server = dhcpv4OptionI32(message, dhcpv4Option.serverIdentifier);
    const asked = dhcpv4OptionI32(message, dhcpv4Option.requestedAddress);
    const { table } = this;
    const { now } = this.timers;
    const known = table.of(client);
    if (server !== null && server !== this.options.serve.address) {
      // It took another server's offer (§3.1 (4)).
      if (known?.state === 'offered') table.end(known, now);
      return false;
    }
    const wanted = clientAddress !== IPV4_ANY || asked === null ? clientAddress : asked;
    if (wanted === IPV4_ANY) return false;
    const address = ipv4AddressOf(wanted);
    const isOther = known !== null && known.state !== 'ended' && known.address !== address;
    // Who renews a declined address from it is the one that was found to have it.
    const claimed = table.at(address);
    if (clientAddress === address && claimed?.state === 'declined') table.end(claimed, now);
    if (isOther || !table.mayHave(client, clientMac, address)) {
      this.counters.dhcpServerNaks += 1;
      this.reply(message, DHCPV4_NAK, IPV4_ANY, 0);
      return true;
    }
    const leaseSeconds = this.secondsFor(message);
    const lease = table.bind(client, clientMac, address, now, after(now, seconds(leaseSeconds)));
    const fixedName = table.fixedFor(clientMac)?.hostName?.toLowerCase();
    if (!table.name(lease, fixedName ?? this.hostNameIn(message))) {
      this.counters.dhcpServerTakenNames += 1;
    }
    this.counters.dhcpServerAcks += 1;
    this.reply(message, DHCPV4_ACK, address, leaseSeconds);
    const { logger, changed } = this.options;
    if (logger.isOn('debug')) {
      logger.debug(`${formatIpv4Address(address)} to ${formatMac(clientMac)} ${lease.hostName}`);
    }
    changed?.();
    return true;
  }

  private decline(message: Dhcpv4Repr, client: string): boolean {
    const address = dhcpv4OptionI32(message, dhcpv4Option.requestedAddress);
    const lease = this.leaseTold(message, client, address);
    if (lease === null) return false;
    this.counters.dhcpServerDeclines += 1;
    this.table.decline(lease, this.timers.now);
    const text = formatIpv4Address(lease.address);
    this.options.logger.warn(`${text} is used by a host that never asked for it`);
    this.options.changed?.();
    return true;
  }

  private release(message: Dhcpv4Repr, client: string): boolean {
    const lease = this.leaseTold(message, client, message.clientAddress);
    if (lease === null) return false;
    this.counters.dhcpServerReleases += 1;
    this.table.end(lease, this.timers.now);
    this.options.changed?.();
    return true;
  }

  /** RFC 2131 §4.3.5: everything but an address, to one that the client has from elsewhere. */
  private inform(message: Dhcpv4Repr): boolean {
    const { address, prefixBits } = this.options.serve;
    const { clientAddress } = message;
    const isNear = ((clientAddress ^ address) & netmaskOf(prefixBits)) === 0;
    if (!isNear || !isHostAddress(clientAddress) || clientAddress === address) return false;
    this.counters.dhcpServerInforms += 1;
    this.reply(message, DHCPV4_ACK, IPV4_ANY, 0);
    return true;
  }

  /** The lease of this client that a message to this server gives up. */
  private leaseTold(message: Dhcpv4Repr, client: string, address: number | null): Lease | null {
    const server = dhcpv4OptionI32(message, dhcpv4Option.serverIdentifier);
    const lease = this.table.of(client);
    const isTold = server === this.options.serve.address && lease?.address === address;
    return isTold && lease.state !== 'ended' ? lease : null;
  }

  /** As long as the client asks for (option 51), at most what we give. */
  private secondsFor(message: Dhcpv4Repr): number {
    const { leaseSeconds } = this.options.serve;
    const asked = dhcpv4OptionI32(message, dhcpv4Option.leaseSeconds);
    if (asked === null) return leaseSeconds;
    return Math.max(dhcpLeaseSecondsMin, Math.min(leaseSeconds, toU32(asked)));
  }

  /** Of a name with dots the first part: where it is, the network says. */
  private hostNameIn(message: Dhcpv4Repr): string | null {
    const value = dhcpv4OptionBytes(message, dhcpv4Option.hostName);
    if (value === null || value.length === 0) return null;
    // Some clients count a closing NUL (RFC 2132 §2).
    const end = value[value.length - 1] === 0 ? value.length - 1 : value.length;
    const text = hot.latin1(value, 0, Math.min(end, 255));
    if (isHostName(text)) {
      const label = text.split('.')[0]!.toLowerCase();
      if (isHostName(label)) return label;
    }
    this.counters.dhcpServerBadNames += 1;
    return null;
  }

  /** RFC 2131 table 3; `leaseSeconds` 0: none is granted. */
  private reply(
    request: Dhcpv4Repr,
    type: number,
    yourAddress: Ipv4Address,
    leaseSeconds: number,
  ): void {
    const { serve } = this.options;
    const isNak = type === DHCPV4_NAK;
    const repr: Dhcpv4Repr = {
      operation: DHCPV4_BOOT_REPLY,
      xid: request.xid,
      seconds: 0,
      broadcast: request.broadcast,
      clientAddress: type === DHCPV4_ACK ? request.clientAddress : IPV4_ANY,
      yourAddress,
      serverAddress: IPV4_ANY,
      relayAddress: IPV4_ANY,
      clientMac: request.clientMac,
      options: replyOptions(serve, request, type, leaseSeconds),
    };
    const bytes = new Uint8Array(Math.max(dhcpMessageBytesMin, dhcpv4Bytes(repr)));
    emitDhcpv4(bytes, repr);
    const isAddressed = request.clientAddress !== IPV4_ANY && !isNak;
    const to = isAddressed ? request.clientAddress : IPV4_BROADCAST;
    // What isn't sent is as good as lost on the way: the client asks again.
    if (this.socket?.send(bytes, to, CLIENT_PORT, serve.address) !== true) {
      this.counters.dhcpServerNotSent += 1;
    }
  }
}

/**
 * Who sent it: its identifier (RFC 2132 §9.14), else its station, which a fixed lease always goes
 * by. Null when it is nobody.
 */
function clientOf(message: Dhcpv4Repr, table: LeaseTable): string | null {
  const { clientMac } = message;
  // No station of its own: a group, or none.
  if ((clientMac[0]! & 1) !== 0 || clientMac.every((byte) => byte === 0)) return null;
  const identifier = dhcpv4OptionBytes(message, dhcpv4Option.clientIdentifier);
  if (identifier === null) return macKey(clientMac);
  const { length } = identifier;
  if (length < 2 || length > dhcpClientIdentifierBytesMax) return null;
  // A station's address as an identifier is the same client as one without.
  const isStation =
    length === 1 + MAC_BYTES &&
    identifier[0] === 1 &&
    hot.equal(identifier, 1, clientMac, 0, MAC_BYTES);
  if (isStation || table.fixedFor(clientMac) !== null) return macKey(clientMac);
  return `id ${identifier.join(':')}`;
}
