/**
 * Parsed objects by id, bounded in bytes. Two generations: what is asked for again moves to the
 * young one, what isn't goes with the old one. A hit costs one look-up and moves nothing, where a
 * list by age would move something at each.
 */

import { assert } from '#core';
import type { ObjectId } from '#git';
import type { CommitObject, TreeTable } from '#git/wire';

export type Cached =
  | { readonly kind: 'commit'; readonly commit: CommitObject; readonly bytes: number }
  | { readonly kind: 'tree'; readonly table: TreeTable; readonly bytes: number }
  | { readonly kind: 'blob'; readonly content: Uint8Array; readonly bytes: number };

/** What an entry takes beside its object: id, maps, records. */
const ENTRY_BYTES = 256;

export class ObjectCache {
  hits = 0;
  misses = 0;
  /** How often the old generation was dropped. */
  drops = 0;
  readonly #halfBytes: number;
  #young = new Map<ObjectId, Cached>();
  #old = new Map<ObjectId, Cached>();
  #youngBytes = 0;
  #oldBytes = 0;

  /** Holds at most `bytesMax`; an object of more than half of it isn't kept. */
  constructor(bytesMax: number) {
    assert(bytesMax >= 0, 'a bound');
    this.#halfBytes = Math.floor(bytesMax / 2);
  }

  get count(): number {
    return this.#young.size + this.#old.size;
  }

  get bytes(): number {
    return this.#youngBytes + this.#oldBytes;
  }

  get(id: ObjectId): Cached | undefined {
    const young = this.#young.get(id);
    if (young !== undefined) {
      this.hits++;
      return young;
    }
    const old = this.#old.get(id);
    if (old === undefined) {
      this.misses++;
      return undefined;
    }
    this.hits++;
    this.#old.delete(id);
    this.#oldBytes -= old.bytes;
    this.#add(id, old);
    return old;
  }

  addCommit(id: ObjectId, commit: CommitObject): void {
    const bytes = ENTRY_BYTES + 2 * (commit.message.length + commit.extraHeaders.length);
    this.#put(id, { kind: 'commit', commit, bytes: bytes + ENTRY_BYTES });
  }

  addTree(id: ObjectId, table: TreeTable): void {
    const bytes = ENTRY_BYTES + table.bytes.length + table.indexBytes;
    this.#put(id, { kind: 'tree', table, bytes });
  }

  addBlob(id: ObjectId, content: Uint8Array): void {
    this.#put(id, { kind: 'blob', content, bytes: ENTRY_BYTES + content.length });
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngBytes = 0;
    this.#oldBytes = 0;
  }

  checkInvariants(): void {
    const sum = (entries: Map<ObjectId, Cached>): number => {
      let total = 0;
      for (const { bytes } of entries.values()) total += bytes;
      return total;
    };
    assert(sum(this.#young) === this.#youngBytes, 'bytes of the young');
    assert(sum(this.#old) === this.#oldBytes, 'bytes of the old');
    assert(this.#youngBytes <= this.#halfBytes, 'the young fit');
    assert(this.#oldBytes <= this.#halfBytes, 'the old fit');
    for (const id of this.#young.keys()) assert(!this.#old.has(id), 'in one generation');
  }

  #put(id: ObjectId, entry: Cached): void {
    if (this.#young.has(id) || entry.bytes > this.#halfBytes) return;
    const old = this.#old.get(id);
    if (old !== undefined) {
      this.#old.delete(id);
      this.#oldBytes -= old.bytes;
    }
    this.#add(id, entry);
  }

  #add(id: ObjectId, entry: Cached): void {
    if (this.#youngBytes + entry.bytes > this.#halfBytes) {
      this.#old = this.#young;
      this.#oldBytes = this.#youngBytes;
      this.#young = new Map();
      this.#youngBytes = 0;
      this.drops++;
    }
    this.#young.set(id, entry);
    this.#youngBytes += entry.bytes;
  }
}
