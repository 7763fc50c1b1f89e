/**
 * Reading DER (X.690 §8, §10, §11): definite lengths in as few bytes as possible, and nothing left
 * over. The reader remembers the first fault and then stands at its end: every read gives
 * something empty, every loop over `more` ends, and the caller asks for `fault` once. Not here:
 * what the values mean, writing (der-writer.ts).
 */

import { assert, type WallTime, type WireFault, wallTimeOfMillis } from '#core';
import { DER_DEPTH_MAX, OID_BYTES_MAX } from './limits.ts';
import { isOid, oidText } from './oid.ts';
import { parseTime } from './time.ts';

export const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Context-specific tags: a value of its own, or one that holds others. */
export const contextTag = (number: number): number => 0x80 + number;
export const contextHolder = (number: number): number => 0xa0 + number;

const CONSTRUCTED_BIT = 0x20;
const TAG_NUMBER_MASK = 0x1f;
/** Lengths in more bytes than this are of nothing that we read. */
const LENGTH_BYTES_MAX = 4;
const NONE = new Uint8Array(0);

export class DerReader {
  readonly bytes: Uint8Array;
  /** What was wrong first; all after it is empty. */
  fault: WireFault | null = null;
  private at: number;
  private end: number;

  /** Borrows `bytes`; what it gives are views of them. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.at = 0;
    this.end = bytes.length;
  }

  /** Whether something is left in what is open. */
  get more(): boolean {
    return this.at < this.end;
  }

  isNext(expected: number): boolean {
    return this.at < this.end && this.bytes[this.at] === expected;
  }

  /** Goes into a value; `close` with what this gives goes out of it again. */
  open(expected: number): number {
    const outer = this.end;
    const count = this.header(expected);
    if (this.fault === null) this.end = this.at + count;
    return outer;
  }

  /** All must have been read. */
  close(outer: number): void {
    assert(outer >= this.end);
    if (this.at !== this.end) this.stop(this.at);
    this.end = outer;
    if (this.fault !== null) this.at = outer;
  }

  /** The contents of a value. */
  contents(expected: number): Uint8Array {
    const count = this.header(expected);
    const start = this.at;
    if (this.fault !== null) return NONE;
    this.at += count;
    return this.bytes.subarray(start, this.at);
  }

  /** A value of any type with its header; what it holds is checked for form. */
  element(): Uint8Array {
    const start = this.at;
    this.skip(0);
    return this.fault === null ? this.bytes.subarray(start, this.at) : NONE;
  }

  /** As `element`, when the value isn't asked for. */
  skipElement(): void {
    this.skip(0);
  }

  /** Goes past a value without looking into it. */
  pass(): void {
    const count = this.header(this.more ? this.bytes[this.at]! : -1);
    this.at += count;
  }

  /** The value with its header that `read` reads. */
  spanOf(read: () => void): Uint8Array {
    const start = this.at;
    read();
    return this.fault === null ? this.bytes.subarray(start, this.at) : NONE;
  }

  private skip(depth: number): void {
    if (depth > DER_DEPTH_MAX) {
      this.stop(this.at);
      return;
    }
    const first = this.more ? this.bytes[this.at]! : -1;
    const count = this.header(first);
    if (this.fault !== null) return;
    if ((first & CONSTRUCTED_BIT) === 0) {
      this.at += count;
      return;
    }
    const outer = this.end;
    this.end = this.at + count;
    while (this.more) this.skip(depth + 1);
    this.close(outer);
  }

  boolean(): boolean {
    const start = this.at;
    const contents = this.contents(tag.boolean);
    // X.690 §11.1.
    const isCanonical = contents.length === 1 && (contents[0] === 0 || contents[0] === 0xff);
    if (!isCanonical) this.stop(start);
    return contents[0] === 0xff;
  }

  /** `BOOLEAN DEFAULT FALSE`: the default isn't written (X.690 §11.5). */
  flag(expected: number = tag.boolean): boolean {
    if (!this.isNext(expected)) return false;
    const start = this.at;
    const contents = this.contents(expected);
    if (contents.length !== 1 || contents[0] !== 0xff) this.stop(start);
    return this.fault === null;
  }

  /** The contents of an integer: two's complement, big-endian, as few bytes as possible. */
  integer(expected: number = tag.integer): Uint8Array {
    const start = this.at;
    const contents = this.contents(expected);
    const [first, second] = contents;
    const isLong = (first === 0 && second! < 0x80) || (first === 0xff && second! >= 0x80);
    if (first === undefined || (second !== undefined && isLong)) this.stop(start);
    return contents;
  }

  /** An integer from 0 to `max`, which is at most 2^31. */
  small(max: number, expected: number = tag.integer): number {
    assert(max <= 2 ** 31);
    const start = this.at;
    const contents = this.integer(expected);
    let value = 0;
    if (contents.length > 5 || contents[0]! >= 0x80) value = max + 1;
    else for (const byte of contents) value = value * 256 + byte;
    if (value > max) this.stop(start);
    return this.fault === null ? value : 0;
  }

  /** A bit string of whole bytes. */
  bitString(): Uint8Array {
    const start = this.at;
    const contents = this.contents(tag.bitString);
    if (contents[0] !== 0) this.stop(start);
    return contents.subarray(1);
  }

  /**
   * A list of named bits, up to 16 of them: bit n as 2^n. Deviates: zeros after the last one are
   * let pass (X.690 §11.2.2), as roots that everybody trusts have them.
   */
  namedBits(expected: number = tag.bitString): number {
    const start = this.at;
    const contents = this.contents(expected);
    const unused = contents[0] ?? 8;
    const last = contents.length > 1 ? contents[contents.length - 1]! : 0;
    const hasForm = unused < 8 && (contents.length > 1 || unused === 0) && contents.length <= 3;
    if (!hasForm || last % 2 ** unused !== 0) this.stop(start);
    if (this.fault !== null) return 0;
    let bits = 0;
    for (let i = 0; i < 8 * (contents.length - 1); i++) {
      if ((contents[1 + (i >> 3)]! >> (7 - (i & 7))) & 1) bits += 2 ** i;
    }
    return bits;
  }

  /** In dotted form. */
  oid(expected: number = tag.oid): string {
    const start = this.at;
    const contents = this.contents(expected);
    const text = contents.length > OID_BYTES_MAX ? null : oidText(contents);
    if (text === null) this.stop(start);
    return text ?? '';
  }

  /** An identifier that isn't asked for; only its form is checked. */
  skipOid(): void {
    const start = this.at;
    const count = this.header(tag.oid);
    const contentsAt = this.at;
    this.at += count;
    if (this.fault !== null) return;
    if (count > OID_BYTES_MAX || !isOid(this.bytes, contentsAt, this.at)) this.stop(start);
  }

  /** UTCTime or GeneralizedTime as RFC 5280 §4.1.2.5 has them. */
  time(): WallTime {
    const start = this.at;
    const isLong = this.isNext(tag.generalizedTime);
    const contents = this.contents(isLong ? tag.generalizedTime : tag.utcTime);
    const time = parseTime(contents, isLong);
    if (time === null) this.stop(start);
    return time ?? wallTimeOfMillis(0);
  }

  null(): void {
    const start = this.at;
    if (this.contents(tag.null).length > 0) this.stop(start);
  }

  /** Characters of an IA5String, ASCII. */
  ascii(expected: number): string {
    const start = this.at;
    const contents = this.contents(expected);
    let text = '';
    for (const byte of contents) {
      if (byte > 0x7f) this.stop(start);
      text += String.fromCharCode(byte);
    }
    return this.fault === null ? text : '';
  }

  /** What was read last, from `offset` of the bytes, doesn't mean anything. */
  refuse(): void {
    this.stop(this.at);
  }

  /** All must have been read; the first fault, or null. */
  finish(): WireFault | null {
    if (this.at !== this.end) this.stop(this.at);
    return this.fault;
  }

  /** Reads a header; its value's length, and `at` is where the value begins. */
  private header(expected: number): number {
    const { bytes, at, end } = this;
    if (this.fault !== null) return 0;
    if (at + 2 > end) return this.short(at + 2);
    if (bytes[at] !== expected) return this.field(at);
    // Long tags (X.690 §8.1.2.4) are in nothing that we read.
    if ((expected & TAG_NUMBER_MASK) === TAG_NUMBER_MASK) return this.field(at);
    let length = bytes[at + 1]!;
    let contentsAt = at + 2;
    if (length >= 0x80) {
      const count = length - 0x80;
      // 0x80: an indefinite length.
      if (count === 0 || count > LENGTH_BYTES_MAX) return this.field(at + 1);
      if (contentsAt + count > end) return this.short(contentsAt + count);
      length = 0;
      for (let i = 0; i < count; i++) length = length * 256 + bytes[contentsAt + i]!;
      if (length < 0x80 || bytes[contentsAt] === 0) return this.field(at + 1);
      contentsAt += count;
    }
    if (contentsAt + length > end) return this.short(contentsAt + length);
    this.at = contentsAt;
    return length;
  }

  private short(needBytes: number): number {
    this.fault ??= { kind: 'short', needBytes, haveBytes: this.end };
    this.at = this.end;
    return 0;
  }

  private field(offset: number): number {
    this.stop(offset);
    return 0;
  }

  private stop(offset: number): void {
    this.fault ??= { kind: 'field', offset, value: this.bytes[offset] ?? 0 };
    this.at = this.end;
  }
}
