/**
 * Reads the presentation language of RFC 8446 §3: integers, vectors with length bytes, lists. The
 * first fault sticks: after it every read gives zero or nothing, so a parser reads straight on and
 * asks once, in `finish`. Nothing is copied: arrays are views of what is parsed.
 */

import { err, hot, ok, type Result, readU16be, readU32be } from '#core';
import type { AlertName, TlsFault } from './alert.ts';

const NOTHING = new Uint8Array(0);

/** How many bytes a vector's length has. */
export type LengthBytes = 1 | 2 | 3;

export class ByteReader {
  readonly bytes: Uint8Array;
  /** Where the next read begins. */
  at = 0;
  private end: number;
  private first: TlsFault | null = null;

  /** Borrows `bytes` for as long as anything that was read is used. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.end = bytes.length;
  }

  get fault(): TlsFault | null {
    return this.first;
  }

  /** Bytes up to the end of the message, or of the list under way. */
  get leftBytes(): number {
    return this.end - this.at;
  }

  u8(): number {
    return this.has(1) ? this.bytes[this.at++]! : 0;
  }

  u16(): number {
    if (!this.has(2)) return 0;
    this.at += 2;
    return readU16be(this.bytes, this.at - 2);
  }

  u24(): number {
    const high = this.u8();
    return high * 0x10000 + this.u16();
  }

  u32(): number {
    if (!this.has(4)) return 0;
    this.at += 4;
    return readU32be(this.bytes, this.at - 4);
  }

  /** A view of the next `count` bytes; an empty one after a fault. */
  take(count: number): Uint8Array {
    if (!this.has(count)) return NOTHING;
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  rest(): Uint8Array {
    return this.take(this.leftBytes);
  }

  /** `opaque x<bytesMin..bytesMax>`. */
  vector(lengthBytes: LengthBytes, bytesMin = 0, bytesMax = Number.POSITIVE_INFINITY): Uint8Array {
    return this.take(this.length(lengthBytes, bytesMin, bytesMax));
  }

  /** As `vector`, one char code a byte. */
  text(lengthBytes: LengthBytes, bytesMin: number): string {
    const count = this.length(lengthBytes, bytesMin, Number.POSITIVE_INFINITY);
    if (!this.has(count)) return '';
    this.at += count;
    return hot.latin1(this.bytes, this.at - count, this.at);
  }

  /** Items up to the end of the list; each must read at least one byte. */
  list<T>(lengthBytes: LengthBytes, bytesMin: number, item: () => T): T[] {
    const items: T[] = [];
    const outer = this.narrow(lengthBytes, bytesMin);
    while (this.at < this.end) items.push(item());
    this.widen(outer);
    return this.first === null ? items : [];
  }

  /** `uint16 x<bytesMin..>`. */
  u16s(lengthBytes: LengthBytes, bytesMin: number): number[] {
    const count = this.length(lengthBytes, bytesMin, Number.POSITIVE_INFINITY);
    const values: number[] = [];
    if (!this.has(count)) return values;
    if (count % 2 !== 0) {
      this.fail(this.at, 'decode_error');
      return values;
    }
    const { bytes } = this;
    const end = this.at + count;
    for (let at = this.at; at < end; at += 2) values.push(readU16be(bytes, at));
    this.at = end;
    return values;
  }

  /** Reads a vector with `read`, which must read all of it. */
  within<T>(lengthBytes: LengthBytes, bytesMin: number, read: () => T): T {
    const outer = this.narrow(lengthBytes, bytesMin);
    const value = read();
    if (this.at < this.end) this.fail(this.at, 'decode_error');
    this.widen(outer);
    return value;
  }

  /** The value whose reading began at `offset` is wrong. */
  fail(offset: number, alert: AlertName): void {
    this.first ??= { kind: 'field', offset, value: this.bytes[offset] ?? 0, alert };
    this.at = this.end;
  }

  /** `value`, or the first fault; bytes that are left are one. */
  finish<T>(value: T): Result<T, TlsFault> {
    if (this.at < this.end) this.fail(this.at, 'decode_error');
    return this.first === null ? ok(value) : err(this.first);
  }

  private length(lengthBytes: LengthBytes, bytesMin: number, bytesMax: number): number {
    const lengthAt = this.at;
    const count = lengthBytes === 1 ? this.u8() : lengthBytes === 2 ? this.u16() : this.u24();
    if (this.first !== null || (count >= bytesMin && count <= bytesMax)) return count;
    this.fail(lengthAt, 'decode_error');
    return 0;
  }

  /** Makes the end that of the vector which begins here; returns the end before. */
  private narrow(lengthBytes: LengthBytes, bytesMin: number): number {
    const count = this.length(lengthBytes, bytesMin, Number.POSITIVE_INFINITY);
    const outer = this.end;
    if (this.has(count)) this.end = this.at + count;
    return outer;
  }

  private widen(outer: number): void {
    this.end = outer;
    if (this.first !== null) this.at = outer;
  }

  private has(count: number): boolean {
    if (this.first !== null) return false;
    if (count <= this.end - this.at) return true;
    const needBytes = this.at + count;
    this.first = { kind: 'short', needBytes, haveBytes: this.end, alert: 'decode_error' };
    this.at = this.end;
    return false;
  }
}
