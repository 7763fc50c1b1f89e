/**
 * Our addresses: the link-local one, those set by hand, and those made from advertised prefixes
 * (RFC 4862 §5.3, §5.5), with their lifetimes. An address that is somebody else's is given up and,
 * unless set by hand, another one made (RFC 7217 §6). Not here: asking whether it is
 * (ndp/duplicate-detection.ts).
 */

import {
  after,
  assert,
  FOREVER,
  type Instant,
  type Logger,
  since,
  Timer,
  type TimerQueue,
} from '#core';
import { hasPrefix, Ipv6Address, isIpv6LinkLocal } from '../ipv6-address.ts';
import { formatIpv6Address } from '../ipv6-text.ts';
import { untilAfter } from '../ndp/router-table.ts';
import type { Ipv6AddressCache } from './address-cache.ts';
import { type InterfaceIdentifiers, isReservedIdentifier } from './interface-identifier.ts';
import { addressRetriesMax, twoHours } from './limits.ts';
import type { Ipv6Origin, Ipv6OwnAddresses, OwnAddress } from './own-addresses.ts';

const LINK_LOCAL_PREFIX = new Ipv6Address(0xfe80 << 16, 0, 0, 0);
const PREFIX_BITS = 64;

export interface AddressEvents {
  /** To be asked about, and its solicited-node group joined. */
  added(own: OwnAddress): void;
  removed(own: OwnAddress): void;
  /** What packets may come from changed. */
  changed(): void;
}

export class Slaac {
  readonly counters = { slaacIgnored: 0, slaacFull: 0, slaacDuplicates: 0 };
  private readonly own: Ipv6OwnAddresses;
  private readonly cache: Ipv6AddressCache;
  private readonly identifiers: InterfaceIdentifiers;
  private readonly timers: TimerQueue;
  private readonly logger: Logger;
  private readonly events: AddressEvents;
  private readonly timer = new Timer((now) => this.expire(now));

  constructor(
    own: Ipv6OwnAddresses,
    cache: Ipv6AddressCache,
    identifiers: InterfaceIdentifiers,
    timers: TimerQueue,
    logger: Logger,
    events: AddressEvents,
  ) {
    this.own = own;
    this.cache = cache;
    this.identifiers = identifiers;
    this.timers = timers;
    this.logger = logger;
    this.events = events;
  }

  addLinkLocal(): void {
    this.addMade(LINK_LOCAL_PREFIX, 'link-local', 0, FOREVER, FOREVER);
  }

  /** An address set by hand; not there yet, and there is room. */
  addStatic(address: Ipv6Address, prefixBits: number): void {
    this.add(address, prefixBits, 'static', 0, FOREVER, FOREVER);
  }

  /** RFC 4862 §5.5.3, for a prefix with the autonomous flag. */
  advertised(
    prefix: Ipv6Address,
    prefixBits: number,
    preferredSeconds: number,
    validSeconds: number,
  ): void {
    // (b), (c), and that interface identifiers have 64 bits.
    const isUsable =
      prefixBits === PREFIX_BITS && !isIpv6LinkLocal(prefix) && preferredSeconds <= validSeconds;
    if (!isUsable) {
      this.counters.slaacIgnored += 1;
      return;
    }
    const { now } = this.timers;
    const validUntil = untilAfter(now, validSeconds);
    const preferredUntil = untilAfter(now, preferredSeconds);
    const known = this.own.list.find(
      (own) => own.origin === 'advertised' && hasPrefix(own.address, prefix, prefixBits),
    );
    if (known === undefined) {
      if (validSeconds > 0) this.addMade(prefix, 'advertised', 0, preferredUntil, validUntil);
      return;
    }
    known.preferredUntil = preferredUntil;
    known.validUntil = this.extended(known.validUntil, validUntil);
    if (known.preferredUntil > known.validUntil) known.preferredUntil = known.validUntil;
    this.events.changed();
    this.armTimer();
  }

  /** Somebody else has it. */
  duplicate(own: OwnAddress): void {
    const { origin, attempt, address, preferredUntil, validUntil } = own;
    this.counters.slaacDuplicates += 1;
    this.logger.warn(`${formatIpv6Address(address)} is another host's`);
    this.remove(own);
    if (origin === 'static' || attempt >= addressRetriesMax) return;
    this.addMade(address, origin, attempt + 1, preferredUntil, validUntil);
  }

  /** All, or those that routers are the reason for. */
  clear(): void {
    for (const own of [...this.own.list]) this.remove(own);
  }

  /**
   * §5.5.3 (e): a forged advertisement must not end an address that is in use, so less than two
   * hours are not believed unless there was less already.
   */
  private extended(before: Instant, told: Instant): Instant {
    const { now } = this.timers;
    if (told > before || since(now, told) > twoHours) return told;
    return since(now, before) <= twoHours ? before : after(now, twoHours);
  }

  private addMade(
    prefix: Ipv6Address,
    origin: Ipv6Origin,
    attempt: number,
    preferredUntil: Instant,
    validUntil: Instant,
  ): void {
    if (this.own.isFull) {
      this.counters.slaacFull += 1;
      return;
    }
    for (let tried = attempt; tried <= addressRetriesMax; tried++) {
      const address = this.identifiers.addressIn(prefix, tried);
      if (isReservedIdentifier(address) || this.own.isOurs(address)) continue;
      this.add(address, PREFIX_BITS, origin, tried, preferredUntil, validUntil);
      return;
    }
  }

  private add(
    address: Ipv6Address,
    prefixBits: number,
    origin: Ipv6Origin,
    attempt: number,
    preferredUntil: Instant,
    validUntil: Instant,
  ): void {
    const own: OwnAddress = {
      address: this.cache.intern(address),
      prefixBits,
      origin,
      attempt,
      isOptimistic: true,
      preferredUntil,
      validUntil,
    };
    this.own.add(own);
    this.events.added(own);
    this.events.changed();
    this.armTimer();
  }

  private remove(own: OwnAddress): void {
    this.own.remove(own);
    this.events.removed(own);
    this.events.changed();
  }

  private expire(now: Instant): void {
    for (const own of [...this.own.list]) {
      assert(own.preferredUntil <= own.validUntil);
      if (own.validUntil <= now) this.remove(own);
    }
    // One may have become deprecated, too.
    this.events.changed();
    this.armTimer();
  }

  private armTimer(): void {
    this.timers.arm(this.timer, this.own.nextChange(this.timers.now));
  }
}
