/** Where decompressed bytes go: to one array, or away in pieces. Read first: inflate-machine.ts. */

import { assert, err, ok, type Result } from '#core';
import type { Inflated, ZlibFault } from '#device';
import { HuffmanTable, type HuffmanTables } from './huffman.ts';
import { InflateMachine } from './inflate-machine.ts';

/** Output that is believed without having seen any of it: beyond, the array grows as it fills. */
const TRUSTED_BYTES = 262_144;
const WINDOW_BYTES = 32_768;
/** Output is handed out in pieces of at most so many bytes. */
const PIECE_BYTES = 65_536;

const makeTables = (): HuffmanTables => ({
  literals: new HuffmanTable(),
  distances: new HuffmanTable(),
});

/** Of all whole streams: none is begun before the last one ended. */
const shared = makeTables();

class Whole extends InflateMachine {
  private readonly sizeBytesMax: number;

  constructor(input: Uint8Array, at: number, sizeBytesMax: number) {
    super(input, at, new Uint8Array(Math.min(sizeBytesMax, TRUSTED_BYTES)), shared);
    this.sizeBytesMax = sizeBytesMax;
  }

  protected override makeRoom(count: number): boolean {
    const needBytes = this.outAt + count;
    if (needBytes > this.sizeBytesMax) return false;
    const grown = new Uint8Array(
      Math.min(this.sizeBytesMax, Math.max(needBytes, this.out.length * 2)),
    );
    grown.set(this.out);
    this.out = grown;
    return true;
  }

  result(): Result<Inflated, ZlibFault> {
    const step = this.run();
    if (step !== 'done') return err(step === 'more' ? 'cut' : step);
    const { out, outAt } = this;
    // A large array isn't kept for a small content.
    const bytes = outAt === out.length ? out : out.slice(0, outAt);
    return ok({ bytes, usedBytes: this.usedAt });
  }
}

/** Zlib's `inflate` (packages/device/zlib.ts) for any engine. */
export function inflate(
  input: Uint8Array,
  at: number,
  sizeBytesMax: number,
): Result<Inflated, ZlibFault> {
  assert(at >= 0 && at <= input.length && sizeBytesMax >= 0);
  const result = new Whole(input, at, sizeBytesMax).result();
  if (!result.ok) return result;
  return ok({ bytes: result.value.bytes, usedBytes: result.value.usedBytes - at });
}

/**
 * A stream that comes in pieces, of any length, and leaves in pieces: for what is too large to be
 * held. Memory: 128 KiB.
 */
export class InflateStream extends InflateMachine {
  private leftBytes: number;
  private readonly give: (piece: Uint8Array) => void;
  private givenAt = 0;
  /** Input of all pushes so far. */
  pushedBytes = 0;

  /** `give` gets each piece, which is fresh; at most `sizeBytesMax` bytes in all. */
  constructor(sizeBytesMax: number, give: (piece: Uint8Array) => void) {
    super(new Uint8Array(0), 0, new Uint8Array(WINDOW_BYTES + PIECE_BYTES), makeTables());
    this.leftBytes = sizeBytesMax;
    this.give = give;
  }

  /**
   * Takes `input`, which must not change before the next push. `more` asks for the next piece; when
   * done, `usedBytes` of all input were the stream's. After a fault every push repeats it.
   */
  push(input: Uint8Array): 'more' | 'done' | ZlibFault {
    this.feed(input);
    this.pushedBytes += input.length;
    const step = this.run();
    if (step === 'damaged' || step === 'too long') return step;
    if (step === 'done' && !this.handOut()) return 'too long';
    return step;
  }

  /** Only when done. */
  get usedBytes(): number {
    return this.pushedBytes - this.unusedBytes;
  }

  protected override makeRoom(count: number): boolean {
    if (this.outAt + count <= this.out.length) return true;
    if (!this.handOut()) return false;
    const move = this.outAt - WINDOW_BYTES;
    this.out.copyWithin(0, move, this.outAt);
    this.moved(move);
    this.givenAt -= move;
    return true;
  }

  private handOut(): boolean {
    const count = this.outAt - this.givenAt;
    if (count > this.leftBytes) return false;
    this.leftBytes -= count;
    this.addToSum();
    if (count > 0) this.give(this.out.slice(this.givenAt, this.outAt));
    this.givenAt = this.outAt;
    return true;
  }
}
