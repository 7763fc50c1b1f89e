/**
 * Lists that several edit at once: each item has a position that never changes (position.ts), so
 * an insertion stays between the items it was put between, whatever else is inserted or removed.
 * Items that both sides have merge by their form; removal wins over a change. Merging is
 * commutative, associative, idempotent, and conflicts only if the items' form does; it converges.
 * What two insert at one place at the same time stands side by side, and may be interleaved.
 */

import { assert, err, ok } from '#core';
import { like } from '../content/combinators.ts';
import { compareText } from '../content/equal.ts';
import { type Form, keyed } from './form.ts';
import { keptRows } from './kept-rows.ts';
import { isPosition, positionBetween } from './position.ts';

/** By position, in the order of the list. */
export type OrderedList<T> = ReadonlyMap<string, T>;

/** The form of a list whose items keep their positions. */
export function orderedList<T>(item: Form<T>): Form<OrderedList<T>> {
  const same = (list: OrderedList<T>) => list;
  const form = keyed(item, like(keptRows(item.merge), same, inOrder));
  return {
    ...form,
    fromJson(json) {
      const list = form.fromJson(json);
      if (!list.ok) return list;
      const wrong = [...list.value.keys()].find((position) => !isPosition(position));
      return wrong === undefined ? ok(list.value) : err(`${wrong}: not a position`);
    },
  };
}

function inOrder<T>(list: OrderedList<T>): OrderedList<T> {
  return new Map([...list].sort(([a], [b]) => compareText(a, b)));
}

/** The list with `value` before the item at `index`, 0..size. `tag`: as of newTag. O(size). */
export function insertAt<T>(
  list: OrderedList<T>,
  index: number,
  value: T,
  tag: string,
): OrderedList<T> {
  assert(Number.isInteger(index) && index >= 0 && index <= list.size, 'an index of the list');
  const entries = [...list];
  const before = entries[index - 1]?.[0] ?? null;
  const after = entries[index]?.[0] ?? null;
  entries.splice(index, 0, [positionBetween(before, after, tag), value]);
  return new Map(entries);
}

/** The list without the item at `index`, 0..size-1. */
export function removeAt<T>(list: OrderedList<T>, index: number): OrderedList<T> {
  assert(Number.isInteger(index) && index >= 0 && index < list.size, 'an index of the list');
  return new Map([...list].filter((_, at) => at !== index));
}
