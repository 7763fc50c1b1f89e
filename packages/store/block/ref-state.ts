/** Refs as they are on the device, and as they will be when what is under way is done. */

import {
  type ObjectId,
  REF_NAME_BYTES_MAX,
  type RefEntry,
  RefTable,
  type RefUpdate,
  type ShallowUpdate,
} from '#git';
import { REFS_BYTES_MAX } from './limits.ts';
import { RECORD_OVERHEAD_MAX } from './wire/record.ts';
import { type RefChanges, refChangeBytes } from './wire/refs.ts';

const HEAD_AT_FIRST = 'refs/heads/main';
/** Of a snapshot's record, beside refs and shallow commits: lengths, counts, HEAD. */
const FIXED_BYTES = RECORD_OVERHEAD_MAX + 2 + 2 + REF_NAME_BYTES_MAX + 4 + 1 + 4;

export class RefState {
  refs = new RefTable();
  head = HEAD_AT_FIRST;
  #shallow: ReadonlySet<ObjectId> = new Set();
  /** Of a snapshot, what is not fixed. */
  #bytes = 0;

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
    copy.#bytes = this.#bytes;
    return copy;
  }

  /** What a snapshot says all of them are. */
  reset({ head, changes, shallow }: RefChanges): void {
    this.head = head ?? HEAD_AT_FIRST;
    this.#shallow = new Set(shallow ?? []);
    this.refs = new RefTable(changes.filter((change): change is RefEntry => change.id !== null));
    this.#bytes = changes.reduce((sum, one) => sum + refChangeBytes(one), 0);
    this.#bytes += idsBytes(shallow ?? []);
  }

  /** What a record says became of some. */
  apply({ head, changes, shallow }: RefChanges): void {
    this.#bytes += this.#growth({ changes, shallow });
    if (head !== null) this.head = head;
    if (shallow !== null) this.#shallow = new Set(shallow);
    this.refs.apply(changes.map(({ name, id }) => ({ name, from: 'any', to: id })));
  }

  /** False: all refs as one record would have more than REFS_BYTES_MAX bytes, and more than now. */
  fits(changes: RefChanges): boolean {
    const growth = this.#growth(changes);
    return growth <= 0 || FIXED_BYTES + this.#bytes + growth <= REFS_BYTES_MAX;
  }

  #growth({ changes, shallow }: Pick<RefChanges, 'changes' | 'shallow'>): number {
    let growth = shallow === null ? 0 : idsBytes(shallow) - idsBytes([...this.#shallow]);
    for (const { name, id } of changes) {
      const old = this.refs.get(name);
      if (old !== null) growth -= refChangeBytes({ name, id: old });
      if (id !== null) growth += refChangeBytes({ name, id });
    }
    return growth;
  }

  /** What says all of it. */
  snapshot(): RefChanges {
    const changes = this.refs.list('').map(({ name, id }: RefEntry) => ({ name, id }));
    return { reason: '', head: this.head, changes, shallow: this.shallow };
  }
}

const idsBytes = (ids: readonly ObjectId[]): number =>
  ids.length === 0 ? 0 : (ids.length * ids[0]!.length) / 2;

export const changesOf = (updates: readonly RefUpdate[], reason: string): RefChanges => ({
  reason,
  head: null,
  changes: updates.map(({ name, to }) => ({ name, id: to })),
  shallow: null,
});
