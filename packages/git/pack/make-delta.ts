/**
 * Making deltas: what of a target stands in a base already. A base is indexed by a rolling hash
 * (Rabin's) of each of its 16-byte blocks; the target is rolled over byte by byte, and where a
 * block of the base is met the match is grown to both sides. As Git's diff-delta, from which the
 * limits are. Read first: delta.ts.
 */

import { assert, hot } from '#core';
import { COPY_BYTES_ZERO } from './delta.ts';

export const DELTA_BLOCK_BYTES = 16;
/** Places in the base that are tried for one hash; further ones aren't indexed. */
const CHAIN_MAX = 32;
/** A match that long is taken without looking for a longer one. */
const GOOD_MATCH_BYTES = 4_096;
/** A shorter copy costs more than the bytes themselves. */
const COPY_BYTES_MIN = 5;
const INSERT_BYTES_MAX = 127;
/**
 * How far back from a block that is met a match grows: one that began earlier would have met the
 * block before, but for those that aren't indexed.
 */
const MATCH_BACK_BYTES = 2 * DELTA_BLOCK_BYTES;
/** Git refuses to make longer copies in packs of version 2. */
const COPY_BYTES_MAX = COPY_BYTES_ZERO;
/** Bytes past 32 bits of offset can't be copied from. */
const BASE_BYTES_MAX = 0xffff_ffff;

/** What instructions have room for at first, and what of it is kept for the next delta. */
const WRITER_BYTES = 4_096;
const WRITER_KEPT_BYTES = 1_048_576;

const HASH_BITS = 31;
/** The polynomial without its first term: x^31 + x^3 + 1, which is irreducible. */
const POLYNOMIAL_LOW = 9;
const TOP_SHIFT = HASH_BITS - 8;
const HASH_MASK = 0x7fff_ffff;

/** What 8 bits above the hash are worth in it. */
const FOLD = new Int32Array(256);
/** What the first byte of a block is worth in its hash. */
const DROP = new Int32Array(256);

/** `value` times x^bits, modulo the polynomial. */
function timesPower(value: number, bits: number): number {
  let hash = value;
  for (let i = 0; i < bits; i++) {
    const carry = hash >> (HASH_BITS - 1);
    hash = ((hash << 1) & HASH_MASK) ^ (carry * POLYNOMIAL_LOW);
  }
  return hash;
}

for (let byte = 0; byte < 256; byte++) {
  FOLD[byte] = timesPower(byte, HASH_BITS);
  DROP[byte] = timesPower(byte, 8 * (DELTA_BLOCK_BYTES - 1));
}

function hashBlock(b: Uint8Array, at: number): number {
  let hash = 0;
  for (let i = at; i < at + DELTA_BLOCK_BYTES; i++) {
    hash = (((hash << 8) & HASH_MASK) | b[i]!) ^ FOLD[hash >> TOP_SHIFT]!;
  }
  return hash;
}

/** A base, indexed: for any number of targets. Holds the bytes, which must not change. */
export class DeltaBaseIndex {
  readonly bytes: Uint8Array;
  /** By low bits of a hash: 1 + the number of a block, 0 for none. */
  readonly heads: Int32Array;
  /** By number of a block: as `heads`, the next one with the same low bits. */
  readonly next: Int32Array;
  readonly mask: number;

  /** O(bytes). */
  constructor(bytes: Uint8Array) {
    assert(bytes.length <= BASE_BYTES_MAX);
    this.bytes = bytes;
    const blocks = Math.floor(bytes.length / DELTA_BLOCK_BYTES);
    let size = 16;
    while (size < blocks * 4) size *= 2;
    this.mask = size - 1;
    this.heads = new Int32Array(size);
    this.next = new Int32Array(blocks);
    this.fill(blocks);
  }

  /** What it takes in memory, beside the bytes. */
  get indexBytes(): number {
    return this.heads.byteLength + this.next.byteLength;
  }

  /** From the end, so that of equal blocks the first one is met first. */
  private fill(blocks: number): void {
    const { bytes, heads, next, mask } = this;
    let after = -1;
    for (let block = blocks - 1; block >= 0; block--) {
      const hash = hashBlock(bytes, block * DELTA_BLOCK_BYTES);
      const slot = hash & mask;
      // A run of equal blocks counts as its first one.
      if (hash === after) heads[slot] = next[block + 1]!;
      next[block] = heads[slot]!;
      heads[slot] = block + 1;
      after = hash;
    }
  }
}

/**
 * Instructions, in an array that grows. There is one for all deltas: most are made in vain, and
 * arrays for those would cost more than looking for them.
 */
class DeltaWriter {
  private out = new Uint8Array(WRITER_BYTES);
  private at = 0;
  private bytesMax = 0;
  /** Whether it came to the bound. */
  isFull = false;

  begin(bytesMax: number): void {
    if (this.out.length > WRITER_KEPT_BYTES) this.out = new Uint8Array(WRITER_BYTES);
    this.at = 0;
    this.bytesMax = bytesMax;
    this.isFull = false;
  }

  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest >= 128) {
      this.out[this.at++] = 128 + (rest % 128);
      rest = Math.floor(rest / 128);
    }
    this.out[this.at++] = rest;
  }

  insert(b: Uint8Array, from: number, to: number): void {
    for (let i = from; i < to && !this.isFull; i += INSERT_BYTES_MAX) {
      const count = Math.min(INSERT_BYTES_MAX, to - i);
      this.reserve(count + 1);
      if (this.isFull) return;
      this.out[this.at] = count;
      hot.copy(this.out, this.at + 1, b, i, count);
      this.at += count + 1;
    }
  }

  copy(offset: number, count: number): void {
    let from = offset;
    let left = count;
    while (left > 0 && !this.isFull) {
      const part = Math.min(COPY_BYTES_MAX, left);
      this.reserve(8);
      if (!this.isFull) this.copyPart(from, part);
      from += part;
      left -= part;
    }
  }

  private copyPart(offset: number, count: number): void {
    const codeAt = this.at++;
    let code = 0x80;
    let rest = offset;
    for (let bit = 1; bit <= 8; bit *= 2) {
      const byte = rest % 256;
      rest = (rest - byte) / 256;
      if (byte === 0) continue;
      this.out[this.at++] = byte;
      code += bit;
    }
    if (count !== COPY_BYTES_ZERO) {
      const low = count % 256;
      if (low !== 0) {
        this.out[this.at++] = low;
        code += 16;
      }
      if (count >= 256) {
        this.out[this.at++] = count >> 8;
        code += 32;
      }
    }
    this.out[codeAt] = code;
  }

  private reserve(count: number): void {
    if (this.at > this.bytesMax) this.isFull = true;
    const needBytes = this.at + count;
    if (needBytes <= this.out.length) return;
    const grown = new Uint8Array(Math.max(needBytes, this.out.length * 2));
    grown.set(this.out.subarray(0, this.at));
    this.out = grown;
  }

  /** Bytes that there is still room for. */
  get roomBytes(): number {
    return this.bytesMax - this.at;
  }

  /** Fresh; null when it came to the bound. */
  finish(): Uint8Array | null {
    return this.at > this.bytesMax ? null : this.out.slice(0, this.at);
  }
}

const writer = new DeltaWriter();

/**
 * The delta that makes `target` of the base; null when it would be longer than `bytesMax`. Fresh.
 * O(target + bytes that match in vain), which are bounded by CHAIN_MAX for each byte.
 */
export function makeDelta(
  index: DeltaBaseIndex,
  target: Uint8Array,
  bytesMax: number,
): Uint8Array | null {
  const { bytes: base, heads, next, mask } = index;
  writer.begin(bytesMax);
  writer.varint(base.length);
  writer.varint(target.length);
  const end = target.length;
  const lastBlock = end - DELTA_BLOCK_BYTES;
  let at = 0;
  let insertFrom = 0;
  // What a match may still reach back over isn't lost; the rest is to be inserted.
  let giveUpAt = writer.roomBytes + MATCH_BACK_BYTES;
  let hash = lastBlock >= 0 ? hashBlock(target, 0) : 0;
  while (at <= lastBlock) {
    let from = -1;
    let length = 0;
    let tries = CHAIN_MAX;
    for (let block = heads[hash & mask]!; block !== 0 && tries > 0; block = next[block - 1]!) {
      tries -= 1;
      const start = (block - 1) * DELTA_BLOCK_BYTES;
      const found = matchLength(base, start, target, at);
      if (found > length) {
        length = found;
        from = start;
        if (length >= GOOD_MATCH_BYTES) break;
      }
    }
    if (length < COPY_BYTES_MIN) {
      const first = target[at]!;
      at += 1;
      if (at > lastBlock) break;
      if (at > giveUpAt) return null;
      hash ^= DROP[first]!;
      const last = target[at + DELTA_BLOCK_BYTES - 1]!;
      hash = (((hash << 8) & HASH_MASK) | last) ^ FOLD[hash >> TOP_SHIFT]!;
      continue;
    }
    // What stands before the match may match as well.
    let back = at;
    while (back > insertFrom && from > 0 && base[from - 1] === target[back - 1]) {
      back -= 1;
      from -= 1;
      length += 1;
    }
    writer.insert(target, insertFrom, back);
    writer.copy(from, length);
    if (writer.isFull) return null;
    at = back + length;
    insertFrom = at;
    giveUpAt = at + writer.roomBytes + MATCH_BACK_BYTES;
    if (at <= lastBlock) hash = hashBlock(target, at);
  }
  writer.insert(target, insertFrom, end);
  return writer.finish();
}

function matchLength(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): number {
  const most = Math.min(a.length - aAt, b.length - bAt);
  let count = 0;
  while (count < most && a[aAt + count] === b[bAt + count]) count += 1;
  return count;
}
