/**
 * Pkt-lines out of a stream of bytes that comes in any pieces, one at a time and only when asked: a
 * peer is never read ahead of. Holds one piece, or one incomplete pkt-line (PKT_BYTES_MAX). Read
 * first: pkt-line.ts.
 */

import { assert, hot, type WireFault } from '#core';
import { markOfLength, PKT_HEAD_BYTES, type Pkt, readPktLength } from '../wire/pkt-line.ts';

/** Why there is no next pkt-line; final. */
export type PktEnd =
  /** The stream ended between two pkt-lines. */
  | { readonly kind: 'end' }
  /** What came is no pkt-line, or the stream ended within one ('short'). */
  | { readonly kind: 'fault'; readonly fault: WireFault }
  /** The stream itself failed: what it was rejected with. */
  | { readonly kind: 'broken'; readonly reason: unknown };

export type PktRead = Pkt | PktEnd;

export const isPktEnd = (read: PktRead): read is PktEnd =>
  typeof read === 'object' && 'kind' in read;

const NONE = new Uint8Array(0);

/**
 * Pieces of the source are kept without copying, and payloads borrow from them: never change one.
 */
export class PktReader {
  private readonly source: AsyncIterator<Uint8Array>;
  private piece: Uint8Array = NONE;
  private at = 0;
  /**
   * A pkt-line that its pieces don't hold whole, or the head of one while its length isn't known.
   */
  private partial: Uint8Array | null = null;
  private filled = 0;
  private isHeadOnly = false;
  private ended: PktEnd | null = null;
  /** Bytes of the source that were taken. */
  readBytes = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.source = source[Symbol.asyncIterator]();
  }

  /** The next pkt-line, or the end: given again from then on. Payloads stay valid. */
  async next(): Promise<PktRead> {
    for (;;) {
      const read = this.take();
      if (read !== null) return read;
      await this.fill();
    }
  }

  /** As `next`, of what is here already; null: more has to come. */
  take(): PktRead | null {
    for (;;) {
      if (this.partial === null) {
        const read = this.takeWhole();
        if (read !== null) return read;
        if (this.partial === null) return this.ended;
      }
      const read = this.takePartial();
      if (read !== null) return read;
      if (this.at === this.piece.length) return this.ended;
    }
  }

  /**
   * The bytes behind the last pkt-line, as they come; the reader is spent. Rejects as the source.
   */
  async *rest(): AsyncGenerator<Uint8Array, void, void> {
    assert(this.partial === null, 'between two pkt-lines');
    const left = this.piece.subarray(this.at);
    this.piece = NONE;
    this.at = 0;
    try {
      if (left.length > 0) yield left;
      for (;;) {
        const step = await this.source.next();
        if (step.done === true) break;
        this.readBytes += step.value.length;
        yield step.value;
      }
    } finally {
      await this.close();
    }
  }

  /** Nothing more is wanted: the source may end. Never rejects. */
  async close(): Promise<void> {
    this.ended ??= { kind: 'end' };
    try {
      await this.source.return?.();
    } catch {
      // It failed while nobody listened any more.
    }
  }

  checkInvariants(): void {
    assert(this.at <= this.piece.length);
    assert(this.partial === null || this.filled <= this.partial.length);
    assert(!this.isHeadOnly || this.partial?.length === PKT_HEAD_BYTES);
  }

  /** From the piece alone; null when it holds none whole: then its rest became `partial`. */
  private takeWhole(): PktRead | null {
    const { piece, at } = this;
    const have = piece.length - at;
    if (have === 0) return null;
    if (have < PKT_HEAD_BYTES) {
      return this.startPartial(PKT_HEAD_BYTES, true);
    }
    const length = readPktLength(piece, at);
    if (length < 0) return this.fail({ kind: 'field', offset: 0, value: piece[at]! });
    const mark = markOfLength(length);
    if (mark === null && length > have) return this.startPartial(length, false);
    this.at = at + Math.max(length, PKT_HEAD_BYTES);
    return mark ?? piece.subarray(at + PKT_HEAD_BYTES, this.at);
  }

  private startPartial(length: number, isHeadOnly: boolean): null {
    this.partial = new Uint8Array(length);
    this.isHeadOnly = isHeadOnly;
    this.filled = 0;
    return null;
  }

  /** Moves bytes of the piece into `partial`; null when it is still incomplete. */
  private takePartial(): PktRead | null {
    const partial = this.partial!;
    const count = Math.min(partial.length - this.filled, this.piece.length - this.at);
    hot.copy(partial, this.filled, this.piece, this.at, count);
    this.filled += count;
    this.at += count;
    if (this.filled < partial.length) return null;
    if (!this.isHeadOnly) {
      this.drop();
      return partial.subarray(PKT_HEAD_BYTES);
    }
    const length = readPktLength(partial, 0);
    if (length < 0) return this.fail({ kind: 'field', offset: 0, value: partial[0]! });
    const mark = markOfLength(length);
    if (mark !== null || length === PKT_HEAD_BYTES) {
      this.drop();
      return mark ?? NONE;
    }
    this.startPartial(length, false);
    hot.copy(this.partial!, 0, partial, 0, PKT_HEAD_BYTES);
    this.filled = PKT_HEAD_BYTES;
    return null;
  }

  private fail(fault: WireFault): PktEnd {
    this.ended = { kind: 'fault', fault };
    this.piece = NONE;
    this.at = 0;
    this.drop();
    return this.ended;
  }

  private drop(): void {
    this.partial = null;
    this.isHeadOnly = false;
  }

  private async fill(): Promise<void> {
    assert(this.at === this.piece.length, 'the piece was taken');
    try {
      const step = await this.source.next();
      if (step.done !== true) {
        this.piece = step.value;
        this.at = 0;
        this.readBytes += step.value.length;
        return;
      }
      const { partial } = this;
      if (partial === null) this.ended = { kind: 'end' };
      else {
        const needBytes = partial.length;
        this.fail({ kind: 'short', needBytes, haveBytes: this.filled });
      }
    } catch (reason) {
      this.drop();
      this.ended = { kind: 'broken', reason };
    }
  }
}
