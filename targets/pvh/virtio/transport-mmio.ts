/**
 * Virtio over MMIO, version 2: virtio 1.2 §4.2.2. Where the devices are comes from the kernel
 * command line (discovery.ts). The interrupt line is used as edge-triggered, as on QEMU's microvm
 * and Firecracker.
 */

import { err, ok, type Result } from '#core';
import type { Base } from '../base.ts';
import type { VirtioFault } from './fault.ts';
import type { VirtioTransport } from './transport.ts';
import type { Virtqueue } from './virtqueue.ts';

const at = {
  magic: 0x000,
  version: 0x004,
  deviceId: 0x008,
  deviceFeatures: 0x010,
  deviceFeaturesSelect: 0x014,
  driverFeatures: 0x020,
  driverFeaturesSelect: 0x024,
  queueSelect: 0x030,
  queueSizeMax: 0x034,
  queueSize: 0x038,
  queueReady: 0x044,
  queueNotify: 0x050,
  interruptStatus: 0x060,
  interruptAcknowledge: 0x064,
  status: 0x070,
  queueTable: 0x080,
  queueAvailable: 0x090,
  queueUsed: 0x0a0,
  configGeneration: 0x0fc,
  config: 0x100,
} as const;

const MAGIC = 0x74726976; // "virt"
const VERSION_LEGACY = 1;
const VERSION = 2;

/** A device's window, from the command line. */
export interface MmioWindow {
  readonly address: number;
  readonly bytes: number;
  readonly gsi: number;
}

export class MmioTransport implements VirtioTransport {
  readonly name: string;
  readonly deviceId: number;
  private readonly base: Base;
  private readonly window: MmioWindow;
  private readonly notifyAddress: number;

  private constructor(base: Base, window: MmioWindow, deviceId: number) {
    this.base = base;
    this.window = window;
    this.deviceId = deviceId;
    this.name = mmioName(window);
    this.notifyAddress = window.address + at.queueNotify;
  }

  /** Null when the window is there but empty (device id 0), which is no fault: §4.2.2.2. */
  static probe(base: Base, window: MmioWindow): Result<MmioTransport | null, VirtioFault> {
    const read = (offset: number): number => base.mmioRead(window.address + offset, 32);
    if (window.bytes < at.config) {
      return err({ kind: 'malformed', what: 'window size', value: window.bytes });
    }
    if (read(at.magic) !== MAGIC) {
      return err({ kind: 'malformed', what: 'magic value', value: read(at.magic) });
    }
    const version = read(at.version);
    const deviceId = read(at.deviceId);
    if (deviceId === 0) return ok(null);
    if (version === VERSION_LEGACY) return err({ kind: 'legacy' });
    if (version !== VERSION) return err({ kind: 'malformed', what: 'version', value: version });
    return ok(new MmioTransport(base, window, deviceId));
  }

  connectInterrupts(): Result<number, VirtioFault> {
    // The base wakes us once for each edge; `acknowledge` lowers the line, so that no edge is lost.
    return ok(1 << this.base.interruptLine(this.window.gsi, 'edge', 'high'));
  }

  readStatus(): number {
    return this.read(at.status);
  }

  writeStatus(status: number): void {
    this.write(at.status, status);
  }

  readFeatures(word: number): number {
    this.write(at.deviceFeaturesSelect, word);
    return this.read(at.deviceFeatures);
  }

  writeFeatures(word: number, bits: number): void {
    this.write(at.driverFeaturesSelect, word);
    this.write(at.driverFeatures, bits);
  }

  queueSizeMax(queue: number): number {
    this.write(at.queueSelect, queue);
    return this.read(at.queueSizeMax);
  }

  enableQueue(queue: Virtqueue): Result<null, VirtioFault> {
    this.write(at.queueSelect, queue.index);
    const ready = this.read(at.queueReady);
    if (ready !== 0) return err({ kind: 'malformed', what: 'ready queue', value: queue.index });
    this.write(at.queueSize, queue.size);
    this.writeAddress(at.queueTable, queue.physical.table);
    this.writeAddress(at.queueAvailable, queue.physical.available);
    this.writeAddress(at.queueUsed, queue.physical.used);
    this.write(at.queueReady, 1);
    return ok(null);
  }

  notify(queue: number): void {
    this.base.mmioWrite(this.notifyAddress, 32, queue);
  }

  readConfig(offset: number, widthBits: 8 | 16 | 32): number {
    return this.base.mmioRead(this.window.address + at.config + offset, widthBits);
  }

  configGeneration(): number {
    return this.read(at.configGeneration);
  }

  acknowledge(_woken: number): number {
    const reasons = this.read(at.interruptStatus) & 3;
    if (reasons !== 0) this.write(at.interruptAcknowledge, reasons);
    return reasons;
  }

  private read(offset: number): number {
    return this.base.mmioRead(this.window.address + offset, 32);
  }

  private write(offset: number, value: number): void {
    this.base.mmioWrite(this.window.address + offset, 32, value);
  }

  private writeAddress(offset: number, physical: number): void {
    this.write(offset, physical % 0x100000000);
    this.write(offset + 4, Math.floor(physical / 0x100000000));
  }
}

export const mmioName = (window: MmioWindow): string =>
  `virtio-mmio 0x${window.address.toString(16)}`;
