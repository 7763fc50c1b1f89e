/**
 * ARP (RFC 826) for our interface: the cache of link addresses, asking, answering, announcing. Read
 * first: RFC 826, RFC 1122 §2.3.2, RFC 5227 §2.4. Not here: probing for conflicts before an address
 * is used (§2.1).
 *
 * Deviates from RFC 826: a packet that we didn't ask for never changes a confirmed link address; a
 * different claim makes us ask, and the answer decides. New entries come only from our questions
 * and from requests for our own addresses.
 */

import {
  after,
  assert,
  hot,
  type Instant,
  type Logger,
  since,
  Timer,
  type TimerQueue,
} from '#core';
import type { NetDevice } from '#device';
import type { Ipv4Address } from '../ip.ts';
import { formatIpv4Address, IPV4_ANY, isHostAddress } from '../ip-address.ts';
import type { InterfaceAddresses } from '../ipv4/interface-addresses.ts';
import {
  arpAnnounceInterval,
  arpAnnouncements,
  arpDefendInterval,
  arpRequestInterval,
  arpRequestsMax,
  neighborLifetime,
  neighborQueuePacketsMax,
  neighborsMax,
} from '../limits.ts';
import {
  ARP_BYTES,
  ARP_REPLY,
  ARP_REQUEST,
  type ArpRepr,
  arpOperation,
  arpSenderAddress,
  arpSenderMac,
  arpTargetAddress,
  checkArp,
  emitArp,
} from '../wire/arp.ts';
import {
  ETHERNET_HEADER_BYTES,
  ETHERTYPE_ARP,
  emitEthernetHeader,
  formatMac,
  isStationMac,
  MAC_BROADCAST,
  MAC_BYTES,
} from '../wire/ethernet.ts';
import { Neighbor, type WaitingPacket } from './neighbor.ts';

const MAC_UNKNOWN = new Uint8Array(MAC_BYTES);

export class NeighborCache {
  readonly counters = {
    arpMalformed: 0,
    arpBadSender: 0,
    arpForeign: 0,
    arpConflicts: 0,
    arpUnsolicited: 0,
    arpEvicted: 0,
    arpGaveUp: 0,
    arpQueueDropped: 0,
    arpTransmitFull: 0,
  };
  private readonly device: NetDevice;
  private readonly timers: TimerQueue;
  private readonly addresses: InterfaceAddresses;
  private readonly logger: Logger;
  private readonly neighbors = new Map<Ipv4Address, Neighbor>();
  private epochs = 0;
  private defendedAt: Instant | null = null;
  private announcementsLeft = 0;
  private readonly announceTimer = new Timer((now) => this.announceNext(now));

  constructor(
    device: NetDevice,
    timers: TimerQueue,
    addresses: InterfaceAddresses,
    logger: Logger,
  ) {
    this.device = device;
    this.timers = timers;
    this.addresses = addresses;
    this.logger = logger;
  }

  get size(): number {
    return this.neighbors.size;
  }

  /** A value that no neighbour's epoch has had. */
  nextEpoch(): number {
    this.epochs += 1;
    return this.epochs;
  }

  /** The entry for `address`, made when there is none. Call `use` or `enqueue` before sending. */
  neighbor(address: Ipv4Address): Neighbor {
    const known = this.neighbors.get(address);
    if (known !== undefined) return known;
    if (this.neighbors.size >= neighborsMax) this.evict();
    const timer = new Timer((now) => this.timerFired(entry, now));
    const entry = new Neighbor(address, this.nextEpoch(), this.timers.now, timer);
    this.neighbors.set(address, entry);
    // An entry that nobody ever sends to leaves again.
    this.timers.arm(timer, after(this.timers.now, neighborLifetime));
    return entry;
  }

  /**
   * Whether `entry.mac` may be used. Sends nothing now, so that memory from `reserve` stays the
   * caller's.
   */
  use(entry: Neighbor): boolean {
    entry.used = true;
    if (entry.state === 'stale') {
      entry.state = 'probing';
      entry.requestsSent = 0;
      this.timers.arm(entry.timer, this.timers.now);
    }
    return entry.isUsable;
  }

  /**
   * Keeps a packet until the answer to our request; a full queue drops its oldest. Takes `packet`.
   */
  enqueue(entry: Neighbor, packet: WaitingPacket): void {
    assert(!entry.isUsable && entry.state !== 'gone');
    if (entry.waiting.length >= neighborQueuePacketsMax) {
      entry.waiting.shift();
      this.counters.arpQueueDropped += 1;
    }
    entry.waiting.push(packet);
    this.ask(entry);
  }

  /** Asks for the link address of a new entry, which nobody needs yet perhaps; else nothing. */
  ask(entry: Neighbor): void {
    if (entry.state !== 'new') return;
    entry.state = 'asking';
    this.askAgain(entry, this.timers.now);
  }

  /** An ARP frame from the link. */
  receive(frame: Uint8Array): void {
    const b = frame.subarray(ETHERNET_HEADER_BYTES);
    if (checkArp(b) !== null) {
      this.counters.arpMalformed += 1;
      return;
    }
    const senderMac = arpSenderMac(b);
    const sender = arpSenderAddress(b);
    if (!isStationMac(senderMac)) {
      this.counters.arpBadSender += 1;
      return;
    }
    // A hub may give us back what we sent.
    if (hot.equal(senderMac, 0, this.device.mac, 0, MAC_BYTES)) return;
    if (this.addresses.isOurs(sender)) {
      this.defend(sender, senderMac);
      return;
    }
    const target = arpTargetAddress(b);
    const isRequest = arpOperation(b) === ARP_REQUEST;
    const isForUs = this.addresses.isOurs(target);
    this.learn(sender, senderMac, isRequest && isForUs);
    if (isRequest && isForUs) this.reply(target, senderMac, sender);
  }

  /** Tells the link about our primary address, now and once more (RFC 5227 §2.3). */
  announce(): void {
    this.announcementsLeft = arpAnnouncements;
    this.announceNext(this.timers.now);
  }

  /** Forgets everything: our addresses changed. Waiting packets are dropped. */
  flush(): void {
    this.timers.stop(this.announceTimer);
    this.announcementsLeft = 0;
    for (const entry of [...this.neighbors.values()]) this.remove(entry);
  }

  checkInvariants(): void {
    assert(this.neighbors.size <= neighborsMax);
    for (const [address, entry] of this.neighbors) {
      assert(entry.address === address && entry.state !== 'gone');
      assert(entry.waiting.length <= neighborQueuePacketsMax);
      assert(entry.waiting.length === 0 || entry.state === 'asking');
      assert(entry.requestsSent <= arpRequestsMax);
      assert(!entry.isUsable || isStationMac(entry.mac));
    }
  }

  private learn(sender: Ipv4Address, mac: Uint8Array, isRequestForUs: boolean): void {
    // A probe for conflicts has no address yet (RFC 5227 §1.1).
    if (sender === IPV4_ANY) return;
    let entry = this.neighbors.get(sender);
    if (entry === undefined) {
      // A gateway may lie outside of our prefix (a /32 of some clouds): we ask for it ourselves.
      if (!isHostAddress(sender) || !this.addresses.isOnLink(sender)) {
        this.counters.arpForeign += 1;
        return;
      }
      if (!isRequestForUs) return;
      entry = this.neighbor(sender);
    }
    const isNew = entry.state === 'new' || entry.state === 'asking' || entry.state === 'probing';
    if (isNew || hot.equal(entry.mac, 0, mac, 0, MAC_BYTES)) {
      this.confirm(entry, mac);
      return;
    }
    this.counters.arpUnsolicited += 1;
    if (since(entry.confirmedAt, this.timers.now) < arpRequestInterval) return;
    // The old station may be the one that is gone, so the question goes to all.
    entry.state = 'probing';
    entry.requestsSent = 0;
    this.sendRequest(entry.address, MAC_BROADCAST);
    entry.requestsSent = 1;
    this.timers.arm(entry.timer, after(this.timers.now, arpRequestInterval));
  }

  /** The station of `entry` answered from `mac`. */
  private confirm(entry: Neighbor, mac: Uint8Array): void {
    const isChanged = !entry.isUsable || !hot.equal(entry.mac, 0, mac, 0, MAC_BYTES);
    hot.copy(entry.mac, 0, mac, 0, MAC_BYTES);
    if (isChanged) entry.epoch = this.nextEpoch();
    entry.state = 'reachable';
    entry.requestsSent = 0;
    entry.confirmedAt = this.timers.now;
    this.timers.arm(entry.timer, after(this.timers.now, neighborLifetime));
    for (const packet of entry.waiting.splice(0)) this.sendWaiting(entry, packet);
  }

  private sendWaiting(entry: Neighbor, { head, parts, checksum }: WaitingPacket): void {
    const frame = this.device.reserve();
    if (frame === null) {
      this.counters.arpTransmitFull += 1;
      return;
    }
    hot.copy(frame, 0, head, 0, head.length);
    hot.copy(frame, 0, entry.mac, 0, MAC_BYTES);
    this.device.commit(head.length, parts, checksum);
  }

  private timerFired(entry: Neighbor, now: Instant): void {
    switch (entry.state) {
      case 'asking':
      case 'probing':
        this.askAgain(entry, now);
        return;
      case 'reachable':
        entry.state = 'stale';
        entry.epoch = this.nextEpoch();
        this.timers.arm(entry.timer, after(now, neighborLifetime));
        return;
      case 'stale':
      case 'new':
        this.remove(entry);
        return;
      case 'gone':
        return;
    }
  }

  private askAgain(entry: Neighbor, now: Instant): void {
    if (entry.requestsSent >= arpRequestsMax) {
      this.counters.arpGaveUp += 1;
      this.remove(entry);
      return;
    }
    // What was known is asked directly first (RFC 1122 §2.3.2.1 (2)).
    const isLast = entry.requestsSent === arpRequestsMax - 1;
    const isDirect = entry.state === 'probing' && !isLast;
    this.sendRequest(entry.address, isDirect ? entry.mac : MAC_BROADCAST);
    entry.requestsSent += 1;
    this.timers.arm(entry.timer, after(now, arpRequestInterval));
  }

  private remove(entry: Neighbor): void {
    this.counters.arpQueueDropped += entry.waiting.length;
    entry.waiting.length = 0;
    entry.state = 'gone';
    entry.epoch = this.nextEpoch();
    this.timers.stop(entry.timer);
    this.neighbors.delete(entry.address);
  }

  /** Evicts an entry that we never sent to, else any; of those the one confirmed longest ago. */
  private evict(): void {
    let victim: Neighbor | null = null;
    for (const entry of this.neighbors.values()) {
      const isWorse =
        victim === null ||
        (victim.used && !entry.used) ||
        (victim.used === entry.used && entry.confirmedAt < victim.confirmedAt);
      if (isWorse) victim = entry;
    }
    assert(victim !== null);
    this.counters.arpEvicted += 1;
    this.remove(victim);
  }

  /** Somebody else uses our address: say once per interval that it is ours (RFC 5227 §2.4 (b)). */
  private defend(address: Ipv4Address, mac: Uint8Array): void {
    this.counters.arpConflicts += 1;
    const now = this.timers.now;
    if (this.defendedAt !== null && since(this.defendedAt, now) < arpDefendInterval) return;
    this.defendedAt = now;
    this.logger.warn(`${formatMac(mac)} uses our address ${formatIpv4Address(address)}`);
    this.sendAnnouncement(address);
  }

  private announceNext(now: Instant): void {
    const address = this.addresses.primary;
    if (address === IPV4_ANY || this.announcementsLeft === 0) return;
    this.sendAnnouncement(address);
    this.announcementsLeft -= 1;
    if (this.announcementsLeft > 0) {
      this.timers.arm(this.announceTimer, after(now, arpAnnounceInterval));
    }
  }

  private sendAnnouncement(address: Ipv4Address): void {
    this.send(MAC_BROADCAST, {
      operation: ARP_REQUEST,
      senderMac: this.device.mac,
      senderAddress: address,
      targetMac: MAC_UNKNOWN,
      targetAddress: address,
    });
  }

  private sendRequest(address: Ipv4Address, to: Uint8Array): void {
    this.send(to, {
      operation: ARP_REQUEST,
      senderMac: this.device.mac,
      senderAddress: this.addresses.sourceFor(address),
      targetMac: MAC_UNKNOWN,
      targetAddress: address,
    });
  }

  private reply(ours: Ipv4Address, mac: Uint8Array, asker: Ipv4Address): void {
    this.send(mac, {
      operation: ARP_REPLY,
      senderMac: this.device.mac,
      senderAddress: ours,
      targetMac: mac,
      targetAddress: asker,
    });
  }

  private send(to: Uint8Array, repr: ArpRepr): void {
    const frame = this.device.reserve();
    if (frame === null) {
      this.counters.arpTransmitFull += 1;
      return;
    }
    emitEthernetHeader(frame, 0, to, this.device.mac, ETHERTYPE_ARP);
    emitArp(frame, ETHERNET_HEADER_BYTES, repr);
    this.device.commit(ETHERNET_HEADER_BYTES + ARP_BYTES, [], null);
  }
}
