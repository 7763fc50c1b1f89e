/**
 * Puts fragments together again: RFC 791 §3.2 and RFC 815's bookkeeping, with the refusals of RFC
 * 5722 and RFC 8200 §4.5 for IPv4 too: fragments that overlap condemn their whole datagram, those
 * yet to come included. It knows no header: callers give offsets, and the bytes that stand before
 * the payload. Bounds: limits.ts; one more fragment than fits evicts the oldest datagram.
 */

import { after, assert, hot, type Instant, Timer, type TimerQueue } from '#core';
import {
  fragmentOverheadBytes,
  fragmentsPerDatagramMax,
  reassemblyBytesMax,
  reassemblyDatagramsMax,
  reassemblyTimeout,
} from '../limits.ts';

/** A run of payload bytes that arrived: our copy. */
interface Piece {
  readonly at: number;
  readonly bytes: Uint8Array;
}

interface Datagram {
  readonly key: string;
  readonly expiresAt: Instant;
  /** In order of `at`, without overlaps. */
  readonly pieces: Piece[];
  /** What stood before the payload of the fragment at 0; null before that came. */
  head: Uint8Array | null;
  /** Payload bytes here, and in all; -1 before the last fragment came. */
  haveBytes: number;
  totalBytes: number;
  /** What this costs of the budget. */
  chargedBytes: number;
  /** Overlapping or contradictory: everything of it is dropped until it expires. */
  isCondemned: boolean;
}

export interface Fragment {
  /** Same for all fragments of one datagram, for no other. */
  readonly key: string;
  /** Of this payload in the whole one, in bytes. */
  readonly at: number;
  /** More fragments follow. */
  readonly isMore: boolean;
  /** Everything before the payload, link header included, and the payload: both borrowed. */
  readonly head: Uint8Array;
  readonly payload: Uint8Array;
}

/** Told of a datagram whose first fragment came, not the rest: the head and that payload. */
export type ReassemblyExpired = (head: Uint8Array, payload: Uint8Array) => void;

export class Reassembly {
  readonly counters = {
    reassemblyDone: 0,
    reassemblyMalformed: 0,
    reassemblyDuplicates: 0,
    reassemblyOverlaps: 0,
    reassemblyTooMany: 0,
    reassemblyEvicted: 0,
    reassemblyTimeouts: 0,
  };
  private readonly timers: TimerQueue;
  private readonly expired: ReassemblyExpired;
  private readonly payloadBytesMax: number;
  /** In order of arrival, which is that of expiry. */
  private readonly datagrams = new Map<string, Datagram>();
  private chargedBytes = 0;
  private readonly timer = new Timer((now) => this.expire(now));

  /** `payloadBytesMax`: a longer whole payload is refused (the ping of death). */
  constructor(timers: TimerQueue, payloadBytesMax: number, expired: ReassemblyExpired) {
    this.timers = timers;
    this.payloadBytesMax = payloadBytesMax;
    this.expired = expired;
  }

  /**
   * The whole datagram, when `fragment` was what it lacked: a fresh array with the first fragment's
   * head and all payload, whose header the caller mends. Else null.
   */
  take(fragment: Fragment): Uint8Array | null {
    const { at, isMore, payload } = fragment;
    const end = at + payload.length;
    // Only the last may have a length that isn't a multiple of eight (RFC 791 §3.2).
    const isWrong = payload.length === 0 || (isMore && payload.length % 8 !== 0);
    if (isWrong || end > this.payloadBytesMax) {
      this.counters.reassemblyMalformed += 1;
      return null;
    }
    const datagram = this.datagrams.get(fragment.key) ?? this.begin(fragment.key);
    if (datagram.isCondemned) {
      this.counters.reassemblyOverlaps += 1;
      return null;
    }
    if (!this.place(datagram, fragment, end)) return null;
    if (at === 0) {
      datagram.head = fragment.head.slice();
      this.charge(datagram, datagram.head.length);
    }
    if (datagram.haveBytes === datagram.totalBytes) return this.finish(datagram);
    this.evictBeyondBudget();
    return null;
  }

  /** Forgets everything, in silence: our addresses changed. */
  clear(): void {
    for (const datagram of [...this.datagrams.values()]) this.remove(datagram);
  }

  get size(): number {
    return this.datagrams.size;
  }

  get heldBytes(): number {
    return this.chargedBytes;
  }

  checkInvariants(): void {
    assert(this.datagrams.size <= reassemblyDatagramsMax);
    assert(this.chargedBytes <= reassemblyBytesMax);
    let charged = 0;
    let expiresAt = 0;
    for (const datagram of this.datagrams.values()) {
      charged += datagram.chargedBytes;
      assert(datagram.expiresAt >= expiresAt && datagram.expiresAt <= this.expiryFromNow());
      expiresAt = datagram.expiresAt;
      assert(datagram.pieces.length <= fragmentsPerDatagramMax);
      assert(!datagram.isCondemned || datagram.pieces.length === 0);
      let end = 0;
      for (const { at, bytes } of datagram.pieces) {
        assert(at >= end);
        end = at + bytes.length;
      }
      assert(datagram.totalBytes === -1 || end <= datagram.totalBytes);
    }
    assert(charged === this.chargedBytes);
  }

  private begin(key: string): Datagram {
    if (this.datagrams.size >= reassemblyDatagramsMax) this.evictOldest();
    const datagram: Datagram = {
      key,
      expiresAt: this.expiryFromNow(),
      pieces: [],
      head: null,
      haveBytes: 0,
      totalBytes: -1,
      chargedBytes: 0,
      isCondemned: false,
    };
    this.charge(datagram, fragmentOverheadBytes);
    if (this.datagrams.size === 0) this.timers.arm(this.timer, datagram.expiresAt);
    this.datagrams.set(key, datagram);
    return datagram;
  }

  /** Keeps a copy of the payload; false when it adds nothing or can't be. */
  private place(datagram: Datagram, { at, isMore, payload }: Fragment, end: number): boolean {
    const { pieces, totalBytes } = datagram;
    let index = pieces.length;
    while (index > 0 && pieces[index - 1]!.at >= end) index -= 1;
    const before = pieces[index - 1];
    const isLastKnown = totalBytes !== -1;
    const last = pieces[pieces.length - 1];
    const isContradiction = isMore
      ? isLastKnown && end >= totalBytes
      : (isLastKnown && end !== totalBytes) ||
        (last !== undefined && last.at + last.bytes.length > end);
    const isOverlap = before !== undefined && before.at + before.bytes.length > at;
    // A network may deliver a fragment twice (RFC 8200 §4.5 allows to ignore exact duplicates).
    if (isOverlap && isSamePiece(before, at, payload) && isMore === (end !== totalBytes)) {
      this.counters.reassemblyDuplicates += 1;
      return false;
    }
    if (isOverlap || isContradiction) {
      this.condemn(datagram);
      return false;
    }
    if (pieces.length >= fragmentsPerDatagramMax) {
      this.counters.reassemblyTooMany += 1;
      this.condemn(datagram);
      return false;
    }
    pieces.splice(index, 0, { at, bytes: payload.slice() });
    datagram.haveBytes += payload.length;
    if (!isMore) datagram.totalBytes = end;
    this.charge(datagram, payload.length + fragmentOverheadBytes);
    return true;
  }

  private condemn(datagram: Datagram): void {
    this.counters.reassemblyOverlaps += 1;
    datagram.pieces.length = 0;
    datagram.head = null;
    datagram.isCondemned = true;
    this.charge(datagram, fragmentOverheadBytes - datagram.chargedBytes);
  }

  private finish(datagram: Datagram): Uint8Array {
    const { head, totalBytes, pieces } = datagram;
    assert(head !== null);
    const whole = new Uint8Array(head.length + totalBytes);
    hot.copy(whole, 0, head, 0, head.length);
    for (const { at, bytes } of pieces) hot.copy(whole, head.length + at, bytes, 0, bytes.length);
    this.remove(datagram);
    this.counters.reassemblyDone += 1;
    return whole;
  }

  private charge(datagram: Datagram, bytes: number): void {
    datagram.chargedBytes += bytes;
    this.chargedBytes += bytes;
  }

  private evictBeyondBudget(): void {
    while (this.chargedBytes > reassemblyBytesMax) this.evictOldest();
  }

  private evictOldest(): void {
    for (const oldest of this.datagrams.values()) {
      this.counters.reassemblyEvicted += 1;
      this.remove(oldest);
      return;
    }
  }

  private expire(now: Instant): void {
    for (const datagram of [...this.datagrams.values()]) {
      if (datagram.expiresAt > now) break;
      this.remove(datagram);
      if (datagram.isCondemned) continue;
      this.counters.reassemblyTimeouts += 1;
      const first = datagram.pieces[0];
      if (datagram.head !== null && first !== undefined) this.expired(datagram.head, first.bytes);
    }
    for (const next of this.datagrams.values()) {
      this.timers.arm(this.timer, next.expiresAt);
      return;
    }
  }

  private remove(datagram: Datagram): void {
    this.datagrams.delete(datagram.key);
    this.charge(datagram, -datagram.chargedBytes);
    if (this.datagrams.size === 0) this.timers.stop(this.timer);
  }

  private expiryFromNow(): Instant {
    return after(this.timers.now, reassemblyTimeout);
  }
}

const isSamePiece = (piece: Piece, at: number, payload: Uint8Array): boolean =>
  piece.at === at &&
  piece.bytes.length === payload.length &&
  hot.equal(piece.bytes, 0, payload, 0, payload.length);
