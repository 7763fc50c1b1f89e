/**
 * Text that converges: an ordered list of its characters, or of its lines. Whoever changes it
 * writes the whole text as it should be; the difference becomes insertions and removals of items,
 * and everything else keeps its position. Two who insert at one place have both of their
 * insertions, whole, one behind the other; nothing ever conflicts. It costs some 50 bytes an item,
 * so lines for files and characters for fields that several type in. text.ts has plain text that
 * merges as Git's files do, for as long as the edits don't touch.
 */

import { compareText } from '../content/equal.ts';
import { diff } from './diff.ts';
import { text } from './form.ts';
import { type OrderedList, orderedList } from './ordered-list.ts';
import { positionsBetween } from './position.ts';

/** A whole line with its end, or one character (code point), by position. */
export type SharedText = OrderedList<string>;

/** The form of a shared text, which merges item by item and never conflicts. */
export const sharedText = orderedList(text);

/** The whole text. O(items). */
export const textOf = (shared: SharedText): string => [...shared.values()].join('');

/**
 * The shared text with what makes `wanted` of it. `by` may be another one at each change. `tag` (of
 * newTag) is never given again.
 */
export function withText(
  shared: SharedText,
  wanted: string,
  by: 'lines' | 'characters',
  tag: string,
): SharedText {
  const items = wanted === '' ? [] : by === 'lines' ? wanted.split(/(?<=\n)/) : [...wanted];
  const positions = [...shared.keys()];
  const changed = new Map(shared);
  for (const [index, hunk] of diff([...shared.values()], items).entries()) {
    for (const gone of positions.slice(hunk.aStart, hunk.aEnd)) changed.delete(gone);
    const before = positions[hunk.aStart - 1] ?? null;
    const after = positions[hunk.aEnd] ?? null;
    const count = hunk.bEnd - hunk.bStart;
    // Hunks are at different places, so a tag with the hunk's number is nobody else's.
    const made = positionsBetween(before, after, `${tag}${index.toString(36)}`, count);
    for (const [at, position] of made.entries()) changed.set(position, items[hunk.bStart + at]!);
  }
  return new Map([...changed].sort(([a], [b]) => compareText(a, b)));
}
