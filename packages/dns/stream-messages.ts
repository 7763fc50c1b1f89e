/** Messages on a stream: two bytes of length before each (RFC 1035 §4.2.2, RFC 7766 §8). */

import { hot, readU16be, writeU16be } from '#core';

/** `message` with its length before it, in one array: some servers read both at once. */
export function framed(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + message.length);
  writeU16be(bytes, 0, message.length);
  hot.copy(bytes, 2, message, 0, message.length);
  return bytes;
}

/** Puts messages together from the pieces that a stream brings. */
export class StreamMessages {
  /** Length and message as far as they came; the length alone says how long it gets. */
  private readonly lengthBytes = new Uint8Array(2);
  private message: Uint8Array | null = null;
  private haveBytes = 0;
  /** The message that `take` completed; the caller's own. */
  whole: Uint8Array | null = null;

  /** Takes what it can of `bytes` from `at` on, up to one message's end; where it stopped. */
  take(bytes: Uint8Array, at: number): number {
    this.whole = null;
    const to = this.message ?? this.lengthBytes;
    const count = Math.min(to.length - this.haveBytes, bytes.length - at);
    hot.copy(to, this.haveBytes, bytes, at, count);
    this.haveBytes += count;
    if (this.haveBytes < to.length) return at + count;
    this.haveBytes = 0;
    if (this.message === null) {
      this.message = new Uint8Array(readU16be(this.lengthBytes, 0));
      if (this.message.length > 0) return at + count;
    }
    this.whole = this.message;
    this.message = null;
    return at + count;
  }
}
