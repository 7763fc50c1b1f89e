// tidy: int32
/**
 * TCP's part of the memory budget (../memory-budget.ts): who is charged, and who goes when more
 * important memory is needed. Data after a hole is forgotten first, that which waits longest before
 * all other, for holes of peers who mean well are filled within a round trip; RFC 2018 §8 allows
 * it. Connections that are idle go last, by a hand that goes round the table as a clock's does.
 */

import { assert, seqDistance } from '#core';
import { memoryLevels } from '../limits.ts';
import type { MemoryAccount, MemoryBudget } from '../memory-budget.ts';
import type { Connection } from './connection.ts';
import { connectionsOf } from './connection-table.ts';
import { abort } from './ending.ts';
import {
  ACCEPTS_BURST,
  ACCEPTS_PER_SECOND,
  CONNECTION_BYTES,
  IDLE_LOOKS_MAX,
  IDLE_MIN,
  STALLED_MIN,
  WINDOW_MIN,
} from './limits.ts';
import type { QueueMemory } from './receive-queue.ts';
import type { TcpStack } from './stack.ts';
import { CLOSED, ESTABLISHED } from './state.ts';

const SECOND = 1_000_000;

export class TcpMemory implements QueueMemory {
  readonly connections: MemoryAccount;
  readonly halfOpen: MemoryAccount;
  readonly timeWait: MemoryAccount;
  readonly received: MemoryAccount;
  readonly outOfOrder: MemoryAccount;
  readonly sendQueues: MemoryAccount;
  /** Connections whose receive queue has nothing but data after a hole, the oldest first. */
  readonly holes = new Set<Connection>();
  /** For which memory is being taken: it isn't evicted meanwhile. */
  growing: Connection | null = null;
  private readonly stack: TcpStack;
  private readonly budget: MemoryBudget;
  private hand: Iterator<Connection> | null = null;
  /** When the next connection may open, were all of them evenly spaced. */
  private acceptAt = 0;

  constructor(stack: TcpStack, budget: MemoryBudget) {
    this.stack = stack;
    this.budget = budget;
    this.connections = budget.account('connections');
    this.halfOpen = budget.account('halfOpen');
    this.timeWait = budget.account('timeWait');
    this.received = budget.account('received');
    this.outOfOrder = budget.account('outOfOrder');
    this.sendQueues = budget.account('sendQueues');
    this.outOfOrder.reclaim = (bytes) => this.forgetHoles(bytes);
    this.timeWait.reclaim = (bytes) => stack.waiting.forget(bytes);
    this.connections.reclaim = (bytes) => this.endIdle(bytes);
  }

  /**
   * Whether one more connection may open now: all of them while there is room, so many a second
   * when it gets scarce, so that a crowd can't push out everybody at once.
   */
  mayAccept(): boolean {
    const { usedBytes, bytesMax } = this.budget;
    if (usedBytes < bytesMax * memoryLevels.acceptSlows) return true;
    const { now } = this.stack.timers;
    const apart = SECOND / ACCEPTS_PER_SECOND;
    const at = Math.max(this.acceptAt, now - ACCEPTS_BURST * apart);
    if (at > now) return false;
    this.acceptAt = at + apart;
    return true;
  }

  /** The largest window that a connection should offer now, of `bytes` in good times. */
  windowOf(bytes: number): number {
    const share = this.budget.windowShare;
    return share >= 1 ? bytes : Math.max(WINDOW_MIN, Math.floor(bytes * share));
  }

  checkInvariants(): void {
    for (const c of this.holes) {
      const { queue } = c;
      assert(c.state !== CLOSED && queue !== null && queue.readyBytes === 0, 'a hole');
    }
  }

  /** Data after holes goes, whose peers sent it too early anyway: they send it again. */
  private forgetHoles(bytes: number): void {
    const enough = this.outOfOrder.usedBytes - bytes;
    for (const c of this.holes) {
      if (this.outOfOrder.usedBytes <= enough) return;
      if (c === this.growing) continue;
      this.stack.counts.outOfOrderEvicted += 1;
      c.queue?.release();
      c.queue = null;
      c.updatePrediction();
    }
  }

  /**
   * Resets connections on which nothing happened for a while: IDLE_MIN when nothing is queued, else
   * STALLED_MIN. O(IDLE_LOOKS_MAX); so a connection is found idle at the earliest when the hand
   * comes to it for the second time.
   */
  private endIdle(bytes: number): void {
    let left = bytes;
    for (let i = 0; i < IDLE_LOOKS_MAX && left > 0; i++) {
      const c = this.nextByHand();
      if (c === null) return;
      if (c === this.growing || !this.isIdle(c)) continue;
      this.stack.counts.idleEvicted += 1;
      left -= CONNECTION_BYTES;
      abort(c, 'reset');
    }
  }

  private nextByHand(): Connection | null {
    // The table may have grown or shrunk since: Map iterators bear it.
    for (let round = 0; round < 2; round++) {
      this.hand ??= connectionsOf(this.stack.table);
      const next = this.hand.next();
      if (next.done !== true) return next.value;
      this.hand = null;
    }
    return null;
  }

  /** Marks what came and what was acknowledged, and tells whether it is as at the last mark. */
  private isIdle(c: Connection): boolean {
    if (c.state < ESTABLISHED) return false;
    // What the application doesn't read is not the peer's fault, unless that doesn't read either.
    if (c.queue !== null && c.queue.readyBytes > 0 && c.queuedBytes === 0) return false;
    const { now } = this.stack.timers;
    const mark = (c.rcvNxt + c.sndUna) | 0;
    const { idle } = c;
    if (idle === null || idle.mark !== mark) {
      c.idle = { mark, since: now };
      return false;
    }
    const isWaited = c.queuedBytes > 0 || seqDistance(c.sndMax, c.sndUna) > 0;
    return now - idle.since >= (isWaited ? STALLED_MIN : IDLE_MIN);
  }
}
