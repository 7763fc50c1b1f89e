/**
 * The network between simulated devices: a switch whose ports delay, lose, repeat, reorder and
 * corrupt frames, and can be cut off from each other. Everything comes from one generator, so a
 * seed replays it.
 */

import {
  after,
  assert,
  type Duration,
  FOREVER,
  type Instant,
  micros,
  readU16be,
  Timer,
  type TimerQueue,
} from '#core';
import type { SimFrame, SimNetDevice } from './sim-net-device.ts';
import { fillChecksum } from './sim-offload.ts';
import type { SimRandom } from './sim-random.ts';

/** Shares are probabilities 0..1, drawn for each frame and receiver. */
export interface SimFaults {
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

export const noFaults = (): SimFaults => ({
  delay: micros(100),
  lossShare: 0,
  duplicateShare: 0,
  reorderShare: 0,
  reorderDelay: micros(1_000),
  corruptShare: 0,
});

interface Delivery {
  readonly at: Instant;
  /** Breaks ties, so that frames of one instant keep their order. */
  readonly order: number;
  readonly to: SimNetDevice;
  readonly frame: SimFrame;
}

/** Sees every frame that enters the switch, before faults. Must not change or keep it. */
export type SimTap = (frame: Uint8Array, at: Instant) => void;

const TYPE_AT = 12;
const IP_AT = 14;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;

export class SimSwitch {
  /** May be changed at any time; holds for frames sent from then on. */
  faults: SimFaults = noFaults();
  readonly counters = { carried: 0, lost: 0, duplicated: 0, reordered: 0, corrupted: 0, cut: 0 };
  tap: SimTap | null = null;
  private readonly timers: TimerQueue;
  private readonly random: SimRandom;
  /** For frames from these devices, in place of `faults`: ways that differ by direction. */
  private readonly faultsFrom = new Map<SimNetDevice, SimFaults>();
  private readonly devices: SimNetDevice[] = [];
  private readonly cuts = new Set<string>();
  /** Binary heap by time, then order. */
  private readonly heap: Delivery[] = [];
  private orders = 0;
  private readonly timer = new Timer((now) => this.deliverDue(now));

  constructor(timers: TimerQueue, random: SimRandom) {
    this.timers = timers;
    this.random = random;
  }

  plug(device: SimNetDevice): void {
    assert(!this.devices.includes(device));
    this.devices.push(device);
  }

  /**
   * Pulls the cable: nothing comes from `device` any more and nothing gets there, not even what is
   * under way.
   */
  unplug(device: SimNetDevice): void {
    const place = this.devices.indexOf(device);
    assert(place >= 0);
    this.devices.splice(place, 1);
    this.faultsFrom.delete(device);
  }

  /** Faults of what `device` sends, from now on in place of `faults`; `heal` keeps their delay. */
  setFaultsFrom(device: SimNetDevice, faults: SimFaults): void {
    this.faultsFrom.set(device, faults);
  }

  /** No frame passes between the two, either way, until `mend` or `heal`. */
  cut(a: SimNetDevice, b: SimNetDevice): void {
    this.cuts.add(this.pair(a, b));
  }

  /** Undoes `cut`. */
  mend(a: SimNetDevice, b: SimNetDevice): void {
    this.cuts.delete(this.pair(a, b));
  }

  /** Ends all cuts and faults; what is under way arrives as it would have. */
  heal(): void {
    this.cuts.clear();
    this.faults = { ...noFaults(), delay: this.faults.delay };
    for (const [device, { delay }] of this.faultsFrom) {
      this.faultsFrom.set(device, { ...noFaults(), delay });
    }
  }

  /** A frame that leaves `from` at `at`. The frame is the switch's. */
  readonly carry = (from: SimNetDevice, frame: SimFrame, at: Instant): void => {
    if (!this.devices.includes(from)) return;
    this.tap?.(frame.bytes, at);
    this.counters.carried += 1;
    const isGroup = (frame.bytes[0]! & 1) !== 0;
    const known = isGroup ? undefined : this.devices.find((device) => isFor(frame.bytes, device));
    if (known !== undefined) {
      this.send(from, known, frame, at);
      return;
    }
    for (const device of this.devices) {
      if (device !== from) this.send(from, device, { ...frame, bytes: frame.bytes.slice() }, at);
    }
  };

  checkInvariants(): void {
    for (let i = 1; i < this.heap.length; i++) {
      assert(!isBefore(this.heap[i]!, this.heap[(i - 1) >> 1]!));
    }
  }

  private send(from: SimNetDevice, to: SimNetDevice, frame: SimFrame, at: Instant): void {
    const { random } = this;
    const faults = this.faultsFrom.get(from) ?? this.faults;
    if (this.cuts.size > 0 && this.cuts.has(this.pair(from, to))) {
      this.counters.cut += 1;
      return;
    }
    if (random.chance(faults.lossShare)) {
      this.counters.lost += 1;
      return;
    }
    if (random.chance(faults.duplicateShare)) {
      this.counters.duplicated += 1;
      this.schedule(to, { ...frame, bytes: frame.bytes.slice(), borrowed: null }, at, faults);
    }
    const sound = random.chance(faults.corruptShare) ? this.corrupt(frame) : frame;
    this.schedule(to, sound, at, faults);
  }

  private schedule(to: SimNetDevice, frame: SimFrame, at: Instant, faults: SimFaults): void {
    const { random } = this;
    let arrival = after(at, faults.delay);
    if (random.chance(faults.reorderShare)) {
      this.counters.reordered += 1;
      arrival = after(arrival, micros(random.below(faults.reorderDelay + 1)));
    }
    this.orders += 1;
    this.push({ at: arrival, order: this.orders, to, frame });
    this.timers.arm(this.timer, this.heap[0]!.at);
  }

  private corrupt(frame: SimFrame): SimFrame {
    const type = readU16be(frame.bytes, TYPE_AT);
    if (type !== ETHERTYPE_IPV4 && type !== ETHERTYPE_IPV6) return frame;
    this.counters.corrupted += 1;
    const bytes = frame.bytes.slice();
    // A frame that reaches a wire has its checksum by then.
    if (frame.partial !== null) fillChecksum(bytes, frame.partial);
    const bit = this.random.below((bytes.length - IP_AT) * 8);
    const at = IP_AT + (bit >> 3);
    bytes[at] = bytes[at]! ^ (1 << (bit & 7));
    return { bytes, partial: null, borrowed: frame.borrowed };
  }

  private deliverDue(now: Instant): void {
    for (;;) {
      const next = this.heap[0];
      if (next === undefined || next.at > now) break;
      this.pop();
      if (this.devices.includes(next.to)) next.to.deliver(next.frame);
    }
    this.timers.arm(this.timer, this.heap[0]?.at ?? FOREVER);
  }

  private pair(a: SimNetDevice, b: SimNetDevice): string {
    return [a.mac.join(), b.mac.join()].sort().join('-');
  }

  private push(delivery: Delivery): void {
    const { heap } = this;
    let i = heap.length;
    heap.push(delivery);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(delivery, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = delivery;
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

const isBefore = (a: Delivery, b: Delivery): boolean =>
  a.at < b.at || (a.at === b.at && a.order < b.order);

function isFor(frame: Uint8Array, device: SimNetDevice): boolean {
  for (let i = 5; i >= 0; i--) if (frame[i] !== device.mac[i]) return false;
  return true;
}
