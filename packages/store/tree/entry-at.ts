/** What a written tree has at a path, by its name alone. */

import { ok, type Result } from '#core';
import { MODE_DIRECTORY, type ObjectId } from '#git';
import type { ObjectReader, ReadFault } from '../merge/object-reader.ts';
import type { Path } from '../path.ts';
import type { DiffSide } from './tree-diff.ts';

/** Null for nothing. Reads the trees along the path. */
export async function entryAt(
  objects: ObjectReader,
  root: ObjectId,
  path: Path,
): Promise<Result<DiffSide | null, ReadFault>> {
  let here: DiffSide = { mode: MODE_DIRECTORY, id: root };
  for (const step of path) {
    if (here.mode !== MODE_DIRECTORY) return ok(null);
    const table = await objects.tree(here.id);
    if (!table.ok) return table;
    const entry = table.value.get(step);
    if (entry === null) return ok(null);
    here = { mode: entry.mode, id: entry.id };
  }
  return ok(here);
}
