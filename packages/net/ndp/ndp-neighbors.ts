/**
 * The cache of IPv6 neighbours and whether they can be reached: RFC 4861 §5, §7.2 and §7.3,
 * appendix C as code. RFC names of the states: 'asking' is INCOMPLETE, 'delayed' DELAY, 'probing'
 * PROBE. Read first: link/neighbor.ts. Not here: messages (ndp.ts), hints of transports (a unicast
 * probe a minute costs less than a check on each acknowledgment).
 */

import { after, assert, type Duration, hot, type Instant, Timer, type TimerQueue } from '#core';
import type { NetDevice } from '#device';
import {
  ndpDelayFirstProbe,
  ndpIdleLifetime,
  ndpNeighborsMax,
  ndpQueuePacketsMax,
  ndpReachableTimeDefault,
  ndpRetransmitDefault,
  ndpSolicitationsMax,
} from '../ipv6/limits.ts';
import type { Ipv6Address } from '../ipv6-address.ts';
import {
  costOf,
  Neighbor,
  victimOf,
  type WaitingPacket,
  waitingBytesOf,
} from '../link/neighbor.ts';
import type { MemoryAccount } from '../memory-budget.ts';
import { isStationMac, MAC_BYTES } from '../wire/ethernet.ts';

export class Ipv6Neighbor extends Neighbor<Ipv6Address> {
  isRouter = false;
}

export interface NeighborEvents {
  /**
   * Asks for `target`: the station `mac`, or all when null. False when there is no address yet to
   * ask from.
   */
  solicit(target: Ipv6Address, mac: Uint8Array | null): boolean;
  /** It doesn't answer, or says that it isn't a router any more. */
  lost(address: Ipv6Address): void;
  /** A packet that waited for it is dropped; borrows its head. */
  unresolved(head: Uint8Array): void;
}

/** What an advertisement says. */
export interface Advertised {
  readonly mac: Uint8Array | null;
  readonly isRouter: boolean;
  readonly isSolicited: boolean;
  readonly isOverride: boolean;
}

export class NdpNeighbors {
  readonly counters = {
    ndpEvicted: 0,
    ndpGaveUp: 0,
    ndpQueueDropped: 0,
    ndpTransmitFull: 0,
    ndpUnasked: 0,
  };
  reachableTime: Duration = ndpReachableTimeDefault;
  retransmitTime: Duration = ndpRetransmitDefault;
  private readonly device: NetDevice;
  private readonly timers: TimerQueue;
  private readonly memory: MemoryAccount;
  private readonly events: NeighborEvents;
  private readonly neighbors = new Map<number, Ipv6Neighbor>();
  private epochs = 0;

  constructor(
    device: NetDevice,
    timers: TimerQueue,
    memory: MemoryAccount,
    events: NeighborEvents,
  ) {
    this.device = device;
    this.timers = timers;
    this.memory = memory;
    this.events = events;
  }

  /** For inspection. */
  get list(): readonly Ipv6Neighbor[] {
    return [...this.neighbors.values()];
  }

  get size(): number {
    return this.neighbors.size;
  }

  /** A value that no neighbour's epoch has had. */
  nextEpoch(): number {
    this.epochs += 1;
    return this.epochs;
  }

  /** Makes all ways look again: our addresses or routers changed. */
  touch(): void {
    for (const entry of this.neighbors.values()) entry.epoch = this.nextEpoch();
  }

  find(address: Ipv6Address): Ipv6Neighbor | null {
    const known = this.neighbors.get(address.key);
    return known?.address.equals(address) ? known : null;
  }

  /** The entry for an address of this stack's, made when there is none. */
  neighbor(address: Ipv6Address): Ipv6Neighbor {
    const known = this.neighbors.get(address.key);
    if (known !== undefined) {
      if (known.address.equals(address)) return known;
      this.remove(known); // Two addresses of one key, once in 2^32.
    }
    if (this.neighbors.size >= ndpNeighborsMax) this.evict();
    const timer = new Timer((now) => this.timerFired(entry, now));
    const entry = new Ipv6Neighbor(address, this.nextEpoch(), this.timers.now, timer);
    this.neighbors.set(address.key, entry);
    this.timers.arm(timer, after(this.timers.now, ndpIdleLifetime));
    return entry;
  }

  /**
   * Whether `entry.mac` may be used. Sends nothing now, so that memory from `reserve` stays the
   * caller's.
   */
  use(entry: Neighbor<Ipv6Address>): boolean {
    entry.used = true;
    if (entry.state === 'stale') this.delay(entry);
    return entry.isUsable;
  }

  /** Keeps a packet until there is an answer; a full queue drops its oldest. Takes `packet`. */
  enqueue(entry: Neighbor<Ipv6Address>, packet: WaitingPacket): void {
    assert(!entry.isUsable && entry.state !== 'gone');
    if (entry.waiting.length >= ndpQueuePacketsMax) this.dropOldest(entry);
    if (this.memory.take(costOf(packet))) entry.waiting.push(packet);
    else this.counters.ndpQueueDropped += 1;
    this.ask(entry);
  }

  /** Asks for the link address of a new entry, which nobody needs yet perhaps; else nothing. */
  ask(entry: Neighbor<Ipv6Address>): void {
    if (entry.state !== 'new') return;
    entry.state = 'asking';
    this.askAgain(entry, this.timers.now);
  }

  /** `address` spoke, and told its link address (RFC 4861 §7.2.3, §6.2.6, §6.3.4, §8.3). */
  heard(address: Ipv6Address, mac: Uint8Array): Ipv6Neighbor {
    const entry = this.neighbor(address);
    if (entry.isUsable && hot.equal(entry.mac, 0, mac, 0, MAC_BYTES)) return entry;
    this.learn(entry, mac);
    this.becomeStale(entry);
    this.sendWaiting(entry);
    return entry;
  }

  /** RFC 4861 §7.2.5. */
  advertised(address: Ipv6Address, news: Advertised): void {
    const entry = this.find(address);
    if (entry === null) {
      this.counters.ndpUnasked += 1;
      return;
    }
    if (!entry.isUsable) {
      if (news.mac === null) return;
      this.learn(entry, news.mac);
      entry.isRouter = news.isRouter;
      if (news.isSolicited) this.becomeReachable(entry);
      else this.becomeStale(entry);
      this.sendWaiting(entry);
      return;
    }
    const { mac } = news;
    const isSame = mac === null || hot.equal(entry.mac, 0, mac, 0, MAC_BYTES);
    if (!isSame && !news.isOverride) {
      // Somebody says otherwise, without the right to: the next use asks.
      if (entry.state === 'reachable') this.becomeStale(entry);
      return;
    }
    if (!isSame) this.learn(entry, mac);
    if (news.isSolicited) this.becomeReachable(entry);
    else if (!isSame) this.becomeStale(entry);
    const wasRouter = entry.isRouter;
    entry.isRouter = news.isRouter;
    if (wasRouter && !news.isRouter) this.events.lost(address);
  }

  /** Forgets everything; waiting packets are dropped. */
  flush(): void {
    for (const entry of [...this.neighbors.values()]) this.remove(entry);
  }

  /** Makes room in the account: drops at least so many bytes of waiting packets, or all. */
  dropWaiting(bytes: number): void {
    const before = this.memory.usedBytes;
    for (const entry of this.neighbors.values()) {
      while (entry.waiting.length > 0) {
        if (before - this.memory.usedBytes >= bytes) return;
        this.dropOldest(entry);
      }
    }
  }

  /** What waiting packets take of the account. */
  get waitingBytes(): number {
    return waitingBytesOf(this.neighbors.values());
  }

  checkInvariants(): void {
    assert(this.neighbors.size <= ndpNeighborsMax);
    for (const [key, entry] of this.neighbors) {
      assert(entry.address.key === key && entry.state !== 'gone');
      assert(entry.waiting.length <= ndpQueuePacketsMax);
      assert(entry.waiting.length === 0 || entry.state === 'asking');
      assert(entry.requestsSent <= ndpSolicitationsMax);
      assert(!entry.isUsable || isStationMac(entry.mac));
    }
  }

  private learn(entry: Ipv6Neighbor, mac: Uint8Array): void {
    hot.copy(entry.mac, 0, mac, 0, MAC_BYTES);
    entry.epoch = this.nextEpoch();
  }

  private becomeReachable(entry: Ipv6Neighbor): void {
    if (!entry.isUsable) entry.epoch = this.nextEpoch();
    entry.state = 'reachable';
    entry.requestsSent = 0;
    entry.confirmedAt = this.timers.now;
    this.timers.arm(entry.timer, after(this.timers.now, this.reachableTime));
  }

  private becomeStale(entry: Ipv6Neighbor): void {
    entry.state = 'stale';
    entry.requestsSent = 0;
    // The next packet looks again, and so starts the delay.
    entry.epoch = this.nextEpoch();
    this.timers.arm(entry.timer, after(this.timers.now, ndpIdleLifetime));
  }

  private delay(entry: Neighbor<Ipv6Address>): void {
    entry.state = 'delayed';
    this.timers.arm(entry.timer, after(this.timers.now, ndpDelayFirstProbe));
  }

  private sendWaiting(entry: Ipv6Neighbor): void {
    const packets = entry.waiting.splice(0);
    if (packets.length > 0 && entry.state === 'stale') this.delay(entry);
    for (const packet of packets) {
      this.memory.give(costOf(packet));
      const { head, parts, checksum } = packet;
      const frame = this.device.reserve();
      if (frame === null) {
        this.counters.ndpTransmitFull += 1;
        continue;
      }
      hot.copy(frame, 0, head, 0, head.length);
      hot.copy(frame, 0, entry.mac, 0, MAC_BYTES);
      this.device.commit(head.length, parts, checksum);
    }
  }

  private timerFired(entry: Ipv6Neighbor, now: Instant): void {
    switch (entry.state) {
      case 'asking':
      case 'probing':
        this.askAgain(entry, now);
        return;
      case 'reachable':
        this.becomeStale(entry);
        return;
      case 'delayed':
        entry.state = 'probing';
        entry.requestsSent = 0;
        this.askAgain(entry, now);
        return;
      case 'stale':
      case 'new':
        this.remove(entry);
        return;
      case 'gone':
        return;
    }
  }

  private askAgain(entry: Neighbor<Ipv6Address>, now: Instant): void {
    if (entry.requestsSent >= ndpSolicitationsMax) {
      this.counters.ndpGaveUp += 1;
      const waiting = [...entry.waiting];
      this.remove(entry);
      this.events.lost(entry.address);
      for (const { head } of waiting) this.events.unresolved(head);
      return;
    }
    const mac = entry.state === 'probing' ? entry.mac : null;
    // Without an address that is surely ours the packets wait until there is one (RFC 4429 §3.2).
    if (this.events.solicit(entry.address, mac)) entry.requestsSent += 1;
    this.timers.arm(entry.timer, after(now, this.retransmitTime));
  }

  private dropOldest(entry: Neighbor<Ipv6Address>): void {
    const oldest = entry.waiting.shift();
    assert(oldest !== undefined);
    this.memory.give(costOf(oldest));
    this.counters.ndpQueueDropped += 1;
  }

  private remove(entry: Neighbor<Ipv6Address>): void {
    while (entry.waiting.length > 0) this.dropOldest(entry);
    entry.state = 'gone';
    entry.epoch = this.nextEpoch();
    this.timers.stop(entry.timer);
    this.neighbors.delete(entry.address.key);
  }

  private evict(): void {
    const victim = victimOf(this.neighbors.values());
    assert(victim !== null);
    this.counters.ndpEvicted += 1;
    this.remove(victim);
  }
}
