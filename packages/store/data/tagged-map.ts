/**
 * Maps and sets that converge whatever is added, changed and removed at the same time
 * (observed-remove, after Shapiro et al., "A comprehensive study of Convergent and Commutative
 * Replicated Data Types", 2011, §3.3.5; without tombstones, because the base of a merge tells an
 * absent tag that was removed from one that never was there). What is put gets a tag that nobody
 * ever gives again; whoever puts or removes a key takes away the tags that they see, and no others.
 * So two who put one key at the same time leave both values, which `versions` shows, and a value
 * put while somebody else removed the key stays. Merging is commutative, associative, idempotent,
 * and conflicts only if a value's form does.
 */

import { err, ok } from '#core';
import { compareText } from '../content/equal.ts';
import { inside, type Merge, type MergeConflict, partBase } from '../content/merge.ts';
import { type Form, flag, keyed } from './form.ts';
import { keptRows } from './kept-rows.ts';

/** Key, then tag, then value. No key is without a tag. */
export type TaggedMap<T> = ReadonlyMap<string, ReadonlyMap<string, T>>;

/** The observed-remove map. */
export function taggedMap<T>(item: Form<T>): Form<TaggedMap<T>> {
  const versions = keyed(item, keptRows(item.merge));
  return keyed(versions, mergeKeys(versions.merge));
}

function mergeKeys<T>(merge: Merge<ReadonlyMap<string, T>>): Merge<TaggedMap<T>> {
  const none: ReadonlyMap<string, T> = new Map();
  return (base, ours, theirs) => {
    const merged = new Map<string, ReadonlyMap<string, T>>();
    const one = (key: string): MergeConflict | null => {
      const old = partBase(base, (whole) => whole.get(key) ?? none);
      const tags = merge(old, ours.get(key) ?? none, theirs.get(key) ?? none);
      if (!tags.ok) return inside(key, tags.error);
      if (tags.value.size > 0) merged.set(key, tags.value);
      return null;
    };
    for (const key of new Set([...ours.keys(), ...theirs.keys()])) {
      const failed = one(key);
      if (failed !== null) return err(failed);
    }
    return ok(merged);
  };
}

/** The map with `value` alone at `key`. `tag` (newTag) is never given again, by anybody. */
export function put<T>(map: TaggedMap<T>, key: string, value: T, tag: string): TaggedMap<T> {
  return new Map(map).set(key, new Map([[tag, value]]));
}

export function removeKey<T>(map: TaggedMap<T>, key: string): TaggedMap<T> {
  const changed = new Map(map);
  changed.delete(key);
  return changed;
}

/** The value at `key`: of several that were put at the same time the one with the greatest tag. */
export function valueAt<T>(map: TaggedMap<T>, key: string): T | undefined {
  let [last, value]: [string, T | undefined] = ['', undefined];
  for (const [tag, one] of map.get(key) ?? []) {
    if (tag >= last) [last, value] = [tag, one];
  }
  return value;
}

/** All values at `key`, the one with the greatest tag first: more than one were put at once. */
export function versions<T>(map: TaggedMap<T>, key: string): T[] {
  const tags = [...(map.get(key) ?? [])].sort(([a], [b]) => compareText(b, a));
  return tags.map(([, value]) => value);
}

/** The observed-remove set: a text added while somebody else removes it stays. */
export type TaggedSet = TaggedMap<boolean>;
/** Its form. */
export const taggedSet: Form<TaggedSet> = taggedMap(flag);
/** The set with `element`. `tag` (of newTag) is never given again. */
export const addElement = (set: TaggedSet, element: string, tag: string): TaggedSet =>
  put(set, element, true, tag);
/** The set without `element`, as far as its adding is seen here. */
export const removeElement = (set: TaggedSet, element: string): TaggedSet =>
  removeKey(set, element);
