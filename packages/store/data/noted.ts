/**
 * Records whose merge never conflicts: a field that doesn't merge keeps one of both values, and the
 * record a note of the other one, for people or programs to look at. Also a record that one side
 * removed and the other changed stays, with a note. Which value is kept doesn't depend on whose
 * it is (the greater one by its JSON; a value rather than none), so merging is symmetric: sides
 * that merge each other's agree. Notes go when whoever has looked writes the record without them.
 */

import { err, ok, type Result } from '#core';
import { set as mergeSet } from '../content/combinators.ts';
import type { ContentType } from '../content/content-type.ts';
import { compareText } from '../content/equal.ts';
import { fromEntries, isObject, type Json, jsonKey } from '../content/json.ts';
import {
  type Base,
  formatConflict,
  type Merge,
  type MergeConflict,
  type Optional,
  partBase,
} from '../content/merge.ts';
import { NOTES_MAX } from '../limits.ts';
import { type AnyForm, content, type Form, type FormFault, type RecordOf, record } from './form.ts';

export interface Note {
  /** The field; null: the whole record was removed by one side. */
  readonly field: string | null;
  /** The JSON of the value that wasn't kept; null also when there was none. */
  readonly other: Json;
  /** What conflicted, in a sentence. */
  readonly why: string;
}

export interface Noted<T> {
  readonly value: T;
  /** In an order of their own; mostly empty. */
  readonly notes: readonly Note[];
}

/** The name of the notes in JSON. */
export const NOTES = 'conflicts';

type Fields = { readonly [name: string]: AnyForm };

/** In JSON the record's own object, and its notes as the field "conflicts" when there are any. */
export function noted<const F extends Fields>(fields: F): Form<Noted<RecordOf<F>>> {
  type T = RecordOf<F>;
  const plain: Form<T> = record(fields);
  return {
    merge: mergeNoted(fields) as unknown as Merge<Noted<T>>,
    addsUp: plain.addsUp === true,
    toJson({ value, notes }) {
      const json = plain.toJson(value) as { readonly [name: string]: Json };
      if (notes.length === 0) return json;
      return fromEntries([...Object.entries(json), [NOTES, notes.map(noteJson)]]);
    },
    fromJson(json) {
      if (!isObject(json)) return err('not an object');
      const { [NOTES]: kept, ...rest } = json;
      const value = plain.fromJson(rest);
      if (!value.ok) return value;
      const notes = readNotes(kept);
      return notes.ok ? ok({ value: value.value, notes: notes.value }) : notes;
    },
  };
}

/** The content type of one noted record; a merge of it is never a conflict. */
export function notedContent<const F extends Fields>(
  name: string,
  fields: F,
): ContentType<Noted<RecordOf<F>>> {
  const type = content(name, noted(fields));
  return { ...type, merge: keepChanged(type.merge) };
}

/** A merge that keeps what one side removed and the other one changed, with a note. */
export function keepChanged<T>(merge: Merge<Optional<Noted<T>>>): Merge<Optional<Noted<T>>> {
  return (base, ours, theirs) => {
    const merged = merge(base, ours, theirs);
    const kept = ours ?? theirs;
    if (merged.ok || kept === undefined) return merged;
    const note = { field: null, other: null, why: merged.error.kind };
    return ok({ value: kept.value, notes: joinNotes(kept.notes, [note]) });
  };
}

type Values = { readonly [name: string]: unknown };

function mergeNoted(fields: Fields): Merge<Noted<Values>> {
  return (base, ours, theirs) => {
    const value: Record<string, unknown> = {};
    const added: Note[] = [];
    for (const [name, form] of Object.entries(fields)) {
      const old = partBase(base, ({ value: whole }) => whole[name]);
      const [left, right] = [ours.value[name], theirs.value[name]];
      const merged = form.merge(old, left, right);
      const kept = merged.ok ? merged.value : choose(form, left, right);
      if (kept !== undefined) value[name] = kept;
      if (!merged.ok) added.push(noteOf(name, form, kept === left ? right : left, merged.error));
    }
    return ok({ value, notes: joinNotes(mergeNotes(base, ours, theirs), added) });
  };
}

/** What neither side dropped; without a base nobody's note is. */
export function mergeNotes<T>(base: Base<Noted<T>>, ours: Noted<T>, theirs: Noted<T>): Note[] {
  const keys = ({ notes }: Noted<T>) => new Set(notes.map((note) => jsonKey(noteJson(note))));
  const old = mergeSet<string>()(partBase(base, keys), keys(ours), keys(theirs));
  const all = [...ours.notes, ...theirs.notes];
  return all.filter((note) => !old.ok || old.value.has(jsonKey(noteJson(note))));
}

/** One of two values that don't merge, whoever's it is. */
function choose(form: AnyForm, left: unknown, right: unknown): unknown {
  const json = (value: unknown) => (value === undefined ? undefined : (form.toJson(value) ?? null));
  const [one, other] = [json(left), json(right)];
  return greaterJson(one, other) === one ? left : right;
}

/** A value rather than none. */
export function greaterJson(left: Optional<Json>, right: Optional<Json>): Optional<Json> {
  const key = (value: Optional<Json>) => (value === undefined ? '' : jsonKey(value));
  return compareText(key(left), key(right)) >= 0 ? left : right;
}

function noteOf(field: string, form: AnyForm, lost: unknown, why: MergeConflict): Note {
  const other = lost === undefined ? null : (form.toJson(lost) ?? null);
  return { field, other, why: formatConflict({ ...why, message: why.kind }) };
}

export const noteJson = ({ field, other, why }: Note): Json => ({ field, other, why });

/** Without repetitions, in the order of their JSON; the last NOTES_MAX of them. */
export function joinNotes(a: readonly Note[], b: readonly Note[]): Note[] {
  const byKey = new Map([...a, ...b].map((note) => [jsonKey(noteJson(note)), note]));
  const sorted = [...byKey].sort(([left], [right]) => compareText(left, right));
  return sorted.slice(-NOTES_MAX).map(([, note]) => note);
}

export function readNotes(json: Json | undefined): Result<Note[], FormFault> {
  if (json === undefined) return ok([]);
  if (!Array.isArray(json)) return err(`${NOTES}: not an array`);
  const notes: Note[] = [];
  for (const one of json as readonly Json[]) {
    if (!isObject(one) || typeof one.why !== 'string') return err(`${NOTES}: not a note`);
    const { field = null, other = null, why } = one;
    if (field !== null && typeof field !== 'string') return err(`${NOTES}: not a note`);
    notes.push({ field, other, why });
  }
  return ok(notes);
}
