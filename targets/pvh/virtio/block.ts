/**
 * Block device, virtio 1.2 §5.2: one queue of requests, several under way, in any order. Required
 * reading: virtqueue.ts, block-setup.ts, block-operations.ts, packages/device/block.ts. Not here:
 * several queues, a size that changes while it runs (it stays what it was), the cache's mode.
 *
 * Bytes go through memory of our own, a buffer for each request, so that a device never has a hand
 * in an application's arrays. A request's memory: its buffer, and CONTROL_BYTES with the header at
 * 0, the range of a discard at 16, the status at 32. Its descriptors are its own too, `chainSize`
 * of them: header, data, status.
 */

import { assert, err, hot, ok, type Result, writeU32le } from '#core';
import { type BlockDevice, type BlockError, checkBlockRange, checkBlocks } from '#device';
import type { LoopDevice } from '../../base/loop.ts';
import type { Base } from '../base.ts';
import { BlockOperation, OperationQueue, type Outcome } from './block-operations.ts';
import {
  BLOCK_FEATURE,
  type BlockGeometry,
  chooseBlockFeatures,
  readBlockGeometry,
  SECTOR_BYTES,
} from './block-setup.ts';
import type { VirtioFault } from './fault.ts';
import { VirtioDevice, type VirtioTransport } from './transport.ts';
import type { Virtqueue } from './virtqueue.ts';

export const BLOCK_DEVICE_ID = 2;

/** What a request asks for, §5.2.6. */
const TYPE = { read: 0, write: 1, flush: 4, identify: 8, discard: 11, writeZeroes: 13 } as const;
const STATUS_OK = 0;
const STATUS_UNSUPPORTED = 2;
/** Not one of the standard's: who ends a request must write another. */
const STATUS_NONE = 0xff;

const CONTROL_BYTES = 64;
const HEADER_BYTES = 16;
const RANGE_AT = 16;
const RANGE_BYTES = 16;
const STATUS_AT = 32;
const QUEUE = 0;
const QUEUE_SIZE_MAX = 256;
const IDENTITY_BYTES = 20;
const IDENTITY_MICROS_MAX = 5_000_000;

export interface BlockConfig {
  /** Requests that are with the device at once. */
  readonly requests: number;
  /** Bytes of one request at most, and of its buffer; BLOCK_BYTES_MAX at least. */
  readonly requestBytes: number;
  /** Operations that aren't done at once; one more is 'busy'. */
  readonly operationsMax: number;
}

export const BLOCK_CONFIG: BlockConfig = {
  requests: 8,
  requestBytes: 65_536,
  operationsMax: 1_024,
};

export class VirtioBlock implements BlockDevice {
  /** The serial number that the host gave it, which is its name for `morgana run --disk`. */
  readonly name: string;
  readonly blockBytes: number;
  readonly physicalBlockBytes: number;
  readonly blockCount: number;
  readonly isReadOnly: boolean;
  readonly discard?: NonNullable<BlockDevice['discard']>;
  readonly writeZeroes?: NonNullable<BlockDevice['writeZeroes']>;
  readonly loop: LoopDevice = {
    poll: (woken) => this.poll(woken),
    flush: () => this.showRequests(),
    arm: () => this.arm(),
  };
  private readonly base: Base;
  private readonly device: VirtioDevice;
  private readonly queue: Virtqueue;
  private readonly onFault: (fault: VirtioFault) => void;
  private readonly operations: OperationQueue;
  private readonly isWriteBack: boolean;
  private readonly segmentBytes: number;
  private readonly requestBytes: number;
  private readonly chainSize: number;
  private readonly buffers: Uint8Array;
  private readonly buffersPhysical: number;
  private readonly bufferBytes: number;
  private readonly control: Uint8Array;
  private readonly controlPhysical: number;
  /** By request: whom it is for, and which bytes of it. */
  private readonly owners: (BlockOperation | null)[] = [];
  private readonly ownerAt: number[] = [];
  private readonly bytes: number[] = [];
  private readonly free: number[] = [];
  private armed = false;
  private isReported = false;
  private requestsDone = 0;
  private requestsFailed = 0;
  private bytesRead = 0;
  private bytesWritten = 0;

  private constructor(parts: BlockParts, onFault: (fault: VirtioFault) => void) {
    const { device, queue, geometry, layout, config } = parts;
    this.base = device.base;
    this.device = device;
    this.queue = queue;
    this.onFault = onFault;
    this.operations = new OperationQueue(config.operationsMax);
    this.isWriteBack = (device.features & BLOCK_FEATURE.flush) !== 0;
    this.blockBytes = geometry.blockBytes;
    this.physicalBlockBytes = geometry.physicalBlockBytes;
    this.blockCount = geometry.blockCount;
    this.isReadOnly = geometry.isReadOnly;
    this.segmentBytes = layout.segmentBytes;
    this.requestBytes = layout.requestBytes;
    this.chainSize = layout.chainSize;
    this.bufferBytes = config.requestBytes;
    this.buffers = this.base.dmaAllocate(layout.requests * config.requestBytes, 4096);
    this.buffersPhysical = this.base.physicalAddress(this.buffers);
    this.control = this.base.dmaAllocate(layout.requests * CONTROL_BYTES, CONTROL_BYTES);
    this.controlPhysical = this.base.physicalAddress(this.control);
    for (let request = layout.requests - 1; request >= 0; request--) {
      this.free.push(request);
      this.owners.push(null);
      this.ownerAt.push(0);
      this.bytes.push(0);
    }
    const { discardSectorsMax, zeroesSectorsMax } = geometry;
    const sectors = this.blockBytes / SECTOR_BYTES;
    if (discardSectorsMax >= sectors) this.discard = this.ranges(TYPE.discard, discardSectorsMax);
    if (zeroesSectorsMax >= sectors) {
      this.writeZeroes = this.ranges(TYPE.writeZeroes, zeroesSectorsMax);
    }
    device.run();
    this.name = this.identify() ?? device.transport.name;
  }

  /** Starts the device. `onFault` is called at most once, when the device must be given up. */
  static open(
    base: Base,
    transport: VirtioTransport,
    config: BlockConfig,
    onFault: (fault: VirtioFault) => void,
  ): Result<VirtioBlock, VirtioFault> {
    const opened = VirtioDevice.open(base, transport, chooseBlockFeatures);
    if (!opened.ok) return opened;
    const device = opened.value;
    const read = readBlockGeometry(device);
    if (!read.ok) return read;
    // A request with one segment at least.
    const queue = device.addQueue(QUEUE, 4, QUEUE_SIZE_MAX);
    if (!queue.ok) return queue;
    const geometry = read.value;
    const layout = layOut(geometry, queue.value.size, config);
    if (layout.requestBytes === 0) {
      const value = geometry.segmentBytesMax;
      return err(device.stop({ kind: 'malformed', what: 'limit of a request', value }));
    }
    const block = new VirtioBlock(
      { device, queue: queue.value, geometry, layout, config },
      onFault,
    );
    return device.fault === null ? ok(block) : err(device.fault);
  }

  read(firstBlock: number, into: Uint8Array): Promise<Outcome> {
    const wrong = checkBlocks(this, firstBlock, into.length);
    if (wrong !== null) return refuse(wrong);
    return this.begin(TYPE.read, firstBlock, into, into.length, this.requestBytes);
  }

  write(firstBlock: number, bytes: Uint8Array): Promise<Outcome> {
    if (this.isReadOnly) return refuse({ kind: 'read only' });
    const wrong = checkBlocks(this, firstBlock, bytes.length);
    if (wrong !== null) return refuse(wrong);
    return this.begin(TYPE.write, firstBlock, bytes, bytes.length, this.requestBytes);
  }

  flush(): Promise<Outcome> {
    // §5.2.6.2: without the feature, what a write brought is there for good when it is done.
    if (!this.isWriteBack && this.device.fault === null) return Promise.resolve(ok(undefined));
    return this.begin(TYPE.flush, 0, null, 0, 0);
  }

  counters(): Readonly<Record<string, number>> {
    return {
      requestsDone: this.requestsDone,
      requestsFailed: this.requestsFailed,
      bytesRead: this.bytesRead,
      bytesWritten: this.bytesWritten,
      busy: this.operations.refused,
      waiting: this.operations.count,
      stopped: this.device.fault === null ? 0 : 1,
    };
  }

  checkInvariants(): void {
    this.operations.checkInvariants();
    if (this.isReported) return;
    const owned = this.owners.filter((owner) => owner !== null).length;
    assert(owned + this.free.length === this.owners.length, 'a request is free or has an owner');
    assert(this.queue.outstanding === owned, 'the device has those with an owner');
  }

  /** Resolves what the device has done. */
  private poll(woken: number): boolean {
    if ((woken & this.device.wakeBits) !== 0) this.device.acknowledge(woken);
    if (this.device.fault !== null) return this.giveUp();
    if (this.armed) {
      this.armed = false;
      this.queue.suppressInterrupts();
    }
    const count = this.queue.collect();
    if (count < 0) this.device.stop(this.queue.fault!);
    for (let i = 0; i < count && this.device.fault === null; i++) {
      this.finish(this.queue.heads[i]! / this.chainSize, this.queue.lengths[i]!);
    }
    if (this.device.fault !== null) return this.giveUp();
    return count > 0;
  }

  /** Shows the device as many of the operations that wait as it has room for. */
  private showRequests(): boolean {
    const { queue, device, operations } = this;
    if (device.fault !== null) return false;
    while (this.free.length > 0) {
      const operation = operations.next();
      if (operation === null) break;
      this.ask(operation);
    }
    const old = queue.publish();
    if (old < 0) return false;
    this.base.barrier();
    if (queue.wantsNotify(old)) device.transport.notify(QUEUE);
    return true;
  }

  private arm(): boolean {
    if (this.device.fault !== null || this.queue.outstanding === 0) return true;
    this.armed = true;
    this.queue.requestInterrupt();
    this.base.barrier();
    return !this.queue.hasCompletions();
  }

  private ranges(type: number, sectorsMax: number) {
    const perBlock = this.blockBytes / SECTOR_BYTES;
    const pieceBytes = Math.floor(sectorsMax / perBlock) * this.blockBytes;
    return (firstBlock: number, blockCount: number): Promise<Outcome> => {
      if (this.isReadOnly) return refuse({ kind: 'read only' });
      const wrong = checkBlockRange(this, firstBlock, blockCount);
      if (wrong !== null) return refuse(wrong);
      return this.begin(type, firstBlock, null, blockCount * this.blockBytes, pieceBytes);
    };
  }

  private begin(
    type: number,
    firstBlock: number,
    bytes: Uint8Array | null,
    totalBytes: number,
    pieceBytesMax: number,
  ): Promise<Outcome> {
    if (this.device.fault !== null) return refuse({ kind: 'gone' });
    const firstSector = firstBlock * (this.blockBytes / SECTOR_BYTES);
    const operation = new BlockOperation(type, firstSector, bytes, totalBytes, pieceBytesMax);
    return this.operations.add(operation) ? operation.done : refuse({ kind: 'busy' });
  }

  /** Makes a request of the operation's next piece. */
  private ask(operation: BlockOperation): void {
    const request = this.free.pop()!;
    const at = operation.begun;
    const bytes = operation.takePiece();
    this.owners[request] = operation;
    this.ownerAt[request] = at;
    this.bytes[request] = bytes;
    const { type } = operation;
    const hasRange = type === TYPE.discard || type === TYPE.writeZeroes;
    const sector = operation.firstSector + at / SECTOR_BYTES;
    this.writeHeader(request, type, hasRange ? 0 : sector);
    if (hasRange) {
      this.writeRange(request, sector, bytes / SECTOR_BYTES);
      this.post(request, this.controlPhysical + CONTROL_BYTES * request + RANGE_AT, RANGE_BYTES, 0);
      return;
    }
    if (type === TYPE.write) {
      hot.copy(this.buffers, request * this.bufferBytes, operation.bytes!, at, bytes);
    }
    const physical = this.buffersPhysical + request * this.bufferBytes;
    const isRead = type === TYPE.read;
    this.post(request, physical, isRead ? 0 : bytes, isRead ? bytes : 0);
  }

  private writeHeader(request: number, type: number, sector: number): void {
    const { control } = this;
    const at = CONTROL_BYTES * request;
    writeU32le(control, at, type);
    writeU32le(control, at + 4, 0);
    writeU64le(control, at + 8, sector);
    control[at + STATUS_AT] = STATUS_NONE;
  }

  private writeRange(request: number, sector: number, sectors: number): void {
    const at = CONTROL_BYTES * request + RANGE_AT;
    writeU64le(this.control, at, sector);
    writeU32le(this.control, at + 8, sectors);
    writeU32le(this.control, at + 12, 0);
  }

  /** Describes the request's chain: header, data that the device reads or writes, status. */
  private post(request: number, physical: number, readBytes: number, writeBytes: number): void {
    const { queue, segmentBytes } = this;
    const control = this.controlPhysical + CONTROL_BYTES * request;
    const head = request * this.chainSize;
    const total = readBytes + writeBytes;
    let id = head;
    queue.describe(id, control, HEADER_BYTES, false, id + 1);
    for (let at = 0; at < total; at += segmentBytes) {
      id++;
      const bytes = Math.min(segmentBytes, total - at);
      queue.describe(id, physical + at, bytes, writeBytes > 0, id + 1);
    }
    queue.describe(id + 1, control + STATUS_AT, 1, true, -1);
    queue.post(head, writeBytes + 1);
  }

  /** `lengthBytes`: what the device says that it wrote, no more than it may. */
  private finish(request: number, lengthBytes: number): void {
    const operation = this.owners[request]!;
    const bytes = this.bytes[request]!;
    const status = this.control[CONTROL_BYTES * request + STATUS_AT]!;
    const isRead = operation.type === TYPE.read;
    if (status > STATUS_UNSUPPORTED) {
      this.device.stop({ kind: 'status', value: status });
      return;
    }
    // Some devices leave the status out of what they wrote; the data they may not.
    if (isRead && status === STATUS_OK && lengthBytes < bytes) {
      this.device.stop({ kind: 'used length', queue: QUEUE, bytes: lengthBytes });
      return;
    }
    this.owners[request] = null;
    this.free.push(request);
    if (status !== STATUS_OK) {
      this.requestsFailed++;
      operation.failed({ kind: 'device', code: status });
    } else {
      this.requestsDone++;
      const from = request * this.bufferBytes;
      if (isRead) {
        hot.copy(operation.bytes!, this.ownerAt[request]!, this.buffers, from, bytes);
        this.bytesRead += bytes;
      } else if (operation.type === TYPE.write) this.bytesWritten += bytes;
    }
    if (operation.pieceDone()) this.operations.ended(operation);
  }

  /** Ends everything under way, and says why; the first time. */
  private giveUp(): boolean {
    if (this.isReported) return false;
    this.isReported = true;
    this.operations.abandon(this.owners.filter((owner) => owner !== null));
    this.onFault(this.device.fault!);
    return true;
  }

  /**
   * VIRTIO_BLK_T_GET_ID, §5.2.6: at most 20 characters of ASCII. Waits for the answer, as a rule
   * for microseconds; null when there is none that could be a name.
   */
  private identify(): string | null {
    const { base, queue, device } = this;
    const request = this.free.at(-1)!;
    this.writeHeader(request, TYPE.identify, 0);
    const at = request * this.bufferBytes;
    this.post(request, this.buffersPhysical + at, 0, IDENTITY_BYTES);
    const old = queue.publish();
    base.barrier();
    if (queue.wantsNotify(old)) device.transport.notify(QUEUE);
    const start = base.clockMonotonic();
    while (!queue.hasCompletions()) {
      const waitedMicros = base.clockMonotonic() - start;
      if (waitedMicros <= IDENTITY_MICROS_MAX) continue;
      device.stop({ kind: 'silent', what: 'its serial number', waitedMicros });
      return null;
    }
    if (queue.collect() < 0) {
      device.stop(queue.fault!);
      return null;
    }
    if (this.control[CONTROL_BYTES * request + STATUS_AT] !== STATUS_OK) return null;
    const end = hot.indexOf(this.buffers, 0, at, at + IDENTITY_BYTES);
    const text = hot.latin1(this.buffers, at, end < 0 ? at + IDENTITY_BYTES : end);
    return /^[!-~]+$/.test(text) ? text : null;
  }
}

interface BlockParts {
  readonly device: VirtioDevice;
  readonly queue: Virtqueue;
  readonly geometry: BlockGeometry;
  readonly layout: Layout;
  readonly config: BlockConfig;
}

interface Layout {
  readonly requests: number;
  readonly requestBytes: number;
  readonly segmentBytes: number;
  readonly chainSize: number;
}

/** Requests that fit the queue and the device's limits; `requestBytes` is 0 when no block does. */
function layOut(geometry: BlockGeometry, queueSize: number, config: BlockConfig): Layout {
  const segmentBytes = Math.min(geometry.segmentBytesMax, config.requestBytes);
  const wanted = Math.ceil(config.requestBytes / segmentBytes);
  const segments = Math.min(wanted, geometry.segmentsMax, queueSize - 2);
  const chainSize = segments + 2;
  const { blockBytes } = geometry;
  const room = Math.min(segments * segmentBytes, config.requestBytes);
  return {
    requests: Math.min(config.requests, Math.floor(queueSize / chainSize)),
    requestBytes: Math.floor(room / blockBytes) * blockBytes,
    segmentBytes,
    chainSize,
  };
}

function writeU64le(bytes: Uint8Array, at: number, value: number): void {
  writeU32le(bytes, at, value % 2 ** 32);
  writeU32le(bytes, at + 4, Math.floor(value / 2 ** 32));
}

const refuse = (error: BlockError): Promise<Outcome> => Promise.resolve(err(error));
