/**
 * What was learned and isn't committed yet: one commit each, in order, while there is room. Beyond
 * that, changes become one: the whole table as it is by then. So a flood, or a store that doesn't
 * answer, takes bounded memory and makes few commits.
 */

import { assert } from '#core';
import { queuedChangesMax } from './limits.ts';
import type { Content } from './neighbor-store.ts';

/** "neighbors/10.0.0.5", "conflicts/10.0.0.1", or "static/site". */
export type RecordPath = string;
export type Contents = ReadonlyMap<RecordPath, Content>;

/** One commit. */
export interface Change {
  /** Null: it goes. */
  readonly writes: ReadonlyMap<RecordPath, Content | null>;
  /** What isn't in `writes` goes too, but for static entries. */
  readonly isWhole: boolean;
  /** Says why: a line, and more after an empty one. */
  readonly message: string;
}

export class ChangeQueue {
  readonly counters = { changesQueued: 0, changesCoalesced: 0 };
  private readonly snapshot: () => Contents;
  private readonly changes: Change[] = [];
  /** Changes that found no room. */
  private surplus = 0;

  /** `snapshot`: the table as it is. */
  constructor(snapshot: () => Contents) {
    this.snapshot = snapshot;
  }

  push(message: string, writes: Change['writes']): void {
    if (this.surplus === 0 && this.changes.length < queuedChangesMax) {
      this.counters.changesQueued += 1;
      this.changes.push({ message, writes, isWhole: false });
      return;
    }
    this.counters.changesCoalesced += 1;
    this.surplus += 1;
  }

  /** The next to commit, which stays until `done`; null: nothing. */
  get first(): Change | null {
    if (this.changes.length === 0 && this.surplus > 0) {
      const message = `learn much at once: ${this.surplus} changes`;
      this.changes.push({ message, writes: this.snapshot(), isWhole: true });
      this.surplus = 0;
    }
    return this.changes[0] ?? null;
  }

  /** `first` is committed. */
  done(): void {
    assert(this.changes.length > 0);
    this.changes.shift();
  }

  get isEmpty(): boolean {
    return this.changes.length === 0 && this.surplus === 0;
  }

  /** Whether a later word on it than the store's waits, or may. */
  has(path: RecordPath): boolean {
    return this.surplus > 0 || this.changes.some((one) => one.isWhole || one.writes.has(path));
  }

  checkInvariants(): void {
    assert(this.changes.length <= queuedChangesMax && this.surplus >= 0);
  }
}
