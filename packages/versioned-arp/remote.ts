/**
 * Other hosts' stores: in this process here, over Git's protocol in packages/morgana. Read first:
 * neighbor-history.ts.
 */

import { err, ok } from '#core';
import { formatBackendError, ID_BYTES, type NamedObject, type ObjectId, objectLinks } from '#git';
import { formatStoreError, type Repository, type Shape } from '#store';
import { endAt } from './cut-history.ts';
import { copyObjectsMax } from './limits.ts';
import type { NeighborShape, Outcome } from './neighbor-store.ts';

export interface NeighborRemote {
  /** For messages: "10.0.0.2". */
  readonly name: string;
  /** Brings what it has into `repository`; its head, or null when it has none. */
  fetch(repository: Repository<NeighborShape>): Promise<Outcome<ObjectId | null>>;
  /** Brings `head` there; 'behind' when that would lose something that it has. */
  push(
    repository: Repository<NeighborShape>,
    head: ObjectId,
  ): Promise<Outcome<'pushed' | 'behind'>>;
}

/** A branch of another repository in this process. */
export function storeRemote<S extends Shape>(
  name: string,
  theirs: Repository<S>,
  branch = 'main',
): NeighborRemote {
  return {
    name,
    async fetch(repository) {
      const head = await theirs.headOf(branch);
      if (!head.ok) return err(formatStoreError(head.error));
      if (head.value === null) return ok(null);
      const copied = await copyHistory(theirs, repository, head.value);
      return copied.ok ? ok(head.value) : copied;
    },
    async push(repository, head) {
      const copied = await copyHistory(repository, theirs, head);
      if (!copied.ok) return copied;
      const moved = await theirs.branch(branch).fastForward(head);
      if (moved.ok)
        return ok(moved.value || (await isAt(theirs, branch, head)) ? 'pushed' : 'behind');
      if (moved.error.kind === 'not a fast-forward') return ok('behind');
      return err(formatStoreError(moved.error));
    },
  };
}

async function isAt<S extends Shape>(
  repository: Repository<S>,
  branch: string,
  head: ObjectId,
): Promise<boolean> {
  const now = await repository.headOf(branch);
  return now.ok && now.value === head;
}

/**
 * Copies a commit and what it needs, but for what is there; parents before children. Where history
 * ends over there it ends here too, unless it goes on here.
 */
async function copyHistory<A extends Shape, B extends Shape>(
  from: Repository<A>,
  to: Repository<B>,
  head: ObjectId,
): Promise<Outcome<void>> {
  const seen = new Set<ObjectId>([head]);
  const found: NamedObject[] = [];
  const ends: ObjectId[] = [];
  const stack = [head];
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    const there = await to.backend.hasObject(id);
    if (!there.ok) return err(formatBackendError(there.error));
    if (there.value) continue;
    const object = await from.backend.readObject(id);
    if (!object.ok) return err(formatBackendError(object.error));
    if (object.value === null) return err(`${id} is missing`);
    if (found.length >= copyObjectsMax) return err(`more than ${copyObjectsMax} objects`);
    found.push({ id, ...object.value });
    const below = objectLinks(object.value, ID_BYTES[from.backend.hash]);
    if (below === null) return err(`${id} is a malformed ${object.value.kind}`);
    const isEnd = object.value.kind === 'commit' && from.backend.isShallow?.(id) === true;
    const parents = below.filter(({ kind }) => kind === 'commit');
    if (isEnd && !(await areAll(to, parents))) ends.push(id);
    for (const need of below) {
      if (seen.has(need.id) || (isEnd && need.kind === 'commit')) continue;
      seen.add(need.id);
      stack.push(need.id);
    }
  }
  const ended = ends.length === 0 ? ok(undefined) : await endAt(to.backend, ends);
  if (!ended.ok) return ended;
  // In one batch: what is there is whole, or not there.
  const written = await to.backend.writeObjects(found.reverse());
  return written.ok ? ok(undefined) : err(formatBackendError(written.error));
}

async function areAll<S extends Shape>(
  { backend }: Repository<S>,
  links: readonly { readonly id: ObjectId }[],
): Promise<boolean> {
  for (const { id } of links) {
    const there = await backend.hasObject(id);
    if (!there.ok || !there.value) return false;
  }
  return true;
}
