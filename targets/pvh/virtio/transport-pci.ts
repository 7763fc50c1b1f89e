/**
 * Virtio over PCI, the modern interface: virtio 1.2 §4.1. Configuration space through ports 0xCF8
 * and 0xCFC (PCI 3.0 §3.2.2.3.2), BARs as the firmware set them, interrupts by MSI-X: one message
 * for the queues, one for configuration changes. Bus 0 only, which is where the machines that we
 * support put devices.
 */

import { err, ok, type Result } from '#core';
import type { Base } from '../base.ts';
import type { VirtioFault } from './fault.ts';
import { INTERRUPT_CONFIG_BIT, INTERRUPT_USED_BIT, type VirtioTransport } from './transport.ts';
import type { Virtqueue } from './virtqueue.ts';

const VENDOR_VIRTIO = 0x1af4;
/** Modern devices are 0x1040 + the virtio device id; transitional ones 0x1000 and up. */
const DEVICE_MODERN = 0x1040;
const DEVICE_MODERN_LAST = 0x107f;
const DEVICE_TRANSITIONAL = 0x1000;

const pci = {
  id: 0x00,
  command: 0x04,
  headerType: 0x0e,
  bar0: 0x10,
  subsystemId: 0x2e,
  capabilities: 0x34,
} as const;
const STATUS_CAPABILITIES_BIT = 0x00100000; // Of the word at `command`.
const COMMAND_MEMORY_BIT = 2;
const COMMAND_BUS_MASTER_BIT = 4;
const COMMAND_NO_INTX_BIT = 0x400;
const CAPABILITY_VENDOR = 0x09;
const CAPABILITY_MSIX = 0x11;
/** 192 bytes after the header, each capability at least 4 long. */
const CAPABILITIES_MAX = 48;
const MSIX_ENABLE_BIT = 0x80000000; // Of the word at the capability.
const MSIX_MASK_ALL_BIT = 0x40000000;
const VECTOR_QUEUES = 0;
const VECTOR_CONFIG = 1;

/** virtio_pci_cap.cfg_type. */
const CFG = { common: 1, notify: 2, isr: 3, device: 4 } as const;
const common = {
  deviceFeatureSelect: 0x00,
  deviceFeature: 0x04,
  driverFeatureSelect: 0x08,
  driverFeature: 0x0c,
  configMsixVector: 0x10,
  status: 0x14,
  configGeneration: 0x15,
  queueSelect: 0x16,
  queueSize: 0x18,
  queueMsixVector: 0x1a,
  queueEnable: 0x1c,
  queueNotifyOff: 0x1e,
  queueTable: 0x20,
  queueAvailable: 0x28,
  queueUsed: 0x30,
} as const;
const COMMON_BYTES = 0x38;

/** One function on bus 0. */
export class PciFunction {
  readonly name: string;
  private readonly base: Base;
  private readonly address: number;

  constructor(base: Base, device: number, fn: number) {
    this.base = base;
    this.address = 0x80000000 + device * 0x800 + fn * 0x100;
    this.name = `virtio-pci 00:${device.toString(16).padStart(2, '0')}.${fn}`;
  }

  /** The aligned word that holds `offset`. */
  read32(offset: number): number {
    this.base.portWrite(0xcf8, 32, this.address + (offset & 0xfc));
    return this.base.portRead(0xcfc, 32);
  }

  write32(offset: number, value: number): void {
    this.base.portWrite(0xcf8, 32, this.address + (offset & 0xfc));
    this.base.portWrite(0xcfc, 32, value);
  }

  read16(offset: number): number {
    return Math.floor(this.read32(offset) / 2 ** (8 * (offset & 2))) % 0x10000;
  }

  read8(offset: number): number {
    return Math.floor(this.read32(offset) / 2 ** (8 * (offset & 3))) % 0x100;
  }
}

interface Region {
  readonly address: number;
  readonly bytes: number;
}

interface Regions {
  readonly common: Region;
  readonly notify: Region;
  readonly notifyMultiplier: number;
  /** Absent when the device has no configuration of its own. */
  readonly device: Region | null;
  readonly msixTable: Region;
  readonly msixAt: number;
}

/** All virtio functions on bus 0; empty without a PCI bus. */
export function scanPci(base: Base): PciFunction[] {
  base.portWrite(0xcf8, 32, 0x80000000);
  if (base.portRead(0xcf8, 32) !== 0x80000000) return [];
  const found: PciFunction[] = [];
  for (let device = 0; device < 32; device++) {
    const first = new PciFunction(base, device, 0);
    if (first.read32(pci.id) === 0xffffffff) continue;
    const functions = (first.read8(pci.headerType) & 0x80) !== 0 ? 8 : 1;
    for (let fn = 0; fn < functions; fn++) {
      const candidate = fn === 0 ? first : new PciFunction(base, device, fn);
      const id = candidate.read16(pci.id + 2);
      if (candidate.read16(pci.id) !== VENDOR_VIRTIO) continue;
      if (id >= DEVICE_TRANSITIONAL && id <= DEVICE_MODERN_LAST) found.push(candidate);
    }
  }
  return found;
}

export class PciTransport implements VirtioTransport {
  readonly name: string;
  readonly deviceId: number;
  private readonly base: Base;
  private readonly fn: PciFunction;
  private readonly regions: Regions;
  private readonly notifyAddresses: number[] = [];
  private configBit = 0;
  private queueBit = 0;

  private constructor(base: Base, fn: PciFunction, deviceId: number, regions: Regions) {
    this.base = base;
    this.fn = fn;
    this.deviceId = deviceId;
    this.regions = regions;
    this.name = fn.name;
  }

  /** Finds the device's registers and switches memory access and bus mastering on. */
  static probe(base: Base, fn: PciFunction): Result<PciTransport, VirtioFault> {
    const id = fn.read16(pci.id + 2);
    const deviceId = id >= DEVICE_MODERN ? id - DEVICE_MODERN : fn.read16(pci.subsystemId);
    const regions = findRegions(fn);
    if (!regions.ok) return regions;
    const command = COMMAND_MEMORY_BIT | COMMAND_BUS_MASTER_BIT | COMMAND_NO_INTX_BIT;
    fn.write32(pci.command, (fn.read32(pci.command) & 0xffff) | command);
    return ok(new PciTransport(base, fn, deviceId, regions.value));
  }

  connectInterrupts(): Result<number, VirtioFault> {
    const { msixAt, msixTable } = this.regions;
    this.fn.write32(msixAt, MSIX_ENABLE_BIT + MSIX_MASK_ALL_BIT);
    const vectors = [this.base.interruptMessage(), this.base.interruptMessage()] as const;
    for (const [vector, message] of vectors.entries()) {
      const entry = msixTable.address + 16 * vector;
      this.base.mmioWrite(entry, 32, message.address % 0x100000000);
      this.base.mmioWrite(entry + 4, 32, Math.floor(message.address / 0x100000000));
      this.base.mmioWrite(entry + 8, 32, message.data);
      this.base.mmioWrite(entry + 12, 32, 0);
    }
    this.fn.write32(msixAt, MSIX_ENABLE_BIT);
    this.queueBit = 1 << vectors[VECTOR_QUEUES].bit;
    this.configBit = 1 << vectors[VECTOR_CONFIG].bit;
    this.write(common.configMsixVector, 16, VECTOR_CONFIG);
    const vector = this.read(common.configMsixVector, 16);
    if (vector !== VECTOR_CONFIG)
      return err({ kind: 'malformed', what: 'MSI-X vector', value: vector });
    return ok(this.queueBit | this.configBit);
  }

  readStatus(): number {
    return this.read(common.status, 8);
  }

  writeStatus(status: number): void {
    this.write(common.status, 8, status);
  }

  readFeatures(word: number): number {
    this.write(common.deviceFeatureSelect, 32, word);
    return this.read(common.deviceFeature, 32);
  }

  writeFeatures(word: number, bits: number): void {
    this.write(common.driverFeatureSelect, 32, word);
    this.write(common.driverFeature, 32, bits);
  }

  queueSizeMax(queue: number): number {
    this.write(common.queueSelect, 16, queue);
    return this.read(common.queueSize, 16);
  }

  enableQueue(queue: Virtqueue): Result<null, VirtioFault> {
    const { notify, notifyMultiplier } = this.regions;
    this.write(common.queueSelect, 16, queue.index);
    this.write(common.queueSize, 16, queue.size);
    this.write(common.queueMsixVector, 16, VECTOR_QUEUES);
    const vector = this.read(common.queueMsixVector, 16);
    if (vector !== VECTOR_QUEUES)
      return err({ kind: 'malformed', what: 'MSI-X vector', value: vector });
    const offset = this.read(common.queueNotifyOff, 16) * notifyMultiplier;
    if (offset + 2 > notify.bytes)
      return err({ kind: 'malformed', what: 'notify offset', value: offset });
    this.notifyAddresses[queue.index] = notify.address + offset;
    this.writeAddress(common.queueTable, queue.physical.table);
    this.writeAddress(common.queueAvailable, queue.physical.available);
    this.writeAddress(common.queueUsed, queue.physical.used);
    this.write(common.queueEnable, 16, 1);
    return ok(null);
  }

  notify(queue: number): void {
    this.base.mmioWrite(this.notifyAddresses[queue]!, 16, queue);
  }

  /** All ones outside of the device's configuration, as on a bus where nobody answers. */
  readConfig(at: number, widthBits: 8 | 16 | 32): number {
    const { device } = this.regions;
    if (device === null || at + widthBits / 8 > device.bytes) return 2 ** widthBits - 1;
    return this.base.mmioRead(device.address + at, widthBits);
  }

  configGeneration(): number {
    return this.read(common.configGeneration, 8);
  }

  acknowledge(woken: number): number {
    // A message is gone once it came: nothing to tell the device.
    const queues = (woken & this.queueBit) !== 0 ? INTERRUPT_USED_BIT : 0;
    return queues | ((woken & this.configBit) !== 0 ? INTERRUPT_CONFIG_BIT : 0);
  }

  private read(offset: number, widthBits: 8 | 16 | 32): number {
    return this.base.mmioRead(this.regions.common.address + offset, widthBits);
  }

  private write(offset: number, widthBits: 8 | 16 | 32, value: number): void {
    this.base.mmioWrite(this.regions.common.address + offset, widthBits, value);
  }

  private writeAddress(offset: number, physical: number): void {
    this.write(offset, 32, physical % 0x100000000);
    this.write(offset + 4, 32, Math.floor(physical / 0x100000000));
  }
}

/** Walks the capability list, §4.1.4: the first capability of each kind counts. */
function findRegions(fn: PciFunction): Result<Regions, VirtioFault> {
  let at =
    (fn.read32(pci.command) & STATUS_CAPABILITIES_BIT) !== 0 ? fn.read8(pci.capabilities) : 0;
  const found = new Map<number, Region>();
  let notifyMultiplier = 0;
  let msixAt = 0;
  let msixTable: Region | null = null;
  for (let count = 0; at !== 0; count++) {
    if (count === CAPABILITIES_MAX || at < 0x40) {
      return err({ kind: 'malformed', what: 'PCI capability list', value: at });
    }
    const kind = fn.read8(at);
    const type = fn.read8(at + 3);
    if (kind === CAPABILITY_VENDOR && !found.has(type)) {
      const region = readRegion(fn, fn.read8(at + 4), fn.read32(at + 8), fn.read32(at + 12));
      // Others may be unreadable, such as the I/O port window of a transitional device.
      if (region !== null) found.set(type, region);
      if (type === CFG.notify) notifyMultiplier = fn.read32(at + 16);
    } else if (kind === CAPABILITY_MSIX && msixAt === 0) {
      msixAt = at;
      const table = fn.read32(at + 4);
      const entries = (fn.read16(at + 2) & 0x7ff) + 1;
      if (entries > VECTOR_CONFIG) {
        msixTable = readRegion(fn, table & 7, table - (table & 7), 16 * entries);
      }
    }
    at = fn.read8(at + 1) & 0xfc;
  }
  const commonRegion = found.get(CFG.common);
  const notify = found.get(CFG.notify);
  if (commonRegion === undefined || commonRegion.bytes < COMMON_BYTES || notify === undefined) {
    return err({ kind: 'malformed', what: 'set of virtio 1 capabilities', value: found.size });
  }
  if (msixTable === null) return err({ kind: 'malformed', what: 'MSI-X table', value: msixAt });
  const device = found.get(CFG.device) ?? null;
  return ok({ common: commonRegion, notify, notifyMultiplier, device, msixTable, msixAt });
}

/** Bytes [offset, offset + bytes) of a memory BAR; null when the firmware gave it no address. */
function readRegion(fn: PciFunction, bar: number, offset: number, bytes: number): Region | null {
  if (bar > 5) return null;
  const low = fn.read32(pci.bar0 + 4 * bar);
  if ((low & 1) !== 0) return null;
  const wide = (low & 6) === 4;
  if (wide && bar === 5) return null;
  const high = wide ? fn.read32(pci.bar0 + 4 * bar + 4) : 0;
  const start = high * 0x100000000 + (low - (low & 15));
  if (start === 0 || start + offset + bytes > 2 ** 52) return null;
  return { address: start + offset, bytes };
}
