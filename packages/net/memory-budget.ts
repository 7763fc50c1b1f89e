/**
 * The one account of all memory that peers can make the stack keep: connections, half-open ones,
 * TIME_WAIT, what arrived and waits, fragments, packets that wait for a link address. Its owners
 * charge what their objects cost in QuickJS (limits.ts says how that was measured) and are refused
 * when it is too much. Not counted: arrays that the application writes (they are the flow's, but an
 * image's own files are shared by all flows) and the device's rings, which don't grow.
 *
 * What happens as the budget fills, in this order (`memoryLevels` in limits.ts has the levels):
 * windows shrink; SYNs are answered by cookies and kept nowhere; new connections are taken slowly;
 * fragments, neighbours' packets and data after a hole find no room; for what is more important
 * these are evicted, then TIME_WAIT's records, and connections that are idle last. Read first: RFC
 * 4987 §3.
 */

import { assert } from '#core';
import { memoryBytesMin, memoryLevels } from './limits.ts';

/** In the order of sacrifice: the first is evicted before all others. */
export const MEMORY_KINDS = [
  'fragments',
  'neighborPackets',
  'outOfOrder',
  'halfOpen',
  'timeWait',
  'connections',
  'received',
  'sendQueues',
] as const;
export type MemoryKind = (typeof MEMORY_KINDS)[number];

/** One kind's part of the budget. */
export class MemoryAccount {
  usedBytes = 0;
  /** Takes that were refused. */
  refused = 0;
  /** What this kind may take alone; and how full the budget may be while it takes more. */
  readonly bytesMax: number;
  readonly totalBytesMax: number;
  /**
   * Evicts about `bytes` of this kind, or as much as there is. Its owner sets it; null: nothing of
   * this kind can be evicted.
   */
  reclaim: ((bytes: number) => void) | null = null;
  private readonly budget: MemoryBudget;

  constructor(budget: MemoryBudget, kind: MemoryKind) {
    const { own, total } = memoryLevels[kind];
    this.budget = budget;
    this.bytesMax = Math.floor(budget.bytesMax * own);
    this.totalBytesMax = Math.floor(budget.bytesMax * total);
  }

  /**
   * Charges `bytes`; evicts what is less important when that makes room (but not from within an
   * eviction). False, and counted, when it doesn't: then nothing is charged. O(1), evictions aside.
   */
  take(bytes: number): boolean {
    if (!this.fits(bytes)) {
      this.budget.makeRoom(this, bytes);
      if (!this.fits(bytes)) {
        this.refused += 1;
        return false;
      }
    }
    this.usedBytes += bytes;
    this.budget.change(bytes);
    return true;
  }

  /** Gives back what was taken. */
  give(bytes: number): void {
    assert(bytes >= 0 && bytes <= this.usedBytes, 'more given back than taken');
    this.usedBytes -= bytes;
    this.budget.change(-bytes);
  }

  /** `bytes` of this kind are of `other` now; always possible, for the total stays. */
  moveTo(other: MemoryAccount, bytes: number): void {
    assert(bytes >= 0 && bytes <= this.usedBytes, 'more moved than taken');
    this.usedBytes -= bytes;
    other.usedBytes += bytes;
  }

  /** `take` would need no eviction. */
  fits(bytes: number): boolean {
    return (
      this.usedBytes + bytes <= this.bytesMax && this.budget.usedBytes + bytes <= this.totalBytesMax
    );
  }

  /** By how much `bytes` more would be too much. */
  excess(bytes: number): number {
    const own = this.usedBytes + bytes - this.bytesMax;
    return Math.max(own, this.budget.usedBytes + bytes - this.totalBytesMax);
  }
}

export class MemoryBudget {
  readonly bytesMax: number;
  usedBytes = 0;
  /** So much is used that windows should shrink. */
  isScarce = false;
  private readonly scarceFrom: number;
  private readonly accounts: Readonly<Record<MemoryKind, MemoryAccount>>;
  private isReclaiming = false;

  constructor(bytesMax: number) {
    assert(bytesMax >= memoryBytesMin, 'a stack needs more memory');
    this.bytesMax = bytesMax;
    this.scarceFrom = bytesMax * memoryLevels.windowsShrink;
    const accounts = MEMORY_KINDS.map((kind) => [kind, new MemoryAccount(this, kind)]);
    this.accounts = Object.fromEntries(accounts);
  }

  account(kind: MemoryKind): MemoryAccount {
    return this.accounts[kind];
  }

  /**
   * How much smaller windows should be: 1 while there is room, down to 0 when the budget is as full
   * as data may make it.
   */
  get windowShare(): number {
    const left = this.bytesMax - this.usedBytes;
    return Math.min(1, left / (this.bytesMax * (1 - memoryLevels.windowsShrink)));
  }

  /** For MemoryAccount. */
  change(bytes: number): void {
    this.usedBytes += bytes;
    this.isScarce = this.usedBytes > this.scarceFrom;
  }

  /** For MemoryAccount: evicts until `bytes` fit into `account`, or nothing is left to evict. */
  makeRoom(account: MemoryAccount, bytes: number): void {
    if (this.isReclaiming) return;
    this.isReclaiming = true;
    // Beyond its own bound only its own kind can help.
    const isOwn = account.usedBytes + bytes > account.bytesMax;
    for (const kind of MEMORY_KINDS) {
      const other = this.accounts[kind];
      const excess = account.excess(bytes);
      if (excess <= 0) break;
      if ((!isOwn || other === account) && other.usedBytes > 0) other.reclaim?.(excess);
      if (other === account) break;
    }
    this.isReclaiming = false;
  }

  counters(): Readonly<Record<string, number>> {
    let memoryRefused = 0;
    for (const kind of MEMORY_KINDS) memoryRefused += this.accounts[kind].refused;
    return { memoryBytes: this.usedBytes, memoryRefused };
  }

  /** Bytes by kind, for inspection. */
  use(): Readonly<Record<string, number>> {
    return Object.fromEntries(MEMORY_KINDS.map((kind) => [kind, this.accounts[kind].usedBytes]));
  }

  checkInvariants(): void {
    let sum = 0;
    for (const kind of MEMORY_KINDS) {
      const { usedBytes } = this.accounts[kind];
      assert(usedBytes >= 0);
      sum += usedBytes;
    }
    assert(sum === this.usedBytes, 'the accounts are the budget');
    assert(this.usedBytes <= this.bytesMax, 'inside the budget');
  }
}
