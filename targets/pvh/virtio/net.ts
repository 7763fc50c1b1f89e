/**
 * Network device, virtio 1.2 §5.1: one receive and one transmit queue. Required reading:
 * virtqueue.ts, packages/device/net.ts. Not here: control queue, multiqueue, UDP segmentation.
 *
 * Every buffer and descriptor is made at start-up. A buffer holds the 12-byte virtio_net_hdr at 4
 * and the frame at 16. Sending writes a length and a ring entry; the device is told once a turn
 * (`flush`). Sent buffers are taken back only when none is left, so completions cost no interrupt.
 */

import { assert, ok, type Result } from '#core';
import type { ChecksumRequest, NetDevice, NetHandler, NetOffload } from '#device';
import {
  HEADER_CHECKSUM_GOOD_MASK,
  HEADER_GSO_TCPV4,
  HEADER_GSO_TCPV6,
  HEADER_NEEDS_CHECKSUM_BIT,
  ReceivedRequest,
} from '../../base/net-header.ts';
import type { Base } from '../base.ts';
import type { VirtioFault } from './fault.ts';
import { chooseNetFeatures, NET_FEATURE, type NetIdentity, readNetIdentity } from './net-setup.ts';
import { INTERRUPT_CONFIG_BIT, VirtioDevice, type VirtioTransport } from './transport.ts';
import { AVAILABLE_RING_AT, DESCRIPTOR_NEXT_BIT, type Virtqueue } from './virtqueue.ts';

export const NET_DEVICE_ID = 1;

const RECEIVE_QUEUE = 0;
const TRANSMIT_QUEUE = 1;
/** First byte of the Ethernet type 0x86dd, and where it stands. */
const ETHERTYPE_AT = 12;
const ETHERTYPE_IPV6_HIGH = 0x86;
const HEADER_BYTES = 12;
const HEADER_AT = 4;
const FRAME_AT = 16;
const ETHERNET_HEADER_BYTES = 14;
/** A merged frame: an IPv4 packet of 65,535 bytes and the Ethernet header. */
const MERGED_BYTES_MAX = 65_535 + ETHERNET_HEADER_BYTES;
export const PARTS_MAX = 16;
/** Remembered views a receive buffer has, by the low bits of the frame's length. */
const VIEWS_PER_BUFFER = 4;

export interface NetConfig {
  /** Buffers of each direction; powers of two. */
  readonly receiveBuffers: number;
  readonly transmitBuffers: number;
  /** Size of a buffer, a multiple of 16; frames are at most 16 bytes shorter. */
  readonly bufferBytes: number;
}

export const NET_CONFIG: NetConfig = {
  receiveBuffers: 64,
  transmitBuffers: 64,
  bufferBytes: 2048,
};

const DEAF: NetHandler = { receive() {}, transmitReady() {} };

export class VirtioNet implements NetDevice {
  readonly mac: Uint8Array;
  readonly mtuBytes: number;
  readonly offload: NetOffload;
  private readonly base: Base;
  private readonly device: VirtioDevice;
  private readonly wakeBits: number;
  private readonly onFault: (fault: VirtioFault) => void;
  private handler: NetHandler = DEAF;
  private stopped = false;
  private armed = false;
  private linkUp = true;

  // Receiving. Buffer i belongs to descriptor i of the queue.
  private readonly rx: Virtqueue;
  private readonly rxMemory: Uint8Array;
  private readonly rxHeaders: Uint16Array;
  private readonly rxViews: Uint8Array[];
  private readonly rxViewBytes: Uint16Array;
  private readonly bufferBytes: number;
  private readonly mergeable: boolean;
  private merged: Uint8Array | null = null;
  /** Of the last frame with flags: where its virtio_net_hdr is, in 16-bit words. */
  private rxHeader = 0;
  private readonly rxRequest = new ReceivedRequest();
  private received = 0;
  private receiveDropped = 0;

  // Sending. Slot i is descriptor i; the descriptors after the slots carry parts.
  private readonly tx: Virtqueue;
  private readonly txPosted: Uint32Array;
  private readonly txDescriptors: Uint32Array;
  private readonly txAvailable: Uint16Array;
  private readonly txMask: number;
  private readonly txHeaders: Uint16Array;
  private readonly txViews: Uint8Array[] = [];
  /** The last free slot; null when `reserve` must look for one. */
  private txNext: Uint8Array | null = null;
  private readonly txFree: Uint16Array;
  private txFreeCount = 0;
  /** By slot: 1 when its header isn't all zeros. */
  private readonly txHeaderUsed: Uint8Array;
  private readonly txHeadBytesMax: number;
  /** Free slots at which what was committed is shown to the device within a turn. */
  private readonly txKickAt: number;
  /** By slot: the parts that the device still reads. */
  private readonly txParts: (readonly Uint8Array[] | null)[] = [];
  private readonly partFree: Uint16Array;
  private partFreeCount = 0;
  /** By slot: first part's descriptor, then by descriptor: the next; -1 ends. */
  private readonly partNext: Int16Array;
  private waiting = false;
  private sent = 0;
  private transmitFull = 0;

  private constructor(parts: NetParts, onFault: (fault: VirtioFault) => void) {
    const { device, rx, tx, config } = parts;
    this.base = device.base;
    this.device = device;
    this.wakeBits = device.wakeBits;
    this.onFault = onFault;
    this.mac = parts.mac;
    const { features } = device;
    this.bufferBytes = config.bufferBytes;
    this.mtuBytes = Math.min(parts.mtuBytes, config.bufferBytes - FRAME_AT - ETHERNET_HEADER_BYTES);
    this.mergeable = (features & NET_FEATURE.mergeableBuffers) !== 0;
    const hasTso4 = (features & NET_FEATURE.hostTso4) !== 0;
    const hasTso6 = hasTso4 && (features & NET_FEATURE.hostTso6) !== 0;
    this.offload = {
      transmitChecksum: (features & NET_FEATURE.checksum) !== 0,
      segmentBytesMax: hasTso4 ? 65_535 : 0,
      segmentBytesMaxIpv6: hasTso6 ? 65_535 : 0,
    };
    this.rx = rx;
    this.rxMemory = this.base.dmaAllocate(rx.size * config.bufferBytes, 4096);
    this.rxHeaders = halves(this.rxMemory);
    this.rxViews = new Array<Uint8Array>(rx.size * VIEWS_PER_BUFFER).fill(this.rxMemory);
    this.rxViewBytes = new Uint16Array(rx.size * VIEWS_PER_BUFFER).fill(0xffff);
    this.tx = tx;
    this.txPosted = tx.posted;
    this.txDescriptors = tx.descriptors;
    this.txAvailable = tx.available;
    this.txMask = tx.mask;
    const slots = Math.min(config.transmitBuffers, tx.size >> 2);
    const memory = this.base.dmaAllocate(slots * config.bufferBytes, 4096);
    this.txHeaders = halves(memory);
    this.txFree = new Uint16Array(slots);
    this.txHeaderUsed = new Uint8Array(slots);
    this.txKickAt = slots >> 1;
    this.txHeadBytesMax = config.bufferBytes - FRAME_AT;
    this.partFree = new Uint16Array(tx.size - slots);
    this.partNext = new Int16Array(tx.size);
    this.prepareReceive();
    this.prepareTransmit(memory, slots);
  }

  /** Starts the device. `onFault` is called at most once, when the device must be given up. */
  static open(
    base: Base,
    transport: VirtioTransport,
    config: NetConfig,
    onFault: (fault: VirtioFault) => void,
  ): Result<VirtioNet, VirtioFault> {
    const opened = VirtioDevice.open(base, transport, chooseNetFeatures);
    if (!opened.ok) return opened;
    const device = opened.value;
    const identity = readNetIdentity(device);
    if (!identity.ok) return identity;
    const rx = device.addQueue(RECEIVE_QUEUE, 2, config.receiveBuffers);
    if (!rx.ok) return rx;
    const tx = device.addQueue(TRANSMIT_QUEUE, 2 * PARTS_MAX, 4 * config.transmitBuffers);
    if (!tx.ok) return tx;
    const parts = { device, rx: rx.value, tx: tx.value, config, ...identity.value };
    const net = new VirtioNet(parts, onFault);
    device.run();
    net.readLink();
    net.flush();
    return ok(net);
  }

  attach(handler: NetHandler): void {
    assert(this.handler === DEAF, 'attached already');
    this.handler = handler;
  }

  reserve(): Uint8Array | null {
    const next = this.txNext;
    return next !== null ? next : this.refill();
  }

  commit(headBytes: number, parts: readonly Uint8Array[], checksum: ChecksumRequest | null): void {
    if (this.txNext === null) {
      // The device may be stopped between reserve and commit; anything else is our mistake.
      assert(this.stopped, 'commit without reserve');
      return;
    }
    if (!(headBytes <= this.txHeadBytesMax)) throw new RangeError(`head of ${headBytes} bytes`);
    const free = this.txFree;
    const left = --this.txFreeCount;
    const slot = free[left]!;
    this.txDescriptors[4 * slot + 2] = HEADER_BYTES + headBytes;
    if (checksum !== null) this.writeHeader(slot, checksum);
    else if (this.txHeaderUsed[slot] !== 0) this.clearHeader(slot);
    if (parts.length !== 0) this.chain(slot, parts);
    // What Virtqueue.post does, without the call.
    const { tx } = this;
    const index = tx.availableIndex;
    this.txPosted[slot] = 1;
    this.txAvailable[AVAILABLE_RING_AT + (index & this.txMask)] = slot;
    tx.availableIndex = (index + 1) & 0xffff;
    this.txNext =
      left !== 0 && this.partFreeCount >= PARTS_MAX ? this.txViews[free[left - 1]!]! : null;
    // A turn may fill the queue: the device gets the first half while we write the second.
    if (left === this.txKickAt) this.kick();
  }

  receivedRequest(): Readonly<ChecksumRequest> | null {
    return this.rxRequest.read(this.rxHeaders, this.rxHeader);
  }

  counters(): Readonly<Record<string, number>> {
    return {
      received: this.received,
      receiveDropped: this.receiveDropped,
      sent: this.sent,
      transmitFull: this.transmitFull,
      linkUp: this.linkUp ? 1 : 0,
      stopped: this.stopped ? 1 : 0,
    };
  }

  /**
   * Hands over what arrived; `woken` as Base.onTurn got it. True when there was something to do.
   */
  poll(woken: number): boolean {
    if ((woken & this.wakeBits) !== 0) this.acknowledge(woken);
    if (this.armed) this.disarm();
    if (this.stopped) return false;
    let busy = false;
    if (this.waiting && this.tx.hasCompletions()) {
      this.reclaim();
      busy = true;
      if (this.txNext !== null) {
        this.waiting = false;
        this.handler.transmitReady();
      }
    }
    const count = this.rx.collect();
    if (count === 0) return busy;
    if (count < 0) this.stop(this.rx.fault!);
    else this.receiveAll(count);
    return true;
  }

  /** Shows the device what was committed and reposted since the last call, if anything. */
  flush(): boolean {
    if (this.stopped) return false;
    const { rx } = this;
    const rxOld = rx.publish();
    if (rxOld < 0) return this.kick();
    if (!this.kick()) this.base.barrier();
    if (rx.wantsNotify(rxOld)) this.device.transport.notify(RECEIVE_QUEUE);
    return true;
  }

  /** The transmit queue's half of `flush`. */
  private kick(): boolean {
    const { tx } = this;
    const old = tx.publish();
    if (old < 0) return false;
    this.sent += (tx.availableIndex - old) & 0xffff;
    this.base.barrier();
    if (tx.wantsNotify(old)) this.device.transport.notify(TRANSMIT_QUEUE);
    return true;
  }

  /** Asks for an interrupt at the next event; false when there is work already. */
  arm(): boolean {
    if (this.stopped) return true;
    this.armed = true;
    this.rx.requestInterrupt();
    if (this.waiting) this.tx.requestInterrupt();
    this.base.barrier();
    return !(this.rx.hasCompletions() || (this.waiting && this.tx.hasCompletions()));
  }

  /** True when the device has read every frame committed; takes back what it has read. */
  hasSentAll(): boolean {
    if (!this.stopped) this.reclaim();
    return this.stopped || this.tx.outstanding === 0;
  }

  private disarm(): void {
    this.armed = false;
    this.rx.suppressInterrupts();
    this.tx.suppressInterrupts();
  }

  private acknowledge(woken: number): void {
    const reasons = this.device.acknowledge(woken);
    if (this.device.fault !== null) this.stop(this.device.fault);
    else if ((reasons & INTERRUPT_CONFIG_BIT) !== 0) this.readLink();
  }

  private readLink(): void {
    if ((this.device.features & NET_FEATURE.status) === 0) return;
    this.linkUp = (this.device.transport.readConfig(6, 16) & 1) !== 0;
  }

  private stop(fault: VirtioFault): void {
    if (this.stopped) return;
    this.stopped = true;
    this.txNext = null;
    this.txFreeCount = 0;
    this.device.stop(fault);
    this.onFault(fault);
  }

  private receiveAll(count: number): void {
    const { rx, rxHeaders, rxViews, rxViewBytes, mergeable, handler, bufferBytes } = this;
    const { heads, lengths } = rx;
    for (let i = 0; i < count; i++) {
      const id = heads[i]!;
      const bytes = lengths[i]! - HEADER_BYTES;
      if (bytes < 0) {
        this.stop({ kind: 'used length', queue: RECEIVE_QUEUE, bytes: lengths[i]! });
        return;
      }
      const header = (id * bufferBytes + HEADER_AT) >> 1;
      if (mergeable && rxHeaders[header + 5] !== 1) {
        const skip = this.receiveMerged(i, count, header);
        if (skip === 0) return;
        i += skip - 1;
        continue;
      }
      // Frames come in few lengths: a view of each buffer is kept for each of the last ones.
      const view = id * VIEWS_PER_BUFFER + (bytes & (VIEWS_PER_BUFFER - 1));
      const frame = rxViewBytes[view] === bytes ? rxViews[view]! : this.viewOf(id, view, bytes);
      const good = (rxHeaders[header]! & HEADER_CHECKSUM_GOOD_MASK) !== 0;
      if (good) this.rxHeader = header;
      handler.receive(frame, good);
    }
    this.received += count;
    rx.repost(count, bufferBytes - HEADER_AT);
  }

  private viewOf(id: number, view: number, bytes: number): Uint8Array {
    const { buffer, byteOffset } = this.rxMemory;
    const at = byteOffset + id * this.bufferBytes + FRAME_AT;
    const frame = new Uint8Array(buffer, at, bytes);
    this.rxViews[view] = frame;
    this.rxViewBytes[view] = bytes;
    return frame;
  }

  /** A frame over several buffers, §5.1.6.4; returns how many of the batch it took, 0 on a lie. */
  private receiveMerged(first: number, count: number, header: number): number {
    const { heads, lengths } = this.rx;
    const buffers = this.rxHeaders[header + 5]!;
    // The device publishes all buffers of a frame together, so they are all in this batch.
    if (buffers === 0 || buffers > count - first) {
      this.stop({ kind: 'malformed', what: 'buffer count of a frame', value: buffers });
      return 0;
    }
    this.merged ??= new Uint8Array(MERGED_BYTES_MAX);
    let bytes = 0;
    for (let i = first; i < first + buffers; i++) {
      const skip = i === first ? HEADER_BYTES : 0;
      const from = heads[i]! * this.bufferBytes + HEADER_AT + skip;
      const part = this.rxMemory.subarray(from, from + lengths[i]! - skip);
      if (bytes + part.length <= MERGED_BYTES_MAX) this.merged.set(part, bytes);
      bytes += part.length;
    }
    if (bytes > MERGED_BYTES_MAX) this.receiveDropped++;
    else {
      const good = (this.rxHeaders[header]! & HEADER_CHECKSUM_GOOD_MASK) !== 0;
      this.rxHeader = header;
      this.handler.receive(this.merged.subarray(0, bytes), good);
    }
    return buffers;
  }

  /** Finds a slot for `reserve`, taking back what the device has sent. */
  private refill(): Uint8Array | null {
    if (this.stopped) return null;
    this.kick();
    this.reclaim();
    if (this.txNext === null) {
      this.waiting = true;
      this.transmitFull++;
    }
    return this.txNext;
  }

  private reclaim(): void {
    const { tx, txFree, txParts } = this;
    const count = tx.collect();
    if (count < 0) {
      this.stop(tx.fault!);
      return;
    }
    let free = this.txFreeCount;
    for (let i = 0; i < count; i++) {
      const slot = tx.heads[i]!;
      txFree[free++] = slot;
      if (txParts[slot] !== null) this.unchain(slot);
    }
    this.txFreeCount = free;
    if (free !== 0 && this.partFreeCount >= PARTS_MAX)
      this.txNext = this.txViews[txFree[free - 1]!]!;
  }

  private chain(slot: number, parts: readonly Uint8Array[]): void {
    assert(parts.length <= PARTS_MAX, 'too many parts');
    let next = -1;
    for (let i = parts.length - 1; i >= 0; i--) {
      const part = parts[i]!;
      if (part.length === 0) continue; // A device may refuse an empty descriptor.
      const id = this.partFree[--this.partFreeCount]!;
      this.tx.describe(id, this.base.physicalAddress(part), part.length, false, next);
      this.partNext[id] = next;
      next = id;
    }
    if (next < 0) return;
    this.partNext[slot] = next;
    this.txParts[slot] = parts;
    this.txDescriptors[4 * slot + 3] = DESCRIPTOR_NEXT_BIT | (next << 16);
  }

  private unchain(slot: number): void {
    for (let id = this.partNext[slot]!; id >= 0; id = this.partNext[id]!) {
      this.partFree[this.partFreeCount++] = id;
    }
    this.partNext[slot] = -1;
    this.txParts[slot] = null;
    this.txDescriptors[4 * slot + 3] = 0;
  }

  private writeHeader(slot: number, checksum: ChecksumRequest): void {
    const header = (slot * this.bufferBytes + HEADER_AT) >> 1;
    const words = this.txHeaders;
    const { segmentBytes } = checksum;
    const segmented = segmentBytes !== 0;
    let kind = 0;
    if (segmented) {
      const isIpv6 = this.txViews[slot]![ETHERTYPE_AT] === ETHERTYPE_IPV6_HIGH;
      kind = isIpv6 ? HEADER_GSO_TCPV6 : HEADER_GSO_TCPV4;
    }
    words[header] = HEADER_NEEDS_CHECKSUM_BIT | kind;
    words[header + 1] = segmented ? checksum.headerBytes : 0;
    words[header + 2] = segmentBytes;
    words[header + 3] = checksum.startAt;
    words[header + 4] = checksum.fieldAt;
    this.txHeaderUsed[slot] = 1;
  }

  private clearHeader(slot: number): void {
    const header = (slot * this.bufferBytes + HEADER_AT) >> 1;
    this.txHeaders.fill(0, header, header + HEADER_BYTES / 2);
    this.txHeaderUsed[slot] = 0;
  }

  private prepareReceive(): void {
    const { rx, bufferBytes } = this;
    const physical = this.base.physicalAddress(this.rxMemory) + HEADER_AT;
    const bytes = bufferBytes - HEADER_AT;
    for (let i = 0; i < rx.size; i++) {
      rx.describe(i, physical + i * bufferBytes, bytes, true, -1);
      rx.post(i, bytes);
    }
  }

  private prepareTransmit(memory: Uint8Array, slots: number): void {
    const { tx, bufferBytes } = this;
    const physical = this.base.physicalAddress(memory) + HEADER_AT;
    for (let i = 0; i < slots; i++) {
      tx.describe(i, physical + i * bufferBytes, HEADER_BYTES, false, -1);
      this.txViews.push(memory.subarray(i * bufferBytes + FRAME_AT, (i + 1) * bufferBytes));
      this.txParts.push(null);
      this.txFree[this.txFreeCount++] = slots - 1 - i;
    }
    for (let id = slots; id < tx.size; id++) this.partFree[this.partFreeCount++] = id;
    this.partNext.fill(-1);
    this.txNext = this.txViews[0]!;
  }
}

interface NetParts extends NetIdentity {
  readonly device: VirtioDevice;
  readonly rx: Virtqueue;
  readonly tx: Virtqueue;
  readonly config: NetConfig;
}

const halves = (memory: Uint8Array): Uint16Array =>
  new Uint16Array(memory.buffer, memory.byteOffset, memory.length >> 1);
