/**
 * A link that delays, loses, repeats, reorders and corrupts, in virtual or real time: the one model
 * of the simulator's network and of the switch. All chance comes from the generator that is passed
 * in, in a fixed order of draws, so a seed replays it.
 */

import type { TimerQueue } from '#core';
import {
  after,
  assert,
  type Duration,
  FOREVER,
  type Instant,
  micros,
  readU16be,
  Timer,
} from '#core';
import { ETHERNET_HEADER_BYTES } from './limits.ts';

const TYPE_AT = 12;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;

/** Shares are probabilities 0..1, drawn for each frame and receiver. */
export interface LinkFaults {
  delay: Duration;
  lossShare: number;
  duplicateShare: number;
  /** This share of frames takes up to `reorderDelay` longer. */
  reorderShare: number;
  reorderDelay: Duration;
  /**
   * One bit of the IP packet is inverted. Other frames have only the FCS, which finds such errors.
   */
  corruptShare: number;
}

/** The part of a seeded generator that faults need (core/seeded-random.ts). */
export interface Chance {
  /** True with probability `share`; draws nothing when it is 0. */
  chance(share: number): boolean;
  /** An integer 0..count-1. */
  below(count: number): number;
}

export interface FaultCounters {
  lost: number;
  duplicated: number;
  reordered: number;
  corrupted: number;
}

/** What is carried, to those who carry it. */
export interface Cargo<T> {
  deliver(item: T): void;
  /** Another of the same, for a receiver that gets it twice. */
  copy(item: T): T;
  /** One with a bit inverted, or `item` itself when errors in it would always be found. */
  corrupt(item: T, chance: Chance): T;
}

export class FaultyLink<T> {
  private readonly queue: DeliveryQueue<T>;
  private readonly chance: Chance;
  private readonly cargo: Cargo<T>;
  private readonly counters: FaultCounters;

  /** `counters` are the owner's, and counted up here. */
  constructor(timers: TimerQueue, chance: Chance, cargo: Cargo<T>, counters: FaultCounters) {
    this.queue = new DeliveryQueue(timers, (item) => cargo.deliver(item));
    this.chance = chance;
    this.cargo = cargo;
    this.counters = counters;
  }

  /** Items under way. */
  get size(): number {
    return this.queue.size;
  }

  /** Sends what leaves at `at`; how many will arrive. */
  send(item: T, at: Instant, faults: LinkFaults): number {
    const { chance, counters } = this;
    if (chance.chance(faults.lossShare)) {
      counters.lost += 1;
      return 0;
    }
    const isTwice = chance.chance(faults.duplicateShare);
    if (isTwice) {
      counters.duplicated += 1;
      this.schedule(this.cargo.copy(item), at, faults);
    }
    const sound = chance.chance(faults.corruptShare) ? this.corrupt(item) : item;
    this.schedule(sound, at, faults);
    return isTwice ? 2 : 1;
  }

  checkInvariants(): void {
    this.queue.checkInvariants();
  }

  private corrupt(item: T): T {
    const corrupted = this.cargo.corrupt(item, this.chance);
    if (corrupted !== item) this.counters.corrupted += 1;
    return corrupted;
  }

  private schedule(item: T, at: Instant, faults: LinkFaults): void {
    let arrival = after(at, faults.delay);
    if (this.chance.chance(faults.reorderShare)) {
      this.counters.reordered += 1;
      arrival = after(arrival, micros(this.chance.below(faults.reorderDelay + 1)));
    }
    this.queue.push(arrival, item);
  }
}

/** Whether an Ethernet frame has anything that `corruptShare` may corrupt. */
export function isCorruptible(frame: Uint8Array): boolean {
  if (frame.length <= ETHERNET_HEADER_BYTES) return false;
  const type = readU16be(frame, TYPE_AT);
  return type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6;
}

/** Inverts one bit of the IP packet in a frame, which must be corruptible. */
export function invertBit(frame: Uint8Array, chance: Chance): void {
  const bit = chance.below((frame.length - ETHERNET_HEADER_BYTES) * 8);
  const at = ETHERNET_HEADER_BYTES + (bit >> 3);
  frame[at] = frame[at]! ^ (1 << (bit & 7));
}

interface Delivery<T> {
  readonly at: Instant;
  /** Breaks ties, so that items of one instant keep their order. */
  readonly order: number;
  readonly item: T;
}

/** Items in order of arrival, under one timer. */
class DeliveryQueue<T> {
  private readonly timers: TimerQueue;
  private readonly deliver: (item: T) => void;
  /** Binary heap by time, then order. */
  private readonly heap: Delivery<T>[] = [];
  private orders = 0;
  private readonly timer = new Timer((now) => this.deliverDue(now));

  constructor(timers: TimerQueue, deliver: (item: T) => void) {
    this.timers = timers;
    this.deliver = deliver;
  }

  get size(): number {
    return this.heap.length;
  }

  /** O(log n). */
  push(at: Instant, item: T): void {
    const { heap } = this;
    this.orders += 1;
    const delivery = { at, order: this.orders, item };
    let i = heap.length;
    heap.push(delivery);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(delivery, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = delivery;
    this.timers.arm(this.timer, heap[0]!.at);
  }

  checkInvariants(): void {
    for (let i = 1; i < this.heap.length; i++) {
      assert(!isBefore(this.heap[i]!, this.heap[(i - 1) >> 1]!));
    }
  }

  private deliverDue(now: Instant): void {
    for (;;) {
      const next = this.heap[0];
      if (next === undefined || next.at > now) break;
      this.pop();
      this.deliver(next.item);
    }
    this.timers.arm(this.timer, this.heap[0]?.at ?? FOREVER);
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      const left = 2 * i + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const least = right < heap.length && isBefore(heap[right]!, heap[left]!) ? right : left;
      if (!isBefore(heap[least]!, last)) break;
      heap[i] = heap[least]!;
      i = least;
    }
    heap[i] = last;
  }
}

const isBefore = (
  a: { readonly at: Instant; readonly order: number },
  b: { readonly at: Instant; readonly order: number },
): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
