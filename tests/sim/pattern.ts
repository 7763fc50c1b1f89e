/**
 * A stream of bytes that is known at every position, so that any amount is checked without keeping
 * it.
 */

import type { Flow } from '#device';
import { SimRandom } from '#targets/sim/index';

/**
 * What arrived isn't what was sent, or was told in the wrong order: the one thing that must never
 * happen.
 */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** A prime, so that no power of two in a buffer or window hides a shift. */
const PERIOD = 65_521;
const PIECE_MAX = 16_384;

/** The period, and as much again of its beginning as a piece may need. */
const period = new Uint8Array(PERIOD + PIECE_MAX);
new SimRandom(1).fill(period.subarray(0, PERIOD));
period.copyWithin(PERIOD, 0, PIECE_MAX);

/** Bytes [position, position + count) of stream `salt`; shared, and never to be changed. */
export const pattern = (salt: number, position: number, count: number): Uint8Array => {
  const from = (salt + position) % PERIOD;
  return period.subarray(from, from + count);
};

/** Writes `total` bytes of stream `salt` to a flow as it drains, then ends it. */
export class PatternSource {
  private readonly flow: Flow;
  private readonly salt: number;
  private readonly total: number;
  private readonly pieceBytes: () => number;
  private written = 0;
  private isEnded = false;

  /** `pieceBytes` chooses the size of each write, 1..16384. */
  constructor(flow: Flow, salt: number, total: number, pieceBytes: () => number) {
    this.flow = flow;
    this.salt = salt;
    this.total = total;
    this.pieceBytes = pieceBytes;
  }

  /** Call once at first, and whenever the flow drained. */
  pump(): void {
    if (this.isEnded) return;
    while (this.written < this.total && this.flow.queuedBytes <= 2 * this.flow.lowWaterBytes) {
      const count = Math.min(this.pieceBytes(), PIECE_MAX, this.total - this.written);
      this.flow.write(pattern(this.salt, this.written, count));
      this.written += count;
    }
    if (this.written < this.total) return;
    this.isEnded = true;
    this.flow.shutdown();
  }
}

/** Checks what arrives of stream `salt`, which has `total` bytes. */
export class PatternSink {
  received = 0;
  private readonly name: string;
  private readonly salt: number;
  private readonly total: number;

  constructor(name: string, salt: number, total: number) {
    this.name = name;
    this.salt = salt;
    this.total = total;
  }

  take(bytes: Uint8Array): void {
    if (this.received + bytes.length > this.total) {
      throw new Violation(`${this.name}: more than ${this.total} bytes arrived`);
    }
    for (let at = 0; at < bytes.length; at += PIECE_MAX) {
      const part = bytes.subarray(at, at + PIECE_MAX);
      const expected = pattern(this.salt, this.received + at, part.length);
      if (Buffer.compare(part, expected) !== 0) {
        throw new Violation(`${this.name}: wrong content near byte ${this.received + at}`);
      }
    }
    this.received += bytes.length;
  }

  /** The peer said that this was all. */
  end(): void {
    if (this.received !== this.total) {
      throw new Violation(`${this.name}: ended after ${this.received} of ${this.total} bytes`);
    }
  }
}
