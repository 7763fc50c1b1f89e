/**
 * What a driver sees of the way to its device, MMIO or PCI (virtio 1.2 §4.1, §4.2), and the
 * start-up that all devices share (§3.1). Not here: drivers, finding devices (discovery.ts).
 */

import { err, ok, type Result } from '#core';
import type { Base } from '../base.ts';
import type { VirtioFault } from './fault.ts';
import { Virtqueue } from './virtqueue.ts';

const STATUS = {
  acknowledge: 1,
  driver: 2,
  driverOk: 4,
  featuresOk: 8,
  needsReset: 64,
  failed: 128,
} as const;

/** Bits of the second word of features. VERSION_1 is bit 32. */
const VERSION_1_HIGH_BIT = 1;
/** Bit 29 of the first word. */
export const EVENT_INDEX_BIT = 0x20000000;
/** What `acknowledge` tells. */
export const INTERRUPT_USED_BIT = 1;
export const INTERRUPT_CONFIG_BIT = 2;
const RESET_MICROS_MAX = 1_000_000;
const GENERATION_TRIES_MAX = 16;

export interface VirtioTransport {
  /** For messages: "virtio-mmio 0xfeb00e00", "virtio-pci 00:02.0". */
  readonly name: string;
  /** Kind of device, §5: 1 net, 3 console, 4 entropy. */
  readonly deviceId: number;
  /** Routes the device's interrupts; the bits they set in `woken`. Once, before queues are made. */
  connectInterrupts(): Result<number, VirtioFault>;
  readStatus(): number;
  writeStatus(status: number): void;
  /** Features offered, 32 bits; `word` is 0 or 1. */
  readFeatures(word: number): number;
  writeFeatures(word: number, bits: number): void;
  /** Largest size that the device accepts, 0 when it has no such queue. */
  queueSizeMax(queue: number): number;
  enableQueue(queue: Virtqueue): Result<null, VirtioFault>;
  notify(queue: number): void;
  /** Bytes of the device's configuration space, borrowed by nobody. */
  readConfig(at: number, widthBits: 8 | 16 | 32): number;
  /** Changes whenever the configuration may have changed. */
  configGeneration(): number;
  /**
   * Tells the device that its interrupt was seen, given `woken`; returns what it was for
   * (INTERRUPT_*).
   */
  acknowledge(woken: number): number;
}

/** A device that was reset and has agreed on features; queues come next, then `run`. */
export class VirtioDevice {
  readonly base: Base;
  readonly transport: VirtioTransport;
  /** The first word of the features agreed on. */
  readonly features: number;
  readonly wakeBits: number;
  readonly queues: Virtqueue[] = [];
  /** Why the device was stopped; null while it works. */
  fault: VirtioFault | null = null;

  private constructor(base: Base, transport: VirtioTransport, features: number, wakeBits: number) {
    this.base = base;
    this.transport = transport;
    this.features = features;
    this.wakeBits = wakeBits;
  }

  /**
   * §3.1.1 steps 1 to 6. `choose` picks from the first word of the offered features, ring features
   * aside.
   */
  static open(
    base: Base,
    transport: VirtioTransport,
    choose: (offered: number) => number,
  ): Result<VirtioDevice, VirtioFault> {
    const reset = resetDevice(base, transport);
    if (reset !== null) return err(reset);
    let status = STATUS.acknowledge | STATUS.driver;
    transport.writeStatus(status);
    const offeredLow = transport.readFeatures(0);
    const offeredHigh = transport.readFeatures(1);
    const refused = { kind: 'features', offeredLow, offeredHigh } as const;
    if ((offeredHigh & VERSION_1_HIGH_BIT) === 0) return giveUp(transport, refused);
    const features = offeredLow & (choose(offeredLow) | EVENT_INDEX_BIT);
    transport.writeFeatures(0, features);
    transport.writeFeatures(1, VERSION_1_HIGH_BIT);
    status |= STATUS.featuresOk;
    transport.writeStatus(status);
    if ((transport.readStatus() & STATUS.featuresOk) === 0) return giveUp(transport, refused);
    const connected = transport.connectInterrupts();
    if (!connected.ok) return giveUp(transport, connected.error);
    return ok(new VirtioDevice(base, transport, features, connected.value));
  }

  /**
   * A queue of the largest power of two up to `sizeMax` that the device has; at least `sizeMin`.
   */
  addQueue(index: number, sizeMin: number, sizeMax: number): Result<Virtqueue, VirtioFault> {
    const have = this.transport.queueSizeMax(index);
    let size = 1;
    while (size * 2 <= sizeMax && size * 2 <= have) size *= 2;
    if (have < sizeMin || size < sizeMin) {
      return err(this.stop({ kind: 'malformed', what: `size of queue ${index}`, value: have }));
    }
    const queue = new Virtqueue(this.base, index, size, (this.features & EVENT_INDEX_BIT) !== 0);
    const enabled = this.transport.enableQueue(queue);
    if (!enabled.ok) return err(this.stop(enabled.error));
    this.queues.push(queue);
    return ok(queue);
  }

  /** Configuration bytes [0, count) as one consistent snapshot, §2.5.1. */
  readConfigBytes(count: number): Result<Uint8Array, VirtioFault> {
    const bytes = new Uint8Array(count);
    for (let tries = 0; tries < GENERATION_TRIES_MAX; tries++) {
      const before = this.transport.configGeneration();
      for (let i = 0; i < count; i++) bytes[i] = this.transport.readConfig(i, 8);
      if (this.transport.configGeneration() === before) return ok(bytes);
    }
    return err(this.stop({ kind: 'malformed', what: 'configuration generation', value: count }));
  }

  /** §3.1.1 step 8: the device may work from here on. */
  run(): void {
    this.transport.writeStatus(this.transport.readStatus() | STATUS.driverOk);
  }

  /**
   * Stops the device for good: it is told that we failed, and its queues are never looked at again.
   */
  stop(fault: VirtioFault): VirtioFault {
    if (this.fault === null) {
      this.fault = fault;
      this.transport.writeStatus(this.transport.readStatus() | STATUS.failed);
    }
    return this.fault;
  }

  /**
   * To call when `woken` has one of `wakeBits`: INTERRUPT_* bits; a device in trouble is stopped.
   */
  acknowledge(woken: number): number {
    const reasons = this.transport.acknowledge(woken);
    if ((reasons & INTERRUPT_CONFIG_BIT) !== 0) {
      if ((this.transport.readStatus() & STATUS.needsReset) !== 0)
        this.stop({ kind: 'needs reset' });
    }
    return reasons;
  }
}

function giveUp(transport: VirtioTransport, fault: VirtioFault): Result<never, VirtioFault> {
  transport.writeStatus(transport.readStatus() | STATUS.failed);
  return err(fault);
}

/**
 * §2.4: writes 0 to the status and waits, up to RESET_MICROS_MAX, until the device says the same.
 */
function resetDevice(base: Base, transport: VirtioTransport): VirtioFault | null {
  transport.writeStatus(0);
  const start = base.clockMonotonic();
  while (transport.readStatus() !== 0) {
    const waitedMicros = base.clockMonotonic() - start;
    if (waitedMicros > RESET_MICROS_MAX) return { kind: 'silent', what: 'reset', waitedMicros };
  }
  return null;
}
