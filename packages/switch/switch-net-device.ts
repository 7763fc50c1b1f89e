/**
 * A network interface on a switch in the same process: a gateway's, or a test's. Frames for it wait
 * until the timers run next, so that no answer is sent inside the call that brought the question.
 */

import { assert, Timer, type TimerQueue, writeU32be } from '#core';
import type { ChecksumRequest, NetDevice, NetHandler, NetOffload } from '#device';
import { DEVICE_FRAMES_MAX, ETHERNET_HEADER_BYTES, PREFIX_BYTES } from './limits.ts';
import type { PortHandler, Switch, SwitchPort } from './switch.ts';

const MTU_BYTES = 1_500;
const ROOM_BYTES = PREFIX_BYTES + ETHERNET_HEADER_BYTES + MTU_BYTES;
/** Frames are cut from memory of this size, which they share. */
const SLAB_BYTES = 65_536;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

export class SwitchNetDevice implements NetDevice, PortHandler {
  readonly mac: Uint8Array;
  readonly mtuBytes = MTU_BYTES;
  readonly offload: NetOffload = { transmitChecksum: false, segmentBytesMax: 0 };
  private readonly timers: TimerQueue;
  private readonly port: SwitchPort;
  private readonly framesMax: number;
  private handler: NetHandler | null = null;
  private slab = new Uint8Array(SLAB_BYTES);
  private slabAt = 0;
  /** The slab's room at `slabAt`, once somebody asked for it. */
  private room: Uint8Array | null = null;
  private waiting: Waiting[] = [];
  private readonly timer = new Timer(() => this.handOver());

  /** Takes a port of `network`, which must have one left; nobody else can have `mac` there. */
  constructor(
    timers: TimerQueue,
    network: Switch,
    name: string,
    mac: Uint8Array,
    framesMax: number = DEVICE_FRAMES_MAX,
  ) {
    assert(mac.length === 6);
    const port = network.plug(name, this);
    assert(port !== null, 'no port is left');
    port.pin(mac);
    this.timers = timers;
    this.port = port;
    this.mac = mac;
    this.framesMax = framesMax;
  }

  attach(handler: NetHandler): void {
    assert(this.handler === null, 'attached twice');
    this.handler = handler;
  }

  reserve(): Uint8Array {
    assert(this.handler !== null, 'reserve before attach');
    if (this.room !== null) return this.room;
    if (this.slabAt + ROOM_BYTES > SLAB_BYTES) {
      this.slab = new Uint8Array(SLAB_BYTES);
      this.slabAt = 0;
    }
    this.room = this.slab.subarray(this.slabAt + PREFIX_BYTES, this.slabAt + ROOM_BYTES);
    return this.room;
  }

  commit(headBytes: number, parts: readonly Uint8Array[], checksum: ChecksumRequest | null): void {
    assert(checksum === null, 'a switch sums nothing');
    assert(this.room !== null, 'commit without reserve');
    const { slab } = this;
    const start = this.slabAt + PREFIX_BYTES;
    let end = start + headBytes;
    for (const part of parts) {
      slab.set(part, end);
      end += part.length;
    }
    assert(end <= this.slabAt + ROOM_BYTES, 'frame exceeds the MTU');
    writeU32be(slab, this.slabAt, end - start);
    this.slabAt = end;
    this.room = null;
    this.port.receive(slab, start, end);
  }

  counters(): Readonly<Record<string, number>> {
    // Of the port's two sides this is the other one.
    const { received, sent } = this.port.counters;
    return { sent: received, received: sent, receiveFull: this.port.drops.queueFull };
  }

  /** Of PortHandler. */
  transmit(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.waiting.length >= this.framesMax) return false;
    if (this.waiting.length === 0) this.timers.arm(this.timer, this.timers.now);
    this.waiting.push({ bytes, start, end });
    return true;
  }

  private handOver(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const { bytes, start, end } of waiting) {
      this.handler?.receive(bytes.subarray(start, end), false);
    }
  }
}
