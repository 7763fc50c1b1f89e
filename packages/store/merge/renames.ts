/**
 * Exact renames: contents that one side moved, unchanged, and the other one changed where they
 * were. They are moved on the base and on the other side too, before a merge that knows paths
 * only; so the change comes to stand at the new path. A directory that moved is its contents that
 * did. Which of several equal contents went where is decided as Git does: in the order of the new
 * paths, each from where the name is the same, else from the first one left.
 * Deviates from Git: contents that changed on their way aren't followed, and what one side moved
 * and the other one removed, or moved elsewhere, is no conflict: it is where it was moved.
 */

import { ok, type Result } from '#core';
import { MODE_DIRECTORY, MODE_LINK, MODE_SUBMODULE, type ObjectId } from '#git';
import type { TreeEdit } from '#git/wire';
import { type DiffSide, diffTrees, type TreeChange } from '../tree/tree-diff.ts';
import type { ObjectDraft } from './object-draft.ts';
import type { ReadFault } from './object-reader.ts';

export interface TreeIds {
  readonly base: ObjectId;
  readonly ours: ObjectId;
  readonly theirs: ObjectId;
}

type Path = readonly string[];

interface Move {
  readonly from: Path;
  readonly to: Path;
  /** What the base and the other side have at `from`. */
  readonly base: DiffSide;
  readonly other: DiffSide;
}

interface PathEdit {
  readonly path: Path;
  readonly entry: DiffSide | null;
}

/** The trees with all of what either side moved where it was moved. Costs the two diffs. */
export async function followRenames(
  draft: ObjectDraft,
  trees: TreeIds,
): Promise<Result<TreeIds, ReadFault>> {
  const { base, ours, theirs } = trees;
  const [left, right] = [await changesOf(draft, base, ours), await changesOf(draft, base, theirs)];
  if (!left.ok) return left;
  if (!right.ok) return right;
  const [byOurs, byTheirs] = [
    await movesOf(draft, base, theirs, left.value, right.value),
    await movesOf(draft, base, ours, right.value, left.value),
  ];
  if (!byOurs.ok) return byOurs;
  if (!byTheirs.ok) return byTheirs;
  const all = [...byOurs.value, ...byTheirs.value];
  const moved: ObjectId[] = [];
  for (const [root, edits] of [
    [base, all.flatMap((move) => editsOf(move, move.base))],
    [ours, byTheirs.value.flatMap((move) => editsOf(move, move.other))],
    [theirs, byOurs.value.flatMap((move) => editsOf(move, move.other))],
  ] as const) {
    const tree = edits.length === 0 ? ok(root) : await edited(draft, root, edits);
    if (!tree.ok) return tree;
    moved.push(tree.value);
  }
  return ok({ base: moved[0]!, ours: moved[1]!, theirs: moved[2]! });
}

const editsOf = ({ from, to }: Move, entry: DiffSide): readonly PathEdit[] => [
  { path: from, entry: null },
  { path: to, entry },
];

const keyOf = (path: Path): string => path.join('/');

async function changesOf(
  draft: ObjectDraft,
  before: ObjectId,
  after: ObjectId,
): Promise<Result<Map<string, TreeChange>, ReadFault>> {
  const changes = new Map<string, TreeChange>();
  for await (const change of diffTrees(draft, before, after)) {
    if (!change.ok) return change;
    changes.set(keyOf(change.value.path), change.value);
  }
  return ok(changes);
}

/** What `mine` moved and `others` changed, and can be moved in the base and the other tree. */
async function movesOf(
  draft: ObjectDraft,
  base: ObjectId,
  other: ObjectId,
  mine: ReadonlyMap<string, TreeChange>,
  others: ReadonlyMap<string, TreeChange>,
): Promise<Result<Move[], ReadFault>> {
  // Empty files are alike without being the same.
  const emptyBlob = draft.addBlob(new Uint8Array(0));
  const sources = new Sources();
  for (const { path, before, after } of mine.values()) {
    if (before === null || after !== null) continue;
    if (before.mode !== MODE_SUBMODULE && before.id !== emptyBlob) sources.add(before, path);
  }
  const moves: Move[] = [];
  for (const { path: to, before, after } of mine.values()) {
    const from = before === null ? sources.take(after!, to) : undefined;
    if (from === undefined) continue;
    const changed = others.get(keyOf(from));
    if (changed?.kind !== 'updated') continue;
    const [isFree, isFreeThere] = [await isRoom(draft, base, to), await isRoom(draft, other, to)];
    if (!isFree.ok) return isFree;
    if (!isFreeThere.ok) return isFreeThere;
    if (!isFree.value || !isFreeThere.value) continue;
    moves.push({ from, to, base: changed.before!, other: changed.after! });
  }
  return ok(moves);
}

/** Where contents were that are gone there; equal ones in order. Each look takes no time. */
class Sources {
  /** By what they are, and by that and their name. */
  private readonly queues = new Map<string, { readonly paths: Path[]; next: number }>();
  private readonly taken = new Set<Path>();

  add(side: DiffSide, path: Path): void {
    for (const key of keysOf(side, path)) {
      const queue = this.queues.get(key);
      if (queue === undefined) this.queues.set(key, { paths: [path], next: 0 });
      else queue.paths.push(path);
    }
  }

  /** Where `to` came from, which nothing else did: of the same name if there is one. */
  take(side: DiffSide, to: Path): Path | undefined {
    for (const key of keysOf(side, to)) {
      const queue = this.queues.get(key);
      if (queue === undefined) continue;
      while (this.taken.has(queue.paths[queue.next]!)) queue.next++;
      const path = queue.paths[queue.next];
      if (path === undefined) continue;
      this.taken.add(path);
      return path;
    }
    return undefined;
  }
}

function keysOf({ id, mode }: DiffSide, path: Path): readonly [string, string] {
  const sort = `${id} ${mode === MODE_LINK ? 'link' : 'file'}`;
  return [`${sort} ${path.at(-1)}`, sort];
}

/** Whether nothing is at a path, nor contents on the way there. */
async function isRoom(
  draft: ObjectDraft,
  root: ObjectId,
  path: Path,
): Promise<Result<boolean, ReadFault>> {
  let id = root;
  for (const step of path) {
    const table = await draft.tree(id);
    if (!table.ok) return table;
    const entry = table.value.get(step);
    if (entry?.mode !== MODE_DIRECTORY) return ok(entry === null);
    id = entry.id;
  }
  return ok(false);
}

/** The tree with what the edits say; trees that they leave empty are gone. */
async function edited(
  draft: ObjectDraft,
  root: ObjectId,
  edits: readonly PathEdit[],
): Promise<Result<ObjectId, ReadFault>> {
  const table = await draft.tree(root);
  if (!table.ok) return table;
  const here: TreeEdit[] = [];
  const below = new Map<string, PathEdit[]>();
  for (const { path, entry } of edits) {
    const [name, ...rest] = path as [string, ...string[]];
    if (rest.length === 0) here.push({ name, entry });
    else {
      const inner = below.get(name) ?? [];
      inner.push({ path: rest, entry });
      below.set(name, inner);
    }
  }
  for (const [name, inner] of below) {
    const entry = table.value.get(name);
    const there = entry?.mode === MODE_DIRECTORY ? entry.id : draft.emptyTree;
    const id = await edited(draft, there, inner);
    if (!id.ok) return id;
    const isGone = id.value === draft.emptyTree;
    here.push({ name, entry: isGone ? null : { mode: MODE_DIRECTORY, id: id.value } });
  }
  return ok(draft.addTree(table.value.with(here)));
}
