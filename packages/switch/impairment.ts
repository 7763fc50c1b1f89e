/**
 * Loss, delay, jitter and a rate on the way to a port, on request. The model of faults is the
 * simulator's too (faults.ts); a rate and a jitter that keeps the order are the switch's own.
 */

import { assert, type Duration, type Instant, micros, type TimerQueue } from '#core';
import { type Chance, FaultyLink, invertBit, isCorruptible, type LinkFaults } from './faults.ts';
import { PREFIX_BYTES, RATE_QUEUE_BYTES_MAX } from './limits.ts';
import type { SwitchPort } from './switch.ts';

export interface Impairment extends LinkFaults {
  /** Up to so much longer, drawn for each frame; frames keep their order. */
  jitter: Duration;
  /** Infinity: none. Of frames as they are, without preamble, FCS and gap. */
  bitsPerSecond: number;
}

export const noImpairment = (): Impairment => ({
  delay: micros(0),
  jitter: micros(0),
  lossShare: 0,
  duplicateShare: 0,
  reorderShare: 0,
  reorderDelay: micros(1_000),
  corruptShare: 0,
  bitsPerSecond: Number.POSITIVE_INFINITY,
});

/** A frame with its prefix, owned. */
interface Parcel {
  readonly to: SwitchPort;
  readonly bytes: Uint8Array;
}

const MICROS_BITS = 1e6 * 8;

export class Impairer {
  readonly counters = { lost: 0, duplicated: 0, reordered: 0, corrupted: 0 };
  private readonly timers: TimerQueue;
  private readonly chance: Chance;
  private readonly underWayBytesMax: number;
  private readonly link: FaultyLink<Parcel>;

  constructor(timers: TimerQueue, chance: Chance, underWayBytesMax: number) {
    this.timers = timers;
    this.chance = chance;
    this.underWayBytesMax = underWayBytesMax;
    const cargo = { deliver, copy: (parcel: Parcel) => parcel, corrupt };
    this.link = new FaultyLink(timers, chance, cargo, this.counters);
  }

  /** `bytes`: a frame with its prefix, which nobody else has. */
  send(to: SwitchPort, bytes: Uint8Array, impairment: Impairment): void {
    if (to.underWayBytes + bytes.length > this.underWayBytesMax) {
      to.drops.underWayFull += 1;
      return;
    }
    const leavesAt = this.leave(to, bytes.length - PREFIX_BYTES, impairment.bitsPerSecond);
    if (leavesAt === null) {
      to.drops.rateFull += 1;
      return;
    }
    const count = this.link.send({ to, bytes }, this.delayed(to, leavesAt, impairment), impairment);
    to.underWayBytes += count * bytes.length;
    if (count === 0) to.drops.lost += 1;
  }

  checkInvariants(ports: readonly SwitchPort[]): void {
    this.link.checkInvariants();
    for (const { underWayBytes } of ports) {
      assert(underWayBytes >= 0);
      // A frame that is sent twice may go over it.
      assert(underWayBytes < this.underWayBytesMax + 65_536);
      assert(underWayBytes === 0 || this.link.size > 0);
    }
  }

  /** When the last bit of a frame has left at the rate; null when too much waits before it. */
  private leave(to: SwitchPort, frameBytes: number, bitsPerSecond: number): Instant | null {
    const { now } = this.timers;
    if (bitsPerSecond === Number.POSITIVE_INFINITY) return now;
    const begins = Math.max(to.freeAt, now);
    const waitingBytes = ((begins - now) * bitsPerSecond) / MICROS_BITS;
    if (waitingBytes + frameBytes > RATE_QUEUE_BYTES_MAX) return null;
    // Not rounded: a thousand fractions of a microsecond make a millisecond.
    to.freeAt = begins + (frameBytes * MICROS_BITS) / bitsPerSecond;
    return Math.ceil(to.freeAt) as Instant;
  }

  private delayed(to: SwitchPort, leavesAt: Instant, { jitter }: Impairment): Instant {
    if (jitter === 0) return leavesAt;
    const at = Math.max(leavesAt + this.chance.below(jitter + 1), to.arrivesAt) as Instant;
    to.arrivesAt = at;
    return at;
  }
}

function deliver({ to, bytes }: Parcel): void {
  to.underWayBytes -= bytes.length;
  to.deliver(bytes, PREFIX_BYTES, bytes.length);
}

function corrupt(parcel: Parcel, chance: Chance): Parcel {
  if (!isCorruptible(parcel.bytes.subarray(PREFIX_BYTES))) return parcel;
  const bytes = parcel.bytes.slice();
  invertBit(bytes.subarray(PREFIX_BYTES), chance);
  return { to: parcel.to, bytes };
}
