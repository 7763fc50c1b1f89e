/**
 * Merges made of merges. Each says what it promises beside being pure: *symmetric* when swapping
 * the sides gives the same value or a conflict both times. Those that take other merges are as
 * symmetric as these. What converges whatever the order of merges is in docs of the data types
 * (data/); most combinators alone don't (a conflict is an answer too).
 */

import { err, ok, type Result } from '#core';
import { compareText, type Equal, equalPlain } from './equal.ts';
import {
  type Base,
  type ConflictKind,
  conflict,
  fails,
  inside,
  known,
  type Merge,
  type MergeConflict,
  type Optional,
  partBase,
} from './merge.ts';

/**
 * Takes the side that changed; both changed alike: that; else a conflict. Without a base, equal
 * values are fine and others conflict. Symmetric.
 */
export function byChange<T>(equal: Equal<T> = equalPlain): Merge<T> {
  return (base, ours, theirs) => {
    if (equal(ours, theirs)) return ok(ours);
    const old = base();
    if (!old.ok) return old;
    if (old.value === undefined) {
      if (ours === undefined) return ok(theirs);
      if (theirs === undefined) return ok(ours);
      return fails('both added', 'both added different values');
    }
    if (equal(old.value, ours)) return ok(theirs);
    if (equal(old.value, theirs)) return ok(ours);
    return fails('both changed', 'both changed the value');
  };
}

/** Equal sides are fine, anything else conflicts: for values that never change. Symmetric. */
export function idempotent<T>(equal: Equal<T> = equalPlain): Merge<T> {
  return (_base, ours, theirs) =>
    equal(ours, theirs) ? ok(ours) : fails('both changed', 'the values differ');
}

/**
 * A merge of values that may be absent, from one of values that are there: what one side added or
 * removed is added or removed; removed here and changed there conflicts. Symmetric.
 */
export function option<T>(merge: Merge<T>, equal: Equal<T> = equalPlain): Merge<Optional<T>> {
  return (base, ours, theirs) => {
    if (ours !== undefined && theirs !== undefined) return merge(base as Base<T>, ours, theirs);
    const there = ours ?? theirs;
    if (there === undefined) return ok(undefined);
    const old = base();
    if (!old.ok) return old;
    if (old.value === undefined) return ok(there);
    if (equal(old.value, there)) return ok(undefined);
    const remover = ours === undefined ? 'ours' : 'theirs';
    return fails('removed and changed', `${remover} removed what the other side changed`);
  };
}

/** Position by position. */
export function pair<A, B>(first: Merge<A>, second: Merge<B>): Merge<readonly [A, B]> {
  return tuple(first, second) as unknown as Merge<readonly [A, B]>;
}

/** Position by position; all three have as many items as there are merges. */
export function tuple<T extends readonly unknown[]>(
  ...merges: { readonly [I in keyof T]: Merge<T[I]> }
): Merge<T> {
  return (base, ours, theirs) => {
    const merged: unknown[] = [];
    for (const [index, merge] of (merges as readonly Merge<unknown>[]).entries()) {
      const old = partBase(base, (whole) => whole[index]);
      const part = merge(old, ours[index], theirs[index]);
      if (!part.ok) return err(inside(String(index), part.error));
      merged.push(part.value);
    }
    return ok(merged as unknown as T);
  };
}

/**
 * Field by field; a field that may be missing has a merge of `Optional` values. Fields that aren't
 * listed are dropped: the type says that there are none.
 */
export function record<T extends object>(
  merges: {
    readonly [K in keyof T]-?: Merge<T[K]>;
  },
): Merge<T> {
  const names = Object.keys(merges) as (keyof T & string)[];
  return (base, ours, theirs) => {
    const merged: Partial<T> = {};
    for (const name of names) {
      const old = partBase(base, (whole) => whole[name]) as Base<T[typeof name]>;
      const part = merges[name](old, ours[name], theirs[name]);
      if (!part.ok) return err(inside(name, part.error));
      if (part.value !== undefined) merged[name] = part.value;
    }
    return ok(merged as T);
  };
}

/**
 * Key by key: what one side added is there, what one side removed is gone (both as `merge` of the
 * absent value says), common keys merge. Keys are in ours' order, then those only theirs has.
 */
export function map<V>(merge: Merge<Optional<V>>): Merge<ReadonlyMap<string, V>> {
  return (base, ours, theirs) => {
    const merged = new Map<string, V>();
    const one = (key: string): MergeConflict | null => {
      const old = partBase(base, (whole) => whole.get(key));
      const part = merge(old, ours.get(key), theirs.get(key));
      if (!part.ok) return inside(key, part.error);
      if (part.value !== undefined) merged.set(key, part.value);
      return null;
    };
    for (const key of ours.keys()) {
      const failed = one(key);
      if (failed !== null) return err(failed);
    }
    for (const key of theirs.keys()) {
      const failed = ours.has(key) ? null : one(key);
      if (failed !== null) return err(failed);
    }
    return ok(merged);
  };
}

/**
 * A list of pairs merged as a map. Keys are different; the result is in the keys' order, so it is
 * symmetric whatever the order of the sides was.
 */
export function listAsMap<V>(merge: Merge<Optional<V>>): Merge<readonly (readonly [string, V])[]> {
  return like<readonly (readonly [string, V])[], ReadonlyMap<string, V>>(
    map(merge),
    (list) => new Map(list),
    (whole) => [...whole].sort(([a], [b]) => compareText(a, b)),
  );
}

/**
 * The base without what either side removed, with what either added. Symmetric, never conflicts
 * when the base is known. Doesn't converge for an item that is removed and added again by
 * different writers: use the observed-remove set of data/ for that.
 */
export function set<T>(): Merge<ReadonlySet<T>> {
  return (base, ours, theirs) => {
    const old = base();
    if (!old.ok) return old;
    const merged = new Set<T>();
    for (const item of ours) if (theirs.has(item) || !old.value?.has(item)) merged.add(item);
    for (const item of theirs) if (ours.has(item) || !old.value?.has(item)) merged.add(item);
    return ok(merged);
  };
}

/** An integer that only goes up and down: ours + theirs - base, an absent base is 0. Symmetric. */
export const counter: Merge<number> = (base, ours, theirs) => {
  const old = base();
  if (!old.ok) return old;
  const sum = ours - (old.value ?? 0) + theirs;
  return Number.isSafeInteger(sum) ? ok(sum) : fails('out of range', 'the sum is out of range');
};

/**
 * Items with how many times they are there: per item ours + theirs - base, items at 0 dropped. A
 * count below 0 stays (two sides took away the same last one): dropped, it would be missing from
 * later sums, and the order of merges would show. Symmetric.
 */
export function multiset<T>(): Merge<ReadonlyMap<T, number>> {
  return (base, ours, theirs) => {
    const old = base();
    if (!old.ok) return old;
    const merged = new Map<T, number>();
    const before = old.value ?? new Map<T, number>();
    for (const item of new Set([...ours.keys(), ...theirs.keys(), ...before.keys()])) {
      const was = before.get(item) ?? 0;
      const count = (ours.get(item) ?? 0) - was + (theirs.get(item) ?? 0);
      if (!Number.isSafeInteger(count)) return fails('out of range', 'a count is out of range');
      if (count !== 0) merged.set(item, count);
    }
    return ok(merged);
  };
}

/** The first of `merges` that succeeds; the last one's conflict when none does. */
export function seq<T>(...merges: readonly [Merge<T>, ...Merge<T>[]]): Merge<T> {
  return (base, ours, theirs) => {
    let last: Result<T, MergeConflict> | null = null;
    for (const merge of merges) {
      last = merge(base, ours, theirs);
      if (last.ok) return last;
    }
    return last as Result<T, MergeConflict>;
  };
}

/** Merges a T as the S that it stands for; `back(there(t))` means the same as t. */
export function like<T, S>(
  merge: Merge<S>,
  there: (value: T) => S,
  back: (value: S) => T,
): Merge<T> {
  return (base, ours, theirs) => {
    const merged = merge(partBase(base, there), there(ours), there(theirs));
    return merged.ok ? ok(back(merged.value)) : merged;
  };
}

/** As `like`, where a T may not be an S, or the merged S not a T: that is the conflict. */
export function likeResult<T, S>(
  merge: Merge<S>,
  there: (value: T) => Result<S, MergeConflict>,
  back: (value: S) => Result<T, MergeConflict>,
): Merge<T> {
  return (base, ours, theirs) => {
    const [left, right] = [there(ours), there(theirs)];
    if (!left.ok) return left;
    if (!right.ok) return right;
    const old: Base<S> = () => {
      const whole = base();
      if (!whole.ok) return whole;
      return whole.value === undefined ? ok(undefined) : there(whole.value);
    };
    const merged = merge(old, left.value, right.value);
    return merged.ok ? back(merged.value) : merged;
  };
}

/** Rewrites the conflict of a merge: a message in the application's words. */
export function withConflict<T>(
  merge: Merge<T>,
  rewrite: (conflict: MergeConflict) => MergeConflict,
): Merge<T> {
  return (base, ours, theirs) => {
    const merged = merge(base, ours, theirs);
    return merged.ok ? merged : err(rewrite(merged.error));
  };
}

/** One of the merges, by what both sides are: null when they are of different alternatives. */
export function alternatives<T>(choose: (ours: T, theirs: T) => Merge<T> | null): Merge<T> {
  const fallback = byChange<T>();
  return (base, ours, theirs) => (choose(ours, theirs) ?? fallback)(base, ours, theirs);
}

/** A merge that always conflicts so, unless the sides are equal: for data that nobody merges. */
export function refuse<T>(kind: ConflictKind, message: string, equal: Equal<T> = equalPlain) {
  const merge: Merge<T> = (_base, ours, theirs) =>
    equal(ours, theirs) ? ok(ours) : err(conflict(kind, message));
  return merge;
}

/** A greatest-of-both merge: `order` is a total order whose equals are the same. Converges. */
export function latest<T>(order: (a: T, b: T) => number): Merge<T> {
  return (_base, ours, theirs) => ok(order(ours, theirs) >= 0 ? ours : theirs);
}

/** Runs a merge of values that are all there: for tests and callers without laziness. */
export function mergeValues<T>(merge: Merge<T>, base: Optional<T>, ours: T, theirs: T) {
  return merge(known<T>(base), ours, theirs);
}

/**
 * A merge that never conflicts, of one that may: what doesn't merge, `resolve` makes a valid value
 * of, which shows what happened (a note, a marker). It gets the base where there is one. As
 * symmetric as `resolve`. For whole texts: markedLines; for records: noted (data/).
 */
export function total<T>(
  merge: Merge<T>,
  resolve: (base: Optional<T>, ours: T, theirs: T, why: MergeConflict) => T,
): Merge<T> {
  return (base, ours, theirs) => {
    const merged = merge(base, ours, theirs);
    if (merged.ok) return merged;
    const old = base();
    return ok(resolve(old.ok ? old.value : undefined, ours, theirs, merged.error));
  };
}
