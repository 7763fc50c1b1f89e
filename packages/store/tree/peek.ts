/**
 * The contents at a path of a written tree, as far as everything on the way is in the cache:
 * without a promise, which is most of what a warm read would cost.
 */

import { MODE_SUBMODULE, type ObjectId } from '#git';
import type { CachedReader } from '../cached-reader.ts';
import type { Path } from '../path.ts';

/** Null when there are none; undefined when something has to be read first. */
export function peekBytes(
  reader: CachedReader,
  root: ObjectId,
  path: Path,
): Uint8Array | null | undefined {
  let id = root;
  const last = path.length - 1;
  for (let i = 0; i <= last; i++) {
    const table = reader.peekTree(id);
    if (table === undefined) return undefined;
    const index = table.find(path[i]!);
    if (index < 0 || table.isDirectory(index) !== i < last) return null;
    if (i === last && table.modeAt(index) === MODE_SUBMODULE) return null;
    id = table.idAt(index);
  }
  return last < 0 ? null : reader.peekBlob(id);
}
