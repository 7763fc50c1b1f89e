/**
 * Frames of a network interface as a live capture, which Wireshark and tcpdump read. Nothing stands
 * between the interface and its owner until a capture begins, and nothing once it has ended. What
 * leaves is captured as the owner hands it over: a device that sums or cuts segments does so
 * afterwards, as on other systems. Read first: packages/device/net.ts. Not here: the format
 * (packages/device/pcap.ts), and who asks for captures (commands.ts).
 */

import { after, hot, type Instant, readU16be, since, Timer, type TimerQueue } from '#core';
import {
  type Clock,
  emitPcapRecord,
  type NetDevice,
  type NetHandler,
  PCAP_HEAD_BYTES,
  PCAP_RECORD_BYTES,
  pcapHead,
} from '#device';
import { captureBatchBytes, captureFlushInterval, snapBytesMax } from './limits.ts';

type Receive = NetHandler['receive'];
type Commit = NetDevice['commit'];
type Taps = { receive: Receive; commit: Commit };
export type FrameTap = (head: Uint8Array, headBytes: number, parts: readonly Uint8Array[]) => void;

const NO_PARTS: readonly Uint8Array[] = [];

/**
 * The place at an interface where its frames can be seen. Make it before the interface's owner
 * attaches itself.
 */
export class TapPoint {
  private readonly device: NetDevice;
  private handler: NetHandler | null = null;
  private taps: readonly FrameTap[] = [];
  /** The methods in whose places ours stand while there are taps. */
  private own: Taps | null = null;

  constructor(device: NetDevice) {
    this.device = device;
    const attach = device.attach;
    device.attach = (handler) => {
      this.leave();
      this.handler = handler;
      attach.call(device, handler);
      if (this.taps.length > 0) this.stand();
    };
  }

  /** Shows `tap` all frames, borrowed for the call; the result ends that. */
  add(tap: FrameTap): () => void {
    this.taps = [...this.taps, tap];
    this.stand();
    return () => {
      this.taps = this.taps.filter((other) => other !== tap);
      if (this.taps.length === 0) this.leave();
    };
  }

  private stand(): void {
    const { device, handler } = this;
    // Before the interface has an owner there is nothing to see; `attach` comes back here.
    if (handler === null || this.own !== null) return;
    const own = { receive: handler.receive, commit: device.commit };
    this.own = own;
    handler.receive = (frame, checksumGood) => {
      for (const tap of this.taps) tap(frame, frame.length, NO_PARTS);
      own.receive.call(handler, frame, checksumGood);
    };
    device.commit = (headBytes, parts, checksum) => {
      // The same memory comes back until it is committed.
      const head = device.reserve();
      if (head !== null) for (const tap of this.taps) tap(head, headBytes, parts);
      own.commit.call(device, headBytes, parts, checksum);
    };
  }

  private leave(): void {
    if (this.own === null || this.handler === null) return;
    this.handler.receive = this.own.receive;
    this.device.commit = this.own.commit;
    this.own = null;
  }
}

export interface CaptureOptions {
  /** Bytes of a frame that are kept, 1..snapBytesMax. */
  readonly snapBytes: number;
  /** Only TCP and UDP from or to this port; null: all. */
  readonly port: number | null;
  /** Not TCP from or to this port; null: all. */
  readonly exceptPort: number | null;
}

/** One capture: batches of whole records to a sink that may refuse them. */
export class Capture {
  readonly counters = { frames: 0, dropped: 0 };
  private readonly options: CaptureOptions;
  private readonly timers: TimerQueue;
  private readonly sink: (bytes: Uint8Array) => boolean;
  private readonly timer = new Timer(() => this.flush());
  /** Wall time in microseconds when `timers.now` was `startedAt`. */
  private readonly startedWall: number;
  private readonly startedAt: Instant;
  /** Begins with the file's header until that was taken: no record is of use without. */
  private readonly batch = new Uint8Array(captureBatchBytes);
  private isBegun = false;
  private batchBytes = 0;
  private batchFrames = 0;
  private readonly remove: () => void;

  /** `sink` borrows its bytes, and returns whether it took them. */
  constructor(
    point: TapPoint,
    options: CaptureOptions,
    { timers, clock }: { readonly timers: TimerQueue; readonly clock: Clock },
    sink: (bytes: Uint8Array) => boolean,
  ) {
    this.options = options;
    this.timers = timers;
    this.sink = sink;
    this.startedWall = clock.wall() * 1_000;
    this.startedAt = timers.now;
    this.batch.set(pcapHead(options.snapBytes));
    this.batchBytes = PCAP_HEAD_BYTES;
    this.flush();
    this.remove = point.add((head, headBytes, parts) => this.frame(head, headBytes, parts));
  }

  /** Ends it. What waits is sent. */
  stop(): void {
    this.remove();
    this.flush();
    this.timers.stop(this.timer);
  }

  private frame(head: Uint8Array, headBytes: number, parts: readonly Uint8Array[]): void {
    const { snapBytes, port, exceptPort } = this.options;
    if (port !== null && !hasPort(head, headBytes, port)) return;
    if (exceptPort !== null && hasPort(head, headBytes, exceptPort)) return;
    let frameBytes = headBytes;
    for (const part of parts) frameBytes += part.length;
    const kept = Math.min(frameBytes, snapBytes);
    this.counters.frames += 1;
    if (this.batchBytes + PCAP_RECORD_BYTES + kept > this.batch.length) this.flush();
    const at = this.batchBytes;
    const micros = this.startedWall + since(this.startedAt, this.timers.now);
    emitPcapRecord(this.batch, at, micros, frameBytes, kept);
    this.batchBytes = at + PCAP_RECORD_BYTES + kept;
    this.batchFrames += 1;
    let to = at + PCAP_RECORD_BYTES;
    to = this.copy(to, head, Math.min(headBytes, this.batchBytes - to));
    for (const part of parts) to = this.copy(to, part, Math.min(part.length, this.batchBytes - to));
    this.flushSoon();
  }

  private flushSoon(): void {
    if (this.timer.at > this.timers.now + captureFlushInterval) {
      this.timers.arm(this.timer, after(this.timers.now, captureFlushInterval));
    }
  }

  private copy(to: number, from: Uint8Array, count: number): number {
    hot.copy(this.batch, to, from, 0, count);
    return to + count;
  }

  private flush(): void {
    if (this.batchBytes === 0) return;
    if (this.sink(this.batch.subarray(0, this.batchBytes))) this.isBegun = true;
    else this.counters.dropped += this.batchFrames;
    this.batchFrames = 0;
    this.batchBytes = this.isBegun ? 0 : PCAP_HEAD_BYTES;
    if (!this.isBegun) this.flushSoon();
  }
}

/**
 * Whether a frame is TCP or UDP from or to `port`. Later fragments, and IPv6 behind extension
 * headers, aren't found.
 */
export function hasPort(b: Uint8Array, count: number, port: number): boolean {
  let transportAt = 0;
  if (count < 38) return false;
  const etherType = readU16be(b, 12);
  if (etherType === 0x0800 && (readU16be(b, 20) & 0x1fff) === 0 && isPorted(b[23]!)) {
    transportAt = 14 + (b[14]! & 0xf) * 4;
  } else if (etherType === 0x86dd && isPorted(b[20]!)) transportAt = 54;
  if (transportAt === 0 || count < transportAt + 4) return false;
  return readU16be(b, transportAt) === port || readU16be(b, transportAt + 2) === port;
}

const isPorted = (protocol: number): boolean => protocol === 6 || protocol === 17;

/** Which frames a request wants, or one sentence that says why not. */
export function captureOptionsOf(request: {
  readonly snapBytes?: unknown;
  readonly port?: unknown;
}): Omit<CaptureOptions, 'exceptPort'> | string {
  const { snapBytes = snapBytesMax, port = null } = request;
  if (!isBetween(snapBytes, 1, snapBytesMax)) return `snapBytes: 1 to ${snapBytesMax}`;
  if (port !== null && !isBetween(port, 1, 65_535)) return 'port: 1 to 65535';
  return { snapBytes, port };
}

const isBetween = (value: unknown, least: number, most: number): value is number =>
  Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
