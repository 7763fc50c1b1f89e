/** Every entry of a tree, from its root down, in an order that never changes. */

import { ok, type Result } from '#core';
import { type FileMode, MODE_DIRECTORY, MODE_SUBMODULE, type ObjectId } from '#git';
import type { TreeTable } from '#git/wire';
import type { ReadFault } from '../merge/object-reader.ts';
import type { Path } from '../path.ts';

export type EntryKind = 'contents' | 'tree' | 'submodule';

export const entryKind = (mode: FileMode): EntryKind =>
  mode === MODE_DIRECTORY ? 'tree' : mode === MODE_SUBMODULE ? 'submodule' : 'contents';

export interface TreeItem {
  readonly path: Path;
  readonly kind: EntryKind;
  readonly mode: FileMode;
  readonly id: ObjectId;
}

export interface TreeStats {
  /** Entries that are contents. */
  readonly contents: number;
  /** Directories, the root among them. */
  readonly trees: number;
  readonly submodules: number;
  /** Steps of the longest path. */
  readonly depth: number;
  /** Entries of the widest directory. */
  readonly width: number;
}

export interface WalkTreeOptions {
  /** A directory before what is in it ('down'), or behind it ('up'). */
  readonly order?: 'down' | 'up';
  /** Only entries with so many steps at least. */
  readonly depthMin?: number;
  /** And with so many at most: what is deeper isn't read. */
  readonly depthMax?: number;
}

type Trees = { tree(id: ObjectId): Promise<Result<TreeTable, ReadFault>> };

interface Level {
  readonly table: TreeTable;
  readonly path: Path;
  /** Of this directory; null for the root. */
  readonly item: TreeItem | null;
  next: number;
}

export async function* walkTree(
  trees: Trees,
  root: ObjectId,
  { order = 'down', depthMin = 1, depthMax = Number.POSITIVE_INFINITY }: WalkTreeOptions,
): AsyncGenerator<Result<TreeItem, ReadFault>> {
  const table = await trees.tree(root);
  if (!table.ok) return yield table;
  const stack: Level[] = [{ table: table.value, path: [], item: null, next: 0 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    if (top.next === top.table.count) {
      const { item } = stack.pop()!;
      const isDue = order === 'up' && item !== null && item.path.length >= depthMin;
      if (isDue) yield ok(item);
      continue;
    }
    const item = itemAt(top, top.next++);
    const depth = item.path.length;
    if (depth > depthMax) continue;
    const enters = item.kind === 'tree' && depth < depthMax;
    if (depth >= depthMin && (order === 'down' || !enters)) yield ok(item);
    if (!enters) continue;
    const below = await trees.tree(item.id);
    if (!below.ok) return yield below;
    stack.push({ table: below.value, path: item.path, item, next: 0 });
  }
}

function itemAt({ table, path }: Level, index: number): TreeItem {
  const { mode, name, id } = table.entryAt(index);
  return { path: [...path, name], kind: entryKind(mode), mode, id };
}
