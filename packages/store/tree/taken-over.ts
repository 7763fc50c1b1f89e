/**
 * What a new tree names that isn't new: whoever commits it asks whether that is still there. A
 * collection may have taken what the tree was made of; caches don't know. Read first: tree-node.ts.
 */

import { ok, type Result } from '#core';
import { MODE_SUBMODULE, type ObjectId } from '#git';
import type { TreeTable } from '#git/wire';
import type { CachedReader } from '../cached-reader.ts';
import type { ReadFault } from '../merge/object-reader.ts';
import type { Sealed } from './tree-node.ts';

/**
 * But for what `head` has in the same place, a tree that nothing takes away: what is committed
 * mostly is a change of that, and then this is a few look-ups for each directory on its path. Of a
 * directory that was made of another one than the head's every entry is looked at.
 */
export async function takenOver(
  reader: CachedReader,
  root: Sealed,
  head: ObjectId,
): Promise<Result<ReadonlySet<ObjectId>, ReadFault>> {
  const found = new Set<ObjectId>();
  const queue: [Sealed, ObjectId][] = [[root, head]];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const [sealed, there] = next;
    if (sealed.id === there || sealed.id === reader.emptyTree) continue;
    if (sealed.id === sealed.base) {
      found.add(sealed.id);
      continue;
    }
    const table = reader.peekTree(there);
    const read = table === undefined ? await reader.tree(there) : ok(table);
    if (!read.ok) return read;
    const isOfHead = sealed.base === there || sealed.base === reader.emptyTree;
    for (const { name, id } of isOfHead ? sealed.taken : notNew(sealed)) {
      if (idIn(read.value, name) !== id) found.add(id);
    }
    for (const below of sealed.below) {
      queue.push([below, directoryIn(read.value, below.name) ?? reader.emptyTree]);
    }
  }
  return ok(found);
}

function notNew({ table, fresh, below }: Sealed): Sealed['taken'] {
  const own = new Set([...fresh, ...below].map(({ id }) => id));
  return table.entries().filter(({ id, mode }) => mode !== MODE_SUBMODULE && !own.has(id));
}

const idIn = (table: TreeTable, name: string): ObjectId | null => {
  const index = table.find(name);
  return index < 0 ? null : table.idAt(index);
};

const directoryIn = (table: TreeTable, name: string): ObjectId | null => {
  const index = table.find(name);
  return index < 0 || !table.isDirectory(index) ? null : table.idAt(index);
};
