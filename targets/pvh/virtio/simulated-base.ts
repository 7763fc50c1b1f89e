/**
 * A `Base` on a laptop, for tests: memory is one ArrayBuffer, time is virtual, devices are objects
 * that answer for a window of addresses or ports. Not here: what a device does
 * (simulated-device.ts).
 */

import { assert } from '#core';
import { SimulatedConsoleAndTime } from '../../base/simulated-base.ts';
import type { Base } from '../base.ts';

export const RAM_AT = 0x100000;
const RAM_BYTES = 4 << 20;
/** Arrays that aren't in RAM get addresses from here on, as the engine's heap would. */
const HEAP_AT = 0x10000000;

export interface MmioDevice {
  readonly address: number;
  readonly bytes: number;
  read(offset: number, widthBits: number): number;
  write(offset: number, widthBits: number, value: number): void;
}

export interface PortDevice {
  read(port: number, widthBits: number): number;
  write(port: number, widthBits: number, value: number): void;
}

export class SimulatedBase extends SimulatedConsoleAndTime implements Base {
  cmdline = '';
  readonly memory = { totalBytes: RAM_BYTES, usedBytes: () => 0, heapBytes: () => 0 };
  /** Accesses that would leave the virtual machine, for tests that bound them. */
  exits = 0;
  barriers = 0;
  ports: PortDevice | null = null;
  private readonly ram = new ArrayBuffer(RAM_BYTES);
  private readonly devices: MmioDevice[] = [];
  private readonly heap: { buffer: ArrayBufferLike; at: number }[] = [];
  private heapEnd = HEAP_AT;
  private ramEnd = 0;
  private bits = 0;
  private readonly lines = new Map<number, number>();
  private pending = 0;

  addDevice(device: MmioDevice): void {
    this.devices.push(device);
  }

  /** An edge on a line: a later turn sees its bit in `woken`. Lines that nobody routed are dead. */
  raiseLine(gsi: number): void {
    const bit = this.lines.get(gsi);
    if (bit !== undefined) this.pending |= 1 << bit;
  }

  /**
   * Turns until the loop sleeps with no interrupt waiting; returns the deadline. Throws after
   * `turnsMax` turns: a loop that never sleeps is a bug.
   */
  run(turnsMax = 100_000): number {
    assert(this.turn !== null, 'onTurn was not called');
    for (let turns = 0; turns < turnsMax; turns++) {
      const woken = this.pending;
      this.pending = 0;
      const deadline = this.turn(woken);
      if (deadline !== -1 && this.pending === 0) return deadline;
    }
    throw new Error('the event loop never slept');
  }

  /** The bytes at a physical address, as a device reads or writes them. */
  bytesAt(physical: number, bytes: number): Uint8Array {
    if (physical >= RAM_AT && physical + bytes <= RAM_AT + RAM_BYTES) {
      return new Uint8Array(this.ram, physical - RAM_AT, bytes);
    }
    const region = this.heap.find(
      ({ buffer, at }) => physical >= at && physical + bytes <= at + buffer.byteLength,
    );
    assert(region !== undefined, `no memory at ${physical}`);
    return new Uint8Array(region.buffer, physical - region.at, bytes);
  }

  dmaAllocate(bytes: number, align: number): Uint8Array {
    const at = Math.ceil(this.ramEnd / align) * align;
    assert(at + bytes <= RAM_BYTES, 'simulated memory is full');
    this.ramEnd = at + bytes;
    return new Uint8Array(this.ram, at, bytes);
  }

  physicalAddress(view: Uint8Array): number {
    if (view.buffer === this.ram) return RAM_AT + view.byteOffset;
    let region = this.heap.find(({ buffer }) => buffer === view.buffer);
    if (region === undefined) {
      region = { buffer: view.buffer, at: this.heapEnd };
      this.heapEnd += view.buffer.byteLength + 4096;
      this.heap.push(region);
    }
    return region.at + view.byteOffset;
  }

  mmioRead(address: number, widthBits: 8 | 16 | 32): number {
    const device = this.deviceAt(address);
    return device.read(address - device.address, widthBits);
  }

  mmioWrite(address: number, widthBits: 8 | 16 | 32, value: number): void {
    assert(Number.isInteger(value) && value >= 0, 'the base takes natural numbers');
    const device = this.deviceAt(address);
    device.write(address - device.address, widthBits, value);
  }

  portRead(port: number, widthBits: 8 | 16 | 32): number {
    return this.ports?.read(port, widthBits) ?? 2 ** widthBits - 1;
  }

  portWrite(port: number, widthBits: 8 | 16 | 32, value: number): void {
    assert(Number.isInteger(value) && value >= 0, 'the base takes natural numbers');
    this.ports?.write(port, widthBits, value);
  }

  barrier(): void {
    this.barriers++;
  }

  interruptLine(gsi: number): number {
    this.lines.set(gsi, this.bits);
    return this.bits++;
  }

  interruptMessage(): { address: number; data: number; bit: number } {
    const bit = this.bits++;
    return { address: 0xfee00000, data: 32 + bit, bit };
  }

  private deviceAt(address: number): MmioDevice {
    this.exits++;
    const device = this.devices.find(
      (candidate) => address >= candidate.address && address < candidate.address + candidate.bytes,
    );
    assert(device !== undefined, `no device at ${address}`);
    return device;
  }
}
