/** A network card on a SimulatedDevice, for tests: frames go to and come from `peer`. */

import type { SimulatedBase } from './simulated-base.ts';
import { SimulatedDevice, type SimulatedOptions } from './simulated-device.ts';

const HEADER_BYTES = 12;
const MERGEABLE_BIT = 1 << 15;

export interface SentFrame {
  readonly header: Uint8Array;
  readonly frame: Uint8Array;
}

export const nicConfig = (mac: readonly number[], mtuBytes = 1500): Uint8Array =>
  Uint8Array.from([...mac, 1, 0, 1, 0, mtuBytes & 0xff, mtuBytes >> 8]);

export class SimulatedNic {
  readonly device: SimulatedDevice;
  /** Gets each frame as it leaves. */
  onFrame: (sent: SentFrame) => void = () => {};
  /** While set, nothing that is sent is completed: a device that hangs. */
  stuck = false;
  private readonly waiting: { frame: Uint8Array; header: Uint8Array }[] = [];

  constructor(base: SimulatedBase, options: SimulatedOptions) {
    this.device = new SimulatedDevice(base, options);
    this.device.onNotify = (queue) => {
      if (queue === 1) this.transmit();
      else this.receiveWaiting();
    };
  }

  /** A frame from the wire; waits for a buffer. `header`: its virtio_net_hdr, or its flags. */
  deliver(frame: Uint8Array, header: number | Uint8Array = 0): void {
    const whole = new Uint8Array(HEADER_BYTES);
    if (typeof header === 'number') whole[0] = header;
    else whole.set(header);
    this.waiting.push({ frame: frame.slice(), header: whole });
    this.receiveWaiting();
  }

  transmit(): void {
    while (!this.stuck) {
      const chain = this.device.take(1);
      if (chain === null) return;
      const bytes = concatenate(chain.readable);
      this.device.complete(1, chain.head, 0);
      this.onFrame({
        header: bytes.subarray(0, HEADER_BYTES),
        frame: bytes.subarray(HEADER_BYTES),
      });
    }
  }

  private receiveWaiting(): void {
    if (!this.device.running) return;
    for (let next = this.waiting[0]; next !== undefined; next = this.waiting[0]) {
      if (!this.receiveOne(next.frame, next.header)) return;
      this.waiting.shift();
    }
  }

  /** Fills as many buffers as the frame needs; false, and nothing taken, when there are too few. */
  private receiveOne(frame: Uint8Array, header: Uint8Array): boolean {
    const { device } = this;
    const queue = device.queues[0]!;
    const start = queue.availableIndex;
    const whole = new Uint8Array(HEADER_BYTES + frame.length);
    whole.set(header);
    whole.set(frame, HEADER_BYTES);
    const taken: { head: number; into: Uint8Array; bytes: number }[] = [];
    for (let at = 0; at < whole.length; ) {
      const chain = device.take(0);
      const into = chain?.writable[0];
      if (chain === null || into === undefined) {
        queue.availableIndex = start;
        return false;
      }
      const bytes = Math.min(into.length, whole.length - at);
      into.set(whole.subarray(at, at + bytes));
      taken.push({ head: chain.head, into, bytes });
      at += bytes;
    }
    // num_buffers is 1 or means something only with mergeable buffers.
    const merged = (device.driverFeatures & MERGEABLE_BIT) !== 0;
    taken[0]!.into[10] = merged ? taken.length : 1;
    for (const [i, { head, bytes }] of taken.entries()) device.completeRaw(0, head, bytes, i);
    device.publishUsed(0, taken.length);
    return true;
  }
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
