/**
 * Refs in memory, with the rules of a transaction: what every backend that reads its refs whole
 * does with them. Read first: backend.ts.
 */

import { err, ok, type Result } from '#core';
import type { BackendError, RefConflict, RefEntry, RefUpdate } from './backend.ts';
import { REF_UPDATES_MAX } from './limits.ts';
import type { ObjectId } from './object-id.ts';
import { isRefName, refParents } from './ref-name.ts';
import { compareText } from './wire/text.ts';

export class RefTable {
  readonly #refs: Map<string, ObjectId>;
  /** How many refs lie in each directory. */
  readonly #directories = new Map<string, number>();

  constructor(refs: Iterable<RefEntry> = []) {
    this.#refs = new Map();
    for (const { name, id } of refs) this.#set(name, id);
  }

  get count(): number {
    return this.#refs.size;
  }

  get(name: string): ObjectId | null {
    return this.#refs.get(name) ?? null;
  }

  /** In byte order. O(refs). */
  list(prefix: string): RefEntry[] {
    const found: RefEntry[] = [];
    for (const [name, id] of this.#refs) if (name.startsWith(prefix)) found.push({ name, id });
    return found.sort((a, b) => compareText(a.name, b.name));
  }

  /** Null when `apply` would change what it is told to; else why not. Changes nothing. */
  check(updates: readonly RefUpdate[]): RefConflict | BackendError | null {
    if (updates.length > REF_UPDATES_MAX) return { kind: 'bad transaction' };
    const named = new Map<string, RefUpdate>();
    for (const update of updates) {
      const { name, from } = update;
      if (!isRefName(name)) return { kind: 'bad name', name };
      if (named.has(name)) return { kind: 'bad transaction' };
      named.set(name, update);
      const actual = this.get(name);
      if (from !== 'any' && from !== actual) return { kind: 'moved', name, actual };
    }
    return this.#checkPlaces(updates, named);
  }

  /** All or none of them. */
  apply(updates: readonly RefUpdate[]): Result<void, RefConflict | BackendError> {
    const refused = this.check(updates);
    if (refused !== null) return err(refused);
    for (const { name, to } of updates) if (to === null) this.#remove(name);
    for (const { name, to } of updates) if (to !== null) this.#set(name, to);
    return ok(undefined);
  }

  /** No ref may be a directory of another one, when all is done. */
  #checkPlaces(
    updates: readonly RefUpdate[],
    named: ReadonlyMap<string, RefUpdate>,
  ): RefConflict | null {
    const removed = new Map<string, number>();
    const isRemoved = (name: string): boolean => named.get(name)?.to === null;
    for (const { name } of updates) {
      if (!isRemoved(name) || !this.#refs.has(name)) continue;
      for (const parent of refParents(name)) removed.set(parent, (removed.get(parent) ?? 0) + 1);
    }
    for (const { name, to } of updates) {
      if (to === null) continue;
      for (const parent of refParents(name)) {
        const there = this.#refs.has(parent) && !isRemoved(parent);
        const comes = (named.get(parent)?.to ?? null) !== null;
        if (there || comes) return { kind: 'in the way', name, other: parent };
      }
      const inside = (this.#directories.get(name) ?? 0) - (removed.get(name) ?? 0);
      if (inside > 0) return { kind: 'in the way', name, other: this.#firstIn(name, isRemoved) };
    }
    return null;
  }

  #firstIn(directory: string, isRemoved: (name: string) => boolean): string {
    const inside = this.list(`${directory}/`).filter(({ name }) => !isRemoved(name));
    return inside[0]!.name;
  }

  #set(name: string, id: ObjectId): void {
    if (!this.#refs.has(name)) this.#count(name, 1);
    this.#refs.set(name, id);
  }

  #remove(name: string): void {
    if (this.#refs.delete(name)) this.#count(name, -1);
  }

  #count(name: string, by: number): void {
    for (const parent of refParents(name)) {
      const count = (this.#directories.get(parent) ?? 0) + by;
      if (count === 0) this.#directories.delete(parent);
      else this.#directories.set(parent, count);
    }
  }
}
