/** A network device whose other end is the fuzzer: frames are handed over at once, or refused. */

import type { NetDevice, NetHandler, NetOffload } from '#device';

const MTU_BYTES = 1_500;
const SEGMENT_BYTES_MAX = 65_535;

export class FuzzWire implements NetDevice {
  /** As in packet scripts. */
  readonly mac = Uint8Array.of(0x52, 0x54, 0, 0, 0, 1);
  readonly mtuBytes = MTU_BYTES;
  readonly offload: NetOffload;
  /** Frames that there is room for; may be set anew at any time. */
  room = Number.POSITIVE_INFINITY;
  sent = 0;
  private readonly memory = new Uint8Array(14 + MTU_BYTES);
  private readonly hear: (frame: Uint8Array) => void;
  private handler: NetHandler | null = null;

  constructor(hasOffload: boolean, hear: (frame: Uint8Array) => void) {
    this.offload = {
      transmitChecksum: hasOffload,
      segmentBytesMax: hasOffload ? SEGMENT_BYTES_MAX : 0,
    };
    this.hear = hear;
  }

  attach(handler: NetHandler): void {
    this.handler = handler;
  }

  reserve(): Uint8Array | null {
    return this.room > 0 ? this.memory : null;
  }

  commit(headBytes: number, parts: readonly Uint8Array[]): void {
    this.room -= 1;
    this.sent += 1;
    this.hear(Uint8Array.from(Buffer.concat([this.memory.subarray(0, headBytes), ...parts])));
  }

  counters(): Readonly<Record<string, number>> {
    return {};
  }

  /** A frame arrives; it is poisoned after the call, as a device's memory is used again. */
  inject(frame: Uint8Array): void {
    this.handler?.receive(frame, false);
    frame.fill(0xee);
  }

  ready(): void {
    this.room = Number.POSITIVE_INFINITY;
    this.handler?.transmitReady();
  }
}
