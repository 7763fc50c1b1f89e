/**
 * A disk on a SimulatedDevice, for tests: memory, and requests that it ends in any order, with any
 * status. It checks what the driver must keep to (virtio 1.2 §5.2.6).
 */

import { assert } from '#core';
import type { SimulatedBase } from './simulated-base.ts';
import { type Chain, SimulatedDevice, type SimulatedOptions } from './simulated-device.ts';

const SECTOR_BYTES = 512;

/** Fields of struct virtio_blk_config; what is absent is zero. */
export interface DiskConfig {
  readonly sectors: number;
  readonly sizeMax?: number;
  readonly segmentsMax?: number;
  readonly blockBytes?: number;
  readonly physicalExponent?: number;
  readonly discardSectorsMax?: number;
  readonly zeroesSectorsMax?: number;
}

function diskConfig(fields: DiskConfig): Uint8Array {
  const config = new Uint8Array(60);
  const view = new DataView(config.buffer);
  view.setBigUint64(0, BigInt(fields.sectors), true);
  view.setUint32(8, fields.sizeMax ?? 0, true);
  view.setUint32(12, fields.segmentsMax ?? 0, true);
  view.setUint32(20, fields.blockBytes ?? 0, true);
  view.setUint8(24, fields.physicalExponent ?? 0);
  view.setUint32(36, fields.discardSectorsMax ?? 0, true);
  view.setUint32(40, 1, true);
  view.setUint32(48, fields.zeroesSectorsMax ?? 0, true);
  view.setUint32(52, 1, true);
  return config;
}

export interface HeldRequest {
  readonly chain: Chain;
  readonly type: number;
  readonly sector: number;
}

export class SimulatedDisk {
  readonly device: SimulatedDevice;
  readonly memory: Uint8Array;
  /** Requests that aren't ended; without `isHolding` each is ended when it comes. */
  readonly held: HeldRequest[] = [];
  isHolding = false;
  /** Most that were held at once. */
  heldMax = 0;
  /** Status of every request but that for the serial number. */
  status = 0;
  serial = 'data';
  /** Counts by type. */
  readonly requests = new Map<number, number>();
  private readonly config: DiskConfig;

  constructor(
    base: SimulatedBase,
    config: DiskConfig,
    options: Omit<SimulatedOptions, 'deviceId' | 'config'>,
  ) {
    this.config = config;
    this.memory = new Uint8Array(Math.min(config.sectors, 65_536) * SECTOR_BYTES);
    this.device = new SimulatedDevice(base, {
      ...options,
      deviceId: 2,
      config: diskConfig(config),
    });
    this.device.onNotify = () => this.takeAll();
  }

  /** Ends the held request at `index`; returns it. */
  end(index: number): HeldRequest {
    const [request] = this.held.splice(index, 1);
    assert(request !== undefined);
    const { chain } = request;
    const written = this.perform(request);
    this.device.complete(0, chain.head, written);
    return request;
  }

  takeAll(): void {
    for (let chain = this.device.take(0); chain !== null; chain = this.device.take(0)) {
      const header = chain.readable[0]!;
      assert(header.length === 16, 'the header is a descriptor of its own');
      const view = new DataView(header.buffer, header.byteOffset, 16);
      const type = view.getUint32(0, true);
      this.requests.set(type, (this.requests.get(type) ?? 0) + 1);
      this.held.push({ chain, type, sector: Number(view.getBigUint64(8, true)) });
      this.heldMax = Math.max(this.heldMax, this.held.length);
      if (!this.isHolding || type === 8) this.end(this.held.length - 1);
    }
  }

  /** Does it and writes the status; returns how many bytes were written. */
  private perform({ chain, type, sector }: HeldRequest): number {
    const { memory, config } = this;
    const data = chain.readable.slice(1);
    const into = chain.writable.slice(0, -1);
    const last = chain.writable.at(-1)!;
    assert(last.length === 1 && last[0] === 0xff, 'a status that is no status yet');
    const { sizeMax = 0, segmentsMax = 0 } = config;
    const segments = [...data, ...into];
    if (type !== 8) {
      assert(segments.length <= Math.max(segmentsMax, 1), 'segments');
      assert(sizeMax === 0 || segments.every(({ length }) => length <= sizeMax), 'their size');
    }
    if (type === 8) return this.identify(into[0]!, last);
    last[0] = this.status;
    const bytes = into.reduce((sum, { length }) => sum + length, 0);
    if (this.status !== 0) return bytes + 1;
    let at = sector * SECTOR_BYTES;
    if (type === 0) {
      for (const piece of into) {
        piece.set(memory.subarray(at, at + piece.length));
        at += piece.length;
      }
      assert(at <= memory.length, 'inside of the disk');
    } else if (type === 1) {
      for (const piece of data) {
        memory.set(piece, at);
        at += piece.length;
      }
    } else if (type === 11 || type === 13) this.clear(type, data[0]!);
    else assert(type === 4 && segments.length === 0, 'a request that there is');
    return bytes + 1;
  }

  private clear(type: number, range: Uint8Array): void {
    assert(range.length === 16);
    const view = new DataView(range.buffer, range.byteOffset, 16);
    const from = Number(view.getBigUint64(0, true)) * SECTOR_BYTES;
    const sectors = view.getUint32(8, true);
    const { discardSectorsMax = 0, zeroesSectorsMax = 0 } = this.config;
    assert(sectors > 0 && sectors <= (type === 11 ? discardSectorsMax : zeroesSectorsMax));
    assert(view.getUint32(12, true) === 0 && from + sectors * SECTOR_BYTES <= this.memory.length);
    this.memory.fill(type === 11 ? 0xdd : 0, from, from + sectors * SECTOR_BYTES);
  }

  private identify(into: Uint8Array, last: Uint8Array): number {
    assert(into.length === 20);
    into.fill(0);
    for (let i = 0; i < Math.min(20, this.serial.length); i++) into[i] = this.serial.charCodeAt(i);
    last[0] = 0;
    return 21;
  }
}
