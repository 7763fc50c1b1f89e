/** A directory of content with changes on top: what a development build's `reload` brings. */

import { comparePaths, type KvEntry, type KvReadOnly } from '#device';

/** Entries that are new or others now, and paths that are gone. */
export interface ContentChange {
  readonly changed: KvReadOnly;
  readonly removed: readonly string[];
}

/** As `before` was, with `change` made: neither is changed. Gets are O(1), also after many. */
export class ChangedContent implements KvReadOnly {
  private readonly origin: KvReadOnly;
  /** By path; null: gone. At most as many entries as ever changed, the latest of each. */
  private readonly changes: Map<string, KvEntry | null>;
  private sorted: readonly string[] | null = null;

  constructor(before: KvReadOnly, { changed, removed }: ContentChange) {
    const isChanged = before instanceof ChangedContent;
    this.origin = isChanged ? before.origin : before;
    this.changes = new Map(isChanged ? before.changes : []);
    for (const path of changed.paths()) this.changes.set(path, changed.get(path));
    for (const path of removed) this.changes.set(path, null);
  }

  get(path: string): KvEntry | null {
    const change = this.changes.get(path);
    return change === undefined ? this.origin.get(path) : change;
  }

  paths(): readonly string[] {
    if (this.sorted === null) {
      const all = new Set(this.origin.paths());
      for (const [path, entry] of this.changes) {
        if (entry === null) all.delete(path);
        else all.add(path);
      }
      this.sorted = [...all].sort(comparePaths);
    }
    return this.sorted;
  }
}
