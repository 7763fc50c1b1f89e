/**
 * The device's side of virtio over MMIO, for tests: registers (virtio 1.2 §4.2.2) and split rings,
 * written without the driver's code so that both can't share a mistake. A test makes it lie by
 * options and by `completeRaw` and `setUsedIndex`.
 */

import { assert } from '#core';
import type { MmioDevice, SimulatedBase } from './simulated-base.ts';

export interface SimulatedOptions {
  readonly address: number;
  /** Interrupt line; 5 unless set. */
  readonly gsi?: number;
  readonly deviceId: number;
  /** Bits of the first word of features; VERSION_1 is offered besides. */
  readonly features: number;
  /** The second word; VERSION_1 unless set. */
  readonly featuresHigh?: number;
  /** Largest size by queue. */
  readonly queueSizes: readonly number[];
  readonly config?: Uint8Array;
  readonly magic?: number;
  readonly version?: number;
  /** The status never reads as 0. */
  readonly neverResets?: boolean;
  readonly refusesFeatures?: boolean;
  /** The generation changes with every read. */
  readonly restless?: boolean;
  readonly queuesReady?: boolean;
}

export interface Chain {
  readonly head: number;
  readonly readable: readonly Uint8Array[];
  readonly writable: readonly Uint8Array[];
}

interface Queue {
  size: number;
  table: number;
  available: number;
  used: number;
  ready: boolean;
  /** Next entry of the available ring to take, next of the used ring to write; modulo 2^16. */
  availableIndex: number;
  usedIndex: number;
}

const FEATURES_OK_BIT = 8;
const DRIVER_OK_BIT = 4;
const EVENT_INDEX_BIT = 0x20000000;

export class SimulatedDevice implements MmioDevice {
  readonly address: number;
  readonly bytes = 512;
  readonly base: SimulatedBase;
  readonly queues: Queue[];
  /** Called with the queue's number on every notification. */
  onNotify: (queue: number) => void = () => {};
  status = 0;
  notifications = 0;
  interrupts = 0;
  /** The driver's choice, first word. */
  driverFeatures = 0;
  private readonly options: SimulatedOptions;
  private featuresSelect = 0;
  private driverFeaturesSelect = 0;
  private driverFeaturesHigh = 0;
  private queueSelect = 0;
  private interruptStatus = 0;
  private generation = 0;

  constructor(base: SimulatedBase, options: SimulatedOptions) {
    this.base = base;
    this.options = options;
    this.address = options.address;
    this.queues = options.queueSizes.map(() => ({
      size: 0,
      table: 0,
      available: 0,
      used: 0,
      ready: options.queuesReady ?? false,
      availableIndex: 0,
      usedIndex: 0,
    }));
    base.addDevice(this);
  }

  get running(): boolean {
    return (this.status & DRIVER_OK_BIT) !== 0;
  }

  read(offset: number, widthBits: number): number {
    if (offset >= 0x100) return this.readConfig(offset - 0x100, widthBits);
    assert(widthBits === 32 && offset % 4 === 0, 'registers are 32 bits wide');
    const queue = this.queues[this.queueSelect];
    switch (offset) {
      case 0x000:
        return this.options.magic ?? 0x74726976;
      case 0x004:
        return this.options.version ?? 2;
      case 0x008:
        return this.options.deviceId;
      case 0x010:
        return this.featuresSelect === 0 ? this.options.features : (this.options.featuresHigh ?? 1);
      case 0x034:
        return this.options.queueSizes[this.queueSelect] ?? 0;
      case 0x044:
        return queue?.ready ? 1 : 0;
      case 0x060:
        return this.interruptStatus;
      case 0x070:
        return this.options.neverResets ? this.status | 1 : this.status;
      case 0x0fc:
        return this.options.restless ? this.generation++ : this.generation;
    }
    throw new Error(`read of register ${offset}`);
  }

  write(offset: number, widthBits: number, value: number): void {
    assert(widthBits === 32, 'registers are 32 bits wide');
    const queue = this.queues[this.queueSelect];
    switch (offset) {
      case 0x014:
        this.featuresSelect = value;
        return;
      case 0x020:
        if (this.driverFeaturesSelect === 0) this.driverFeatures = value;
        else this.driverFeaturesHigh = value;
        return;
      case 0x024:
        this.driverFeaturesSelect = value;
        return;
      case 0x030:
        this.queueSelect = value;
        return;
      case 0x050:
        this.notifications++;
        this.onNotify(value);
        return;
      case 0x064:
        this.interruptStatus &= ~value;
        return;
      case 0x070:
        this.writeStatus(value);
        return;
    }
    assert(queue !== undefined && !this.running, 'queues are set up before DRIVER_OK');
    if (offset === 0x038) queue.size = value;
    else if (offset === 0x044) queue.ready = value === 1;
    else if (offset === 0x080) queue.table = value;
    else if (offset === 0x090) queue.available = value;
    else if (offset === 0x0a0) queue.used = value;
    else assert([0x084, 0x094, 0x0a4].includes(offset) && value === 0, `register ${offset}`);
  }

  /** The next chain that the driver posted, or null. */
  take(index: number): Chain | null {
    const queue = this.queues[index]!;
    const ring = this.base.bytesAt(queue.available, 6 + 2 * queue.size);
    const view = viewOf(ring);
    if (view.getUint16(2, true) === queue.availableIndex) return null;
    const head = view.getUint16(4 + 2 * (queue.availableIndex % queue.size), true);
    queue.availableIndex = (queue.availableIndex + 1) & 0xffff;
    if ((this.driverFeatures & EVENT_INDEX_BIT) !== 0) {
      const used = this.base.bytesAt(queue.used, 6 + 8 * queue.size);
      viewOf(used).setUint16(4 + 8 * queue.size, queue.availableIndex, true);
    }
    return this.walk(queue, head);
  }

  /**
   * Returns a chain into which `bytes` bytes were written, and interrupts if the driver wants it.
   */
  complete(index: number, head: number, bytes: number): void {
    this.completeRaw(index, head, bytes);
    this.publishUsed(index, 1);
  }

  /** Writes a used entry and nothing else: several can be published together. */
  completeRaw(index: number, id: number, bytes: number, ahead = 0): void {
    const queue = this.queues[index]!;
    const view = viewOf(this.base.bytesAt(queue.used, 6 + 8 * queue.size));
    const at = 4 + 8 * ((queue.usedIndex + ahead) % queue.size);
    view.setUint32(at, id, true);
    view.setUint32(at + 4, bytes, true);
  }

  publishUsed(index: number, count: number): void {
    const queue = this.queues[index]!;
    const view = viewOf(this.base.bytesAt(queue.used, 6 + 8 * queue.size));
    const old = queue.usedIndex;
    queue.usedIndex = (old + count) & 0xffff;
    view.setUint16(2, queue.usedIndex, true);
    const ring = viewOf(this.base.bytesAt(queue.available, 6 + 2 * queue.size));
    if ((this.driverFeatures & EVENT_INDEX_BIT) === 0) {
      if ((ring.getUint16(0, true) & 1) === 0) this.interrupt(1);
      return;
    }
    // As the standard words it, §2.7.7.1: the index passed used_event.
    const event = ring.getUint16(4 + 2 * queue.size, true);
    for (let i = 0; i < count; i++) {
      if (((old + i) & 0xffff) === event) {
        this.interrupt(1);
        return;
      }
    }
  }

  /** `reasons`: 1 used buffer, 2 configuration change. */
  interrupt(reasons: number): void {
    this.interrupts++;
    this.interruptStatus |= reasons;
    this.base.raiseLine(this.options.gsi ?? 5);
  }

  /** The flag of the used ring that asks the driver for silence; without event indices. */
  setNoNotify(index: number, on: boolean): void {
    const queue = this.queues[index]!;
    viewOf(this.base.bytesAt(queue.used, 4)).setUint16(0, on ? 1 : 0, true);
  }

  private writeStatus(value: number): void {
    if (value === 0) {
      this.status = 0;
      return;
    }
    assert((this.status & ~value & ~0x40) === 0, 'status bits are only added');
    const ok = (this.driverFeatures & ~this.options.features) === 0;
    assert(ok && (this.driverFeaturesHigh & ~1) === 0, 'only offered features are accepted');
    this.status = this.options.refusesFeatures ? value & ~FEATURES_OK_BIT : value;
  }

  private readConfig(at: number, widthBits: number): number {
    const config = this.options.config ?? new Uint8Array(0);
    if (at + widthBits / 8 > config.length) return 2 ** widthBits - 1;
    const view = viewOf(config);
    if (widthBits === 8) return view.getUint8(at);
    return widthBits === 16 ? view.getUint16(at, true) : view.getUint32(at, true);
  }

  private walk(queue: Queue, head: number): Chain {
    const readable: Uint8Array[] = [];
    const writable: Uint8Array[] = [];
    let id = head;
    for (let steps = 0; ; steps++) {
      assert(id < queue.size && steps < queue.size, 'a chain stays in the table and ends');
      const view = viewOf(this.base.bytesAt(queue.table + 16 * id, 16));
      const bytes = view.getUint32(8, true);
      const flags = view.getUint16(12, true);
      assert(bytes > 0 && (flags & ~3) === 0 && view.getUint32(4, true) === 0, 'descriptor');
      const piece = this.base.bytesAt(view.getUint32(0, true), bytes);
      if ((flags & 2) !== 0) writable.push(piece);
      else readable.push(piece);
      if ((flags & 1) === 0) return { head, readable, writable };
      id = view.getUint16(14, true);
    }
  }
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
