/**
 * How a store changes: read the head, make a tree of the head's tree, commit it on the head, and
 * move the branch there if it is where it was; else begin again from where it is now. Readers see
 * one head or the other. Read first: store.ts.
 */

import { err, ok, type Result } from '#core';
import { HEADS, type ObjectId } from '#git';
import type { CommitOptions } from './commit-info.ts';
import { RETRIES } from './limits.ts';
import type { Repository } from './repository.ts';
import type { Shape } from './schema.ts';
import { refError, type StoreError } from './store-error.ts';
import type { Tree } from './tree/tree.ts';

/** What is being changed: a branch, or a view's own head. */
export interface HeadCell {
  /** Null for a head that no branch names. */
  readonly branch: string | null;
  read(): Promise<Result<ObjectId | null, StoreError>>;
  /** True when it was at `from`. */
  swap(
    from: ObjectId | null,
    to: ObjectId | null,
    reason: string,
  ): Promise<Result<boolean, StoreError>>;
}

/** A tree, or what has its name and its new objects, and took nothing from elsewhere. */
export type Writable = Pick<Tree, 'toWrite'> & Partial<Pick<Tree, 'takenOver'>>;

/** What the next tree is, from the head's; null: leave it as it is. */
export type NextTree<S extends Shape, E> = (
  tree: Tree<S>,
  head: ObjectId | null,
) => Promise<Result<Writable | null, E>>;

/** A branch's head. */
export function branchCell<S extends Shape>(repository: Repository<S>, branch: string): HeadCell {
  const name = HEADS + branch;
  const { backend } = repository;
  return {
    branch,
    async read() {
      const ref = await backend.readRef(name);
      if (!ref.ok) return err({ kind: 'backend', error: ref.error });
      const id = ref.value?.id;
      if (id !== undefined) return ok(id);
      return ref.value === null ? ok(null) : repository.readRef(name);
    },
    async swap(from, to, reason) {
      const moved = await repository.swapRef(name, from, to, reason);
      if (moved.ok) return ok(true);
      return moved.error.kind === 'moved' ? ok(false) : err(refError(moved.error));
    },
  };
}

/** A head of a view alone. */
export function ownCell(start: ObjectId | null): HeadCell {
  let head = start;
  return {
    branch: null,
    read: async () => ok(head),
    async swap(from, to) {
      if (head !== from) return ok(false);
      head = to;
      return ok(true);
    },
  };
}

/** The commit that was made, or null when nothing has changed. */
export type Committed = ObjectId | null;

/** One try: null when somebody else was quicker. */
export async function tryCommit<S extends Shape, E>(
  repository: Repository<S>,
  cell: HeadCell,
  next: NextTree<S, E>,
  options: CommitOptions,
): Promise<Result<{ readonly committed: Committed } | null, StoreError | E>> {
  const head = await cell.read();
  if (!head.ok) return head;
  const base = await treeAt(repository, head.value);
  if (!base.ok) return base;
  const tree = await next(base.value, head.value);
  if (!tree.ok) return tree;
  const before = await base.value.hash();
  if (!before.ok) return before;
  const unchanged = ok({ id: before.value, objects: [] });
  const written = tree.value === null ? unchanged : await tree.value.toWrite();
  if (!written.ok) return written;
  const { allowEmpty = false, parents: extra = [] } = options;
  const isSame = written.value.id === before.value && extra.length === 0;
  if (isSame && !allowEmpty) return ok({ committed: null });
  const parents = [...new Set(head.value === null ? extra : [head.value, ...extra])];
  const taken = (await tree.value?.takenOver?.(before.value)) ?? ok([]);
  if (!taken.ok) return taken;
  const named = [...taken.value, ...extra];
  const there = await expectAll(repository, named);
  if (!there.ok) return there;
  const commit = await repository.writeCommit(written.value, parents, options);
  if (!commit.ok) return commit;
  // What new objects name no collection takes from here on; one may just have.
  const kept = await expectAll(repository, named);
  if (!kept.ok) return kept;
  const [subject = ''] = (options.message ?? '').split('\n', 1);
  const moved = await cell.swap(head.value, commit.value, `commit: ${subject}`);
  if (!moved.ok) return moved;
  if (!moved.value) repository.core.counters.lostRaces++;
  else repository.core.counters.commits++;
  return ok(moved.value ? { committed: commit.value } : null);
}

/** 'dangling' when a collection took one of them. */
async function expectAll<S extends Shape>(
  repository: Repository<S>,
  ids: readonly ObjectId[],
): Promise<Result<void, StoreError>> {
  for (const id of ids) {
    const there = await repository.expectThere(id);
    if (!there.ok) return there;
  }
  return ok(undefined);
}

/** Tries until it works, in turn with the other writers of this repository. */
export async function commitInTurn<S extends Shape, E>(
  repository: Repository<S>,
  cell: HeadCell,
  next: NextTree<S, E>,
  options: CommitOptions,
): Promise<Result<Committed, StoreError | E>> {
  return inTurn(repository, cell.branch, () => commitUntilDone(repository, cell, next, options));
}

/** `work` when no other writer of this repository is at the branch; see turns.ts. */
export const inTurn = <S extends Shape, T>(
  { core }: Repository<S>,
  branch: string | null,
  work: () => Promise<T>,
): Promise<T> => (branch === null ? work() : core.turns.take(branch, work));

/** Tries until it works; `next` may take as long as it likes. */
export async function commitUntilDone<S extends Shape, E>(
  repository: Repository<S>,
  cell: HeadCell,
  next: NextTree<S, E>,
  options: CommitOptions,
): Promise<Result<Committed, StoreError | E>> {
  return untilDone(options, () => tryCommit(repository, cell, next, options));
}

/** `attempt` until others weren't quicker: until it gives more than null. */
export async function untilDone<E>(
  { retries = RETRIES }: CommitOptions,
  attempt: () => Promise<Result<{ readonly committed: Committed } | null, E>>,
): Promise<Result<Committed, StoreError | E>> {
  for (let lost = 0; lost <= retries; lost++) {
    const done = await attempt();
    if (!done.ok) return done;
    if (done.value !== null) return ok(done.value.committed);
  }
  return err({ kind: 'too many retries', retries });
}

/** The tree of a commit; of no commit, the empty one. */
export async function treeAt<S extends Shape>(
  repository: Repository<S>,
  commit: ObjectId | null,
): Promise<Result<Tree<S>, StoreError>> {
  if (commit === null) return ok(repository.emptyTree());
  const known = repository.objects.peekCommit(commit);
  const read = known === undefined ? await repository.objects.commit(commit) : ok(known);
  return read.ok ? ok(repository.treeOf(read.value.tree)) : read;
}
