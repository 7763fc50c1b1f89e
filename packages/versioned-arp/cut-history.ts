/**
 * Bounds a history: the newest commits are made anew on nothing, the older ones are named by no
 * branch any more. What they say of the table stays, as the first one has it whole.
 */

import { err, ok } from '#core';
import type { ObjectId } from '#git';
import { timeOfSignature } from '#git/wire';
import { type Commit, formatStoreError, type Repository, type Store } from '#store';
import type { NeighborShape, Outcome } from './neighbor-store.ts';

export interface Cut {
  readonly from: ObjectId;
  readonly to: ObjectId;
  /** Commits that are left. */
  readonly count: number;
}

/** Keeps `kept` commits of `main`, or fewer: none of which both a parent and a child went. */
export async function cutHistory(
  repository: Repository<NeighborShape>,
  main: Store<NeighborShape>,
  kept: number,
): Promise<Outcome<Cut>> {
  const newest: Commit[] = [];
  for await (const commit of main.history({ order: 'topological', countMax: kept })) {
    if (!commit.ok) return err(formatStoreError(commit.error));
    newest.push(commit.value);
  }
  const [head] = newest;
  if (head === undefined) return err('no history');
  const made = new Map<ObjectId, ObjectId>();
  for (const commit of newest.reverse()) {
    const parents = commit.parents.flatMap((parent) => made.get(parent) ?? []);
    const isFirst = parents.length < commit.parents.length;
    const note = isFirst ? `\nWhat came before is gone: it was ${commit.id}.\n` : '';
    const { author } = commit;
    const written = await repository.writeCommit({ id: commit.tree, objects: [] }, parents, {
      message: commit.message + note,
      author: { name: author.name, email: author.email },
      date: timeOfSignature(author),
      zoneMinutes: author.zoneMinutes,
    });
    if (!written.ok) return err(formatStoreError(written.error));
    made.set(commit.id, written.value);
  }
  const to = made.get(head.id)!;
  const name = `refs/heads/${main.branch}`;
  const moved = await repository.moveRef(name, head.id, to, 'cut: older history is gone');
  return moved.ok
    ? ok({ from: head.id, to, count: made.size })
    : err(formatStoreError(moved.error));
}
