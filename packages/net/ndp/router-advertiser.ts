/**
 * Advertising ourselves as a router (RFC 4861 §6.2): at random intervals, to whoever asks, and
 * goodbye; prefixes that go are taken back (RFC 7084 L-13, RFC 4862 §5.5.3). Not here: hearing
 * other routers (router-advertisements.ts), forwarding (packages/router).
 */

import {
  after,
  assert,
  type Duration,
  FOREVER,
  type Instant,
  readU32be,
  since,
  Timer,
  type TimerQueue,
} from '#core';
import type { Entropy } from '#device';
import {
  advertisedPrefixesMax,
  advertisementDelayMax,
  advertisementIntervalFirst,
  advertisementIntervalMax,
  advertisementIntervalMin,
  advertisementRetry,
  advertisementSpacing,
  advertisementsFirst,
  advertisementsLast,
  prefixGoodbyes,
} from '../ipv6/limits.ts';
import { type Ipv6Address, prefixOf } from '../ipv6-address.ts';
import { IPV6_HEADER_BYTES, IPV6_MTU_BYTES_MIN } from '../wire/ipv6.ts';
import { emitNdp, NDP_ROUTER_ADVERTISEMENT, type RouterAdvertisement } from '../wire/ndp.ts';
import { NDP_SOURCE_LINK_ADDRESS, type NdpOption } from '../wire/ndp-options.ts';

/** Lifetimes are seconds, 0xffffffff is forever. */
export interface AdvertisedPrefix {
  readonly prefix: Ipv6Address;
  /** 0..128; hosts make addresses of 64 only (RFC 4862 §5.5.3). */
  readonly prefixBits: number;
  /** Hosts reach it without a router. */
  readonly isOnLink: boolean;
  /** Hosts make addresses of it. */
  readonly isAutonomous: boolean;
  readonly validSeconds: number;
  /** At most `validSeconds`. */
  readonly preferredSeconds: number;
}

export interface AdvertisedConfiguration {
  /** How long we are a default router, at most 65,535; 0: we are none. */
  readonly lifetimeSeconds: number;
  /** 0: not said. */
  readonly hopLimit: number;
  /** Of the link, where it isn't what its devices say; null: not said. */
  readonly mtuBytes: number | null;
  /** At most advertisedPrefixesMax. */
  readonly prefixes: readonly AdvertisedPrefix[];
  /** RFC 8106, each for `dnsSeconds`. */
  readonly dnsServers: readonly Ipv6Address[];
  readonly searchDomains: readonly string[];
  readonly dnsSeconds: number;
}

/** What an advertiser needs of the stack that it speaks for. */
export interface AdvertisingStack {
  speakAsRouter(asked: (() => void) | null): void;
  advertiseRouter(message: RouterAdvertisement): boolean;
}

export class RouterAdvertiser {
  readonly counters = { raSent: 0, raSolicitations: 0, raPostponed: 0 };
  private readonly timers: TimerQueue;
  private readonly entropy: Entropy;
  private readonly mac: Uint8Array;
  private readonly ipv6: AdvertisingStack;
  private configuration: AdvertisedConfiguration | null = null;
  /** What was advertised and isn't any more, and how often that is still to be said. */
  private gone: { readonly prefix: AdvertisedPrefix; left: number }[] = [];
  /** Messages since the configuration changed, and goodbyes that are left. */
  private sent = 0;
  private goodbyes = 0;
  private sentAt: Instant | null = null;
  private readonly timer = new Timer((now) => this.due(now));
  private readonly random = new Uint8Array(4);

  /** For `ipv6`, which has started, on a device with this `mac`; silent until configured. */
  constructor(ipv6: AdvertisingStack, mac: Uint8Array, timers: TimerQueue, entropy: Entropy) {
    this.timers = timers;
    this.entropy = entropy;
    this.mac = mac;
    this.ipv6 = ipv6;
  }

  /**
   * Advertises `configuration` from now on; null: no more, which hosts are told. The first message
   * leaves in this turn, unless one left less than three seconds ago.
   */
  configure(configuration: AdvertisedConfiguration | null): void {
    const before = this.configuration;
    if (configuration !== null) {
      assert(configuration.prefixes.length <= advertisedPrefixesMax);
      assert(configuration.lifetimeSeconds >= 0 && configuration.lifetimeSeconds <= 0xffff);
      assert(bytesOf(this.messageOf(configuration, [])) <= IPV6_MTU_BYTES_MIN - IPV6_HEADER_BYTES);
      this.goodbyes = 0;
    } else if (before !== null) this.goodbyes = advertisementsLast;
    else return;
    if (configuration === null) this.ipv6.speakAsRouter(null);
    else if (before === null) this.ipv6.speakAsRouter(() => this.solicited());
    this.forget(before, configuration);
    this.configuration = configuration;
    this.sent = 0;
    this.timers.arm(this.timer, this.soonest(this.timers.now));
  }

  /** RFC 4861 §6.2.6: all hear the answer, within half a second or so. */
  private solicited(): void {
    this.counters.raSolicitations += 1;
    if (this.configuration === null) return;
    const at = this.soonest(after(this.timers.now, this.upTo(advertisementDelayMax)));
    if (at < this.timer.at) this.timers.arm(this.timer, at);
  }

  checkInvariants(): void {
    assert(this.goodbyes === 0 || this.configuration === null);
    const isWaiting = this.timer.at !== FOREVER;
    assert(isWaiting === (this.configuration !== null || this.goodbyes > 0));
  }

  private due(now: Instant): void {
    const { configuration } = this;
    const message = this.messageOf(configuration ?? FAREWELL, this.gone);
    if (!this.ipv6.advertiseRouter(message)) {
      this.counters.raPostponed += 1;
      this.timers.arm(this.timer, after(now, advertisementRetry));
      return;
    }
    this.counters.raSent += 1;
    this.sentAt = now;
    this.sent += 1;
    for (const entry of this.gone) entry.left -= 1;
    this.gone = this.gone.filter(({ left }) => left > 0);
    if (configuration === null) {
      this.goodbyes -= 1;
      if (this.goodbyes > 0) this.timers.arm(this.timer, after(now, advertisementSpacing));
      return;
    }
    const range = advertisementIntervalMax - advertisementIntervalMin;
    const wait = advertisementIntervalMin + this.upTo(range as Duration);
    const isFirst = this.sent <= advertisementsFirst;
    const bounded = isFirst ? Math.min(wait, advertisementIntervalFirst) : wait;
    this.timers.arm(this.timer, after(now, bounded as Duration));
  }

  /** `at`, or later: advertisements to all are three seconds apart (RFC 4861 §6.2.6). */
  private soonest(at: Instant): Instant {
    const { sentAt } = this;
    if (sentAt === null || since(sentAt, at) >= advertisementSpacing) return at;
    return after(sentAt, advertisementSpacing);
  }

  private forget(
    before: AdvertisedConfiguration | null,
    configuration: AdvertisedConfiguration | null,
  ): void {
    const kept = configuration?.prefixes ?? [];
    for (const prefix of before?.prefixes ?? []) {
      this.gone.push({ prefix, left: prefixGoodbyes });
    }
    this.gone = this.gone
      .filter(({ prefix }) => !kept.some((other) => isSame(prefix, other)))
      .slice(-advertisedPrefixesMax);
  }

  private messageOf(
    configuration: AdvertisedConfiguration,
    gone: RouterAdvertiser['gone'],
  ): RouterAdvertisement {
    const { lifetimeSeconds, hopLimit, mtuBytes, prefixes, dnsSeconds } = configuration;
    const { dnsServers, searchDomains } = configuration;
    const type = NDP_SOURCE_LINK_ADDRESS;
    const options: NdpOption[] = [{ kind: 'link address', type, mac: this.mac }];
    if (mtuBytes !== null) options.push({ kind: 'mtu', mtuBytes });
    for (const prefix of prefixes) options.push(optionOf(prefix));
    if (dnsServers.length > 0) {
      options.push({ kind: 'dns servers', lifetimeSeconds: dnsSeconds, servers: dnsServers });
    }
    if (searchDomains.length > 0) {
      options.push({ kind: 'search list', lifetimeSeconds: dnsSeconds, names: searchDomains });
    }
    const message: RouterAdvertisement = {
      type: NDP_ROUTER_ADVERTISEMENT,
      hopLimit,
      // Nothing comes from DHCPv6; of several routers we are none to prefer (RFC 4191 §2.2).
      isManaged: false,
      isOther: false,
      preference: 0,
      lifetimeSeconds,
      reachableMillis: 0,
      retransmitMillis: 0,
      options,
    };
    // As many of these as the smallest link carries.
    const room = IPV6_MTU_BYTES_MIN - IPV6_HEADER_BYTES - PREFIX_OPTION_BYTES;
    for (const { prefix } of gone) {
      if (bytesOf(message) > room) break;
      options.push(optionOf({ ...prefix, validSeconds: 7_200, preferredSeconds: 0 }));
    }
    return message;
  }

  /** A random time, up to `most`. */
  private upTo(most: Duration): Duration {
    this.entropy.fill(this.random);
    return Math.floor((readU32be(this.random, 0) / 0x1_0000_0000) * most) as Duration;
  }
}

const PREFIX_OPTION_BYTES = 32;
/** RFC 4861 §6.2.5. */
const FAREWELL: AdvertisedConfiguration = {
  lifetimeSeconds: 0,
  hopLimit: 0,
  mtuBytes: null,
  prefixes: [],
  dnsServers: [],
  searchDomains: [],
  dnsSeconds: 0,
};

/** Twice what one may have: an assertion comes before an overrun. */
const bytesOf = (message: RouterAdvertisement): number =>
  emitNdp(new Uint8Array(2 * IPV6_MTU_BYTES_MIN), 0, message);

function optionOf(prefix: AdvertisedPrefix): NdpOption {
  assert(prefix.preferredSeconds <= prefix.validSeconds);
  return { kind: 'prefix', ...prefix, prefix: prefixOf(prefix.prefix, prefix.prefixBits) };
}

const isSame = (a: AdvertisedPrefix, b: AdvertisedPrefix): boolean =>
  a.prefixBits === b.prefixBits &&
  prefixOf(a.prefix, a.prefixBits).equals(prefixOf(b.prefix, b.prefixBits));
