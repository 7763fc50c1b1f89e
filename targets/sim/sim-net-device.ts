/**
 * A simulated network interface. It fills memory that it lends or takes back with 0xa5, and checks
 * that sent parts didn't change while they were borrowed. Read first: packages/device/net.ts. Not
 * here: the network between devices (sim-switch.ts).
 */

import { assert, FOREVER, hot, type Instant, Timer, type TimerQueue } from '#core';
import type { ChecksumRequest, NetDevice, NetHandler, NetOffload } from '#device';
import { cutSegments, fillChecksum } from './sim-offload.ts';

const POISON = 0xa5;
const PARTS_MAX = 16;
const ETHERNET_HEADER_BYTES = 14;

export interface SimNetDeviceOptions {
  /** Six bytes. */
  readonly mac: Uint8Array;
  readonly mtuBytes: number;
  /** See NetOffload. */
  readonly transmitChecksum: boolean;
  readonly segmentBytesMax: number;
  /**
   * Frames from a device on the same machine come with their checksum not filled in, and vouched
   * for.
   */
  readonly receivesPartialChecksums: boolean;
  /** Frames that may wait to leave. */
  readonly queueFramesMax: number;
  /** Infinity: a frame leaves at once. */
  readonly bitsPerSecond: number;
}

export const simNetDeviceDefaults: Omit<SimNetDeviceOptions, 'mac'> = {
  mtuBytes: 1500,
  transmitChecksum: false,
  segmentBytesMax: 0,
  receivesPartialChecksums: false,
  queueFramesMax: 256,
  bitsPerSecond: Number.POSITIVE_INFINITY,
};

/** A frame on its way. */
export interface SimFrame {
  readonly bytes: Uint8Array;
  /** What the sending device left for the receiver to fill in. */
  readonly partial: ChecksumRequest | null;
  /** What was lent to the device, to be compared with when the frame arrives. */
  readonly borrowed: { readonly parts: readonly Uint8Array[]; readonly copy: Uint8Array } | null;
}

/** Takes frames that left a device at `at`. */
export type SimWire = (from: SimNetDevice, frame: SimFrame, at: Instant) => void;

export class SimNetDevice implements NetDevice {
  readonly mac: Uint8Array;
  readonly mtuBytes: number;
  readonly offload: NetOffload;
  readonly options: SimNetDeviceOptions;
  private readonly timers: TimerQueue;
  private readonly wire: SimWire;
  private handler: NetHandler | null = null;
  private readonly memory: Uint8Array;
  /** What the frame in hand still needs. */
  private partial: ChecksumRequest | null = null;
  private isReserved = false;
  private isRefused = false;
  /** When the frames that wait will have left, in order. */
  private readonly departures: Instant[] = [];
  private readonly readyTimer = new Timer(() => this.becomeReady());
  private readonly tally = { framesSent: 0, framesReceived: 0, bytesSent: 0, reserveRefused: 0 };

  constructor(options: SimNetDeviceOptions, timers: TimerQueue, wire: SimWire) {
    assert(options.mac.length === 6);
    assert(options.segmentBytesMax === 0 || options.transmitChecksum);
    this.options = options;
    this.mac = options.mac;
    this.mtuBytes = options.mtuBytes;
    this.offload = {
      transmitChecksum: options.transmitChecksum,
      segmentBytesMax: options.segmentBytesMax,
      segmentBytesMaxIpv6: options.segmentBytesMax,
    };
    this.timers = timers;
    this.wire = wire;
    this.memory = new Uint8Array(ETHERNET_HEADER_BYTES + options.mtuBytes).fill(POISON);
  }

  attach(handler: NetHandler): void {
    assert(this.handler === null, 'attached twice');
    this.handler = handler;
  }

  reserve(): Uint8Array | null {
    assert(this.handler !== null, 'reserve before attach');
    this.forgetDeparted();
    if (this.departures.length >= this.options.queueFramesMax) {
      this.tally.reserveRefused += 1;
      this.isRefused = true;
      this.timers.arm(this.readyTimer, this.departures[0] ?? FOREVER);
      return null;
    }
    this.isReserved = true;
    return this.memory;
  }

  commit(headBytes: number, parts: readonly Uint8Array[], checksum: ChecksumRequest | null): void {
    assert(this.isReserved, 'commit without reserve');
    assert(headBytes >= ETHERNET_HEADER_BYTES && headBytes <= this.memory.length);
    assert(parts.length <= PARTS_MAX);
    assert(checksum === null || this.offload.transmitChecksum, 'checksum without the offload');
    this.isReserved = false;
    const whole = assemble(this.memory, headBytes, parts);
    this.memory.fill(POISON);
    const borrowed = parts.length === 0 ? null : { parts: [...parts], copy: whole };
    if (checksum !== null && checksum.segmentBytes > 0) {
      assert(whole.length - ETHERNET_HEADER_BYTES <= this.offload.segmentBytesMax);
      const frames = cutSegments(whole, checksum).map(
        (bytes): SimFrame => ({ bytes, partial: null, borrowed: null }),
      );
      const last = frames.pop();
      assert(last !== undefined);
      this.depart([...frames, { ...last, borrowed }]);
      return;
    }
    assert(whole.length <= ETHERNET_HEADER_BYTES + this.mtuBytes, 'frame exceeds the MTU');
    const partial = checksum === null ? null : { ...checksum };
    this.depart([{ bytes: borrowed === null ? whole : whole.slice(), partial, borrowed }]);
  }

  receivedRequest(): Readonly<ChecksumRequest> | null {
    return this.partial;
  }

  counters(): Readonly<Record<string, number>> {
    return this.tally;
  }

  /** The network delivers a frame, which is the device's from now on. */
  deliver(frame: SimFrame): void {
    if (frame.borrowed !== null) checkBorrowed(frame.borrowed.parts, frame.borrowed.copy);
    if (this.handler === null) return;
    this.tally.framesReceived += 1;
    const isVouched = frame.partial !== null && this.options.receivesPartialChecksums;
    if (frame.partial !== null && !isVouched) fillChecksum(frame.bytes, frame.partial);
    this.partial = isVouched ? frame.partial : null;
    this.handler.receive(frame.bytes, isVouched);
    this.partial = null;
    frame.bytes.fill(POISON);
  }

  checkInvariants(): void {
    assert(this.departures.length <= this.options.queueFramesMax);
    for (let i = 1; i < this.departures.length; i++) {
      assert(this.departures[i - 1]! <= this.departures[i]!);
    }
  }

  /** The frames of one commit leave one after the other; in the queue they are one. */
  private depart(frames: readonly SimFrame[]): void {
    const { bitsPerSecond } = this.options;
    const isInstant = bitsPerSecond === Number.POSITIVE_INFINITY;
    const free = this.departures[this.departures.length - 1] ?? this.timers.now;
    let at = Math.max(free, this.timers.now) as Instant;
    for (const frame of frames) {
      this.tally.framesSent += 1;
      this.tally.bytesSent += frame.bytes.length;
      if (!isInstant) {
        at = (at + Math.ceil((frame.bytes.length * 8e6) / bitsPerSecond)) as Instant;
      }
      this.wire(this, frame, at);
    }
    if (!isInstant) this.departures.push(at);
  }

  private forgetDeparted(): void {
    while (this.departures.length > 0 && this.departures[0]! <= this.timers.now) {
      this.departures.shift();
    }
  }

  private becomeReady(): void {
    this.forgetDeparted();
    if (!this.isRefused) return;
    this.isRefused = false;
    this.handler?.transmitReady();
  }
}

function assemble(head: Uint8Array, headBytes: number, parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, headBytes));
  hot.copy(whole, 0, head, 0, headBytes);
  let offset = headBytes;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** The parts are the end of `copy`. */
function checkBorrowed(parts: readonly Uint8Array[], copy: Uint8Array): void {
  let end = copy.length;
  for (const part of [...parts].reverse()) {
    end -= part.length;
    assert(hot.equal(part, 0, copy, end, part.length), 'a part changed while it was borrowed');
  }
}
