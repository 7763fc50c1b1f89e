/**
 * ARP (RFC 826) for our interface: the cache of link addresses, asking, answering. Read first: RFC
 * 826, RFC 1122 §2.3.2. Not here: conflicts about our own addresses (address-guard.ts).
 *
 * Deviates from RFC 826: a packet that we didn't ask for never changes a confirmed link address; a
 * different claim makes us ask, and the answer decides. New entries come only from our questions,
 * from requests for our own addresses, and from the table (arp-table.ts). A policy may believe
 * more.
 */

import {
  after,
  assert,
  FOREVER,
  hot,
  type Instant,
  type Logger,
  since,
  Timer,
  type TimerQueue,
} from '#core';
import type { Entropy, NetDevice } from '#device';
import type { ForeignAddresses } from '../foreign.ts';
import type { Ipv4Address } from '../ip.ts';
import { IPV4_ANY, isHostAddress } from '../ip-address.ts';
import type { InterfaceAddresses } from '../ipv4/interface-addresses.ts';
import { neighborQueuePacketsMax, neighborsMax } from '../limits.ts';
import {
  costOf,
  Neighbor,
  victimOf,
  type WaitingPacket,
  waitingBytesOf,
} from '../link/neighbor.ts';
import type { MemoryAccount } from '../memory-budget.ts';
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
  isStationMac,
  MAC_BROADCAST,
  MAC_BYTES,
} from '../wire/ethernet.ts';
import { AddressGuard } from './address-guard.ts';
import type { ArpCause, ArpEntries, ArpPolicy, ArpRecord, ArpTable } from './arp-table.ts';

const MAC_UNKNOWN = new Uint8Array(MAC_BYTES);

/** Of a frame, before we look whether we asked. */
function causeOf(isRequest: boolean, isForUs: boolean, isOfItself: boolean): ArpCause {
  if (isOfItself) return 'announcement';
  if (!isRequest) return 'unasked reply';
  return isForUs ? 'request' : 'overheard';
}

export class NeighborCache implements ArpEntries {
  readonly counters = {
    arpMalformed: 0,
    arpBadSender: 0,
    arpForeign: 0,
    arpUnsolicited: 0,
    arpEvicted: 0,
    arpGaveUp: 0,
    arpQueueDropped: 0,
    arpTransmitFull: 0,
  };
  private readonly device: NetDevice;
  private readonly timers: TimerQueue;
  private readonly addresses: InterfaceAddresses;
  private readonly memory: MemoryAccount;
  private readonly policy: ArpPolicy;
  private readonly table: ArpTable;
  readonly guard: AddressGuard;
  /** Whose questions we answer beside ours; null: nobody's. */
  foreign: ForeignAddresses | null = null;
  /**
   * Told of each packet (from its Ethernet header on, without parts) that was dropped because its
   * neighbour doesn't answer (RFC 1122 §2.3.2.2). Borrows `head`.
   */
  unresolved: (head: Uint8Array) => void = () => {};
  private readonly neighbors = new Map<Ipv4Address, Neighbor>();
  private epochs = 0;

  constructor(
    device: NetDevice,
    timers: TimerQueue,
    addresses: InterfaceAddresses,
    memory: MemoryAccount,
    entropy: Entropy,
    logger: Logger,
    policy: ArpPolicy,
  ) {
    this.device = device;
    this.timers = timers;
    this.addresses = addresses;
    this.memory = memory;
    this.policy = policy;
    this.table = policy.table;
    this.table.attach(this, device.mac);
    this.guard = new AddressGuard(timers, entropy, logger, (sender, target) =>
      this.request(sender ?? IPV4_ANY, target, MAC_BROADCAST),
    );
  }

  /** For inspection. */
  get list(): readonly Neighbor[] {
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

  /** The entry for `address`, made when there is none. Call `use` or `enqueue` before sending. */
  neighbor(address: Ipv4Address): Neighbor {
    const known = this.neighbors.get(address);
    if (known !== undefined) return known;
    if (this.neighbors.size >= neighborsMax) this.evict();
    const timer = new Timer((now) => this.timerFired(entry, now));
    const entry = new Neighbor(address, this.nextEpoch(), this.timers.now, timer);
    this.neighbors.set(address, entry);
    const record = this.table.find(address);
    // An entry that nobody ever sends to leaves again.
    if (record === null) this.timers.arm(timer, after(this.timers.now, this.policy.freshTime));
    else this.adopt(entry, record);
    return entry;
  }

  reread(address: Ipv4Address): void {
    const entry = this.neighbors.get(address);
    if (entry === undefined) return;
    const record = this.table.find(address);
    if (record !== null) this.adopt(entry, record);
    else if (entry.isUsable) this.remove(entry);
  }

  mayHave(address: Ipv4Address): boolean {
    const { addresses } = this;
    if (addresses.primary === IPV4_ANY) return isHostAddress(address);
    const isHost = isHostAddress(address) && !addresses.isBroadcast(address);
    return isHost && addresses.isOnLink(address) && !addresses.isOurs(address);
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
    if (entry.waiting.length >= neighborQueuePacketsMax) this.release(entry.waiting.shift());
    if (this.memory.take(costOf(packet))) entry.waiting.push(packet);
    else this.counters.arpQueueDropped += 1;
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
      this.table.conflict(sender, senderMac);
      this.guard.conflict(sender, senderMac);
      return;
    }
    const target = arpTargetAddress(b);
    const isRequest = arpOperation(b) === ARP_REQUEST;
    const isForUs = this.addresses.isOurs(target);
    const isAnswered = isForUs || this.foreign?.isOnOurStation(target) === true; // RFC 1027.
    this.learn(sender, senderMac, causeOf(isRequest, isRequest && isAnswered, sender === target));
    if (!isRequest || !isAnswered) return;
    // A probe for conflicts comes from nobody (RFC 5227 §1.1).
    if (sender === IPV4_ANY && isForUs && this.guard.probed(target, senderMac)) return;
    this.reply(target, senderMac, sender);
  }

  /** Forgets everything: our addresses changed. Waiting packets are dropped. */
  flush(): void {
    for (const entry of [...this.neighbors.values()]) this.remove(entry);
  }

  /** What waiting packets take of the account. */
  get waitingBytes(): number {
    return waitingBytesOf(this.neighbors.values());
  }

  checkInvariants(): void {
    assert(this.neighbors.size <= neighborsMax);
    for (const [address, entry] of this.neighbors) {
      assert(entry.address === address && entry.state !== 'gone');
      assert(entry.waiting.length <= neighborQueuePacketsMax);
      assert(entry.waiting.length === 0 || entry.state === 'asking');
      assert(entry.requestsSent <= this.policy.requestsMax);
      assert(!entry.isUsable || isStationMac(entry.mac));
    }
  }

  private learn(sender: Ipv4Address, mac: Uint8Array, cause: ArpCause): void {
    // A probe for conflicts has no address yet (RFC 5227 §1.1).
    if (sender === IPV4_ANY) return;
    const { believesUnasked } = this.policy;
    let entry = this.neighbors.get(sender);
    if (entry === undefined) {
      // A gateway may lie outside of our prefix (a /32 of some clouds): we ask for it ourselves.
      if (!isHostAddress(sender) || !this.addresses.isOnLink(sender)) {
        this.counters.arpForeign += 1;
        return;
      }
      const isTold = cause === 'announcement' || cause === 'unasked reply';
      // What the table knows is as good as an entry, but a frame may differ from it.
      const isKnown = cause === 'request' || this.table.find(sender) !== null;
      if (!isKnown && !(isTold && believesUnasked)) return;
      entry = this.neighbor(sender);
    }
    const isAsked = entry.state === 'asking' || entry.state === 'probing';
    if (isAsked || hot.equal(entry.mac, 0, mac, 0, MAC_BYTES)) {
      this.confirm(entry, mac, isAsked && cause === 'unasked reply' ? 'answer' : cause);
      return;
    }
    if (entry.state === 'new') {
      if (cause === 'request' || believesUnasked) this.confirm(entry, mac, cause);
      else this.counters.arpUnsolicited += 1;
      return;
    }
    this.counters.arpUnsolicited += 1;
    if (entry.until === FOREVER) return;
    if (believesUnasked) this.confirm(entry, mac, cause);
    else this.question(entry);
  }

  /** Somebody else says that the address of `entry` is his. */
  private question(entry: Neighbor): void {
    const { now } = this.timers;
    if (since(entry.confirmedAt, now) < this.policy.requestInterval) return;
    // The old station may be the one that is gone, so the question goes to all.
    entry.state = 'probing';
    entry.requestsSent = 0;
    this.sendRequest(entry.address, MAC_BROADCAST);
    entry.requestsSent = 1;
    this.armRequest(entry, now);
  }

  /** The station of `entry` answered from `mac`. */
  private confirm(entry: Neighbor, mac: Uint8Array, cause: ArpCause): void {
    if (entry.isUsable && entry.until === FOREVER) return;
    const { freshTime, staleTime } = this.policy;
    const staleAt = after(this.timers.now, freshTime);
    this.makeUsable(entry, mac, after(staleAt, staleTime));
    this.timers.arm(entry.timer, staleAt);
    this.table.learned(entry.address, entry.mac, cause, entry.until);
    this.sendAllWaiting(entry);
  }

  /** What the table knows of the address of `entry`, in place of what it was. */
  private adopt(entry: Neighbor, { mac, until }: ArpRecord): void {
    const { now } = this.timers;
    assert(isStationMac(mac) && until > now);
    this.makeUsable(entry, mac, until);
    const staleAt = until === FOREVER ? until : until - this.policy.staleTime;
    this.timers.arm(entry.timer, staleAt > now ? (staleAt as Instant) : now);
    this.sendAllWaiting(entry);
  }

  private makeUsable(entry: Neighbor, mac: Uint8Array, until: Instant): void {
    const isChanged = !entry.isUsable || !hot.equal(entry.mac, 0, mac, 0, MAC_BYTES);
    hot.copy(entry.mac, 0, mac, 0, MAC_BYTES);
    if (isChanged) entry.epoch = this.nextEpoch();
    entry.state = 'reachable';
    entry.requestsSent = 0;
    entry.confirmedAt = this.timers.now;
    entry.until = until;
  }

  private sendAllWaiting(entry: Neighbor): void {
    for (const packet of entry.waiting.splice(0)) {
      this.memory.give(costOf(packet));
      this.sendWaiting(entry, packet);
    }
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
      case 'probing':
        if (entry.until <= now) this.outlive(entry, now);
        else this.askAgain(entry, now);
        return;
      case 'asking':
        this.askAgain(entry, now);
        return;
      case 'reachable':
        entry.state = 'stale';
        entry.epoch = this.nextEpoch();
        this.timers.arm(entry.timer, entry.until);
        return;
      case 'stale':
      case 'delayed':
      case 'new':
        this.remove(entry);
        return;
      case 'gone':
        return;
    }
  }

  /** What was known is over while we ask: packets wait from now on. */
  private outlive(entry: Neighbor, now: Instant): void {
    entry.state = 'asking';
    entry.epoch = this.nextEpoch();
    this.armRequest(entry, now);
  }

  private askAgain(entry: Neighbor, now: Instant): void {
    const { requestsMax } = this.policy;
    if (entry.requestsSent >= requestsMax) {
      this.counters.arpGaveUp += 1;
      const waiting = [...entry.waiting];
      this.remove(entry);
      this.table.silent(entry.address);
      for (const { head } of waiting) this.unresolved(head);
      return;
    }
    // What was known is asked directly first (RFC 1122 §2.3.2.1 (2)).
    const isLast = entry.requestsSent === requestsMax - 1;
    const isDirect = entry.state === 'probing' && !isLast;
    this.sendRequest(entry.address, isDirect ? entry.mac : MAC_BROADCAST);
    entry.requestsSent += 1;
    this.armRequest(entry, now);
  }

  private armRequest(entry: Neighbor, now: Instant): void {
    const next = after(now, this.policy.requestInterval);
    const isOver = entry.state === 'probing' && entry.until < next;
    this.timers.arm(entry.timer, isOver ? entry.until : next);
  }

  private remove(entry: Neighbor): void {
    for (const packet of entry.waiting.splice(0)) this.release(packet);
    entry.state = 'gone';
    entry.epoch = this.nextEpoch();
    this.timers.stop(entry.timer);
    this.neighbors.delete(entry.address);
  }

  private evict(): void {
    const victim = victimOf(this.neighbors.values());
    assert(victim !== null);
    this.counters.arpEvicted += 1;
    this.remove(victim);
  }

  /** Memory is needed for what is more important. */
  dropWaiting(bytes: number): void {
    const before = this.memory.usedBytes;
    for (const { waiting } of this.neighbors.values()) {
      while (waiting.length > 0) {
        if (before - this.memory.usedBytes >= bytes) return;
        this.release(waiting.shift());
      }
    }
  }

  private release(packet: WaitingPacket | undefined): void {
    assert(packet !== undefined);
    this.memory.give(costOf(packet));
    this.counters.arpQueueDropped += 1;
  }

  private sendRequest(address: Ipv4Address, to: Uint8Array): void {
    this.request(this.addresses.sourceFor(address), address, to);
  }

  private request(sender: Ipv4Address, target: Ipv4Address, to: Uint8Array): void {
    this.send(to, {
      operation: ARP_REQUEST,
      senderMac: this.device.mac,
      senderAddress: sender,
      targetMac: MAC_UNKNOWN,
      targetAddress: target,
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
