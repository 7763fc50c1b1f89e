/** Refs as they are on the device, and as they will be when what is under way is done. */

import { type ObjectId, type RefEntry, RefTable, type RefUpdate, type ShallowUpdate } from '#git';
import type { RefChanges } from './wire/refs.ts';

const HEAD_AT_FIRST = 'refs/heads/main';

export class RefState {
  refs = new RefTable();
  head = HEAD_AT_FIRST;
  #shallow: ReadonlySet<ObjectId> = new Set();

  /** Commits whose parents a collection cut off, or never came. */
  get shallow(): readonly ObjectId[] {
    return [...this.#shallow];
  }

  get shallowSet(): ReadonlySet<ObjectId> {
    return this.#shallow;
  }

  /** What makes this of them. */
  shallowChange({ add, remove }: ShallowUpdate): RefChanges {
    const shallow = new Set(this.#shallow);
    for (const id of remove) shallow.delete(id);
    for (const id of add) shallow.add(id);
    return { reason: 'shallow', head: null, changes: [], shallow: [...shallow] };
  }

  isShallow(commit: ObjectId): boolean {
    return this.#shallow.has(commit);
  }

  copy(): RefState {
    const copy = new RefState();
    copy.refs = new RefTable(this.refs.list(''));
    copy.head = this.head;
    copy.#shallow = this.#shallow;
    return copy;
  }

  /** What a snapshot says all of them are. */
  reset({ head, changes, shallow }: RefChanges): void {
    this.head = head ?? HEAD_AT_FIRST;
    this.#shallow = new Set(shallow ?? []);
    this.refs = new RefTable(changes.filter((change): change is RefEntry => change.id !== null));
  }

  /** What a record says became of some. */
  apply({ head, changes, shallow }: RefChanges): void {
    if (head !== null) this.head = head;
    if (shallow !== null) this.#shallow = new Set(shallow);
    this.refs.apply(changes.map(({ name, id }) => ({ name, from: 'any', to: id })));
  }

  /** What says all of it. */
  snapshot(): RefChanges {
    const changes = this.refs.list('').map(({ name, id }: RefEntry) => ({ name, id }));
    return { reason: '', head: this.head, changes, shallow: this.shallow };
  }
}

export const changesOf = (updates: readonly RefUpdate[], reason: string): RefChanges => ({
  reason,
  head: null,
  changes: updates.map(({ name, to }) => ({ name, id: to })),
  shallow: null,
});
