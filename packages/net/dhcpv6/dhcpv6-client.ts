/**
 * Stateless DHCPv6 (RFC 8415 §18.2.6, §18.2.10): asks for DNS servers and search domains when a
 * router says that DHCPv6 has them, and again when the answer is old. Not here: addresses by DHCPv6
 * (they come from router advertisements, or by hand), authentication, relays.
 */

import {
  after,
  assert,
  type Duration,
  FOREVER,
  hot,
  type Instant,
  readU32be,
  seconds,
  since,
  Timer,
  type TimerQueue,
} from '#core';
import type { Entropy } from '#device';
import type { IpAddress } from '../ip.ts';
import {
  dnsslNamesMax,
  informationDelayMax,
  informationRefreshDefault,
  informationRefreshSecondsMin,
  informationRetryFirst,
  informationRetryJitterShare,
  informationRetryMax,
  lifetimeSecondsMax,
  rdnssServersMax,
} from '../ipv6/limits.ts';
import { Ipv6Address, isIpv6HostAddress } from '../ipv6-address.ts';
import { jittered } from '../ndp/router-solicitation.ts';
import type { Udp, UdpSocket } from '../udp/udp.ts';
import {
  DHCPV6_CLIENT_PORT,
  DHCPV6_INFORMATION_REQUEST,
  DHCPV6_REPLY,
  DHCPV6_SERVER_PORT,
  type Dhcpv6Repr,
  dhcpv6Empty,
  dhcpv6Option,
  duidOf,
  emitDhcpv6,
  parseDhcpv6,
} from '../wire/dhcpv6.ts';

/** RFC 8415 §7.1: All_DHCP_Relay_Agents_and_Servers. */
const SERVERS = new Ipv6Address(0xff02 << 16, 0, 0, 0x10002);
const MESSAGE_BYTES_MAX = 256;
/** RFC 8415 §21.23, §21.25: what asks for them must name them. */
const REQUESTED = [
  dhcpv6Option.dnsServers,
  dhcpv6Option.searchList,
  dhcpv6Option.refreshTime,
  dhcpv6Option.informationRetryMax,
];
const RETRY_SECONDS_MIN = 60;
const RETRY_SECONDS_MAX = 86_400;

/** What a server told. */
export interface Dhcpv6Information {
  readonly dnsServers: readonly Ipv6Address[];
  readonly searchList: readonly string[];
}

export const NO_INFORMATION: Dhcpv6Information = { dnsServers: [], searchList: [] };

export interface Dhcpv6ClientOptions {
  readonly mac: Uint8Array;
  readonly udp: Udp;
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  /** Our link-local address, which messages come from; null: not yet. */
  readonly source: () => Ipv6Address | null;
  /** The information changed. */
  readonly changed: () => void;
}

export class Dhcpv6Client {
  readonly counters = {
    dhcpv6Sent: 0,
    dhcpv6Malformed: 0,
    dhcpv6Foreign: 0,
    dhcpv6Failed: 0,
    dhcpv6Replies: 0,
  };
  information: Dhcpv6Information = NO_INFORMATION;
  private readonly options: Dhcpv6ClientOptions;
  private readonly duid: Uint8Array;
  private socket: UdpSocket | null = null;
  private readonly timer = new Timer((now) => this.due(now));
  private isAsking = false;
  private transaction = 0;
  private startedAt: Instant = 0 as Instant;
  private wait: Duration = informationRetryFirst;
  private retryMax: Duration = informationRetryMax;

  constructor(options: Dhcpv6ClientOptions) {
    this.options = options;
    this.duid = duidOf(options.mac);
  }

  /** A router says that there is information; harmless when we know. */
  start(): void {
    if (this.socket !== null) return;
    const opened = this.options.udp.open(DHCPV6_CLIENT_PORT, {
      datagram: (bytes, source, sourcePort) => this.received(bytes, source, sourcePort),
    });
    if (!opened.ok) {
      this.counters.dhcpv6Failed += 1;
      return;
    }
    this.socket = opened.value;
    this.ask();
  }

  stop(): void {
    this.socket?.close();
    this.socket = null;
    this.isAsking = false;
    this.options.timers.stop(this.timer);
    this.setInformation(NO_INFORMATION);
  }

  checkInvariants(): void {
    assert(this.socket !== null || !this.isAsking);
    assert(this.information.dnsServers.length <= rdnssServersMax);
    assert(this.information.searchList.length <= dnsslNamesMax);
  }

  private ask(): void {
    const { timers, entropy } = this.options;
    const random = new Uint8Array(4);
    entropy.fill(random);
    this.isAsking = true;
    this.transaction = readU32be(random, 0) % 0x100_0000;
    this.startedAt = timers.now;
    this.wait = informationRetryFirst;
    const delay = (random[3]! / 255) * informationDelayMax;
    timers.arm(this.timer, after(timers.now, Math.round(delay) as Duration));
  }

  private due(now: Instant): void {
    if (!this.isAsking) {
      this.ask();
      return;
    }
    const { entropy, timers } = this.options;
    this.send(now);
    timers.arm(this.timer, after(now, jittered(this.wait, informationRetryJitterShare, entropy)));
    this.wait = Math.min(2 * this.wait, this.retryMax) as Duration;
  }

  private send(now: Instant): void {
    const source = this.options.source();
    // Else it comes again.
    if (source === null || this.socket === null) return;
    const message = new Uint8Array(MESSAGE_BYTES_MAX);
    const hundredths = Math.floor(since(this.startedAt, now) / 10_000);
    const bytes = emitDhcpv6(message, {
      ...dhcpv6Empty(DHCPV6_INFORMATION_REQUEST, this.transaction),
      clientId: this.duid,
      requested: REQUESTED,
      elapsed: Math.min(0xffff, hundredths),
    });
    this.socket.send(message.subarray(0, bytes), SERVERS, DHCPV6_SERVER_PORT, source);
    this.counters.dhcpv6Sent += 1;
  }

  private received(bytes: Uint8Array, source: IpAddress, sourcePort: number): void {
    if (typeof source === 'number' || sourcePort !== DHCPV6_SERVER_PORT) {
      this.counters.dhcpv6Foreign += 1;
      return;
    }
    const parsed = parseDhcpv6(bytes);
    if (!parsed.ok) {
      this.counters.dhcpv6Malformed += 1;
      return;
    }
    const reply = parsed.value;
    // RFC 8415 §16.10; a server that reports an error has nothing for us (§18.2.10).
    const isOurs =
      this.isAsking &&
      reply.type === DHCPV6_REPLY &&
      reply.transaction === this.transaction &&
      reply.serverId !== null &&
      isSame(reply.clientId, this.duid) &&
      (reply.status ?? 0) === 0;
    if (isOurs) this.take(reply);
    else this.counters.dhcpv6Foreign += 1;
  }

  private take(reply: Dhcpv6Repr): void {
    this.counters.dhcpv6Replies += 1;
    this.isAsking = false;
    this.retryMax = retryMaxOf(reply.informationRetrySecondsMax);
    const { timers } = this.options;
    timers.arm(this.timer, refreshAt(timers.now, reply.refreshSeconds));
    this.setInformation({
      dnsServers: reply.dnsServers.filter(isIpv6HostAddress).slice(0, rdnssServersMax),
      searchList: reply.searchList.slice(0, dnsslNamesMax),
    });
  }

  private setInformation(information: Dhcpv6Information): void {
    const isChanged = JSON.stringify(information) !== JSON.stringify(this.information);
    this.information = information;
    if (isChanged) this.options.changed();
  }
}

/** RFC 8415 §21.25: anything else is ignored. */
function retryMaxOf(told: number | null): Duration {
  const isSane = told !== null && told >= RETRY_SECONDS_MIN && told <= RETRY_SECONDS_MAX;
  return isSane ? seconds(told) : informationRetryMax;
}

/** RFC 8415 §21.23. */
function refreshAt(now: Instant, told: number | null): Instant {
  if (told === null) return after(now, informationRefreshDefault);
  if (told > lifetimeSecondsMax) return FOREVER;
  return after(now, seconds(Math.max(told, informationRefreshSecondsMin)));
}

const isSame = (a: Uint8Array | null, b: Uint8Array): boolean =>
  a !== null && a.length === b.length && hot.equal(a, 0, b, 0, b.length);
