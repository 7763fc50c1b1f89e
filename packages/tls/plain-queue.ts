/** Written bytes that wait, as they were given: not copied, until a record takes them. */

import { assert, hot } from '#core';

export class PlainQueue {
  bytes = 0;
  private readonly arrays: Uint8Array[] = [];
  /** Bytes of the first array that are taken. */
  private takenBytes = 0;

  /** Keeps `bytes`, which must not change. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.arrays.push(bytes);
    this.bytes += bytes.length;
  }

  /** Moves the next `count` bytes, which must be there, to `to`. */
  take(to: Uint8Array, toAt: number, count: number): void {
    assert(count <= this.bytes);
    const { arrays } = this;
    let at = toAt;
    let wholeArrays = 0;
    let taken = this.takenBytes;
    const end = toAt + count;
    while (at < end) {
      const first = arrays[wholeArrays]!;
      const part = Math.min(end - at, first.length - taken);
      hot.copy(to, at, first, taken, part);
      at += part;
      taken += part;
      if (taken < first.length) break;
      wholeArrays++;
      taken = 0;
    }
    this.takenBytes = taken;
    if (wholeArrays > 0) arrays.splice(0, wholeArrays);
    this.bytes -= count;
  }

  clear(): void {
    this.arrays.length = 0;
    this.takenBytes = 0;
    this.bytes = 0;
  }
}
