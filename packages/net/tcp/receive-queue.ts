/**
 * Bytes that arrived and cannot be delivered yet: in order but the reader is paused, or after a
 * hole. One ring of memory holds both, addressed by sequence number, so overlaps need no care: the
 * same bytes land in the same place. A connection has a queue only while there is something in it;
 * the data path never sees one.
 */

import { assert, hot, type SeqNumber, seqAdd, seqDistance } from '#core';
import type { MemoryAccount } from '../memory-budget.ts';
import type { Connection } from './connection.ts';
import { RECEIVE_QUEUE_BYTES, RECEIVE_RANGES_MAX } from './limits.ts';

const CAPACITY_MIN = 4_096;
const NO_BYTES = new Uint8Array(0);

/** Memory of all receive queues of a stack: TcpMemory. */
export interface QueueMemory {
  readonly received: MemoryAccount;
  readonly outOfOrder: MemoryAccount;
  /** Connections with nothing but data after a hole: their queues may be evicted. */
  readonly holes: Set<Connection>;
  /** The one that grows is not evicted meanwhile. */
  growing: Connection | null;
}

export class ReceiveQueue {
  /** Bytes in order from the base on: what `peek` gives. */
  readyBytes = 0;
  /** Ranges after a hole, in order, apart from each other: [starts[i], ends[i]). */
  readonly starts: SeqNumber[] = [];
  readonly ends: SeqNumber[] = [];
  /** A sequence number in the range that grew last: RFC 2018 reports that range first. */
  recent: SeqNumber;
  /** Sequence number of the first byte that is not delivered, and its place in the ring. */
  private base: SeqNumber;
  private readAt = 0;
  private ring: Uint8Array = NO_BYTES;
  private readonly owner: Connection;
  private readonly memory: QueueMemory;
  private chargedBytes = 0;
  /** Charged as data after a hole, or else as data to be read, which is never evicted. */
  private isHole = true;

  constructor(owner: Connection, memory: QueueMemory) {
    this.base = owner.rcvNxt;
    this.recent = this.base;
    this.owner = owner;
    this.memory = memory;
  }

  /** Of the budget. */
  get memoryBytes(): number {
    return this.chargedBytes;
  }

  get isEmpty(): boolean {
    return this.readyBytes === 0 && this.starts.length === 0;
  }

  /**
   * Copies `count` bytes at `seq`, which lie between the end of what is ready and the window's
   * edge. False when there is no memory or no range left: then nothing has changed.
   */
  insert(seq: SeqNumber, from: Uint8Array, fromAt: number, count: number): boolean {
    const offset = seqDistance(seq, this.base);
    assert(offset >= this.readyBytes && count > 0);
    const end = seqAdd(seq, count);
    const joins = offset === this.readyBytes || this.touches(seq, end);
    if (!joins && this.starts.length >= RECEIVE_RANGES_MAX) return false;
    if (!this.reserve(offset + count, offset === this.readyBytes)) return false;
    const to = (this.readAt + offset) % this.ring.length;
    const first = Math.min(count, this.ring.length - to);
    hot.copy(this.ring, to, from, fromAt, first);
    hot.copy(this.ring, 0, from, fromAt + first, count - first);
    this.addRange(seq, end);
    this.collect();
    this.recent = seq;
    this.sort();
    return true;
  }

  /** The first ready bytes that lie together; borrowed until the next change. */
  peek(): Uint8Array {
    const count = Math.min(this.readyBytes, this.ring.length - this.readAt);
    return this.ring.subarray(this.readAt, this.readAt + count);
  }

  /** Forgets `count` ready bytes. */
  consume(count: number): void {
    assert(count <= this.readyBytes);
    this.readyBytes -= count;
    this.move(count);
    this.sort();
  }

  /** The bytes up to `to` went to the reader without passing through here; nothing was ready. */
  skipTo(to: SeqNumber): void {
    assert(this.readyBytes === 0);
    this.move(seqDistance(to, this.base));
    this.collect();
    this.sort();
  }

  /** Gives the memory back. */
  release(): void {
    const { received, outOfOrder, holes } = this.memory;
    (this.isHole ? outOfOrder : received).give(this.chargedBytes);
    this.chargedBytes = 0;
    holes.delete(this.owner);
    this.ring = NO_BYTES;
    this.readyBytes = 0;
    this.starts.length = 0;
    this.ends.length = 0;
  }

  checkInvariants(): void {
    let end = this.readyBytes;
    for (let i = 0; i < this.starts.length; i++) {
      // A hole of at least one byte before each range.
      assert(seqDistance(this.starts[i]!, this.base) > end);
      end = seqDistance(this.ends[i]!, this.base);
      assert(seqDistance(this.ends[i]!, this.starts[i]!) > 0);
    }
    assert(end <= this.ring.length);
    assert(this.starts.length === this.ends.length && this.starts.length <= RECEIVE_RANGES_MAX);
  }

  /** Charges the right account: data to be read is acknowledged and stays. */
  private sort(): void {
    const isHole = this.readyBytes === 0;
    if (isHole && !this.isEmpty) this.memory.holes.add(this.owner);
    else this.memory.holes.delete(this.owner);
    this.chargeAs(isHole);
  }

  private chargeAs(isHole: boolean): void {
    const { received, outOfOrder } = this.memory;
    if (isHole === this.isHole) return;
    if (isHole) received.moveTo(outOfOrder, this.chargedBytes);
    else outOfOrder.moveTo(received, this.chargedBytes);
    this.isHole = isHole;
  }

  private move(count: number): void {
    this.base = seqAdd(this.base, count);
    if (this.ring.length > 0) this.readAt = (this.readAt + count) % this.ring.length;
  }

  private touches(start: SeqNumber, end: SeqNumber): boolean {
    for (let i = 0; i < this.starts.length; i++) {
      if (seqDistance(this.starts[i]!, end) > 0) return false;
      if (seqDistance(this.ends[i]!, start) >= 0) return true;
    }
    return false;
  }

  /** Adds [start, end), joined with every range that it overlaps or touches. O(ranges). */
  private addRange(start: SeqNumber, end: SeqNumber): void {
    let first = 0;
    while (first < this.starts.length && seqDistance(this.ends[first]!, start) < 0) first++;
    let last = first;
    let from = start;
    let to = end;
    while (last < this.starts.length && seqDistance(this.starts[last]!, end) <= 0) {
      if (seqDistance(this.starts[last]!, from) < 0) from = this.starts[last]!;
      if (seqDistance(this.ends[last]!, to) > 0) to = this.ends[last]!;
      last++;
    }
    this.starts.splice(first, last - first, from);
    this.ends.splice(first, last - first, to);
  }

  /** Makes ready what follows without a hole. */
  private collect(): void {
    while (this.starts.length > 0) {
      if (seqDistance(this.starts[0]!, this.base) > this.readyBytes) return;
      this.readyBytes = Math.max(this.readyBytes, seqDistance(this.ends[0]!, this.base));
      this.starts.shift();
      this.ends.shift();
    }
  }

  /** Grows the ring to hold `spanBytes` from the base on. */
  private reserve(spanBytes: number, isReady: boolean): boolean {
    const old = this.ring;
    if (spanBytes <= old.length) return true;
    if (isReady) this.chargeAs(false);
    let capacity = CAPACITY_MIN;
    while (capacity < spanBytes) capacity *= 2;
    const { received, outOfOrder } = this.memory;
    const bytes = capacity + RECEIVE_QUEUE_BYTES - this.chargedBytes;
    this.memory.growing = this.owner;
    const isTaken = (this.isHole ? outOfOrder : received).take(bytes);
    this.memory.growing = null;
    if (!isTaken) {
      this.sort();
      return false;
    }
    this.chargedBytes += bytes;
    this.ring = new Uint8Array(capacity);
    hot.copy(this.ring, 0, old, this.readAt, old.length - this.readAt);
    hot.copy(this.ring, old.length - this.readAt, old, 0, this.readAt);
    this.readAt = 0;
    return true;
  }
}
