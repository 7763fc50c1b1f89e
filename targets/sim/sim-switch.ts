/**
 * The network between simulated devices: a switch whose ports delay, lose, repeat, reorder and
 * corrupt frames, and can be cut off from each other. Everything comes from one generator, so a
 * seed replays it.
 */

import { assert, type Instant, micros, type TimerQueue } from '#core';
import { type Chance, FaultyLink, invertBit, isCorruptible, type LinkFaults } from '#switch';
import type { SimFrame, SimNetDevice } from './sim-net-device.ts';
import { fillChecksum } from './sim-offload.ts';
import type { SimRandom } from './sim-random.ts';

/** See FaultyLink. */
export type SimFaults = LinkFaults;

export const noFaults = (): SimFaults => ({
  delay: micros(100),
  lossShare: 0,
  duplicateShare: 0,
  reorderShare: 0,
  reorderDelay: micros(1_000),
  corruptShare: 0,
});

interface Delivery {
  readonly to: SimNetDevice;
  readonly frame: SimFrame;
}

/** Sees every frame that enters the switch, before faults. Must not change or keep it. */
export type SimTap = (frame: Uint8Array, at: Instant) => void;

export class SimSwitch {
  /** May be changed at any time; holds for frames sent from then on. */
  faults: SimFaults = noFaults();
  readonly counters = { carried: 0, lost: 0, duplicated: 0, reordered: 0, corrupted: 0, cut: 0 };
  tap: SimTap | null = null;
  private readonly link: FaultyLink<Delivery>;
  /** For frames from these devices, in place of `faults`: ways that differ by direction. */
  private readonly faultsFrom = new Map<SimNetDevice, SimFaults>();
  private readonly devices: SimNetDevice[] = [];
  private readonly cuts = new Set<string>();

  constructor(timers: TimerQueue, random: SimRandom) {
    this.link = new FaultyLink<Delivery>(
      timers,
      random,
      {
        deliver: ({ to, frame }) => {
          if (this.devices.includes(to)) to.deliver(frame);
        },
        copy: ({ to, frame }) => ({
          to,
          frame: { ...frame, bytes: frame.bytes.slice(), borrowed: null },
        }),
        corrupt,
      },
      this.counters,
    );
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
    this.link.checkInvariants();
  }

  private send(from: SimNetDevice, to: SimNetDevice, frame: SimFrame, at: Instant): void {
    if (this.cuts.size > 0 && this.cuts.has(this.pair(from, to))) {
      this.counters.cut += 1;
      return;
    }
    this.link.send({ to, frame }, at, this.faultsFrom.get(from) ?? this.faults);
  }

  private pair(a: SimNetDevice, b: SimNetDevice): string {
    return [a.mac.join(), b.mac.join()].sort().join('-');
  }
}

function corrupt(delivery: Delivery, chance: Chance): Delivery {
  const { to, frame } = delivery;
  if (!isCorruptible(frame.bytes)) return delivery;
  const bytes = frame.bytes.slice();
  // A frame that reaches a wire has its checksum by then.
  if (frame.partial !== null) fillChecksum(bytes, frame.partial);
  invertBit(bytes, chance);
  return { to, frame: { bytes, partial: null, borrowed: frame.borrowed } };
}

function isFor(frame: Uint8Array, device: SimNetDevice): boolean {
  for (let i = 5; i >= 0; i--) if (frame[i] !== device.mac[i]) return false;
  return true;
}
