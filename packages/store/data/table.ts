/**
 * Tables: rows by an id that is never given twice (newTag, or a key that the data has and that
 * doesn't come back), merged field by field as the row's form says. A row that is removed here and
 * changed there is gone; `map` of form.ts calls that a conflict instead. Converges when the row's
 * fields do; else it conflicts in the fields that both sides changed, and only there.
 */

import { type Form, keyed } from './form.ts';
import { keptRows } from './kept-rows.ts';

export type Table<T> = ReadonlyMap<string, T>;

export const table = <T>(row: Form<T>): Form<Table<T>> => keyed(row, keptRows(row.merge));
