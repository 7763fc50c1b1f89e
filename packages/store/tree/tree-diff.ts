/**
 * What differs between two trees, contents by contents in the order of their paths: equal trees
 * aren't entered, so it costs what differs, not what there is.
 */

import { err, ok, type Result } from '#core';
import { type FileMode, MODE_DIRECTORY, type ObjectId } from '#git';
import { byteString, type TreeEntry, type TreeTable } from '#git/wire';
import type { ReadFault } from '../merge/object-reader.ts';
import type { Path } from '../path.ts';

export interface DiffSide {
  readonly mode: FileMode;
  readonly id: ObjectId;
}

/** At `path` something was added (no before), removed (no after), or is another. */
export interface TreeChange {
  readonly path: Path;
  readonly kind: 'added' | 'removed' | 'updated';
  readonly before: DiffSide | null;
  readonly after: DiffSide | null;
}

type Trees = { tree(id: ObjectId): Promise<Result<TreeTable, ReadFault>> };
type Side = TreeEntry | null;

/** A null tree has nothing in it. A fault is the last that comes. */
export function diffTrees(
  trees: Trees,
  before: ObjectId | null,
  after: ObjectId | null,
): AsyncGenerator<Result<TreeChange, ReadFault>> {
  const side = (id: ObjectId | null): DiffSide | null =>
    id === null ? null : { mode: MODE_DIRECTORY, id };
  return diffEntries(trees, side(before), side(after));
}

/**
 * As diffTrees, of what two trees have at one path: contents, a tree, or nothing. Paths go on
 * from there.
 */
export async function* diffEntries(
  trees: Trees,
  before: DiffSide | null,
  after: DiffSide | null,
): AsyncGenerator<Result<TreeChange, ReadFault>> {
  const change = leafChange([], before, after);
  if (change !== null) yield ok(change);
  // Down by a stack of pairs, so that no depth of a tree is one of calls.
  const stack: { path: Path; pairs: readonly [Side, Side][]; next: number }[] = [];
  const enter = async (path: Path, old: DiffSide | null, now: DiffSide | null) => {
    const [oldTree, nowTree] = [treeId(old), treeId(now)];
    if (oldTree === nowTree) return null;
    const pairs = await pairsOf(trees, oldTree, nowTree);
    if (pairs.ok) stack.push({ path, pairs: pairs.value, next: 0 });
    return pairs.ok ? null : pairs;
  };
  const fault = await enter([], before, after);
  if (fault !== null) return yield fault;
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const pair = top.pairs[top.next++];
    if (pair === undefined) {
      stack.pop();
      continue;
    }
    const [old, now] = pair;
    const path = [...top.path, (old ?? now)!.name];
    const change = leafChange(path, old, now);
    if (change !== null) yield ok(change);
    const fault = await enter(path, old, now);
    if (fault !== null) return yield fault;
  }
}

const treeId = (side: DiffSide | null): ObjectId | null =>
  side !== null && side.mode === MODE_DIRECTORY ? side.id : null;

/** What differs of the two entries, directories aside. */
function leafChange(path: Path, old: DiffSide | null, now: DiffSide | null): TreeChange | null {
  const before = old !== null && old.mode !== MODE_DIRECTORY ? old : null;
  const after = now !== null && now.mode !== MODE_DIRECTORY ? now : null;
  if (before === null && after === null) return null;
  if (before?.id === after?.id && before?.mode === after?.mode) return null;
  const side = (entry: DiffSide | null): DiffSide | null =>
    entry === null ? null : { mode: entry.mode, id: entry.id };
  const kind = before === null ? 'added' : after === null ? 'removed' : 'updated';
  return { path, kind, before: side(before), after: side(after) };
}

/** Entries of two trees that differ, side by side by name, in the order of names. */
async function pairsOf(
  trees: Trees,
  before: ObjectId | null,
  after: ObjectId | null,
): Promise<Result<[Side, Side][], ReadFault>> {
  const none = ok(null);
  const [left, right] = await Promise.all([
    before === null ? none : trees.tree(before),
    after === null ? none : trees.tree(after),
  ]);
  if (!left.ok) return err(left.error);
  if (!right.ok) return err(right.error);
  return ok(pairUp(left.value, right.value));
}

/** Entries of two trees that differ, side by side by name. O(bytes), however little differs. */
export function pairUp(left: TreeTable | null, right: TreeTable | null): [Side, Side][] {
  const pairs: [Side, Side][] = [];
  const [leftCount, rightCount] = [left?.count ?? 0, right?.count ?? 0];
  let isMixed = false;
  for (let i = 0, j = 0; i < leftCount || j < rightCount; ) {
    const order = i >= leftCount ? 1 : j >= rightCount ? -1 : left!.compareEntry(i, right!, j);
    if (order === 0 && left!.sameEntry(i, right!, j)) {
      i++;
      j++;
      continue;
    }
    const old = order <= 0 ? left!.entryAt(i++) : null;
    const now = order >= 0 ? right!.entryAt(j++) : null;
    isMixed ||= order !== 0;
    pairs.push([old, now]);
  }
  return isMixed ? joinKinds(pairs) : pairs;
}

/** A file here and a directory of the same name there stand apart in Git's order: one pair. */
function joinKinds(pairs: readonly [Side, Side][]): [Side, Side][] {
  const byName = new Map<string, [Side, Side]>();
  for (const [old, now] of pairs) {
    const name = (old ?? now)!.name;
    const seen = byName.get(name);
    byName.set(name, seen === undefined ? [old, now] : [seen[0] ?? old, seen[1] ?? now]);
  }
  const key = ([old, now]: [Side, Side]): string => byteString((old ?? now)!.name);
  return [...byName.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
