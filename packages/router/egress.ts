/**
 * The way out by one interface: a packet that was read and changed is copied into the device's
 * memory, or what is left of it to do is done here when the device doesn't. Not here: which way
 * packets go.
 */

import { hot, readU16be, writeU16be } from '#core';
import type { ChecksumRequest, NetDevice } from '#device';
import { ETHERNET_HEADER_BYTES, ETHERTYPE_IPV6, IPV4_DONT_FRAGMENT_BIT } from '#net/wire';
import { fragmentsOf } from './fragment.ts';
import { cutSegment, fillChecksum } from './segment.ts';

const NO_PARTS: readonly Uint8Array[] = [];
/** What a packet that can't be fragmented is told. */
export type SendResult = 'sent' | 'dropped' | 'too large';

/** Of either family: a hop, where packets wait for it, and a packet that was read. */
export interface EgressHop {
  readonly header: Uint8Array;
  readonly mtuBytes: number;
  readonly epoch: number;
}

export interface EgressLink<H extends EgressHop> {
  readonly device: NetDevice;
  park(
    hop: H,
    packet: {
      readonly head: Uint8Array;
      readonly parts: readonly Uint8Array[];
      readonly checksum: ChecksumRequest | null;
    },
  ): void;
}

export interface EgressPacket {
  readonly frame: Uint8Array;
  /** Where the transport begins, and the packet ends. */
  readonly at: number;
  readonly end: number;
  readonly request: ChecksumRequest | null;
  /** Routers may send it in fragments. */
  readonly mayFragment: boolean;
  /** What is to be changed, into a copy of at least the headers. */
  write(to: Uint8Array): void;
}

export interface EgressCounters {
  fragmented: number;
  segmented: number;
  parked: number;
  dropTransmitFull: number;
}

export class Egress<H extends EgressHop> {
  private readonly forwarding: EgressLink<H>;
  private readonly etherType: number;
  private readonly device: NetDevice;
  private readonly counters: EgressCounters;
  private readonly sums: boolean;
  private readonly segmentBytesMax: number;

  constructor(forwarding: EgressLink<H>, etherType: number, counters: EgressCounters) {
    this.forwarding = forwarding;
    this.etherType = etherType;
    this.device = forwarding.device;
    this.counters = counters;
    this.sums = this.device.offload.transmitChecksum;
    const { segmentBytesMax, segmentBytesMaxIpv6 = 0 } = this.device.offload;
    this.segmentBytesMax = etherType === ETHERTYPE_IPV6 ? segmentBytesMaxIpv6 : segmentBytesMax;
  }

  /** Sends `packet` to `hop`, whose epoch is current or -1. Nothing was sent when too large. */
  send(packet: EgressPacket, hop: H): SendResult {
    const { end, request } = packet;
    const isLarge = end - ETHERNET_HEADER_BYTES > hop.mtuBytes;
    if (isLarge || (request !== null && isSeveral(request, end))) {
      return this.sendLarge(packet, hop);
    }
    if (hop.epoch === -1) return this.park(packet, hop);
    const { device } = this;
    const to = device.reserve();
    if (to === null) {
      this.counters.dropTransmitFull += 1;
      return 'dropped';
    }
    this.build(packet, hop, to, end);
    if (request === null) device.commit(end, NO_PARTS, null);
    else if (this.sums) {
      request.segmentBytes = 0;
      device.commit(end, NO_PARTS, request);
    } else {
      fillChecksum(to, end, request);
      device.commit(end, NO_PARTS, null);
    }
    return 'sent';
  }

  /** Frames that are as they are to leave, but for their link addresses. */
  sendBuilt(frame: Uint8Array, hop: H): SendResult {
    if (hop.epoch === -1) {
      this.counters.parked += 1;
      this.forwarding.park(hop, { head: this.headed(frame, hop), parts: NO_PARTS, checksum: null });
      return 'sent';
    }
    const to = this.device.reserve();
    if (to === null) {
      this.counters.dropTransmitFull += 1;
      return 'dropped';
    }
    hot.copy(to, 0, frame, 0, frame.length);
    hot.copy(to, 0, hop.header, 0, ETHERNET_HEADER_BYTES);
    this.device.commit(frame.length, NO_PARTS, null);
    return 'sent';
  }

  /** A built frame that may be too large for the way. */
  sendInPieces(frame: Uint8Array, at: number, hop: H): SendResult {
    if (frame.length - ETHERNET_HEADER_BYTES <= hop.mtuBytes) return this.sendBuilt(frame, hop);
    if ((readU16be(frame, ETHERNET_HEADER_BYTES + 6) & IPV4_DONT_FRAGMENT_BIT) !== 0) {
      return 'too large';
    }
    this.counters.fragmented += 1;
    let result: SendResult = 'sent';
    for (const piece of fragmentsOf(frame, at, frame.length, hop.mtuBytes)) {
      result = this.sendBuilt(piece, hop);
      if (result !== 'sent') break;
    }
    return result;
  }

  private build(packet: EgressPacket, hop: H, to: Uint8Array, count: number): void {
    hot.copy(to, 0, packet.frame, 0, count);
    hot.copy(to, 0, hop.header, 0, ETHERNET_HEADER_BYTES);
    packet.write(to);
  }

  /** Until the link address is known. */
  private park(packet: EgressPacket, hop: H): SendResult {
    const { request, end } = packet;
    const head = new Uint8Array(end);
    this.build(packet, hop, head, end);
    let checksum: ChecksumRequest | null = null;
    if (request !== null) {
      if (this.sums) checksum = { ...request, segmentBytes: 0 };
      else fillChecksum(head, end, request);
    }
    this.counters.parked += 1;
    this.forwarding.park(hop, { head: this.headed(head, hop), parts: NO_PARTS, checksum });
    return 'sent';
  }

  /** With our own station as source; the destination's is written when it is known. */
  private headed(frame: Uint8Array, hop: H): Uint8Array {
    hot.copy(frame, 0, hop.header, 0, ETHERNET_HEADER_BYTES);
    hot.copy(frame, 6, this.device.mac, 0, 6);
    writeU16be(frame, 12, this.etherType);
    return frame;
  }

  private sendLarge(packet: EgressPacket, hop: H): SendResult {
    const { request } = packet;
    const { mtuBytes } = hop;
    if (request !== null && request.segmentBytes !== 0) {
      const segment = request.headerBytes - ETHERNET_HEADER_BYTES + request.segmentBytes;
      if (segment <= mtuBytes) return this.sendSegments(packet, hop, request);
    }
    if (!packet.mayFragment) return 'too large';
    const whole = packet.frame.slice(0, packet.end);
    packet.write(whole);
    if (request === null) return this.sendInPieces(whole, packet.at, hop);
    if (request.segmentBytes === 0) {
      fillChecksum(whole, whole.length, request);
      return this.sendInPieces(whole, packet.at, hop);
    }
    let result: SendResult = 'sent';
    const payload = whole.subarray(request.headerBytes);
    const head = whole.subarray(0, request.headerBytes);
    for (let i = 0; result === 'sent' && i * request.segmentBytes < payload.length; i++) {
      const piece = new Uint8Array(head.length + request.segmentBytes);
      const bytes = cutSegment(piece, head, payload, request, i);
      result = this.sendInPieces(piece.subarray(0, bytes), packet.at, hop);
    }
    return result;
  }

  /** One TCP segment that is to be cut, and whose pieces fit the way. */
  private sendSegments(packet: EgressPacket, hop: H, request: ChecksumRequest): SendResult {
    const { end, frame } = packet;
    const { headerBytes, segmentBytes } = request;
    const isWhole = end - ETHERNET_HEADER_BYTES <= this.segmentBytesMax;
    if (isWhole) {
      // The device reads it after this call, when the frame is somebody else's again.
      const parts = [frame.slice(headerBytes, end)];
      if (hop.epoch === -1) {
        const head = frame.slice(0, headerBytes);
        packet.write(head);
        this.counters.parked += 1;
        this.forwarding.park(hop, {
          head: this.headed(head, hop),
          parts,
          checksum: { ...request },
        });
        return 'sent';
      }
      const to = this.device.reserve();
      if (to === null) {
        this.counters.dropTransmitFull += 1;
        return 'dropped';
      }
      this.build(packet, hop, to, headerBytes);
      this.device.commit(headerBytes, parts, request);
      return 'sent';
    }
    this.counters.segmented += 1;
    const head = frame.slice(0, headerBytes);
    packet.write(head);
    this.headed(head, hop);
    const payload = frame.subarray(headerBytes, end);
    for (let i = 0; i * segmentBytes < payload.length; i++) {
      if (hop.epoch === -1) {
        const piece = new Uint8Array(headerBytes + segmentBytes);
        const bytes = cutSegment(piece, head, payload, request, i);
        this.sendBuilt(piece.subarray(0, bytes), hop);
        continue;
      }
      const to = this.device.reserve();
      if (to === null) {
        this.counters.dropTransmitFull += 1;
        return 'dropped';
      }
      this.device.commit(cutSegment(to, head, payload, request, i), NO_PARTS, null);
    }
    return 'sent';
  }
}

/**
 * What a host put together fits the way as one, but not what its ends agreed on, or a narrower way
 * after ours: it is cut all the same.
 */
const isSeveral = ({ segmentBytes, headerBytes }: ChecksumRequest, end: number): boolean =>
  segmentBytes !== 0 && end - headerBytes > segmentBytes;
