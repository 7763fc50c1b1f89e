/**
 * The driver's side of a split virtqueue, virtio 1.2 §2.7: descriptor table, available ring, used
 * ring and their two ways of event suppression. Everything the device writes is checked here before
 * a driver sees it. Not here: what the buffers mean, transports. Descriptors are chained, never
 * indirect: chains are short, and a device maps an indirect table at a cost of its own.
 *
 * The rings are read and written through 16- and 32-bit views, in the machine's own byte order,
 * which on x86 is the standard's. A driver on a hot path may write `descriptors`, `posted` and the
 * available ring itself, as `post` does: a call costs a microsecond or more in the image.
 */

import { assert } from '#core';
import type { Base } from '../base.ts';
import type { VirtioFault } from './fault.ts';

export const DESCRIPTOR_NEXT_BIT = 1;
export const DESCRIPTOR_WRITE_BIT = 2;
/** In the flags of the available ring: no interrupts, please. Unused with VIRTIO_F_EVENT_IDX. */
const AVAILABLE_NO_INTERRUPT_BIT = 1;
const USED_NO_NOTIFY_BIT = 1;
/** The first ring entry in a 16-bit view of the available ring, after flags and index. */
export const AVAILABLE_RING_AT = 2;
export const QUEUE_ENTRIES_MAX = 1024;

assert(
  new Uint8Array(new Uint16Array([1]).buffer)[0] === 1,
  'virtio needs a little-endian machine',
);

export class Virtqueue {
  /** Number of the queue in its device. */
  readonly index: number;
  /** Entries, a power of two; entry numbers are taken modulo it by `mask`. */
  readonly size: number;
  readonly mask: number;
  /** Four 32-bit words a descriptor: address low, address high, bytes, flags | next << 16. */
  readonly descriptors: Uint32Array;
  /** Flags, index, ring[size], used_event. */
  readonly available: Uint16Array;
  /** Flags, index, ring of (id, bytes) pairs of 32 bits, avail_event. */
  private readonly used16: Uint16Array;
  private readonly used32: Uint32Array;
  /** By chain head: 0 when we own the chain, else 1 + the bytes that the device may write. */
  readonly posted: Uint32Array;
  /** What the last `collect` found: heads, and bytes that the device wrote into each chain. */
  readonly heads: Uint16Array;
  readonly lengths: Uint32Array;
  readonly physical: { readonly table: number; readonly available: number; readonly used: number };
  /** Entry after the last one put into the available ring, modulo 2^16. */
  availableIndex = 0;
  /** `availableIndex` as the device knows it. */
  private published = 0;
  /** Entry after the last one taken from the used ring, modulo 2^16. */
  private usedIndex = 0;
  private readonly eventIndex: boolean;
  /** Set by `collect` when the device lied; final. */
  fault: VirtioFault | null = null;

  /**
   * `size` is a power of two up to QUEUE_ENTRIES_MAX; `eventIndex`: VIRTIO_F_EVENT_IDX was
   * negotiated.
   */
  constructor(base: Base, index: number, size: number, eventIndex: boolean) {
    assert(size >= 1 && size <= QUEUE_ENTRIES_MAX && (size & (size - 1)) === 0, 'queue size');
    this.index = index;
    this.size = size;
    this.mask = size - 1;
    this.eventIndex = eventIndex;
    const availableAt = 16 * size;
    const usedAt = roundUp(availableAt + 6 + 2 * size, 64);
    const memory = base.dmaAllocate(usedAt + 6 + 8 * size, 64);
    const at = memory.byteOffset;
    this.descriptors = new Uint32Array(memory.buffer, at, 4 * size);
    this.available = new Uint16Array(memory.buffer, at + availableAt, 3 + size);
    this.used16 = new Uint16Array(memory.buffer, at + usedAt, 3 + 4 * size);
    this.used32 = new Uint32Array(memory.buffer, at + usedAt, 1 + 2 * size);
    this.posted = new Uint32Array(size);
    this.heads = new Uint16Array(size);
    this.lengths = new Uint32Array(size);
    const physical = base.physicalAddress(memory);
    this.physical = {
      table: physical,
      available: physical + availableAt,
      used: physical + usedAt,
    };
    this.suppressInterrupts();
  }

  /** Writes descriptor `id`; `next` is -1 at the end of a chain. O(1). */
  describe(id: number, physical: number, bytes: number, writable: boolean, next: number): void {
    assert(id >= 0 && id < this.size && next < this.size);
    const at = 4 * id;
    this.descriptors[at] = physical % 0x100000000;
    this.descriptors[at + 1] = Math.floor(physical / 0x100000000);
    this.descriptors[at + 2] = bytes;
    this.descriptors[at + 3] =
      (writable ? DESCRIPTOR_WRITE_BIT : 0) | (next < 0 ? 0 : DESCRIPTOR_NEXT_BIT | (next << 16));
  }

  /**
   * Gives the chain at `head` to the device; it may write `writableBytes`. Seen after `publish`.
   */
  post(head: number, writableBytes: number): void {
    assert(this.posted[head] === 0, 'the device holds this chain');
    this.posted[head] = writableBytes + 1;
    const index = this.availableIndex;
    this.available[AVAILABLE_RING_AT + (index & this.mask)] = head;
    this.availableIndex = (index + 1) & 0xffff;
  }

  /** Gives the first `count` chains of the last `collect` back to the device, as they were. */
  repost(count: number, writableBytes: number): void {
    const { posted, heads, available, mask } = this;
    const limit = writableBytes + 1;
    let index = this.availableIndex;
    for (let i = 0; i < count; i++) {
      const head = heads[i]!;
      posted[head] = limit;
      available[AVAILABLE_RING_AT + (index++ & mask)] = head;
    }
    this.availableIndex = index & 0xffff;
  }

  /**
   * Makes posted chains visible to the device. Afterwards: Base.barrier once for any number of
   * queues, then `wantsNotify(result)`. Returns the index from which they are new, or -1 when
   * nothing is.
   */
  publish(): number {
    const old = this.published;
    if (old === this.availableIndex) return -1;
    // x86 keeps stores in order, so the device sees descriptors and ring before the index.
    this.available[1] = this.published = this.availableIndex;
    return old;
  }

  /**
   * Whether the device asks for a notification of the chains published since `old`, §2.7.7.2 and
   * §2.7.10.
   */
  wantsNotify(old: number): boolean {
    if (!this.eventIndex) return (this.used16[0]! & USED_NO_NOTIFY_BIT) === 0;
    const event = this.used16[2 + 4 * this.size]!;
    const index = this.published;
    return ((index - event - 1) & 0xffff) < ((index - old) & 0xffff);
  }

  /**
   * Takes all completions into `heads` and `lengths`; returns how many, or -1 when the device lied,
   * which `fault` then tells. Chains before the lie in the same batch are lost: the device is to be
   * stopped.
   */
  collect(): number {
    let index = this.usedIndex;
    const count = (this.used16[1]! - index) & 0xffff;
    if (count === 0) return 0;
    if (count > ((this.published - index) & 0xffff)) {
      return this.fail({ kind: 'used overrun', queue: this.index, count });
    }
    const { used32, mask, posted, heads, lengths } = this;
    for (let i = 0; i < count; i++) {
      const at = 1 + 2 * (index++ & mask);
      const head = used32[at]!;
      const bytes = used32[at + 1]!;
      // One comparison for three lies: too long, not in flight (0), no such chain (undefined).
      if (!(bytes < posted[head]!)) return this.fail(this.lie(head, bytes));
      posted[head] = 0;
      heads[i] = head;
      lengths[i] = bytes;
    }
    this.usedIndex = index & 0xffff;
    return count;
  }

  /** True when `collect` would find something. */
  hasCompletions(): boolean {
    return this.used16[1] !== this.usedIndex;
  }

  /** Chains that the device holds and has not completed, as far as collected. */
  get outstanding(): number {
    return (this.availableIndex - this.usedIndex) & 0xffff;
  }

  /**
   * Asks for an interrupt at the next completion. Then: Base.barrier, and look once more before
   * sleeping.
   */
  requestInterrupt(): void {
    if (this.eventIndex) this.available[AVAILABLE_RING_AT + this.size] = this.usedIndex;
    else this.available[0] = 0;
  }

  /**
   * Asks for no interrupts: a hint, some may still come (with event indices one in 2^16
   * completions).
   */
  suppressInterrupts(): void {
    if (this.eventIndex) {
      this.available[AVAILABLE_RING_AT + this.size] = (this.usedIndex - 1) & 0xffff;
    } else {
      this.available[0] = AVAILABLE_NO_INTERRUPT_BIT;
    }
  }

  private lie(head: number, bytes: number): VirtioFault {
    const holds = head < this.size && this.posted[head] !== 0;
    return holds
      ? { kind: 'used length', queue: this.index, bytes }
      : { kind: 'used id', queue: this.index, id: head };
  }

  private fail(fault: VirtioFault): -1 {
    this.fault ??= fault;
    return -1;
  }
}

const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;
