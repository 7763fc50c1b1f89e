/**
 * DHCP client (RFC 2131 §4.4): gets an address, keeps it, gives it up. Read first: RFC 2131 §4.4
 * with figure 5. The client identifier is the link address (RFC 2132 §9.14): a machine that boots
 * anew gets its address again without remembering anything (RFC 4361's would need a store). Not
 * here: INIT-REBOOT (nothing outlives a boot), INFORM. Deviates: RFC 2131 §4.4.1 waits 1 to 10 s
 * before the first message; a unikernel boots in less, alone. An address is used before it is
 * probed (arp/address-guard.ts), and declined all the same when it turns out to be taken.
 */

import {
  after,
  assert,
  assertNever,
  type Duration,
  FOREVER,
  type Instant,
  type Logger,
  readI32be,
  readU32be,
  seconds,
  since,
  Timer,
  type TimerQueue,
  writeU16be,
} from '#core';
import type { Entropy } from '#device';
import type { Ipv4Address } from '../ip.ts';
import {
  formatIpv4Address,
  IPV4_ANY,
  IPV4_BROADCAST,
  ipv4AddressOf,
  isHostAddress,
} from '../ip-address.ts';
import {
  dhcpDeclinesFast,
  dhcpDeclineWait,
  dhcpDeclineWaitSlow,
  dhcpFuzzShare,
  dhcpMessageBytesMin,
  dhcpNakWait,
  dhcpRenewIntervalMin,
  dhcpRequestsMax,
  dhcpRetryFirst,
  dhcpRetryJitterShare,
  dhcpRetryMax,
} from '../limits.ts';
import type { Udp, UdpReceiver, UdpSocket } from '../udp/udp.ts';
import {
  DHCPV4_ACK,
  DHCPV4_BOOT_REPLY,
  DHCPV4_BOOT_REQUEST,
  DHCPV4_DECLINE,
  DHCPV4_DISCOVER,
  DHCPV4_NAK,
  DHCPV4_OFFER,
  DHCPV4_RELEASE,
  DHCPV4_REQUEST,
  type Dhcpv4Option,
  type Dhcpv4Repr,
  dhcpv4Bytes,
  dhcpv4MessageType,
  dhcpv4Option,
  dhcpv4OptionI32,
  dhcpv4U32,
  emitDhcpv4,
  parseDhcpv4,
} from '../wire/dhcpv4.ts';
import { MAC_BYTES } from '../wire/ethernet.ts';
import { type Lease, leaseOf } from './lease.ts';

const CLIENT_PORT = 68;
const SERVER_PORT = 67;
/** Classless routes stand before the router, which they replace (RFC 3442). */
const WANTED = Uint8Array.of(
  dhcpv4Option.netmask,
  dhcpv4Option.classlessRoutes,
  dhcpv4Option.router,
  dhcpv4Option.dnsServers,
  dhcpv4Option.domain,
  dhcpv4Option.mtu,
  dhcpv4Option.broadcast,
  dhcpv4Option.ntpServers,
  dhcpv4Option.renewSeconds,
  dhcpv4Option.rebindSeconds,
  dhcpv4Option.domainSearch,
);

/** The names of RFC 2131 figure 5; 'init' is before `start` and after a DHCPNAK. */
export type DhcpState = 'init' | 'selecting' | 'requesting' | 'bound' | 'renewing' | 'rebinding';

export interface DhcpListener {
  /** From now on (`true`) or no longer, packets for any address are for us. */
  acquiring(isAcquiring: boolean): void;
  /** Use this from now on; also called when a renewed lease may differ. */
  configured(lease: Lease): void;
  /** Stop using the last lease at once. */
  deconfigured(): void;
}

export interface DhcpOptions {
  /** Six bytes. */
  readonly mac: Uint8Array;
  readonly udp: Udp;
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  readonly logger: Logger;
  readonly listener: DhcpListener;
  /** What we accept; told to the server. */
  readonly mtuBytes: number;
  /** Told to the server when given: printable ASCII, 1..63 characters. */
  readonly hostName?: string;
}

export class Dhcpv4Client implements UdpReceiver {
  readonly counters = {
    dhcpSent: 0,
    dhcpNotSent: 0,
    dhcpMalformed: 0,
    dhcpIgnored: 0,
    dhcpNaks: 0,
    dhcpDeclines: 0,
  };
  private readonly options: DhcpOptions;
  private readonly timers: TimerQueue;
  private readonly timer = new Timer((now) => this.timerFired(now));
  private readonly random = new Uint8Array(4);
  private socket: UdpSocket | null = null;
  private current: DhcpState = 'init';
  private xid = 0;
  private startedAt: Instant;
  /** Seconds field of the exchange: a REQUEST repeats its DISCOVER's (RFC 2131 §4.4.1). */
  private secondsElapsed = 0;
  private attempts = 0;
  private naksInRow = 0;
  private declinesInRow = 0;
  private offer: { readonly address: Ipv4Address; readonly server: Ipv4Address } | null = null;
  private lease: Lease | null = null;
  /** When the REQUEST that a lease counts from was first sent (RFC 2131 §4.4.1). */
  private requestedAt: Instant;
  private rebindAt: Instant = FOREVER;
  private expiresAt: Instant = FOREVER;

  constructor(options: DhcpOptions) {
    assert(options.mac.length === MAC_BYTES);
    this.options = options;
    this.timers = options.timers;
    this.startedAt = this.timers.now;
    this.requestedAt = this.timers.now;
  }

  get state(): DhcpState {
    return this.current;
  }

  /** For inspection: the lease, and when the next step about it is due. */
  get held(): { lease: Lease | null; renewAt: Instant; rebindAt: Instant; expiresAt: Instant } {
    const { lease, rebindAt, expiresAt } = this;
    return { lease, renewAt: this.timer.at, rebindAt, expiresAt };
  }

  /** Sends the first DISCOVER at once. False when port 68 is taken. */
  start(): boolean {
    assert(this.socket === null);
    const opened = this.options.udp.open(CLIENT_PORT, this, true);
    if (!opened.ok) return false;
    this.socket = opened.value;
    this.begin(this.timers.now);
    return true;
  }

  /** Another station has the address of our lease (RFC 2131 §3.1 (5)). */
  conflict(address: Ipv4Address): void {
    const { lease } = this;
    if (lease === null || lease.address !== address) return;
    this.counters.dhcpDeclines += 1;
    this.declinesInRow += 1;
    this.tell(DHCPV4_DECLINE, lease, IPV4_ANY, IPV4_BROADCAST);
    this.loseLease();
    this.current = 'init';
    const isSlow = this.declinesInRow > dhcpDeclinesFast;
    const wait = isSlow ? dhcpDeclineWaitSlow : dhcpDeclineWait;
    this.timers.arm(this.timer, after(this.timers.now, wait));
  }

  /** Gives the lease back, if there is one, and does nothing more (RFC 2131 §4.4.6). */
  release(): void {
    const { lease } = this;
    if (lease !== null) this.tell(DHCPV4_RELEASE, lease, lease.address, lease.server);
    this.timers.stop(this.timer);
    this.socket?.close();
    this.socket = null;
    this.lease = null;
    this.offer = null;
    this.current = 'init';
    this.rebindAt = FOREVER;
    this.expiresAt = FOREVER;
  }

  datagram(bytes: Uint8Array, _source: Ipv4Address, sourcePort: number): void {
    const parsed = parseDhcpv4(bytes);
    if (!parsed.ok) {
      this.counters.dhcpMalformed += 1;
      return;
    }
    const message = parsed.value;
    const isOurs =
      sourcePort === SERVER_PORT &&
      message.operation === DHCPV4_BOOT_REPLY &&
      message.xid === this.xid &&
      message.clientMac.every((byte, i) => byte === this.options.mac[i]);
    if (!isOurs || !this.step(message)) this.counters.dhcpIgnored += 1;
  }

  checkInvariants(): void {
    const holdsLease =
      this.state === 'bound' || this.state === 'renewing' || this.state === 'rebinding';
    assert(holdsLease === (this.lease !== null));
    assert(this.state === 'init' || this.socket !== null);
    assert(this.state !== 'requesting' || this.offer !== null);
    assert(this.attempts <= dhcpRequestsMax || this.state !== 'requesting');
    assert(this.rebindAt <= this.expiresAt);
  }

  /**
   * One message from a server in one state; false when the pair is ignored (RFC 2131 §4.4, figure
   * 5).
   */
  private step(message: Dhcpv4Repr): boolean {
    const type = dhcpv4MessageType(message);
    switch (this.current) {
      case 'selecting':
        return type === DHCPV4_OFFER && this.takeOffer(message);
      case 'requesting': {
        const server = dhcpv4OptionI32(message, dhcpv4Option.serverIdentifier);
        if (server !== this.offer?.server) return false;
        if (type === DHCPV4_NAK) return this.takeNak();
        return type === DHCPV4_ACK && this.takeAck(message);
      }
      case 'renewing': {
        const server = dhcpv4OptionI32(message, dhcpv4Option.serverIdentifier);
        if (server !== this.lease?.server) return false;
        if (type === DHCPV4_NAK) return this.takeNak();
        return type === DHCPV4_ACK && this.takeAck(message);
      }
      case 'rebinding':
        if (type === DHCPV4_NAK) return this.takeNak();
        return type === DHCPV4_ACK && this.takeAck(message);
      case 'init':
      case 'bound':
        return false;
      default:
        return assertNever(this.current);
    }
  }

  private timerFired(now: Instant): void {
    switch (this.current) {
      case 'init':
        this.begin(now);
        return;
      case 'selecting':
        this.attempts += 1;
        this.sendDiscover(now);
        return;
      case 'requesting':
        if (this.attempts >= dhcpRequestsMax) this.begin(now);
        else this.sendSelectingRequest(now);
        return;
      case 'bound':
        this.current = 'renewing';
        this.beginExchange(now);
        this.sendRenewal(now);
        return;
      case 'renewing':
        if (now >= this.rebindAt) this.current = 'rebinding';
        this.sendRenewal(now);
        return;
      case 'rebinding':
        if (now < this.expiresAt) {
          this.sendRenewal(now);
          return;
        }
        this.options.logger.warn('lease expired');
        this.loseLease();
        this.begin(now);
        return;
      default:
        assertNever(this.current);
    }
  }

  private begin(now: Instant): void {
    this.current = 'selecting';
    this.offer = null;
    this.options.listener.acquiring(true);
    this.beginExchange(now);
    this.sendDiscover(now);
  }

  private beginExchange(now: Instant): void {
    this.options.entropy.fill(this.random);
    this.xid = readI32be(this.random, 0);
    this.startedAt = now;
    this.secondsElapsed = 0;
    this.requestedAt = now;
    this.attempts = 0;
  }

  private takeOffer(message: Dhcpv4Repr): boolean {
    const server = dhcpv4OptionI32(message, dhcpv4Option.serverIdentifier);
    if (server === null || !isHostAddress(message.yourAddress)) return false;
    this.offer = { address: message.yourAddress, server: ipv4AddressOf(server) };
    this.current = 'requesting';
    this.attempts = 0;
    this.requestedAt = this.timers.now;
    this.sendSelectingRequest(this.timers.now);
    return true;
  }

  private takeAck(message: Dhcpv4Repr): boolean {
    const lease = leaseOf(message);
    if (lease === null) return false;
    this.lease = lease;
    this.offer = null;
    this.naksInRow = 0;
    this.current = 'bound';
    const start = this.requestedAt;
    this.expiresAt = after(start, seconds(lease.leaseSeconds));
    // RFC 2131 §4.4.5 asks for some randomness.
    const share = 1 - this.randomUnit() * dhcpFuzzShare;
    this.rebindAt = after(start, seconds(lease.rebindSeconds * share));
    this.timers.arm(this.timer, after(start, seconds(lease.renewSeconds * share)));
    const { listener, logger } = this.options;
    if (logger.isOn('info')) {
      const prefix = `${formatIpv4Address(lease.address)}/${lease.prefixBits}`;
      logger.info(`${prefix} from ${formatIpv4Address(lease.server)} for ${lease.leaseSeconds} s`);
    }
    listener.acquiring(false);
    listener.configured(lease);
    return true;
  }

  private takeNak(): true {
    this.counters.dhcpNaks += 1;
    this.options.logger.warn('the server refused the address');
    this.loseLease();
    this.offer = null;
    this.current = 'init';
    const wait = Math.min(dhcpNakWait * 2 ** this.naksInRow, dhcpRetryMax) as Duration;
    this.naksInRow += 1;
    this.timers.arm(this.timer, after(this.timers.now, wait));
    return true;
  }

  private loseLease(): void {
    this.expiresAt = FOREVER;
    this.rebindAt = FOREVER;
    if (this.lease === null) return;
    this.lease = null;
    this.options.listener.deconfigured();
  }

  private sendDiscover(now: Instant): void {
    this.secondsElapsed = Math.floor(since(this.startedAt, now) / 1_000_000);
    this.send(DHCPV4_DISCOVER, this.commonOptions(), IPV4_ANY, IPV4_BROADCAST);
    this.timers.arm(this.timer, after(now, this.retryWait(this.attempts)));
  }

  private sendSelectingRequest(now: Instant): void {
    const { offer } = this;
    assert(offer !== null);
    const chosen = [
      { code: dhcpv4Option.requestedAddress, value: dhcpv4U32(offer.address) },
      { code: dhcpv4Option.serverIdentifier, value: dhcpv4U32(offer.server) },
    ];
    const options = [...chosen, ...this.commonOptions()];
    this.send(DHCPV4_REQUEST, options, IPV4_ANY, IPV4_BROADCAST);
    this.timers.arm(this.timer, after(now, this.retryWait(this.attempts)));
    this.attempts += 1;
  }

  /** RFC 2131 §4.4.5: to our server, later to any; again after half of the time that is left. */
  private sendRenewal(now: Instant): void {
    const { lease } = this;
    assert(lease !== null);
    const isRenewing = this.current === 'renewing';
    this.secondsElapsed = Math.min(0xffff, Math.floor(since(this.startedAt, now) / 1_000_000));
    const to = isRenewing ? lease.server : IPV4_BROADCAST;
    this.send(DHCPV4_REQUEST, this.commonOptions(), lease.address, to);
    const end = isRenewing ? this.rebindAt : this.expiresAt;
    const wait = Math.max(dhcpRenewIntervalMin, since(now, end) / 2) as Duration;
    this.timers.arm(this.timer, Math.min(end, after(now, wait)) as Instant);
  }

  /** Doubled with each attempt, and moved at random: RFC 2131 §4.1. */
  private retryWait(attempts: number): Duration {
    const base = Math.min(dhcpRetryFirst * 2 ** Math.min(attempts, 16), dhcpRetryMax);
    return Math.round(base * (1 + (2 * this.randomUnit() - 1) * dhcpRetryJitterShare)) as Duration;
  }

  /** From 0 up to 1. */
  private randomUnit(): number {
    this.options.entropy.fill(this.random);
    return readU32be(this.random, 0) / 0x100000000;
  }

  /** A message about `lease` that asks for nothing: RFC 2131 table 5 has what it may hold. */
  private tell(type: number, lease: Lease, from: Ipv4Address, to: Ipv4Address): void {
    const server = { code: dhcpv4Option.serverIdentifier, value: dhcpv4U32(lease.server) };
    const address = { code: dhcpv4Option.requestedAddress, value: dhcpv4U32(lease.address) };
    this.options.entropy.fill(this.random);
    this.xid = readI32be(this.random, 0);
    this.secondsElapsed = 0;
    const options = type === DHCPV4_DECLINE ? [address, server] : [server];
    this.send(type, [...options, this.clientIdentifier()], from, to);
  }

  private send(
    type: number,
    options: readonly Dhcpv4Option[],
    from: Ipv4Address,
    to: Ipv4Address,
  ): void {
    const repr: Dhcpv4Repr = {
      operation: DHCPV4_BOOT_REQUEST,
      xid: this.xid,
      seconds: Math.min(0xffff, this.secondsElapsed),
      // We take replies to an address that isn't ours yet, and broadcast ones too.
      broadcast: false,
      clientAddress: from,
      yourAddress: IPV4_ANY,
      serverAddress: IPV4_ANY,
      relayAddress: IPV4_ANY,
      clientMac: this.options.mac,
      options: [{ code: dhcpv4Option.messageType, value: Uint8Array.of(type) }, ...options],
    };
    const bytes = new Uint8Array(Math.max(dhcpMessageBytesMin, dhcpv4Bytes(repr)));
    emitDhcpv4(bytes, repr);
    // What wasn't sent is as good as lost on the way: the timer sends it again.
    if (this.socket?.send(bytes, to, SERVER_PORT, from) === true) this.counters.dhcpSent += 1;
    else this.counters.dhcpNotSent += 1;
  }

  private commonOptions(): Dhcpv4Option[] {
    const { mtuBytes, hostName } = this.options;
    const sizes = new Uint8Array(2);
    writeU16be(sizes, 0, mtuBytes);
    const options: Dhcpv4Option[] = [
      this.clientIdentifier(),
      { code: dhcpv4Option.messageBytesMax, value: sizes },
      { code: dhcpv4Option.parameterList, value: WANTED },
    ];
    if (hostName !== undefined) {
      const value = Uint8Array.from(hostName, (char) => char.charCodeAt(0));
      options.push({ code: dhcpv4Option.hostName, value });
    }
    return options;
  }

  private clientIdentifier(): Dhcpv4Option {
    const value = Uint8Array.of(1, ...this.options.mac);
    return { code: dhcpv4Option.clientIdentifier, value };
  }
}
