/**
 * Counters, and multisets of texts: sums of what everybody added and took away. They converge for
 * every history: common ancestors are exactly what both sides have in common, also where they are
 * virtual. Merging is commutative and associative; not idempotent for equal changes, each of
 * which counts (ContentType.addsUp). Sums outside of safe integers conflict.
 */

import { counter as mergeCounter, multiset as mergeMultiset } from '../content/combinators.ts';
import { type Form, integer, keyed } from './form.ts';

/** A safe integer. Write what you read plus or minus something. */
export const counter: Form<number> = { ...integer, merge: mergeCounter, addsUp: true };

/**
 * How many times each text is there. Counts of 0 aren't kept; one below 0 is kept and means none:
 * several took away what was there once.
 */
export const multiset: Form<ReadonlyMap<string, number>> = {
  ...keyed(integer, mergeMultiset<string>()),
  addsUp: true,
};

/** The multiset with `count` more of `item`; or fewer, below 0. */
export function addItems(
  items: ReadonlyMap<string, number>,
  item: string,
  count: number,
): ReadonlyMap<string, number> {
  const changed = new Map(items);
  const sum = (items.get(item) ?? 0) + count;
  if (sum === 0) changed.delete(item);
  else changed.set(item, sum);
  return changed;
}

/** How many times `item` is there; 0 where more were taken away than there were. */
export const countOf = (items: ReadonlyMap<string, number>, item: string): number =>
  Math.max(0, items.get(item) ?? 0);
