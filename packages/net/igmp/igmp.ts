/**
 * The multicast groups that we belong to, and telling routers of them: IGMPv3's host side (RFC
 * 3376), which falls back to version 2 (RFC 2236) or 1 (RFC 1112) while a querier of that age is
 * on the link. Members take all sources (mode EXCLUDE with none). Read first: RFC 3376 §5, §7.2.
 * Not here: the routers' side, lists of sources, hearing what we send to a group ourselves.
 *
 * Deviates from RFC 3376 §5.2: a query about some sources of a group is answered as one about the
 * group, which says more than was asked.
 */

import { after, assert, type Instant, readU32be, Timer, type TimerQueue } from '#core';
import type { Entropy } from '#device';
import { type Ipv4Address, PROTOCOL_IGMP, type TransportInput } from '../ip.ts';
import { IPV4_ANY, ipv4AddressOf, isMulticast } from '../ip-address.ts';
import type { InterfaceAddresses } from '../ipv4/interface-addresses.ts';
import type { Ipv4Groups } from '../ipv4/ipv4-input.ts';
import { groupMacOf, type Ipv4Output } from '../ipv4/ipv4-output.ts';
import {
  igmpChangeInterval,
  igmpChangeIntervalOld,
  igmpGroupsMax,
  igmpOldQuerierTimeout,
  igmpResponseV1,
  igmpRobustness,
  ttlMulticast,
} from '../limits.ts';
import { ETHERNET_HEADER_BYTES, ETHERTYPE_IPV4, emitEthernetHeader } from '../wire/ethernet.ts';
import {
  emitIgmp,
  IGMP_CHANGE_TO_EXCLUDE,
  IGMP_CHANGE_TO_INCLUDE,
  IGMP_LEAVE_V2,
  IGMP_MODE_IS_EXCLUDE,
  IGMP_REPORT_V1,
  IGMP_REPORT_V2,
  type IgmpQuery,
  type IgmpRepr,
  igmpBytes,
  igmpCodeValue,
  parseIgmp,
} from '../wire/igmp.ts';
import { emitIpv4, IPV4_HEADER_BYTES, ipv4Destination, ipv4Ttl } from '../wire/ipv4.ts';
import { hasIpv4Option, IPV4_OPTION_ROUTER_ALERT } from '../wire/ipv4-options.ts';

const ALL_HOSTS = ipv4AddressOf(0xe0000001);
const ALL_ROUTERS = ipv4AddressOf(0xe0000002);
const ALL_IGMPV3_ROUTERS = ipv4AddressOf(0xe0000016);
const ROUTER_ALERT = Uint8Array.of(IPV4_OPTION_ROUTER_ALERT, 4, 0, 0);
/** Precedence "internetwork control", RFC 3376 §4. */
const TRAFFIC_CLASS = 0xc0;
const LONG_AGO = Number.NEGATIVE_INFINITY as Instant;
const TENTH_MICROS = 100_000;

interface Membership {
  readonly group: Ipv4Address;
  /** How many joined; 0 while routers are still told that we left. */
  users: number;
  /** Change reports that are yet to be sent. */
  changesLeft: number;
  readonly changeTimer: Timer;
  /** Armed while a query waits for its answer. */
  readonly responseTimer: Timer;
}

export class Igmp implements TransportInput, Ipv4Groups {
  readonly counters = { igmpMalformed: 0, igmpIgnored: 0, igmpQueries: 0, igmpSent: 0 };
  private readonly ip: Ipv4Output;
  private readonly mac: Uint8Array;
  private readonly addresses: InterfaceAddresses;
  private readonly timers: TimerQueue;
  private readonly entropy: Entropy;
  private readonly memberships = new Map<Ipv4Address, Membership>();
  private readonly random = new Uint8Array(4);
  /** Armed while a general query waits for its answer in version 3. */
  private readonly generalTimer = new Timer(() => this.answerGeneral());
  /** Older Version Querier Present timers, RFC 3376 §8.12. */
  private querierV1Until = LONG_AGO;
  private querierV2Until = LONG_AGO;

  constructor(
    ip: Ipv4Output,
    mac: Uint8Array,
    addresses: InterfaceAddresses,
    timers: TimerQueue,
    entropy: Entropy,
  ) {
    this.ip = ip;
    this.mac = mac;
    this.addresses = addresses;
    this.timers = timers;
    this.entropy = entropy;
  }

  /** Every host with an address is in 224.0.0.1, unasked (RFC 1112 §4). */
  isMember(group: Ipv4Address): boolean {
    if (group === ALL_HOSTS) return true;
    const membership = this.memberships.get(group);
    return membership !== undefined && membership.users > 0;
  }

  /** Once more a user of `group`; false when it is no group, or one too many. */
  join(group: Ipv4Address): boolean {
    if (!isMulticast(group)) return false;
    if (group === ALL_HOSTS) return true;
    let membership = this.memberships.get(group);
    if (membership === undefined) {
      if (this.memberships.size >= igmpGroupsMax && !this.forgetLeaving()) return false;
      const made: Membership = {
        group,
        users: 0,
        changesLeft: 0,
        changeTimer: new Timer(() => this.sendChange(made)),
        responseTimer: new Timer(() => this.sendCurrent(made)),
      };
      membership = made;
      this.memberships.set(group, made);
    }
    membership.users += 1;
    if (membership.users === 1) this.change(membership);
    return true;
  }

  /** Undoes one `join` of `group` that returned true. */
  leave(group: Ipv4Address): void {
    const membership = this.memberships.get(group);
    if (membership === undefined || membership.users === 0) return;
    membership.users -= 1;
    if (membership.users > 0) return;
    this.timers.stop(membership.responseTimer);
    this.change(membership);
  }

  /** Our address changed: routers hear of our groups from the new one. */
  configured(): void {
    this.stopResponses();
    for (const membership of [...this.memberships.values()]) this.change(membership);
  }

  packet(
    frame: Uint8Array,
    at: number,
    end: number,
    _source: Ipv4Address,
    destination: Ipv4Address,
  ): void {
    const parsed = parseIgmp(frame.subarray(at, end));
    if (!parsed.ok) {
      this.counters.igmpMalformed += 1;
      return;
    }
    const message = parsed.value;
    if (message.kind === 'query') {
      if (this.isGenuine(frame, at, message, destination)) this.query(message);
      else this.counters.igmpIgnored += 1;
      return;
    }
    const membership = message.kind === 'group' ? this.memberships.get(message.group) : undefined;
    const isReport = message.kind === 'group' && message.type !== IGMP_LEAVE_V2;
    if (membership !== undefined && isReport && this.version !== 3) {
      // One answer for all members is enough (RFC 2236 §3).
      this.timers.stop(membership.responseTimer);
    } else {
      this.counters.igmpIgnored += 1;
    }
  }

  checkInvariants(): void {
    assert(this.memberships.size <= igmpGroupsMax);
    for (const [group, membership] of this.memberships) {
      assert(group === membership.group && isMulticast(group) && group !== ALL_HOSTS);
      assert(membership.users > 0 || membership.changesLeft > 0);
      assert(membership.changesLeft <= igmpRobustness);
    }
  }

  /** The host compatibility mode, RFC 3376 §7.2.1. */
  private get version(): 1 | 2 | 3 {
    if (this.querierV1Until > this.timers.now) return 1;
    return this.querierV2Until > this.timers.now ? 2 : 3;
  }

  /**
   * From a router on this link: TTL 1, router alert from version 2 on, sent where such queries go
   * (RFC 3376 §4.1.12, §9.1).
   */
  private isGenuine(
    frame: Uint8Array,
    at: number,
    { version, group }: IgmpQuery,
    destination: Ipv4Address,
  ): boolean {
    const packet = frame.subarray(ETHERNET_HEADER_BYTES);
    const options = frame.subarray(ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES, at);
    if (ipv4Ttl(packet) !== 1) return false;
    if (version > 1 && !hasIpv4Option(options, IPV4_OPTION_ROUTER_ALERT)) return false;
    if (group === IPV4_ANY) return destination === ALL_HOSTS;
    return destination === group || this.addresses.isOurs(destination);
  }

  private query({ version, code, group }: IgmpQuery): void {
    this.counters.igmpQueries += 1;
    const { now } = this.timers;
    const before = this.version;
    if (version === 1) this.querierV1Until = after(now, igmpOldQuerierTimeout);
    if (version === 2) this.querierV2Until = after(now, igmpOldQuerierTimeout);
    // What was to be said in another version isn't said any more.
    if (this.version !== before) this.stopResponses();
    let maxMicros: number = igmpResponseV1;
    if (version > 1) maxMicros = TENTH_MICROS * (version === 2 ? code : igmpCodeValue(code));
    if (group !== IPV4_ANY) {
      const membership = this.memberships.get(group);
      if (membership !== undefined) this.respond(membership.responseTimer, maxMicros);
    } else if (this.version === 3) {
      if (this.memberships.size > 0) this.respond(this.generalTimer, maxMicros);
    } else {
      for (const membership of this.memberships.values()) {
        this.respond(membership.responseTimer, maxMicros);
      }
    }
  }

  /** After a random time up to `maxMicros`, or when an earlier query is answered, if sooner. */
  private respond(timer: Timer, maxMicros: number): void {
    const at = this.randomAfter(maxMicros);
    if (at < timer.at) this.timers.arm(timer, at);
  }

  private stopResponses(): void {
    this.timers.stop(this.generalTimer);
    for (const { responseTimer } of this.memberships.values()) this.timers.stop(responseTimer);
  }

  /** Somebody joined or left: say so now, and again in case that was lost (RFC 3376 §5.1). */
  private change(membership: Membership): void {
    membership.changesLeft = igmpRobustness;
    this.sendChange(membership);
  }

  private sendChange(membership: Membership): void {
    const isMember = membership.users > 0;
    const type = isMember ? IGMP_CHANGE_TO_EXCLUDE : IGMP_CHANGE_TO_INCLUDE;
    this.report(membership.group, type);
    membership.changesLeft -= 1;
    // Older versions say goodbye once, or not at all.
    const isDone = membership.changesLeft === 0 || (!isMember && this.version < 3);
    if (!isDone) {
      const interval = this.version === 3 ? igmpChangeInterval : igmpChangeIntervalOld;
      this.timers.arm(membership.changeTimer, this.randomAfter(interval));
      return;
    }
    membership.changesLeft = 0;
    this.timers.stop(membership.changeTimer);
    if (!isMember) this.memberships.delete(membership.group);
  }

  private sendCurrent(membership: Membership): void {
    if (membership.users > 0) this.report(membership.group, IGMP_MODE_IS_EXCLUDE);
  }

  private answerGeneral(): void {
    const members = [...this.memberships.values()].filter(({ users }) => users > 0);
    if (members.length === 0) return;
    const records = members.map(({ group }) => ({
      type: IGMP_MODE_IS_EXCLUDE,
      group,
      sources: [],
    }));
    this.send(ALL_IGMPV3_ROUTERS, { kind: 'records', records });
  }

  /** One group's state, in the words of the version that the link speaks. */
  private report(group: Ipv4Address, type: number): void {
    const { version } = this;
    const isLeave = type === IGMP_CHANGE_TO_INCLUDE;
    if (version === 3) {
      const records = [{ type, group, sources: [] }];
      this.send(ALL_IGMPV3_ROUTERS, { kind: 'records', records });
    } else if (!isLeave) {
      const old = version === 2 ? IGMP_REPORT_V2 : IGMP_REPORT_V1;
      this.send(group, { kind: 'group', type: old, group });
    } else if (version === 2) {
      this.send(ALL_ROUTERS, { kind: 'group', type: IGMP_LEAVE_V2, group });
    }
  }

  private send(destination: Ipv4Address, message: IgmpRepr): void {
    const source = this.addresses.primary;
    // `configured` says it all again once we have an address.
    const frame = source === IPV4_ANY ? null : this.ip.begin();
    if (frame === null) return;
    emitEthernetHeader(frame, 0, groupMacOf(destination), this.mac, ETHERTYPE_IPV4);
    const payload = new Uint8Array(igmpBytes(message));
    emitIgmp(payload, 0, message);
    const bytes = emitIpv4(frame, ETHERNET_HEADER_BYTES, {
      trafficClass: TRAFFIC_CLASS,
      identification: 0,
      dontFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: ttlMulticast,
      protocol: PROTOCOL_IGMP,
      source,
      destination,
      options: ROUTER_ALERT,
      payload,
    });
    assert(ipv4Destination(frame.subarray(ETHERNET_HEADER_BYTES)) === destination);
    this.counters.igmpSent += 1;
    this.ip.commitBurst(ETHERNET_HEADER_BYTES + bytes);
  }

  /** Makes room by not telling a second time that we left some group. */
  private forgetLeaving(): boolean {
    for (const { group, users, changeTimer } of this.memberships.values()) {
      if (users > 0) continue;
      this.timers.stop(changeTimer);
      this.memberships.delete(group);
      return true;
    }
    return false;
  }

  private randomAfter(micros: number): Instant {
    this.entropy.fill(this.random);
    const wait = Math.floor((readU32be(this.random, 0) / 0x100000000) * micros);
    return (this.timers.now + wait) as Instant;
  }
}
