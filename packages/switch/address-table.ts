/**
 * Which station is behind which port (802.1D §7.8, §7.9): learned from sources, forgotten after
 * AGEING, bounded as a whole and per port. An address is a number, 48 bits in a double.
 *
 * Both orders are of when an address was last listed anew, which is done at most once a second for
 * each, so that a station's every frame costs one comparison.
 */

import { assert, type Instant, seconds } from '#core';
import { ADDRESSES_MAX, ADDRESSES_OF_PORT_MAX, AGEING } from './limits.ts';

const RELIST = seconds(1);

/** A port, as the table sees it. */
export interface AddressOwner {
  /** Those learned on this port, the oldest first; the table's to change. */
  readonly addresses: Set<AddressEntry<this>>;
}

export interface AddressEntry<P> {
  readonly address: number;
  /** Null once it is forgotten: who kept the entry must ask the table again. */
  port: P | null;
  seenAt: Instant;
  listedAt: Instant;
  /** Said by the owner, not learned: stays, and can't be taken by another port. */
  readonly isPinned: boolean;
}

export class AddressTable<P extends AddressOwner> {
  readonly counters = { learned: 0, moved: 0, aged: 0, evicted: 0 };
  private readonly entries = new Map<number, AddressEntry<P>>();
  /** Learned ones, the oldest first. */
  private readonly order = new Set<AddressEntry<P>>();
  private readonly max: number;
  private readonly ofPortMax: number;

  constructor(max: number = ADDRESSES_MAX, ofPortMax: number = ADDRESSES_OF_PORT_MAX) {
    this.max = max;
    this.ofPortMax = ofPortMax;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Where `address` is, or null. O(1). */
  find(address: number, now: Instant): AddressEntry<P> | null {
    const entry = this.entries.get(address);
    if (entry === undefined) return null;
    if (entry.isPinned || now - entry.seenAt <= AGEING) return entry;
    this.forget(entry);
    this.counters.aged += 1;
    return null;
  }

  /**
   * A frame from `address` came in on `port`. Null when it is pinned to another port, so that the
   * frame is a forgery. O(1).
   */
  learn(address: number, port: P, now: Instant): AddressEntry<P> | null {
    const entry = this.find(address, now);
    if (entry === null) return this.add(address, port, now);
    if (entry.port === port) {
      entry.seenAt = now;
      if (now - entry.listedAt >= RELIST) this.list(entry, port, now);
      return entry;
    }
    if (entry.isPinned) return null;
    this.counters.moved += 1;
    this.ownerOf(entry).addresses.delete(entry);
    this.makeRoomOf(port);
    entry.port = port;
    entry.seenAt = now;
    this.list(entry, port, now);
    return entry;
  }

  /** `address` is behind `port` as long as that is plugged in. */
  pin(address: number, port: P, now: Instant): void {
    const known = this.entries.get(address);
    if (known !== undefined) this.forget(known);
    this.entries.set(address, { address, port, seenAt: now, listedAt: now, isPinned: true });
  }

  /** Forgets all that is behind `port`. */
  forgetPort(port: P): void {
    for (const entry of this.entries.values()) if (entry.port === port) this.forget(entry);
    assert(port.addresses.size === 0);
  }

  /** Known addresses and their ports, the oldest first, pinned ones before. */
  known(now: Instant): readonly AddressEntry<P>[] {
    return [...this.entries.values()].filter(
      (entry) => entry.isPinned || now - entry.seenAt <= AGEING,
    );
  }

  checkInvariants(): void {
    let learned = 0;
    for (const [address, entry] of this.entries) {
      assert(entry.address === address);
      assert(entry.port !== null);
      assert(this.order.has(entry) === !entry.isPinned);
      assert(entry.port.addresses.has(entry) === !entry.isPinned);
      assert(entry.port.addresses.size <= this.ofPortMax);
      if (!entry.isPinned) learned += 1;
    }
    assert(learned === this.order.size && learned <= this.max);
    let last = 0;
    for (const { listedAt } of this.order) {
      assert(listedAt >= last);
      last = listedAt;
    }
  }

  private add(address: number, port: P, now: Instant): AddressEntry<P> {
    this.makeRoomOf(port);
    const oldest = this.oldestOf(this.order);
    if (oldest !== null && this.order.size >= this.max) this.evict(oldest, now);
    const entry = { address, port, seenAt: now, listedAt: now, isPinned: false };
    this.entries.set(address, entry);
    this.list(entry, port, now);
    this.counters.learned += 1;
    return entry;
  }

  private makeRoomOf(port: P): void {
    const oldest = this.oldestOf(port.addresses);
    if (oldest !== null && port.addresses.size >= this.ofPortMax) this.evict(oldest, null);
  }

  /** One that had aged anyway doesn't count as pushed out. */
  private evict(entry: AddressEntry<P>, now: Instant | null): void {
    this.forget(entry);
    if (now !== null && now - entry.seenAt > AGEING) this.counters.aged += 1;
    else this.counters.evicted += 1;
  }

  private oldestOf(entries: Set<AddressEntry<P>>): AddressEntry<P> | null {
    for (const entry of entries) return entry;
    return null;
  }

  /** Behind all others, in both orders. */
  private list(entry: AddressEntry<P>, port: P, now: Instant): void {
    if (entry.isPinned) return;
    entry.listedAt = now;
    this.order.delete(entry);
    this.order.add(entry);
    port.addresses.delete(entry);
    port.addresses.add(entry);
  }

  private forget(entry: AddressEntry<P>): void {
    this.entries.delete(entry.address);
    this.order.delete(entry);
    this.ownerOf(entry).addresses.delete(entry);
    entry.port = null;
  }

  private ownerOf(entry: AddressEntry<P>): P {
    assert(entry.port !== null);
    return entry.port;
  }
}
