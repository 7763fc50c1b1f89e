/**
 * Rows by an id that is never given twice: a row that is removed on either side is gone, and one
 * that both have merges. Because no id comes back, whether a row is there depends on what has
 * happened, never on the order of merges: it converges when the rows' merge does. What tables,
 * ordered lists, sets and maps stand on.
 */

import { err, ok } from '#core';
import { inside, type Merge, partBase } from '../content/merge.ts';

/** Removal wins over changes of the row. Symmetric and total as far as `merge` is. */
export function keptRows<T>(merge: Merge<T>): Merge<ReadonlyMap<string, T>> {
  return (base, ours, theirs) => {
    const merged = new Map<string, T>();
    for (const [id, row] of ours) {
      const other = theirs.get(id);
      if (other !== undefined) {
        const both = merge(
          partBase(base, (rows) => rows.get(id)),
          row,
          other,
        );
        if (!both.ok) return err(inside(id, both.error));
        merged.set(id, both.value);
        continue;
      }
      const old = base();
      if (!old.ok) return old;
      if (old.value?.has(id) !== true) merged.set(id, row);
    }
    for (const [id, row] of theirs) {
      if (ours.has(id)) continue;
      const old = base();
      if (!old.ok) return old;
      if (old.value?.has(id) !== true) merged.set(id, row);
    }
    return ok(merged);
  };
}
