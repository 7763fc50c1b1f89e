/**
 * Plain JSON objects whose merge never conflicts: names merge all the way down, and where both
 * sides changed one value, one of both is kept, the other one is noted. What is kept doesn't
 * depend on whose it is, as in noted.ts; also what one side removed and the other one changed
 * stays, with a note. For JSON that other programs read too; sharedJson converges.
 */

import { err, ok, type Result } from '#core';
import { byChange, option } from '../content/combinators.ts';
import { type ContentType, contentFault } from '../content/content-type.ts';
import { fromEntries, isObject, type Json, type JsonObject } from '../content/json.ts';
import {
  type Base,
  formatConflict,
  type Merge,
  type MergeConflict,
  type Optional,
  partBase,
} from '../content/merge.ts';
import { json } from '../content/stock.ts';
import {
  greaterJson,
  joinNotes,
  keepChanged,
  mergeNotes,
  NOTES,
  type Note,
  type Noted,
  noteJson,
  readNotes,
} from './noted.ts';

function mergeNoted(
  base: Base<Noted<JsonObject>>,
  ours: Noted<JsonObject>,
  theirs: Noted<JsonObject>,
): Result<Noted<JsonObject>, MergeConflict> {
  const added: Note[] = [];
  const old: Base<Json> = partBase(base, ({ value }) => value);
  const value = mergeObjects(old, ours.value, theirs.value, '', added);
  return ok({ value, notes: joinNotes(mergeNotes(base, ours, theirs), added) });
}

/**
 * In JSON the object, and its notes under the name "conflicts" when there are any. A note's field
 * is the way there, as in "/a/b" (RFC 6901). That name at the top is never the object's own: with
 * anything else there it can be written, and is malformed when it is read.
 */
export const notedJson: ContentType<Noted<JsonObject>> = {
  name: 'noted-json',
  encode: ({ value, notes }) =>
    json.encode(notes.length === 0 ? value : { ...value, [NOTES]: notes.map(noteJson) }),
  decode(bytes) {
    const read = json.decode(bytes);
    if (!read.ok) return read;
    if (!isObject(read.value)) return err(contentFault('noted-json', 'not an object'));
    const { [NOTES]: kept, ...value } = read.value;
    const notes = readNotes(kept);
    return notes.ok
      ? ok({ value, notes: notes.value })
      : err(contentFault('noted-json', notes.error));
  },
  merge: keepChanged(option(mergeNoted)),
};

const plainMerge: Merge<Optional<Json>> = option(byChange<Json>());

function mergeObjects(
  base: Base<Json>,
  ours: JsonObject,
  theirs: JsonObject,
  where: string,
  added: Note[],
): JsonObject {
  const merged: [string, Json][] = [];
  for (const name of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    const at = (whole: Json): Optional<Json> =>
      isObject(whole) && Object.hasOwn(whole, name) ? whole[name] : undefined;
    const way = `${where}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const value = mergeOne(partBase(base, at), at(ours), at(theirs), way, added);
    if (value !== undefined) merged.push([name, value]);
  }
  return fromEntries(merged);
}

function mergeOne(
  base: Base<Json>,
  left: Optional<Json>,
  right: Optional<Json>,
  where: string,
  added: Note[],
): Optional<Json> {
  if (isObject(left) && isObject(right)) return mergeObjects(base, left, right, where, added);
  const merged = plainMerge(base, left, right);
  if (merged.ok) return merged.value;
  const kept = greaterJson(left, right);
  const other = (kept === left ? right : left) ?? null;
  added.push({
    field: where,
    other,
    why: formatConflict({ ...merged.error, message: merged.error.kind }),
  });
  return kept;
}
