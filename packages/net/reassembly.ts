/**
 * Puts fragments together again, for both families: RFC 791 §3.2 and RFC 815's bookkeeping, with
 * the refusals of RFC 5722 and RFC 8200 §4.5 for IPv4 too: fragments that overlap condemn their
 * whole datagram, those yet to come included. It knows no header: callers give offsets, and the
 * bytes that stand before the payload. What doesn't fit into the account of fragments evicts the
 * oldest datagram.
 */

import { after, assert, hot, type Instant, Timer, type TimerQueue } from '#core';
import {
  fragmentOverheadBytes,
  fragmentsPerDatagramMax,
  reassemblyDatagramsMax,
  reassemblyTimeout,
} from './limits.ts';
import type { MemoryAccount } from './memory-budget.ts';

/** A run of payload bytes that arrived: our copy. */
interface Piece {
  readonly at: number;
  readonly bytes: Uint8Array;
}

interface Datagram {
  readonly key: string;
  readonly owner: FragmentOwner;
  readonly expiresAt: Instant;
  /** In order of `at`, without overlaps. */
  readonly pieces: Piece[];
  /** What stood before the payload of the fragment at 0; null before that came. */
  head: Uint8Array | null;
  /** Payload bytes here, and in all; -1 before the last fragment came. */
  haveBytes: number;
  totalBytes: number;
  /** What this takes of the account. */
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

/** IPv4 or IPv6. */
export interface FragmentOwner {
  /** A longer whole payload is refused (the ping of death). */
  readonly payloadBytesMax: number;
  /** The first fragment of a datagram came, not the rest: the head and that payload. */
  reassemblyExpired(head: Uint8Array, payload: Uint8Array): void;
}

export class Reassembly {
  readonly counters = {
    reassemblyDone: 0,
    reassemblyMalformed: 0,
    reassemblyDuplicates: 0,
    reassemblyOverlaps: 0,
    reassemblyTooMany: 0,
    reassemblyNoRoom: 0,
    reassemblyEvicted: 0,
    reassemblyTimeouts: 0,
  };
  private readonly timers: TimerQueue;
  private readonly memory: MemoryAccount;
  /** In order of arrival, which is that of expiry. */
  private readonly datagrams = new Map<string, Datagram>();
  private readonly timer = new Timer((now) => this.expire(now));

  /** The only one to use `memory`. */
  constructor(timers: TimerQueue, memory: MemoryAccount) {
    this.timers = timers;
    this.memory = memory;
    memory.reclaim = (bytes) => this.evict(bytes);
  }

  /**
   * The whole datagram, when `fragment` was what it lacked: a fresh array with the first fragment's
   * head and all payload, whose header the caller mends. Else null.
   */
  take(fragment: Fragment, owner: FragmentOwner): Uint8Array | null {
    const { at, isMore, payload } = fragment;
    const end = at + payload.length;
    // Only the last may have a length that isn't a multiple of eight (RFC 791 §3.2).
    const isWrong = payload.length === 0 || (isMore && payload.length % 8 !== 0);
    if (isWrong || end > owner.payloadBytesMax) {
      this.counters.reassemblyMalformed += 1;
      return null;
    }
    const datagram = this.datagrams.get(fragment.key) ?? this.begin(fragment.key, owner);
    if (datagram === null) return null;
    if (datagram.isCondemned) {
      this.counters.reassemblyOverlaps += 1;
      return null;
    }
    if (!this.place(datagram, fragment, end)) return null;
    return datagram.haveBytes === datagram.totalBytes ? this.finish(datagram) : null;
  }

  /** Forgets everything, in silence: our addresses changed. */
  clear(): void {
    for (const datagram of [...this.datagrams.values()]) this.remove(datagram);
  }

  get size(): number {
    return this.datagrams.size;
  }

  checkInvariants(): void {
    assert(this.datagrams.size <= reassemblyDatagramsMax);
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
    assert(charged === this.memory.usedBytes);
  }

  /** Null when there is no room for one more. */
  private begin(key: string, owner: FragmentOwner): Datagram | null {
    if (this.datagrams.size >= reassemblyDatagramsMax) this.evict(1);
    if (!this.memory.take(fragmentOverheadBytes)) {
      this.counters.reassemblyNoRoom += 1;
      return null;
    }
    const datagram: Datagram = {
      key,
      owner,
      expiresAt: this.expiryFromNow(),
      pieces: [],
      head: null,
      haveBytes: 0,
      totalBytes: -1,
      chargedBytes: fragmentOverheadBytes,
      isCondemned: false,
    };
    if (this.datagrams.size === 0) this.timers.arm(this.timer, datagram.expiresAt);
    this.datagrams.set(key, datagram);
    return datagram;
  }

  /** Keeps a copy of the payload; false when it adds nothing or can't be. */
  private place(datagram: Datagram, fragment: Fragment, end: number): boolean {
    const { at, isMore, payload } = fragment;
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
    const headBytes = at === 0 ? fragment.head.length : 0;
    if (!this.charge(datagram, payload.length + headBytes + fragmentOverheadBytes)) return false;
    if (at === 0) datagram.head = fragment.head.slice();
    pieces.splice(index, 0, { at, bytes: payload.slice() });
    datagram.haveBytes += payload.length;
    if (!isMore) datagram.totalBytes = end;
    return true;
  }

  /** False when there is no room, or room was made by evicting this very datagram. */
  private charge(datagram: Datagram, bytes: number): boolean {
    if (!this.memory.take(bytes)) {
      this.counters.reassemblyNoRoom += 1;
      return false;
    }
    if (this.datagrams.get(datagram.key) !== datagram) {
      this.memory.give(bytes);
      return false;
    }
    datagram.chargedBytes += bytes;
    return true;
  }

  private condemn(datagram: Datagram): void {
    this.counters.reassemblyOverlaps += 1;
    datagram.pieces.length = 0;
    datagram.head = null;
    datagram.isCondemned = true;
    this.memory.give(datagram.chargedBytes - fragmentOverheadBytes);
    datagram.chargedBytes = fragmentOverheadBytes;
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

  /** The oldest datagrams, until `bytes` are free or none is left. */
  private evict(bytes: number): void {
    let freed = 0;
    for (const oldest of [...this.datagrams.values()]) {
      if (freed >= bytes) return;
      freed += oldest.chargedBytes;
      this.counters.reassemblyEvicted += 1;
      this.remove(oldest);
    }
  }

  private expire(now: Instant): void {
    for (const datagram of [...this.datagrams.values()]) {
      if (datagram.expiresAt > now) break;
      this.remove(datagram);
      if (datagram.isCondemned) continue;
      this.counters.reassemblyTimeouts += 1;
      const first = datagram.pieces[0];
      if (datagram.head === null || first === undefined) continue;
      datagram.owner.reassemblyExpired(datagram.head, first.bytes);
    }
    for (const next of this.datagrams.values()) {
      this.timers.arm(this.timer, next.expiresAt);
      return;
    }
  }

  private remove(datagram: Datagram): void {
    this.datagrams.delete(datagram.key);
    this.memory.give(datagram.chargedBytes);
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
