/** The streams of a test: what they carry, and what the results say about them. */

import type { Endpoint, Flow } from 'morgana';

/** Bytes that wait in a connection: enough for any window that it may get. */
const QUEUE_BYTES_MAX = 2_097_152;
/** RFC 3550 §6.4.1: jitter moves by a sixteenth. */
const JITTER_SHARE = 1 / 16;
const MICROS = 1_000_000;
const PACE_MILLIS = 1;
/** A sender that was late sends so much at once, no more. */
const BURST_BITS_MILLIS = 50;

export abstract class Stream {
  readonly id: number;
  bytes = 0;
  packets = 0;
  errors = 0;
  jitterSeconds = 0;

  constructor(id: number) {
    this.id = id;
  }

  abstract send(): void;
  /** No more is sent. */
  abstract stop(): void;
  abstract close(): void;
}

export class FlowStream extends Stream {
  private readonly flow: Flow;
  private readonly block: Uint8Array;
  private isSending = false;

  constructor(id: number, flow: Flow, lengthBytes: number) {
    super(id);
    this.flow = flow;
    this.block = new Uint8Array(lengthBytes).fill(0x69);
    flow.lowWaterBytes = QUEUE_BYTES_MAX / 2;
    flow.attach({
      data: (bytes) => {
        this.bytes += bytes.length;
      },
      drained: () => this.fill(),
      end: () => flow.shutdown(),
      closed: () => this.stop(),
    });
  }

  send(): void {
    this.isSending = true;
    this.fill();
  }

  stop(): void {
    if (!this.isSending) return;
    this.isSending = false;
    // What the peer has is what it counts.
    this.bytes -= this.flow.queuedBytes;
    this.flow.shutdown();
  }

  close(): void {
    this.stop();
    this.flow.abort();
  }

  private fill(): void {
    while (this.isSending && this.flow.queuedBytes < QUEUE_BYTES_MAX) {
      this.flow.write(this.block);
      this.bytes += this.block.length;
    }
  }
}

/** Datagrams have a head: seconds and microseconds of their sending, and their number from 1. */
export class DatagramStream extends Stream {
  private readonly block: DataView<ArrayBuffer>;
  private readonly bitsPerSecond: number;
  private readonly now: () => number;
  private readonly out: (bytes: Uint8Array) => boolean;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private paidAt = 0;
  private transit: number | null = null;

  constructor(
    id: number,
    lengthBytes: number,
    bitsPerSecond: number,
    now: () => number,
    out: (bytes: Uint8Array) => boolean,
  ) {
    super(id);
    this.block = new DataView(new ArrayBuffer(lengthBytes));
    this.bitsPerSecond = bitsPerSecond;
    this.now = now;
    this.out = out;
  }

  receive(bytes: Uint8Array): void {
    if (bytes.length < 12) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const number = view.getUint32(8);
    this.bytes += bytes.length;
    if (number > this.packets) {
      this.errors += number - this.packets - 1;
      this.packets = number;
    } else if (this.errors > 0) {
      // Late, not lost.
      this.errors -= 1;
    }
    const transit = this.now() / MICROS - view.getUint32(0) - view.getUint32(4) / MICROS;
    const change = Math.abs(transit - (this.transit ?? transit));
    this.jitterSeconds += (change - this.jitterSeconds) * JITTER_SHARE;
    this.transit = transit;
  }

  send(): void {
    this.paidAt = this.now();
    this.pace();
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  close(): void {
    this.stop();
  }

  /** Sends what is due since `paidAt`, by the rate that the client asked for. */
  private pace(): void {
    const bits = this.block.byteLength * 8;
    const now = this.now();
    this.paidAt = Math.max(this.paidAt, now - BURST_BITS_MILLIS * 1_000);
    while (this.paidAt <= now) {
      this.packets += 1;
      this.block.setUint32(0, Math.floor(now / MICROS));
      this.block.setUint32(4, now % MICROS);
      this.block.setUint32(8, this.packets);
      if (this.out(new Uint8Array(this.block.buffer))) this.bytes += this.block.byteLength;
      this.paidAt += (bits * MICROS) / this.bitsPerSecond;
    }
    this.timer = setTimeout(() => this.pace(), PACE_MILLIS);
  }
}

export const sameEndpoint = (a: Endpoint, b: Endpoint): boolean =>
  a.port === b.port && a.address === b.address;
