/**
 * Cuts a stream of bytes into messages that begin with their length: `u32be bytes`, which counts
 * what follows it. Not here: what is in them (control-message.ts).
 */

import { assert, hot, readU32be } from '#core';

export const LENGTH_BYTES = 4;

export class LengthReader {
  private readonly bytesMin: number;
  private readonly bytesMax: number;
  private readonly take: (message: Uint8Array) => void;
  private readonly head = new Uint8Array(LENGTH_BYTES);
  private headBytes = 0;
  /** The message under way, null between two and while its length is. */
  private body: Uint8Array | null = null;
  private bodyBytes = 0;
  private isBroken = false;

  /** `take` borrows its message for the call. Lengths out of bytesMin..bytesMax break the stream. */
  constructor(bytesMin: number, bytesMax: number, take: (message: Uint8Array) => void) {
    this.bytesMin = bytesMin;
    this.bytesMax = bytesMax;
    this.take = take;
  }

  /** What is kept of a message that isn't complete. */
  get keptBytes(): number {
    return this.body?.length ?? 0;
  }

  /** More of the stream, borrowed for the call. False once it is broken: then nothing is read. */
  push(bytes: Uint8Array): boolean {
    let at = 0;
    while (at < bytes.length && !this.isBroken) at = this.step(bytes, at);
    return !this.isBroken;
  }

  checkInvariants(): void {
    assert(this.headBytes <= LENGTH_BYTES);
    assert(this.body === null || this.bodyBytes < this.body.length);
    assert(this.keptBytes <= this.bytesMax);
  }

  private step(bytes: Uint8Array, at: number): number {
    if (this.body !== null) return this.fill(this.body, bytes, at);
    const count = Math.min(LENGTH_BYTES - this.headBytes, bytes.length - at);
    hot.copy(this.head, this.headBytes, bytes, at, count);
    this.headBytes += count;
    const next = at + count;
    if (this.headBytes < LENGTH_BYTES) return next;
    this.headBytes = 0;
    const length = readU32be(this.head, 0);
    if (length < this.bytesMin || length > this.bytesMax) {
      this.isBroken = true;
      return next;
    }
    if (length > bytes.length - next) {
      this.body = new Uint8Array(length);
      this.bodyBytes = 0;
      return next;
    }
    this.take(bytes.subarray(next, next + length));
    return next + length;
  }

  private fill(body: Uint8Array, bytes: Uint8Array, at: number): number {
    const count = Math.min(body.length - this.bodyBytes, bytes.length - at);
    hot.copy(body, this.bodyBytes, bytes, at, count);
    this.bodyBytes += count;
    if (this.bodyBytes === body.length) {
      this.body = null;
      this.take(body);
    }
    return at + count;
  }
}
