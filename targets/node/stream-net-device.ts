/**
 * A stream socket as a network device. What is on it: stream-frames.ts. Required reading:
 * packages/device/net.ts.
 *
 * Frames sent gather in one buffer and leave with one write when the turn ends. What the peer sends
 * is not believed: a length that no frame has ends the link, since what follows can't be found any
 * more. A link that ended stays so: there is no second peer.
 */

import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { assert, hot, writeU32be } from '#core';
import type { ChecksumRequest, NetDevice, NetHandler, NetOffload } from '#device';
import type { NodeLoop } from './loop.ts';
import { LENGTH_BYTES, StreamFrames } from './stream-frames.ts';

const ETHERNET_HEADER_BYTES = 14;
const MTU_BYTES = 1500;
/** What may wait for the end of the turn, and as much again for a peer that doesn't read. */
export const TRANSMIT_BYTES = 262_144;
const FRAME_ROOM_BYTES = LENGTH_BYTES + ETHERNET_HEADER_BYTES + MTU_BYTES;

export type StreamFault =
  | { readonly kind: 'closed' }
  | { readonly kind: 'frame length'; readonly bytes: number };

/** For one sentence: "the link unix:a ...". */
export function formatStreamFault(fault: StreamFault): string {
  if (fault.kind === 'closed') return 'was closed by its peer';
  return `sent a frame of ${fault.bytes} bytes, which no frame has`;
}

const DEAF: NetHandler = { receive() {}, transmitReady() {} };

export class StreamNetDevice implements NetDevice {
  readonly mac: Uint8Array;
  readonly mtuBytes = MTU_BYTES;
  readonly offload: NetOffload = { transmitChecksum: false, segmentBytesMax: 0 };
  private readonly loop: NodeLoop;
  private readonly socket: Socket;
  private readonly onFault: (fault: StreamFault) => void;
  private handler: NetHandler = DEAF;
  private isStopped = false;
  private readonly frames = new StreamFrames(ETHERNET_HEADER_BYTES, (bytes, start, end) => {
    this.deliver(bytes.subarray(start, end));
    return !this.isStopped;
  });
  private readonly frame = new Uint8Array(ETHERNET_HEADER_BYTES + MTU_BYTES);
  /** Bytes [0, gatheredBytes) leave when the turn ends. The socket's once it was given them. */
  private gathered: Uint8Array;
  private readonly transmitBytes: number;
  private gatheredBytes = 0;
  private isRefused = false;
  private readonly tally = { received: 0, sent: 0, transmitFull: 0 };

  /** `onFault` is called at most once, when the link must be given up. */
  constructor(
    loop: NodeLoop,
    socket: Socket,
    mac: Uint8Array,
    onFault: (fault: StreamFault) => void,
    transmitBytes: number = TRANSMIT_BYTES,
  ) {
    assert(mac.length === 6);
    this.transmitBytes = transmitBytes;
    this.gathered = Buffer.allocUnsafeSlow(transmitBytes);
    this.loop = loop;
    this.socket = socket;
    this.mac = mac;
    this.onFault = onFault;
    loop.atTurnEnd(() => this.flush());
    socket.on('data', (chunk: Uint8Array) => {
      const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
      loop.turn(() => this.receive(bytes));
    });
    socket.on('error', () => this.stop({ kind: 'closed' }));
    socket.on('close', () => this.stop({ kind: 'closed' }));
  }

  attach(handler: NetHandler): void {
    assert(this.handler === DEAF, 'attached already');
    this.handler = handler;
  }

  reserve(): Uint8Array | null {
    assert(this.handler !== DEAF, 'reserve before attach');
    if (this.hasRoom()) return this.frame;
    this.flush();
    if (this.hasRoom()) return this.frame;
    this.tally.transmitFull++;
    this.isRefused = true;
    return null;
  }

  commit(headBytes: number, parts: readonly Uint8Array[], checksum: ChecksumRequest | null): void {
    assert(checksum === null, 'a stream sums nothing');
    if (this.isStopped) return;
    if (this.gatheredBytes === 0) this.loop.plan();
    const { gathered, gatheredBytes } = this;
    let at = gatheredBytes + LENGTH_BYTES;
    hot.copy(gathered, at, this.frame, 0, headBytes);
    at += headBytes;
    for (const part of parts) {
      hot.copy(gathered, at, part, 0, part.length);
      at += part.length;
    }
    writeU32be(gathered, gatheredBytes, at - gatheredBytes - LENGTH_BYTES);
    this.gatheredBytes = at;
    this.tally.sent++;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.tally, linkUp: this.isStopped ? 0 : 1 };
  }

  private hasRoom(): boolean {
    return this.gatheredBytes + FRAME_ROOM_BYTES <= this.transmitBytes && !this.isStopped;
  }

  /** Gives the socket what was gathered, unless it has some that the peer didn't take. */
  private flush(): void {
    if (this.gatheredBytes === 0 || this.socket.writableLength > 0) return;
    this.socket.write(this.gathered.subarray(0, this.gatheredBytes), () => this.written());
    this.gatheredBytes = 0;
    // As a rule the kernel took all at once, and the memory is ours again.
    if (this.socket.writableLength === 0) return;
    this.gathered = Buffer.allocUnsafeSlow(this.transmitBytes);
  }

  private written(): void {
    this.flush();
    if (!this.isRefused || !this.hasRoom()) return;
    this.isRefused = false;
    this.loop.turn(() => this.handler.transmitReady());
  }

  private receive(chunk: Uint8Array): void {
    if (this.isStopped) return;
    const wrong = this.frames.push(chunk);
    if (wrong !== null) this.stop({ kind: 'frame length', bytes: wrong });
  }

  private deliver(frame: Uint8Array): void {
    this.tally.received++;
    this.handler.receive(frame, false);
  }

  private stop(fault: StreamFault): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.gatheredBytes = 0;
    this.socket.destroy();
    this.onFault(fault);
  }
}
