/**
 * The chunked transfer coding, RFC 9112 §7.1, as a decoder that can be fed any pieces. Strict: CRLF
 * only, no white space after a size. Extensions and trailers are bounded and dropped (§7.1.1,
 * §7.1.2).
 */

import { assertNever, hot } from '#core';
import { FIELD_VALUE, TOKEN } from './chars.ts';

/** Eight hexadecimal digits: a chunk is below 4 GiB. */
const SIZE_DIGITS_MAX = 8;
/** Bytes of all extensions between two pieces of data. */
export const CHUNK_EXTENSION_BYTES_MAX = 256;
export const TRAILER_BYTES_MAX = 4_096;
const CR = 13;
const LF = 10;

export interface ChunkFault {
  readonly kind: 'field';
  readonly offset: number;
  readonly value: number;
  readonly status: 400 | 431;
}

type State =
  | 'size'
  | 'extension'
  | 'size LF'
  | 'data'
  | 'data CR'
  | 'data LF'
  | 'trailer start'
  | 'trailer name'
  | 'trailer value'
  | 'trailer LF'
  | 'last LF'
  | 'done';

/** Value of a hexadecimal digit, or -1. */
function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  if (byte >= 65 && byte <= 70) return byte - 55;
  return byte >= 97 && byte <= 102 ? byte - 87 : -1;
}

export class ChunkedDecoder {
  /** The piece of data found by the last `take`, as offsets in its `bytes`; empty when equal. */
  dataAt = 0;
  dataEnd = 0;
  fault: ChunkFault | null = null;
  private state: State = 'size';
  private digits = 0;
  private leftBytes = 0;
  private extensionBytes = 0;
  private trailerBytes = 0;

  get isDone(): boolean {
    return this.state === 'done';
  }

  /**
   * Reads on from `at` to the next piece of data, the body's end, a fault, or `end`; returns the
   * offset after what it took. Amortised O(1) a byte.
   */
  take(bytes: Uint8Array, at: number, end: number): number {
    this.dataAt = at;
    this.dataEnd = at;
    let next = at;
    while (next < end && this.state !== 'done' && this.fault === null) {
      if (this.state === 'data') {
        this.dataAt = next;
        this.dataEnd = Math.min(end, next + this.leftBytes);
        this.leftBytes -= this.dataEnd - next;
        if (this.leftBytes === 0) this.state = 'data CR';
        return this.dataEnd;
      }
      next = this.step(this.state, bytes, next, end);
    }
    return next;
  }

  private step(
    state: Exclude<State, 'data' | 'done'>,
    b: Uint8Array,
    at: number,
    end: number,
  ): number {
    switch (state) {
      case 'size':
        return this.size(b, at);
      case 'extension':
        return this.extension(b, at, end);
      case 'size LF':
        return this.expect(b, at, LF, this.leftBytes === 0 ? 'trailer start' : 'data');
      case 'data CR':
        return this.expect(b, at, CR, 'data LF');
      case 'data LF':
        this.digits = 0;
        this.extensionBytes = 0;
        return this.expect(b, at, LF, 'size');
      case 'trailer start':
        this.state = b[at] === CR ? 'last LF' : 'trailer name';
        if (b[at] === CR) return at + 1;
        return TOKEN[b[at]!] === 1 ? at : this.fail(b, at, 400);
      case 'trailer name':
        return this.trailerName(b, at, end);
      case 'trailer value':
        return this.trailerValue(b, at, end);
      case 'trailer LF':
        return this.expect(b, at, LF, 'trailer start');
      case 'last LF':
        return this.expect(b, at, LF, 'done');
      default:
        return assertNever(state);
    }
  }

  private size(bytes: Uint8Array, at: number): number {
    const byte = bytes[at]!;
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.digits > SIZE_DIGITS_MAX) return this.fail(bytes, at, 400);
      this.leftBytes = this.leftBytes * 16 + digit;
      return at + 1;
    }
    if (this.digits === 0) return this.fail(bytes, at, 400);
    // Deviates: RFC 9112 §7.1.1 tells recipients to parse white space before ';'. Nobody sends it
    // but smugglers.
    if (byte === 59) this.state = 'extension';
    else if (byte === CR) this.state = 'size LF';
    else return this.fail(bytes, at, 400);
    return at + 1;
  }

  private extension(bytes: Uint8Array, at: number, end: number): number {
    const to = hot.span(bytes, at, end, FIELD_VALUE);
    this.extensionBytes += to - at;
    if (this.extensionBytes > CHUNK_EXTENSION_BYTES_MAX) return this.fail(bytes, to, 400);
    return to === end ? to : this.expect(bytes, to, CR, 'size LF');
  }

  private trailerName(bytes: Uint8Array, at: number, end: number): number {
    const to = hot.span(bytes, at, end, TOKEN);
    if (!this.countTrailer(to - at)) return this.fail(bytes, to, 431);
    return to === end ? to : this.expect(bytes, to, 58, 'trailer value');
  }

  private trailerValue(bytes: Uint8Array, at: number, end: number): number {
    const to = hot.span(bytes, at, end, FIELD_VALUE);
    if (!this.countTrailer(to - at)) return this.fail(bytes, to, 431);
    return to === end ? to : this.expect(bytes, to, CR, 'trailer LF');
  }

  /** Counts the colon and CRLF of a line as well, so that empty ones can't go on for ever. */
  private countTrailer(bytes: number): boolean {
    this.trailerBytes += bytes + 3;
    return this.trailerBytes <= TRAILER_BYTES_MAX;
  }

  private expect(bytes: Uint8Array, at: number, byte: number, next: State): number {
    if (bytes[at] !== byte) return this.fail(bytes, at, 400);
    this.state = next;
    return at + 1;
  }

  private fail(bytes: Uint8Array, at: number, status: 400 | 431): number {
    this.fault = { kind: 'field', offset: at, value: bytes[at] ?? 0, status };
    return at;
  }
}
