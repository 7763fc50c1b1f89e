/**
 * A tap device as a network device: each frame is one read or write of the host's kernel, behind a
 * virtio_net_hdr (virtio 1.2 §5.1.6) that lets the kernel sum and cut what we send and hand over
 * what it has put together. Required reading: base.ts, packages/device/net.ts.
 *
 * A frame leaves as it is committed, from the one piece of memory there is for it: there is no
 * queue but the kernel's. When that is full the frame stays, and `reserve` gives null, until the
 * device has room.
 */

import { assert } from '#core';
import type { ChecksumRequest, NetDevice, NetHandler, NetOffload } from '#device';
import type { LoopDevice } from '../base/loop.ts';
import {
  HEADER_CHECKSUM_GOOD_MASK,
  HEADER_GSO_TCPV4,
  HEADER_GSO_TCPV6,
  HEADER_NEEDS_CHECKSUM_BIT,
  ReceivedRequest,
} from '../base/net-header.ts';
import { LINK, type ProcessBase, WAIT } from './base.ts';
import { FrameViews } from './frame-views.ts';

const HEADER_BYTES = 12;
const HEADER_AT = 4;
/** Aligned, as the stack's word accesses like it. */
const FRAME_AT = HEADER_AT + HEADER_BYTES;
const ETHERNET_HEADER_BYTES = 14;
const PACKET_BYTES_MAX = 65_535;
const FRAME_BYTES_MAX = ETHERNET_HEADER_BYTES + PACKET_BYTES_MAX;
/** Frames of one turn; what else waits gets its turn after the others. */
const FRAMES_PER_TURN = 64;
/** Turns without a wake-up after which the device is looked at all the same. */
const TURNS_ASLEEP_MAX = 8;

const ETHERTYPE_IPV6_HIGH = 0x86;

const DEAF: NetHandler = { receive() {}, transmitReady() {} };

export class TapDevice implements NetDevice, LoopDevice {
  readonly mac: Uint8Array;
  readonly mtuBytes: number;
  readonly offload: NetOffload = {
    transmitChecksum: true,
    segmentBytesMax: PACKET_BYTES_MAX,
    segmentBytesMaxIpv6: PACKET_BYTES_MAX,
  };
  private readonly base: ProcessBase;
  private readonly link: number;
  private readonly wakeBit: number;
  private readonly onGone: () => void;
  private handler: NetHandler = DEAF;
  private isGone = false;

  private readonly rxMemory = new Uint8Array(FRAME_AT + FRAME_BYTES_MAX);
  private readonly rxHeader = new Uint16Array(this.rxMemory.buffer, HEADER_AT, HEADER_BYTES / 2);
  private readonly rxRequest = new ReceivedRequest();
  private readonly rxViews = new FrameViews(this.rxMemory, FRAME_AT);
  /** The last read found nothing: only a wake-up brings more. */
  private isDrained = false;
  private turnsAsleep = 0;
  private received = 0;
  private receiveShort = 0;

  private readonly txMemory: Uint8Array;
  private readonly txFrame: Uint8Array;
  private readonly txHeader: Uint16Array;
  private isTxHeaderUsed = false;
  /** Bytes of header and frame that the device had no room for; 0: none. */
  private heldBytes = 0;
  private heldParts: readonly Uint8Array[] | null = null;
  private waiting = false;
  private sent = 0;
  private sendLost = 0;
  private transmitFull = 0;

  /** On link `link`. `onGone` is called at most once, when the device has been taken away. */
  constructor(base: ProcessBase, link: number, onGone: () => void) {
    const { mac, mtuBytes } = base.links[link]!;
    this.base = base;
    this.link = link;
    this.wakeBit = 1 << link;
    this.onGone = onGone;
    this.mac = mac;
    this.mtuBytes = mtuBytes;
    this.txMemory = new Uint8Array(FRAME_AT + ETHERNET_HEADER_BYTES + mtuBytes);
    this.txFrame = this.txMemory.subarray(FRAME_AT);
    this.txHeader = new Uint16Array(this.txMemory.buffer, HEADER_AT, HEADER_BYTES / 2);
  }

  attach(handler: NetHandler): void {
    assert(this.handler === DEAF, 'attached already');
    this.handler = handler;
  }

  reserve(): Uint8Array | null {
    if (this.heldBytes === 0) return this.txFrame;
    this.transmitFull++;
    this.waiting = true;
    return null;
  }

  commit(headBytes: number, parts: readonly Uint8Array[], checksum: ChecksumRequest | null): void {
    assert(this.heldBytes === 0, 'commit without reserve');
    if (checksum !== null) this.writeHeader(checksum);
    else if (this.isTxHeaderUsed) this.clearHeader();
    this.send(HEADER_BYTES + headBytes, parts.length === 0 ? null : parts);
  }

  receivedRequest(): Readonly<ChecksumRequest> | null {
    return this.rxRequest.read(this.rxHeader, 0);
  }

  counters(): Readonly<Record<string, number>> {
    return {
      received: this.received,
      receiveShort: this.receiveShort,
      sent: this.sent,
      sendLost: this.sendLost,
      transmitFull: this.transmitFull,
      linkUp: this.isGone ? 0 : 1,
    };
  }

  poll(woken: number): boolean {
    const busy = this.heldBytes !== 0 && this.retry();
    if (this.isDrained && (woken & this.wakeBit) === 0) {
      if (++this.turnsAsleep < TURNS_ASLEEP_MAX) return busy;
    }
    this.isDrained = false;
    this.turnsAsleep = 0;
    return this.receiveAll() || busy;
  }

  /** Nothing waits to be shown: each frame left as it was committed. */
  flush(): boolean {
    return false;
  }

  arm(): boolean {
    if (this.isGone) return true;
    if (this.waiting || this.heldBytes !== 0) this.base.linkWaitsFor(this.link, WAIT.bytesOrRoom);
    return this.isDrained;
  }

  hasSentAll(): boolean {
    if (this.heldBytes !== 0) this.retry();
    return this.isGone || this.heldBytes === 0;
  }

  private receiveAll(): boolean {
    if (this.isGone) return false;
    const { base, link, rxMemory, rxViews, handler } = this;
    let count = 0;
    for (; count < FRAMES_PER_TURN; count++) {
      const bytes = base.linkReceive(link, rxMemory, HEADER_AT, HEADER_BYTES + FRAME_BYTES_MAX);
      if (bytes <= 0) {
        this.isDrained = true;
        if (bytes === LINK.gone) this.give();
        break;
      }
      if (bytes < HEADER_BYTES + ETHERNET_HEADER_BYTES) this.receiveShort++;
      else {
        const good = (rxMemory[HEADER_AT]! & HEADER_CHECKSUM_GOOD_MASK) !== 0;
        handler.receive(rxViews.of(bytes - HEADER_BYTES), good);
      }
    }
    this.received += count;
    return count !== 0;
  }

  private send(bytes: number, parts: readonly Uint8Array[] | null): void {
    if (this.isGone) return;
    const sent = this.base.linkSend(this.link, this.txMemory, HEADER_AT, bytes, parts);
    if (sent >= 0) this.sent++;
    else if (sent === LINK.later) {
      this.heldBytes = bytes;
      this.heldParts = parts;
      return;
    } else if (sent === LINK.lost) this.sendLost++;
    else this.give();
    this.heldBytes = 0;
    this.heldParts = null;
  }

  /** Tries to send the held frame again; true when it has left. */
  private retry(): boolean {
    this.send(this.heldBytes, this.heldParts);
    if (this.heldBytes !== 0 || this.isGone) return false;
    this.base.linkWaitsFor(this.link, WAIT.bytes);
    if (this.waiting) {
      this.waiting = false;
      this.handler.transmitReady();
    }
    return true;
  }

  private give(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.heldBytes = 0;
    this.base.linkWaitsFor(this.link, WAIT.nothing);
    this.onGone();
  }

  private writeHeader(checksum: ChecksumRequest): void {
    const words = this.txHeader;
    const { segmentBytes } = checksum;
    if (segmentBytes === 0) words[0] = HEADER_NEEDS_CHECKSUM_BIT;
    else {
      const isIpv6 = this.txFrame[12] === ETHERTYPE_IPV6_HIGH;
      words[0] = HEADER_NEEDS_CHECKSUM_BIT | (isIpv6 ? HEADER_GSO_TCPV6 : HEADER_GSO_TCPV4);
    }
    words[1] = segmentBytes === 0 ? 0 : checksum.headerBytes;
    words[2] = segmentBytes;
    words[3] = checksum.startAt;
    words[4] = checksum.fieldAt;
    this.isTxHeaderUsed = true;
  }

  private clearHeader(): void {
    this.txHeader.fill(0);
    this.isTxHeaderUsed = false;
  }
}
