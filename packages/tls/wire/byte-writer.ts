/**
 * Writes the presentation language of RFC 8446 §3 into an array that grows. Not for data: records
 * are written in place (engine). Values must fit their fields: they are ours.
 */

import { assert, hot, writeU16be, writeU32be } from '#core';
import type { LengthBytes } from './byte-reader.ts';

const START_BYTES = 512;

export class ByteWriter {
  private bytes: Uint8Array;
  private at = 0;

  constructor(capacityBytes = START_BYTES) {
    this.bytes = new Uint8Array(capacityBytes);
  }

  get writtenBytes(): number {
    return this.at;
  }

  /** What is written, in the writer's own array: nothing may be written after it. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }

  u8(value: number): void {
    assert(value >= 0 && value <= 0xff);
    const at = this.room(1);
    this.bytes[at] = value;
  }

  u16(value: number): void {
    assert(value >= 0 && value <= 0xffff);
    const at = this.room(2);
    writeU16be(this.bytes, at, value);
  }

  u24(value: number): void {
    assert(value >= 0 && value <= 0xffffff);
    this.u8(value >> 16);
    this.u16(value & 0xffff);
  }

  u32(value: number): void {
    const at = this.room(4);
    writeU32be(this.bytes, at, value);
  }

  put(bytes: Uint8Array): void {
    const at = this.room(bytes.length);
    hot.copy(this.bytes, at, bytes, 0, bytes.length);
  }

  /** A vector of what `write` writes. */
  within(lengthBytes: LengthBytes, write: () => void): void {
    const lengthAt = this.room(lengthBytes);
    write();
    const count = this.at - lengthAt - lengthBytes;
    assert(count < 2 ** (8 * lengthBytes), 'a vector too long for its length');
    for (let i = 0; i < lengthBytes; i++) {
      this.bytes[lengthAt + i] = count >> (8 * (lengthBytes - 1 - i));
    }
  }

  vector(lengthBytes: LengthBytes, bytes: Uint8Array): void {
    this.within(lengthBytes, () => this.put(bytes));
  }

  /** One byte a char code, 0..255. */
  text(lengthBytes: LengthBytes, text: string): void {
    this.within(lengthBytes, () => {
      const at = this.room(text.length);
      hot.writeLatin1(this.bytes, at, text);
    });
  }

  list<T>(lengthBytes: LengthBytes, items: readonly T[], write: (item: T) => void): void {
    this.within(lengthBytes, () => {
      for (const item of items) write(item);
    });
  }

  u16s(lengthBytes: LengthBytes, values: readonly number[]): void {
    this.list(lengthBytes, values, (value) => this.u16(value));
  }

  /** Offset of `count` bytes that are now part of what is written. */
  private room(count: number): number {
    const at = this.at;
    this.at += count;
    if (this.at <= this.bytes.length) return at;
    const grown = new Uint8Array(Math.max(this.at, 2 * this.bytes.length));
    hot.copy(grown, 0, this.bytes, 0, at);
    this.bytes = grown;
    return at;
  }
}
