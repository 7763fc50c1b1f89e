/**
 * Bounds a history as Git does: commits stay as they are, under their names, and history ends at
 * some of them, which the backend keeps note of (Git's file "shallow"). What is behind is named by
 * nothing any more. What it said of the table stays, as each commit has it whole.
 */

import { err, ok } from '#core';
import { formatBackendError, type ObjectBackend, type ObjectId } from '#git';
import { formatStoreError, type Repository } from '#store';
import type { NeighborShape, Outcome } from './neighbor-store.ts';

type Neighbors = Repository<NeighborShape>;

/** A history, nearest to its head first: as far on each side of a merge, whatever clocks say. */
export interface Measured {
  /** Commits by how many steps they are from the head. */
  readonly levels: readonly (readonly ObjectId[])[];
  readonly count: number;
}

/**
 * Walks until it has met `countMax` commits. Where a parent isn't here history ends from now on:
 * what was cut off may linger, and another host's history lead to it, until it is collected.
 */
export async function measureHistory(
  repository: Neighbors,
  head: ObjectId,
  countMax: number,
): Promise<Outcome<Measured>> {
  const levels: ObjectId[][] = [];
  const broken: ObjectId[] = [];
  const seen = new Set<ObjectId>([head]);
  for (let level = [head]; level.length > 0; ) {
    levels.push(level);
    const next: ObjectId[] = [];
    if (seen.size >= countMax) break;
    for (const id of level) {
      const parents = await parentsOf(repository, id);
      if (!parents.ok) return parents;
      if (parents.value === null) broken.push(id);
      for (const parent of parents.value ?? []) {
        if (seen.has(parent)) continue;
        seen.add(parent);
        next.push(parent);
      }
    }
    level = next;
  }
  const noted = broken.length === 0 ? ok(undefined) : await endAt(repository.backend, broken);
  return noted.ok ? ok({ levels, count: seen.size }) : noted;
}

/**
 * Lets history end so that at most `kept` commits of it are left, one at least; how many. Null:
 * this backend keeps whole histories only.
 */
export async function cutHistory(
  repository: Neighbors,
  { levels }: Measured,
  kept: number,
): Promise<Outcome<number | null>> {
  if (repository.backend.updateShallow === undefined) return ok(null);
  let count = 1;
  let depth = 1;
  for (; depth < levels.length; depth++) {
    const more = levels[depth]!.length;
    if (count + more > kept) break;
    count += more;
  }
  const ends: ObjectId[] = [];
  for (const id of levels[depth - 1]!) {
    const parents = await parentsOf(repository, id);
    if (!parents.ok) return parents;
    if (parents.value === null || parents.value.length > 0) ends.push(id);
  }
  const noted = await endAt(repository.backend, ends);
  return noted.ok ? ok(count) : noted;
}

/** As far as history goes here; null: one of them is missing. */
async function parentsOf(
  repository: Neighbors,
  id: ObjectId,
): Promise<Outcome<readonly ObjectId[] | null>> {
  const { backend } = repository;
  if (backend.isShallow?.(id) === true) return ok([]);
  const read = await repository.commit(id);
  if (!read.ok) return err(formatStoreError(read.error));
  for (const parent of read.value.parents) {
    const there = await backend.hasObject(parent);
    if (!there.ok) return err(formatBackendError(there.error));
    if (!there.value) return ok(null);
  }
  return ok(read.value.parents);
}

/**
 * Lets history end at `add` too. Former ends go when their commits have gone: until then a walk may
 * come upon them.
 */
export async function endAt(
  backend: ObjectBackend,
  add: readonly ObjectId[],
): Promise<Outcome<void>> {
  const listed = await backend.listShallow?.();
  if (listed === undefined) return err('a history that ends early has no room here');
  if (!listed.ok) return err(formatBackendError(listed.error));
  const remove: ObjectId[] = [];
  for (const id of listed.value) {
    const there = await backend.hasObject(id);
    if (!there.ok) return err(formatBackendError(there.error));
    if (!there.value) remove.push(id);
  }
  const updated = await backend.updateShallow!({ add, remove });
  return updated.ok ? ok(undefined) : err(formatBackendError(updated.error));
}
