/**
 * Multicast groups of our interface, and telling routers and switches of them: MLDv2 of a host that
 * listens to any source (RFC 3810 §4, §6, exclude mode with no sources), and MLDv1 (RFC 2710) while
 * a router speaks that (§8.2). Not here: source lists of applications (RFC 3810 §3), routers.
 */

import {
  after,
  assert,
  type Duration,
  FOREVER,
  type Instant,
  millis,
  readU16be,
  Timer,
  type TimerQueue,
} from '#core';
import type { Entropy } from '#device';
import {
  mldOlderVersionTimeout,
  mldRecordsMax,
  mldReportInterval,
  mldRobustness,
  multicastGroupsMax,
} from '../ipv6/limits.ts';
import type { Ipv6OwnAddresses } from '../ipv6/own-addresses.ts';
import {
  IPV6_ALL_NODES,
  IPV6_ALL_ROUTERS,
  IPV6_ANY,
  Ipv6Address,
  ipv6Scope,
  isIpv6Any,
  isIpv6LinkLocal,
  isIpv6Multicast,
  SCOPE_INTERFACE,
} from '../ipv6-address.ts';
import type { LinkMessages } from '../ndp/link-messages.ts';
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts';
import { IPV6_HEADER_BYTES, IPV6_HOP_LIMIT_AT } from '../wire/ipv6.ts';
import {
  HEADER_HOP_BY_HOP,
  OPTION_ROUTER_ALERT,
  parseOptionsHeader,
} from '../wire/ipv6-extensions.ts';
import {
  emitMld,
  MLD_CHANGE_TO_EXCLUDE,
  MLD_CHANGE_TO_INCLUDE,
  MLD_DONE_V1,
  MLD_MODE_IS_EXCLUDE,
  MLD_REPORT_V1,
  type MldQuery,
  type MldRecord,
  type MldRepr,
  mldResponseMillis,
  parseMld,
} from '../wire/mld.ts';

/** RFC 3810 §5.2.14. */
const ALL_MLDV2_ROUTERS = new Ipv6Address(0xff02 << 16, 0, 0, 0x16);

/** In the IPv6 header. */
const IPV6_NEXT_HEADER_AT = 6;

interface Group {
  readonly address: Ipv6Address;
  /** How many times it was joined and not left; at 0 it only stays to be reported as left. */
  users: number;
  /** Reports of the last change that are still to come, and when the next one is. */
  changesLeft: number;
  changeAt: Instant;
  /** When to answer a query; FOREVER when none asks. */
  answerAt: Instant;
}

export class Mld {
  readonly counters = {
    mldMalformed: 0,
    mldInvalid: 0,
    mldQueries: 0,
    mldReportsSent: 0,
    mldGroupsFull: 0,
  };
  private readonly timers: TimerQueue;
  private readonly entropy: Entropy;
  private readonly own: Ipv6OwnAddresses;
  private readonly messages: LinkMessages;
  private readonly groups: Group[] = [];
  private readonly timer = new Timer((now) => this.report(now));
  /** Until then a router is taken to speak MLDv1. */
  private olderUntil: Instant = 0 as Instant;

  constructor(timers: TimerQueue, entropy: Entropy, own: Ipv6OwnAddresses, messages: LinkMessages) {
    this.timers = timers;
    this.entropy = entropy;
    this.own = own;
    this.messages = messages;
  }

  /** Every host is in the first one, and says so to nobody (RFC 3810 §6). */
  isMember(group: Ipv6Address): boolean {
    return group.equals(IPV6_ALL_NODES) || (this.find(group)?.users ?? 0) > 0;
  }

  /** As often as it is left again. False when it isn't a group, or the table is full. */
  join(address: Ipv6Address): boolean {
    if (!isIpv6Multicast(address)) return false;
    const known = this.find(address);
    if (known === null && this.groups.length >= multicastGroupsMax) {
      this.counters.mldGroupsFull += 1;
      return false;
    }
    const group = known ?? this.add(address);
    group.users += 1;
    if (group.users === 1) this.changed(group);
    return true;
  }

  leave(address: Ipv6Address): void {
    const group = this.find(address);
    assert(group !== null && group.users > 0, 'left more often than joined');
    group.users -= 1;
    if (group.users === 0) this.changed(group);
  }

  /** Says all again, now that there is a link-local address to say it from (RFC 3590 §4). */
  repeat(): void {
    for (const group of this.groups) {
      if (group.users > 0 && isReported(group.address)) group.answerAt = this.timers.now;
    }
    this.armTimer();
  }

  /** A message with a good checksum in frame[at..end). */
  receive(frame: Uint8Array, at: number, end: number, source: Ipv6Address): void {
    const parsed = parseMld(frame.subarray(at, end));
    if (!parsed.ok) {
      this.counters.mldMalformed += 1;
      return;
    }
    // Only routers' questions concern a host; of other listeners it needs to know nothing.
    if (parsed.value.kind !== 'query') return;
    const hopLimit = frame[ETHERNET_HEADER_BYTES + IPV6_HOP_LIMIT_AT];
    // RFC 3810 §6.2.
    const isGenuine = isIpv6LinkLocal(source) && hopLimit === 1 && hasRouterAlert(frame, at);
    if (!isGenuine) this.counters.mldInvalid += 1;
    else this.queried(parsed.value);
  }

  checkInvariants(): void {
    assert(this.groups.length <= multicastGroupsMax);
    for (const { users, changesLeft } of this.groups) {
      assert(users > 0 || changesLeft > 0, 'a group left and reported stays');
      assert(changesLeft >= 0 && changesLeft <= mldRobustness);
    }
  }

  private queried(query: MldQuery): void {
    this.counters.mldQueries += 1;
    const { now } = this.timers;
    if (query.version === 1) this.olderUntil = after(now, mldOlderVersionTimeout);
    const { responseCode } = query;
    const wait = query.version === 1 ? responseCode : mldResponseMillis(responseCode);
    for (const group of this.groups) {
      const isAsked = isIpv6Any(query.group) || group.address.equals(query.group);
      if (!isAsked || group.users === 0 || !isReported(group.address)) continue;
      // The earlier of two answers does for both (RFC 3810 §6.2).
      const answerAt = after(now, this.randomWait(millis(wait)));
      if (answerAt < group.answerAt) group.answerAt = answerAt;
    }
    this.armTimer();
  }

  private find(address: Ipv6Address): Group | null {
    for (const group of this.groups) if (group.address.equals(address)) return group;
    return null;
  }

  private add(address: Ipv6Address): Group {
    const group = { address, users: 0, changesLeft: 0, changeAt: FOREVER, answerAt: FOREVER };
    this.groups.push(group);
    return group;
  }

  /** RFC 3810 §6.1: told now, and again. */
  private changed(group: Group): void {
    if (!isReported(group.address)) {
      if (group.users === 0) this.groups.splice(this.groups.indexOf(group), 1);
      return;
    }
    group.answerAt = FOREVER;
    group.changesLeft = mldRobustness;
    group.changeAt = this.timers.now;
    this.armTimer();
  }

  /** Everything that is due, in as few messages as possible. */
  private report(now: Instant): void {
    const records: MldRecord[] = [];
    const isOld = now < this.olderUntil;
    for (const group of [...this.groups]) {
      const { address, users } = group;
      if (group.changeAt <= now) {
        const type = users > 0 ? MLD_CHANGE_TO_EXCLUDE : MLD_CHANGE_TO_INCLUDE;
        if (isOld) this.sendOld(group);
        else records.push({ type, group: address, sources: [] });
        this.countChange(group, now);
      } else if (group.answerAt <= now) {
        if (isOld) this.sendOld(group);
        else records.push({ type: MLD_MODE_IS_EXCLUDE, group: address, sources: [] });
      }
      if (group.answerAt <= now) group.answerAt = FOREVER;
    }
    for (let i = 0; i < records.length; i += mldRecordsMax) {
      const some = records.slice(i, i + mldRecordsMax);
      this.send(ALL_MLDV2_ROUTERS, { kind: 'records', records: some });
    }
    this.armTimer();
  }

  private countChange(group: Group, now: Instant): void {
    group.changesLeft -= 1;
    group.changeAt =
      group.changesLeft > 0 ? after(now, this.randomWait(mldReportInterval)) : FOREVER;
    if (group.changesLeft === 0 && group.users === 0) {
      this.groups.splice(this.groups.indexOf(group), 1);
    }
  }

  private sendOld({ address, users }: Group): void {
    const type = users > 0 ? MLD_REPORT_V1 : MLD_DONE_V1;
    const to = users > 0 ? address : IPV6_ALL_ROUTERS;
    this.send(to, { kind: 'group', type, group: address });
  }

  /** From a link-local address, or nobody before there is one (RFC 3590 §4). */
  private send(destination: Ipv6Address, repr: MldRepr): void {
    const own = this.own.linkLocal;
    const source = own === null || own.isOptimistic ? IPV6_ANY : own.address;
    const emit = (to: Uint8Array, at: number): number => emitMld(to, at, repr);
    this.messages.send({ source, destination, mac: null, hopLimit: 1, isAlert: true, emit });
    this.counters.mldReportsSent += 1;
  }

  private randomWait(max: Duration): Duration {
    const random = new Uint8Array(2);
    this.entropy.fill(random);
    return Math.round((readU16be(random, 0) / 0xffff) * max) as Duration;
  }

  private armTimer(): void {
    let next: Instant = FOREVER;
    for (const { changeAt, answerAt } of this.groups) {
      if (changeAt < next) next = changeAt;
      if (answerAt < next) next = answerAt;
    }
    this.timers.arm(this.timer, next);
  }
}

/** Whether the packet begins with hop-by-hop options that have it; `end`: of its headers. */
function hasRouterAlert(frame: Uint8Array, end: number): boolean {
  const from = ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES;
  if (frame[ETHERNET_HEADER_BYTES + IPV6_NEXT_HEADER_AT] !== HEADER_HOP_BY_HOP) return false;
  const header = parseOptionsHeader(frame.subarray(from, end));
  return header.ok && header.value.options.some(({ type }) => type === OPTION_ROUTER_ALERT);
}

/** RFC 3810 §6: not the all-nodes group, nor those of no link. */
const isReported = (group: Ipv6Address): boolean =>
  !group.equals(IPV6_ALL_NODES) && ipv6Scope(group) > SCOPE_INTERFACE;
