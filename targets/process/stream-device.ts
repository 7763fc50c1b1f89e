/**
 * A UNIX stream socket as a network device. A frame on it is its length, four bytes big-endian,
 * and its bytes, as QEMU's `-netdev stream` has it. Required reading: base.ts,
 * packages/device/net.ts.
 *
 * Many frames come with one read; those sent gather in a buffer and leave with one write at the end
 * of the turn, or before when it is full. What the peer sends is not believed: a length that no
 * frame has ends the link, since what follows can't be found any more.
 */

import { assert, hot, readU32be, writeU32be } from '#core';
import type { ChecksumRequest, NetDevice, NetHandler, NetOffload } from '#device';
import type { LoopDevice } from '../base/loop.ts';
import { LINK, LINK_BYTES_MAX, type ProcessBase, WAIT } from './base.ts';
import { FrameViews } from './frame-views.ts';

const LENGTH_BYTES = 4;
const ETHERNET_HEADER_BYTES = 14;
export interface StreamConfig {
  /** The longest frame that a peer may send; its MTU may be larger than ours. */
  readonly frameBytesMax: number;
  /** What one read takes at most; no less than the longest frame and its length. */
  readonly receiveBytes: number;
  /** What may wait to be written, at most LINK_BYTES_MAX. */
  readonly transmitBytes: number;
}

/** Frames with the largest IP packet. */
export const STREAM_CONFIG: StreamConfig = {
  frameBytesMax: ETHERNET_HEADER_BYTES + 65_535,
  receiveBytes: 131_072,
  transmitBytes: LINK_BYTES_MAX,
};

const TURNS_ASLEEP_MAX = 8;

export type StreamFault =
  | { readonly kind: 'closed' }
  | { readonly kind: 'frame length'; readonly bytes: number };

/** For one sentence: "the link unix:a ...". */
export function formatStreamFault(fault: StreamFault): string {
  if (fault.kind === 'closed') return 'was closed by its peer';
  return `sent a frame of ${fault.bytes} bytes, which no frame has`;
}

const DEAF: NetHandler = { receive() {}, transmitReady() {} };

export class StreamDevice implements NetDevice, LoopDevice {
  readonly mac: Uint8Array;
  readonly mtuBytes: number;
  readonly offload: NetOffload = { transmitChecksum: false, segmentBytesMax: 0 };
  private readonly base: ProcessBase;
  private readonly link: number;
  private readonly wakeBit: number;
  private readonly onFault: (fault: StreamFault) => void;
  private handler: NetHandler = DEAF;
  private isStopped = false;

  /** Bytes [rxFrom, rxEnd) of rxStream were read and not yet handed over. */
  private readonly rxStream: Uint8Array;
  private rxFrom = 0;
  private rxEnd = 0;
  private readonly rxFrame: Uint8Array;
  private readonly rxViews: FrameViews;
  private isDrained = false;
  private turnsAsleep = 0;
  private received = 0;

  /** Bytes [txFrom, txEnd) of txStream wait to be written. */
  private readonly txStream: Uint8Array;
  private txFrom = 0;
  private txEnd = 0;
  private readonly txFrame: Uint8Array;
  private waiting = false;
  private asksForRoom = false;
  private sent = 0;
  private transmitFull = 0;

  /** On link `link`. `onFault` is called at most once, when the link must be given up. */
  constructor(
    base: ProcessBase,
    link: number,
    onFault: (fault: StreamFault) => void,
    config: StreamConfig = STREAM_CONFIG,
  ) {
    const { mac, mtuBytes } = base.links[link]!;
    assert(config.receiveBytes >= LENGTH_BYTES + config.frameBytesMax);
    this.base = base;
    this.link = link;
    this.wakeBit = 1 << link;
    this.onFault = onFault;
    this.mac = mac;
    this.mtuBytes = mtuBytes;
    this.rxStream = new Uint8Array(config.receiveBytes);
    this.rxFrame = new Uint8Array(config.frameBytesMax);
    this.rxViews = new FrameViews(this.rxFrame, 0);
    this.txStream = new Uint8Array(config.transmitBytes);
    this.txFrame = new Uint8Array(ETHERNET_HEADER_BYTES + mtuBytes);
  }

  attach(handler: NetHandler): void {
    assert(this.handler === DEAF, 'attached already');
    this.handler = handler;
  }

  reserve(): Uint8Array | null {
    if (this.hasRoom()) return this.txFrame;
    if (this.write() && this.hasRoom()) return this.txFrame;
    this.transmitFull++;
    this.waiting = true;
    return null;
  }

  commit(headBytes: number, parts: readonly Uint8Array[], checksum: ChecksumRequest | null): void {
    assert(checksum === null, 'a stream sums nothing');
    if (this.isStopped) return;
    const { txStream, txEnd } = this;
    let at = txEnd + LENGTH_BYTES;
    hot.copy(txStream, at, this.txFrame, 0, headBytes);
    at += headBytes;
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i]!;
      hot.copy(txStream, at, part, 0, part.length);
      at += part.length;
    }
    writeU32be(txStream, txEnd, at - txEnd - LENGTH_BYTES);
    this.txEnd = at;
    this.sent++;
  }

  counters(): Readonly<Record<string, number>> {
    return {
      received: this.received,
      sent: this.sent,
      transmitFull: this.transmitFull,
      linkUp: this.isStopped ? 0 : 1,
    };
  }

  poll(woken: number): boolean {
    let busy = false;
    if (this.waiting && this.write() && this.hasRoom()) {
      this.waiting = false;
      busy = true;
      this.handler.transmitReady();
    }
    if (this.isDrained && (woken & this.wakeBit) === 0) {
      if (++this.turnsAsleep < TURNS_ASLEEP_MAX) return busy;
    }
    this.turnsAsleep = 0;
    return this.receive() || busy;
  }

  flush(): boolean {
    if (this.txFrom === this.txEnd) return false;
    return this.write();
  }

  arm(): boolean {
    if (this.isStopped) return true;
    if (this.txFrom !== this.txEnd && !this.asksForRoom) {
      this.asksForRoom = true;
      this.base.linkWaitsFor(this.link, WAIT.bytesOrRoom);
    }
    return this.isDrained;
  }

  hasSentAll(): boolean {
    if (this.txFrom !== this.txEnd) this.write();
    return this.isStopped || this.txFrom === this.txEnd;
  }

  private hasRoom(): boolean {
    const most = this.txEnd + LENGTH_BYTES + ETHERNET_HEADER_BYTES + this.mtuBytes;
    return most <= this.txStream.length && !this.isStopped;
  }

  /** Writes what waits, or some of it; true when any of it went. */
  private write(): boolean {
    const { base, link, txStream, txFrom, txEnd } = this;
    if (this.isStopped || txFrom === txEnd) return false;
    const sent = base.linkSend(link, txStream, txFrom, txEnd - txFrom, null);
    if (sent <= 0) {
      if (sent === LINK.gone) this.stop({ kind: 'closed' });
      return false;
    }
    const left = txEnd - txFrom - sent;
    // To the front: room is at the end only.
    if (left > 0) hot.copy(txStream, 0, txStream, txFrom + sent, left);
    else if (this.asksForRoom) {
      this.asksForRoom = false;
      base.linkWaitsFor(link, WAIT.bytes);
    }
    this.txFrom = 0;
    this.txEnd = left;
    return true;
  }

  /** One read, and all frames that it completes; true when bytes came. */
  private receive(): boolean {
    if (this.isStopped) return false;
    const { rxStream, rxFrom, rxEnd } = this;
    const left = rxEnd - rxFrom;
    if (rxFrom > 0) hot.copy(rxStream, 0, rxStream, rxFrom, left);
    const room = rxStream.length - left;
    const bytes = this.base.linkReceive(this.link, rxStream, left, room);
    this.rxFrom = 0;
    this.rxEnd = left;
    this.isDrained = bytes < room;
    if (bytes === LINK.gone) this.stop({ kind: 'closed' });
    if (bytes <= 0) return false;
    this.rxEnd += bytes;
    this.handOver();
    return true;
  }

  private handOver(): void {
    const { rxStream, rxFrame, rxViews, handler } = this;
    while (this.rxEnd - this.rxFrom >= LENGTH_BYTES) {
      const bytes = readU32be(rxStream, this.rxFrom);
      if (bytes < ETHERNET_HEADER_BYTES || bytes > rxFrame.length) {
        this.stop({ kind: 'frame length', bytes });
        return;
      }
      const at = this.rxFrom + LENGTH_BYTES;
      if (this.rxEnd - at < bytes) return;
      this.rxFrom = at + bytes;
      this.received++;
      hot.copy(rxFrame, 0, rxStream, at, bytes);
      handler.receive(rxViews.of(bytes), false);
    }
  }

  private stop(fault: StreamFault): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.txFrom = 0;
    this.txEnd = 0;
    this.base.linkWaitsFor(this.link, WAIT.nothing);
    this.onFault(fault);
  }
}
