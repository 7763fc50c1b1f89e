/**
 * Bytes of a connection that can't be used yet: an incomplete head, or what arrived while it was
 * busy.
 */

import { hot } from '#core';

/** What all connections hold together, and may. */
export interface HeldTotal {
  bytes: number;
  readonly bytesMax: number;
}

const NONE = new Uint8Array(0);
const CR = 13;
const LF = 10;
const STEP_BYTES = 1_024;

export class HeldBytes {
  /** The memory; the first `length` bytes are held. */
  bytes: Uint8Array = NONE;
  length = 0;
  private readonly total: HeldTotal;

  constructor(total: HeldTotal) {
    this.total = total;
  }

  /**
   * Copies bytes [from, end of `bytes`) behind what is held; false, and nothing done, when the
   * total would pass its bound.
   */
  append(bytes: Uint8Array, from: number): boolean {
    const count = bytes.length - from;
    if (this.length + count > this.bytes.length) {
      const size = Math.max(this.bytes.length * 2, this.length + count, STEP_BYTES);
      const grown = size - this.bytes.length;
      if (this.total.bytes + grown > this.total.bytesMax) return false;
      this.total.bytes += grown;
      const larger = new Uint8Array(size);
      hot.copy(larger, 0, this.bytes, 0, this.length);
      this.bytes = larger;
    }
    hot.copy(this.bytes, this.length, bytes, from, count);
    this.length += count;
    return true;
  }

  /** Forgets the first `count` bytes; none left gives the memory back. */
  dropFirst(count: number): void {
    if (count >= this.length) {
      this.clear();
      return;
    }
    hot.copy(this.bytes, 0, this.bytes, count, this.length - count);
    this.length -= count;
  }

  /**
   * False when the bytes from `from` on can't complete a request head that starts at 0, so that a
   * client that sends one byte by byte doesn't have it parsed as often.
   */
  mayEndHead(from: number): boolean {
    const bytes = this.bytes;
    const end = this.length;
    for (let at = Math.max(0, from - 3); ; at++) {
      at = hot.indexOf(bytes, LF, at, end);
      if (at < 0) return false;
      // A line that doesn't end in CRLF is wrong already: the parser says so.
      if (at === 0 || bytes[at - 1] !== CR) return true;
      if (at + 2 < end && bytes[at + 1] === CR && bytes[at + 2] === LF) return true;
    }
  }

  clear(): void {
    this.total.bytes -= this.bytes.length;
    this.bytes = NONE;
    this.length = 0;
  }
}
