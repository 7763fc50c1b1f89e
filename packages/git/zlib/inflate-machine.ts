/**
 * Decompression of zlib streams, RFC 1950 and RFC 1951, tuned for an interpreter: little work a
 * byte, nothing allocated a symbol. It stops and goes on at any byte of input, and tells how many
 * bytes the stream had. Where the output goes, and how much it may be, is inflate.ts's. Read first:
 * huffman.ts.
 */

import { readU16be, readU16le, readU32be } from '#core';
import { adler32 } from './adler.ts';
import {
  buildTable,
  DISTANCE_ROOT_BITS,
  END,
  fixedTables,
  HuffmanTable,
  type HuffmanTables,
  INVALID,
  LINK,
  LITERAL_ROOT_BITS,
} from './huffman.ts';

/** A symbol and its distance read at most so many bytes: further away the end can't be met. */
const SYMBOL_BYTES_MAX = 8;
/** A match of so many bytes is copied natively, a shorter one byte by byte. */
const NATIVE_COPY_BYTES_MIN = 24;
/** RFC 1951 §3.2.7. */
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LITERAL_CODES_MAX = 286;
const DISTANCE_CODES_MAX = 30;

/** `more`: the input ended before the stream. `done`: the stream ended, and its sum was right. */
export type InflateStep = 'more' | 'done' | 'damaged' | 'too long';
type State = 'head' | 'block' | 'stored' | 'codes' | 'sum' | 'done' | 'damaged' | 'too long';

// Scratch of block heads, each of which is read in one go.
const lengths = new Uint8Array(320);
const lengthTable = new HuffmanTable();

export abstract class InflateMachine {
  /** What was written so far, the last 32 KiB at least, then room. */
  protected out: Uint8Array;
  protected outAt = 0;
  /** Adler-32 of the output before `summedAt`. */
  private sum = 1;
  private summedAt = 0;
  private input: Uint8Array;
  /** The byte that is read next, and how many of its bits were. */
  private at: number;
  private bit = 0;
  private state: State = 'head';
  private isLast = false;
  private storedLeft = 0;
  private literals: HuffmanTable | null = null;
  private distances: HuffmanTable | null = null;
  /** The tables of a block that brings its own codes. */
  private readonly own: HuffmanTables;

  constructor(input: Uint8Array, at: number, out: Uint8Array, own: HuffmanTables) {
    this.own = own;
    this.input = input;
    this.at = at;
    this.out = out;
  }

  /**
   * Makes room for `count` (1..258) bytes behind `outAt`, and may move what is before it (`moved`).
   * False when so many aren't allowed.
   */
  protected abstract makeRoom(count: number): boolean;

  /** Bytes of the input, from its start, that are used; once done, all of the stream's. */
  protected get usedAt(): number {
    return this.at;
  }

  protected get unusedBytes(): number {
    return this.input.length - this.at;
  }

  /** Goes on with `input` behind what isn't used of the last one. */
  protected feed(input: Uint8Array): void {
    const left = this.input.subarray(this.at);
    this.at = 0;
    if (left.length === 0) {
      this.input = input;
      return;
    }
    this.input = new Uint8Array(left.length + input.length);
    this.input.set(left);
    this.input.set(input, left.length);
  }

  /** Takes all output so far into the sum. */
  protected addToSum(): void {
    this.sum = adler32(this.sum, this.out, this.summedAt, this.outAt);
    this.summedAt = this.outAt;
  }

  /** The output moved so many bytes towards its start; all of it is in the sum. */
  protected moved(count: number): void {
    this.outAt -= count;
    this.summedAt -= count;
  }

  /** As far as the input goes. */
  protected run(): InflateStep {
    for (;;) {
      const { state } = this;
      if (state === 'done' || state === 'damaged' || state === 'too long') return state;
      const next = this.runState(state);
      if (next === 'more') return 'more';
      this.state = next;
    }
  }

  private runState(state: Exclude<State, 'done' | 'damaged' | 'too long'>): State | 'more' {
    switch (state) {
      case 'head':
        return this.readHead();
      case 'block':
        return this.readBlock();
      case 'stored':
        return this.copyStored();
      case 'codes':
        return this.readCodes();
      case 'sum':
        return this.readSum();
    }
  }

  /** RFC 1950 §2.2: deflate, no preset dictionary. */
  private readHead(): State | 'more' {
    const { input, at } = this;
    if (at + 2 > input.length) return 'more';
    const method = input[at]!;
    if ((method & 15) !== 8 || method >> 4 > 7) return 'damaged';
    if (readU16be(input, at) % 31 !== 0 || (input[at + 1]! & 32) !== 0) return 'damaged';
    this.at += 2;
    return 'block';
  }

  private readBlock(): State | 'more' {
    if (this.isLast) {
      if (this.bit > 0) this.at += 1;
      this.bit = 0;
      return 'sum';
    }
    const head = this.peek(0);
    if (!this.has(3)) return 'more';
    const kind = (head >> 1) & 3;
    if (kind === 3) return 'damaged';
    const next =
      kind === 0 ? this.readStored() : kind === 1 ? this.readFixed() : this.readDynamic();
    if (next !== 'more') this.isLast = (head & 1) === 1;
    return next;
  }

  /** 16 bits or more, from `skip` bits on; zeros past the end. */
  private peek(skip: number): number {
    const from = this.bit + skip;
    const i = this.at + (from >> 3);
    const { input } = this;
    return (input[i]! | (input[i + 1]! << 8) | (input[i + 2]! << 16)) >> (from & 7);
  }

  private has(bits: number): boolean {
    return (this.input.length - this.at) * 8 - this.bit >= bits;
  }

  private advance(bits: number): void {
    const to = this.bit + bits;
    this.at += to >> 3;
    this.bit = to & 7;
  }

  /** RFC 1951 §3.2.4. */
  private readStored(): State | 'more' {
    const { input } = this;
    const at = this.at + ((this.bit + 3 + 7) >> 3);
    if (at + 4 > input.length) return 'more';
    const count = readU16le(input, at);
    if (count + readU16le(input, at + 2) !== 0xffff) return 'damaged';
    if ((count & readU16le(input, at + 2)) !== 0) return 'damaged';
    this.at = at + 4;
    this.bit = 0;
    this.storedLeft = count;
    return 'stored';
  }

  private copyStored(): State | 'more' {
    while (this.storedLeft > 0) {
      const count = Math.min(this.storedLeft, this.input.length - this.at);
      if (count === 0) return 'more';
      if (this.outAt === this.out.length && !this.makeRoom(1)) return 'too long';
      const fits = Math.min(count, this.out.length - this.outAt);
      this.out.set(this.input.subarray(this.at, this.at + fits), this.outAt);
      this.outAt += fits;
      this.at += fits;
      this.storedLeft -= fits;
    }
    return 'block';
  }

  private readFixed(): State {
    const { literals, distances } = fixedTables();
    this.literals = literals;
    this.distances = distances;
    this.advance(3);
    return 'codes';
  }

  /** RFC 1951 §3.2.7: all of the head at once, or nothing of it. */
  private readDynamic(): State | 'more' {
    const counts = this.peek(3);
    const literalCount = (counts & 31) + 257;
    const distanceCount = ((counts >> 5) & 31) + 1;
    const lengthCount = (this.peek(13) & 15) + 4;
    const bits = 17 + lengthCount * 3;
    if (!this.has(bits)) return 'more';
    if (literalCount > LITERAL_CODES_MAX || distanceCount > DISTANCE_CODES_MAX) return 'damaged';
    lengths.fill(0, 0, 19);
    for (let i = 0; i < lengthCount; i++) lengths[LENGTH_ORDER[i]!] = this.peek(17 + i * 3) & 7;
    if (!buildTable(lengthTable, 'code lengths', lengths, 0, 19, 7)) return 'damaged';
    const end = this.readLengths(bits, literalCount + distanceCount);
    if (typeof end === 'string') return end;
    // Without its end a block has none.
    if (lengths[256] === 0) return 'damaged';
    const { literals, distances } = this.own;
    this.literals = literals;
    this.distances = distances;
    if (!buildTable(literals, 'literals', lengths, 0, literalCount, LITERAL_ROOT_BITS)) {
      return 'damaged';
    }
    const known = buildTable(
      distances,
      'distances',
      lengths,
      literalCount,
      distanceCount,
      DISTANCE_ROOT_BITS,
    );
    if (!known) return 'damaged';
    this.advance(end);
    return 'codes';
  }

  /** Fills `lengths` from so many bits on; where they end, in bits. */
  private readLengths(from: number, count: number): number | 'more' | 'damaged' {
    const { entries, rootBits } = lengthTable;
    const mask = (1 << rootBits) - 1;
    let bits = from;
    let i = 0;
    while (i < count) {
      const ahead = this.peek(bits);
      const entry = entries[ahead & mask]!;
      const symbol = entry >> 16;
      const used = entry & 15;
      if (symbol < 16) {
        bits += used;
        lengths[i++] = symbol;
      } else {
        const extraBits = symbol === 16 ? 2 : symbol === 17 ? 3 : 7;
        const extra = (ahead >> used) & ((1 << extraBits) - 1);
        const repeat = extra + (symbol === 18 ? 11 : 3);
        bits += used + extraBits;
        if (!this.has(bits)) return 'more';
        if (i + repeat > count || (symbol === 16 && i === 0)) return 'damaged';
        lengths.fill(symbol === 16 ? lengths[i - 1]! : 0, i, i + repeat);
        i += repeat;
      }
      if (!this.has(bits)) return 'more';
    }
    return bits;
  }

  /**
   * Symbols until the block ends. Near the end of the input it keeps where a symbol began, to begin
   * it again with more.
   */
  // biome-ignore lint/complexity/noExcessiveLinesPerFunction: calls cost what symbols do.
  private readCodes(): State | 'more' {
    const literals = this.literals!.entries;
    const literalBits = this.literals!.rootBits;
    const literalMask = (1 << literalBits) - 1;
    const distances = this.distances!.entries;
    const distanceBits = this.distances!.rootBits;
    const distanceMask = (1 << distanceBits) - 1;
    const { input } = this;
    const end = input.length;
    const safe = end - SYMBOL_BYTES_MAX;
    let { out, outAt, at } = this;
    let outEnd = out.length;
    let held = 0;
    let count = 0;
    if (this.bit > 0 && at < end) {
      held = input[at++]! >> this.bit;
      count = 8 - this.bit;
    }
    let next: State | 'more' = 'more';
    let startAt = at;
    let startCount = count;
    for (;;) {
      if (at >= safe) {
        startAt = at;
        startCount = count;
      }
      if (count < 15) {
        held |= (input[at]! | (input[at + 1]! << 8)) << count;
        at += 2;
        count += 16;
      }
      let entry = literals[held & literalMask]!;
      if ((entry & LINK) !== 0) {
        held >>= literalBits;
        count -= literalBits;
        entry = literals[(entry >> 16) + (held & ((1 << ((entry >> 4) & 15)) - 1))]!;
      }
      held >>= entry & 15;
      count -= entry & 15;
      if (entry < 0) {
        if (at > end && at - (count >> 3) > end) break;
        if (outAt === outEnd) {
          this.outAt = outAt;
          if (!this.makeRoom(1)) return 'too long';
          ({ out, outAt } = this);
          outEnd = out.length;
        }
        // The array keeps the low eight bits: the byte.
        out[outAt++] = entry >> 4;
        continue;
      }
      if ((entry & (END | INVALID)) !== 0) {
        if (at > end && at - (count >> 3) > end) break;
        next = (entry & END) !== 0 ? 'block' : 'damaged';
        startAt = at;
        startCount = count;
        break;
      }
      let extra = (entry >> 4) & 15;
      if (count < 15) {
        held |= (input[at]! | (input[at + 1]! << 8)) << count;
        at += 2;
        count += 16;
      }
      const length = (entry >> 16) + (held & ((1 << extra) - 1));
      held >>= extra;
      count -= extra;
      if (count < 15) {
        held |= (input[at]! | (input[at + 1]! << 8)) << count;
        at += 2;
        count += 16;
      }
      entry = distances[held & distanceMask]!;
      if ((entry & LINK) !== 0) {
        held >>= distanceBits;
        count -= distanceBits;
        entry = distances[(entry >> 16) + (held & ((1 << ((entry >> 4) & 15)) - 1))]!;
      }
      held >>= entry & 15;
      count -= entry & 15;
      extra = (entry >> 4) & 15;
      if (count < extra) {
        held |= (input[at]! | (input[at + 1]! << 8)) << count;
        at += 2;
        count += 16;
      }
      const distance = (entry >> 16) + (held & ((1 << extra) - 1));
      held >>= extra;
      count -= extra;
      if (at > end && at - (count >> 3) > end) break;
      if ((entry & INVALID) !== 0 || distance > outAt) return 'damaged';
      if (outAt + length > outEnd) {
        this.outAt = outAt;
        if (!this.makeRoom(length)) return 'too long';
        ({ out, outAt } = this);
        outEnd = out.length;
      }
      if (length < NATIVE_COPY_BYTES_MIN) {
        const to = outAt + length;
        let from = outAt - distance;
        while (outAt < to) out[outAt++] = out[from++]!;
      } else {
        copyMatch(out, outAt, distance, length);
        outAt += length;
      }
    }
    this.outAt = outAt;
    this.keepPlace(startAt, startCount);
    return next;
  }

  /** Gives back the bits that were read and aren't used. */
  private keepPlace(at: number, count: number): void {
    const bits = at * 8 - count;
    this.at = Math.floor(bits / 8);
    this.bit = bits % 8;
  }

  private readSum(): State | 'more' {
    if (this.at + 4 > this.input.length) return 'more';
    this.addToSum();
    if (readU32be(this.input, this.at) !== this.sum) return 'damaged';
    this.at += 4;
    return 'done';
  }
}

/** A match may reach into what it writes: then what is between repeats, RFC 1951 §3.2.3. */
function copyMatch(out: Uint8Array, outAt: number, distance: number, length: number): void {
  if (distance === 1) {
    out.fill(out[outAt - 1]!, outAt, outAt + length);
    return;
  }
  const from = outAt - distance;
  let copied = 0;
  while (copied < length) {
    // Each copy doubles what the next one may take.
    const count = Math.min(length - copied, distance + copied);
    out.copyWithin(outAt + copied, from, from + count);
    copied += count;
  }
}
