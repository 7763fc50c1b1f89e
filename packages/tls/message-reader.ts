/**
 * Handshake messages out of records: one may span several, several may share one (RFC 8446 §5.1). A
 * message that is whole in its record is a view of it. Not here: which may come (states.ts).
 */

import { assert, hot } from '#core';
import {
  CERTIFICATE_BYTES_MAX,
  CLIENT_HELLO_BYTES_MAX,
  LONG_MESSAGES_BYTES_MAX,
  MESSAGE_BYTES_MAX,
} from './limits.ts';
import {
  HANDSHAKE_HEADER_BYTES,
  handshakeBodyBytes,
  handshakeType,
  handshakeTypeAt,
} from './wire/handshake.ts';

const NOTHING = new Uint8Array(0);
const HELD_BYTES_MIN = 256;

/** What all readers hold of long messages. */
let longBytes = 0;

function bytesMax(type: number): number {
  switch (type) {
    case handshakeType.client_hello:
      return CLIENT_HELLO_BYTES_MAX;
    case handshakeType.certificate:
      return CERTIFICATE_BYTES_MAX;
    default:
      return MESSAGE_BYTES_MAX;
  }
}

export class MessageReader {
  /** Of the message under way; -1 while there is none. */
  type = -1;
  /** The message when all of it is there, header first; until `next`. */
  message: Uint8Array | null = null;
  /** It says to be longer than its type may be: nothing more of it is taken. */
  isTooLong = false;
  private held = NOTHING;
  private heldBytes = 0;

  /** No room for it, here or with what other connections hold: nothing more of it is taken. */
  isCrowded = false;
  /** What this one holds of `longBytes`. */
  private ownLongBytes = 0;

  /** Part of a message came. */
  get isInside(): boolean {
    return this.heldBytes > 0;
  }

  /** Takes up to the end of one message from [at, end), not empty; returns where it stopped. */
  take(bytes: Uint8Array, at: number, end: number): number {
    assert(this.message === null && at < end);
    if (this.heldBytes === 0) {
      this.type = handshakeTypeAt(bytes, at);
      const wholeBytes = end - at < HANDSHAKE_HEADER_BYTES ? 0 : this.wholeBytes(bytes, at);
      if (this.isTooLong) return end;
      if (wholeBytes > 0 && end - at >= wholeBytes) {
        this.message = bytes.subarray(at, at + wholeBytes);
        return at + wholeBytes;
      }
    }
    let from = at;
    if (this.heldBytes < HANDSHAKE_HEADER_BYTES) {
      from = this.hold(bytes, from, Math.min(end, from + HANDSHAKE_HEADER_BYTES - this.heldBytes));
      if (this.heldBytes < HANDSHAKE_HEADER_BYTES) return from;
    }
    const wholeBytes = this.wholeBytes(this.held, 0);
    if (this.isTooLong) return end;
    if (!this.hasRoomFor(wholeBytes)) return end;
    from = this.hold(bytes, from, Math.min(end, from + wholeBytes - this.heldBytes));
    if (this.heldBytes === wholeBytes) this.message = this.held.subarray(0, wholeBytes);
    return from;
  }

  /** Done with `message`, which stays as it is. */
  next(): void {
    this.message = null;
    this.type = -1;
    this.held = NOTHING;
    this.heldBytes = 0;
    longBytes -= this.ownLongBytes;
    this.ownLongBytes = 0;
  }

  clear(): void {
    this.next();
    this.isTooLong = false;
    this.isCrowded = false;
  }

  checkInvariants(): void {
    assert(this.heldBytes <= this.held.length);
    assert(this.type >= 0 || this.heldBytes === 0);
  }

  private wholeBytes(bytes: Uint8Array, at: number): number {
    const bodyBytes = handshakeBodyBytes(bytes, at);
    this.isTooLong = bodyBytes > bytesMax(handshakeTypeAt(bytes, at));
    return HANDSHAKE_HEADER_BYTES + bodyBytes;
  }

  private hasRoomFor(wholeBytes: number): boolean {
    if (wholeBytes <= MESSAGE_BYTES_MAX || this.ownLongBytes > 0) return true;
    this.isCrowded = longBytes + wholeBytes > LONG_MESSAGES_BYTES_MAX;
    if (this.isCrowded) return false;
    this.ownLongBytes = wholeBytes;
    longBytes += wholeBytes;
    // All at once: growing would take twice as much.
    const whole = new Uint8Array(wholeBytes);
    hot.copy(whole, 0, this.held, 0, this.heldBytes);
    this.held = whole;
    return true;
  }

  private hold(bytes: Uint8Array, at: number, end: number): number {
    const total = this.heldBytes + end - at;
    if (total > this.held.length) {
      const grown = new Uint8Array(Math.max(total, HELD_BYTES_MIN, 2 * this.held.length));
      hot.copy(grown, 0, this.held, 0, this.heldBytes);
      this.held = grown;
    }
    hot.copy(this.held, this.heldBytes, bytes, at, end - at);
    this.heldBytes = total;
    return end;
  }
}
