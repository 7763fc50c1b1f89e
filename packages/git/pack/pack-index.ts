/**
 * The index of a pack: its objects' ids in order, where each entry begins, and its checksum (Git:
 * gitformat-pack, "pack-*.idx files"). Version 2 is read and written, version 1 read. The bytes
 * stay as they are: opening is O(1) but for one check of the fan-out, looking up O(log objects).
 */

import { assert, err, ok, type Result, readU32be, type WireFault, writeU32be } from '#core';
import { type CryptoPrimitives, HASH_BYTES } from '#device';
import { ID_BYTES, type ObjectHash, type ObjectId, readId, writeId } from '../object-id.ts';

const MAGIC = 0xff74_4f63;
const FAN_BYTES = 1_024;
const HEAD_BYTES = 8;
/** With its high bit an offset is the number of one of 8 bytes. */
const LARGE = 0x8000_0000;
const TWO_32 = 0x1_0000_0000;
/** What the first byte of an id counts in its first 32 bits. */
const FIRST_BYTE = 0x100_0000;
/** Looks at where an id is likely, before a search goes by halves. */
const GUESSES_MAX = 6;

export interface IndexedEntry {
  readonly id: ObjectId;
  /** Where it begins in the pack. */
  readonly offset: number;
  /** Of its bytes in the pack, head included: crc32. */
  readonly crc: number;
}

export class PackIndex {
  readonly hash: ObjectHash;
  readonly version: 1 | 2;
  readonly count: number;
  readonly bytes: Uint8Array;
  private readonly fanAt: number;
  private readonly idsAt: number;
  /** From one id to the next. */
  private readonly idStep: number;
  private readonly largeCount: number;
  private readonly scratch = new Uint8Array(32);

  private constructor(
    hash: ObjectHash,
    version: 1 | 2,
    count: number,
    largeCount: number,
    bytes: Uint8Array,
  ) {
    const idBytes = ID_BYTES[hash];
    this.hash = hash;
    this.version = version;
    this.count = count;
    this.largeCount = largeCount;
    this.bytes = bytes;
    this.fanAt = version === 2 ? HEAD_BYTES : 0;
    this.idsAt = this.fanAt + FAN_BYTES + (version === 2 ? 0 : 4);
    this.idStep = version === 2 ? idBytes : idBytes + 4;
  }

  /**
   * Shares `bytes`. Checks the sizes and the fan-out, so that no look-up leaves the array; not the
   * order of ids (`firstDisorder`), nor the hash at the end (`hashMatches`), which cost O(objects).
   */
  static parse(bytes: Uint8Array, hash: ObjectHash): Result<PackIndex, WireFault> {
    const idBytes = ID_BYTES[hash];
    const isSecond = bytes.length >= HEAD_BYTES && readU32be(bytes, 0) === MAGIC;
    if (isSecond && readU32be(bytes, 4) !== 2) return bad(4, readU32be(bytes, 4));
    const fanAt = isSecond ? HEAD_BYTES : 0;
    const least = fanAt + FAN_BYTES + 2 * idBytes;
    if (bytes.length < least) return short(bytes, least);
    let count = 0;
    for (let i = 0; i < 256; i++) {
      const next = readU32be(bytes, fanAt + 4 * i);
      if (next < count) return bad(fanAt + 4 * i, next);
      count = next;
    }
    const fixed = least + count * (isSecond ? idBytes + 8 : idBytes + 4);
    if (bytes.length < fixed) return short(bytes, fixed);
    const largeBytes = bytes.length - fixed;
    // The first object never needs 8 bytes, and there is nothing else in an index.
    if (largeBytes % 8 !== 0 || (largeBytes > 0 && (!isSecond || largeBytes / 8 >= count))) {
      return bad(fixed, largeBytes);
    }
    return ok(new PackIndex(hash, isSecond ? 2 : 1, count, largeBytes / 8, bytes));
  }

  /** The `index`th id in order. */
  idAt(index: number): ObjectId {
    return readId(this.bytes, this.idOffset(index), ID_BYTES[this.hash]);
  }

  /** Where the `index`th entry begins in the pack; null when the index is malformed there. */
  offsetAt(index: number): number | null {
    assert(index >= 0 && index < this.count);
    if (this.version === 1) return readU32be(this.bytes, this.idsAt + index * this.idStep - 4);
    const at = this.idsAt + this.count * (this.idStep + 4);
    const value = readU32be(this.bytes, at + 4 * index);
    if (value < LARGE) return value;
    const large = value - LARGE;
    if (large >= this.largeCount) return null;
    const largeAt = at + 4 * this.count + 8 * large;
    const offset = readU32be(this.bytes, largeAt) * TWO_32 + readU32be(this.bytes, largeAt + 4);
    return Number.isSafeInteger(offset) ? offset : null;
  }

  /** The checksum of the `index`th entry, signed as crc32 gives it; null in version 1. */
  crcAt(index: number): number | null {
    assert(index >= 0 && index < this.count);
    if (this.version === 1) return null;
    const at = this.idsAt + this.count * this.idStep + 4 * index;
    return ~~readU32be(this.bytes, at);
  }

  /**
   * The number of the object in the order of ids; -1 when it isn't here. Ids are evenly spread, so
   * that the first looks are where one is likely: two or three are enough, however many there are;
   * the rest is a binary search, which no ids make slow.
   */
  find(id: ObjectId): number {
    const raw = this.scratch;
    if (id.length !== 2 * ID_BYTES[this.hash]) return -1;
    writeId(raw, 0, id);
    const first = raw[0]!;
    let low = first === 0 ? 0 : readU32be(this.bytes, this.fanAt + 4 * (first - 1));
    let high = readU32be(this.bytes, this.fanAt + 4 * first);
    const key = readU32be(raw, 0);
    // The first 32 bits of what is before `low`, and of what `high` is.
    let lowKey = first * FIRST_BYTE;
    let highKey = lowKey + FIRST_BYTE;
    for (let looks = 0; low < high; looks++) {
      const part = looks < GUESSES_MAX ? (key - lowKey) / (highKey - lowKey) : 0.5;
      const middle = low + Math.min(high - low - 1, Math.floor((high - low) * part));
      const order = this.compare(middle, raw);
      if (order === 0) return middle;
      const middleKey = readU32be(this.bytes, this.idOffset(middle));
      if (order < 0) {
        low = middle + 1;
        lowKey = middleKey;
      } else {
        high = middle;
        highKey = middleKey;
      }
      // Not in order, or of one beginning: no guess.
      if (highKey <= lowKey || key < lowKey || key > highKey) looks = GUESSES_MAX;
    }
    return -1;
  }

  /** The checksum of the pack that this is the index of. */
  get packChecksum(): Uint8Array {
    const idBytes = ID_BYTES[this.hash];
    return this.bytes.subarray(this.bytes.length - 2 * idBytes, this.bytes.length - idBytes);
  }

  /** The first index whose id isn't after the one before it, or isn't in its fan-out; or -1. */
  firstDisorder(): number {
    for (let i = 0; i < this.count; i++) {
      const at = this.idOffset(i);
      const first = this.bytes[at]!;
      const below = first === 0 ? 0 : readU32be(this.bytes, this.fanAt + 4 * (first - 1));
      if (i < below || i >= readU32be(this.bytes, this.fanAt + 4 * first)) return i;
      const id = this.bytes.subarray(at, at + ID_BYTES[this.hash]);
      if (i > 0 && this.compare(i - 1, id) >= 0) return i;
    }
    return -1;
  }

  /** Whether the hash at the end is that of what is before it. O(bytes). */
  hashMatches(crypto: CryptoPrimitives): boolean {
    const end = this.bytes.length - ID_BYTES[this.hash];
    const digest = crypto.digest(this.hash, this.bytes.subarray(0, end));
    return digest.every((byte, i) => byte === this.bytes[end + i]);
  }

  private idOffset(index: number): number {
    assert(index >= 0 && index < this.count);
    return this.idsAt + index * this.idStep;
  }

  private compare(index: number, raw: Uint8Array): number {
    const at = this.idOffset(index);
    const count = ID_BYTES[this.hash];
    for (let i = 0; i < count; i++) {
      const difference = this.bytes[at + i]! - raw[i]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }
}

const short = (b: Uint8Array, needBytes: number) =>
  err<WireFault>({ kind: 'short', needBytes, haveBytes: b.length });
const bad = (offset: number, value: number) => err<WireFault>({ kind: 'field', offset, value });

/**
 * An index of version 2, as Git writes it. Ids must differ; `packChecksum` is what the pack ends
 * with. O(entries · log entries).
 */
export function emitPackIndex(
  crypto: CryptoPrimitives,
  hash: ObjectHash,
  entries: readonly IndexedEntry[],
  packChecksum: Uint8Array,
): Uint8Array {
  const idBytes = ID_BYTES[hash];
  assert(packChecksum.length === idBytes && HASH_BYTES[hash] === idBytes);
  const sorted = entries.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const count = sorted.length;
  const large = sorted.filter(({ offset }) => offset >= LARGE).length;
  const bytes = new Uint8Array(
    HEAD_BYTES + FAN_BYTES + count * (idBytes + 8) + large * 8 + 2 * idBytes,
  );
  writeU32be(bytes, 0, MAGIC);
  writeU32be(bytes, 4, 2);
  const idsAt = HEAD_BYTES + FAN_BYTES;
  const crcsAt = idsAt + count * idBytes;
  const offsetsAt = crcsAt + 4 * count;
  let largeAt = offsetsAt + 4 * count;
  const firstLargeAt = largeAt;
  sorted.forEach(({ id, offset, crc }, i) => {
    assert(i === 0 || id !== sorted[i - 1]!.id, 'no id twice');
    writeId(bytes, idsAt + i * idBytes, id);
    writeU32be(bytes, crcsAt + 4 * i, crc);
    if (offset < LARGE) {
      writeU32be(bytes, offsetsAt + 4 * i, offset);
      return;
    }
    writeU32be(bytes, offsetsAt + 4 * i, LARGE + (largeAt - firstLargeAt) / 8);
    writeU32be(bytes, largeAt, Math.floor(offset / TWO_32));
    writeU32be(bytes, largeAt + 4, offset % TWO_32);
    largeAt += 8;
  });
  writeFan(bytes, idsAt, idBytes, count);
  bytes.set(packChecksum, largeAt);
  const end = largeAt + idBytes;
  bytes.set(crypto.digest(hash, bytes.subarray(0, end)), end);
  return bytes;
}

/** How many ids begin with each byte or a smaller one. */
function writeFan(bytes: Uint8Array, idsAt: number, idBytes: number, count: number): void {
  let i = 0;
  for (let first = 0; first < 256; first++) {
    while (i < count && bytes[idsAt + i * idBytes]! <= first) i += 1;
    writeU32be(bytes, HEAD_BYTES + 4 * first, i);
  }
}
