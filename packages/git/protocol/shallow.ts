/**
 * Histories that end early, there or here: which commits a client gets without their parents. Read
 * first: gitprotocol-pack(5), "Packfile Negotiation"; gitprotocol-v2(5), "shallow-info".
 */

import type { ObjectBackend } from '../backend.ts';
import type { ObjectId } from '../object-id.ts';
import { DEPTH_INFINITE, type Deepening } from '../wire/fetch-request.ts';
import type { CommitGraph } from './commit-graph.ts';
import { got, refused } from './stop.ts';

/** Where a client's history ends. */
export interface ShallowChange {
  /** All of its ends once it has what it asked for; their parents are not for it. */
  readonly ends: ReadonlySet<ObjectId>;
  /** Those that it doesn't know of yet. */
  readonly shallow: readonly ObjectId[];
  /** Those of its ends that aren't any more: it needs their parents. */
  readonly unshallow: readonly ObjectId[];
}

/** What `deepening` makes of a client whose history ends at `has` now. Throws Stop. */
export async function shallowChange(
  graph: CommitGraph,
  backend: ObjectBackend,
  wants: readonly ObjectId[],
  has: ReadonlySet<ObjectId>,
  deepening: Deepening,
): Promise<ShallowChange> {
  const roots = await commitsOf(graph, wants);
  const reached =
    deepening.since === null && deepening.not.length === 0
      ? await byDepth(graph, roots, has, deepening)
      : await byHistory(graph, backend, roots, deepening);
  const ours = await graph.shallow();
  const ends = new Set([...reached.ends, ...[...ours].filter((id) => reached.seen.has(id))]);
  const shallow = [...ends].filter((id) => !has.has(id));
  const unshallow = [...has].filter((id) => reached.seen.has(id) && !ends.has(id));
  // What isn't reached from the wants stays as it was.
  for (const id of has) if (!reached.seen.has(id)) ends.add(id);
  return { ends, shallow, unshallow };
}

interface Reached {
  readonly seen: ReadonlySet<ObjectId>;
  readonly ends: ReadonlySet<ObjectId>;
}

async function commitsOf(graph: CommitGraph, wants: readonly ObjectId[]): Promise<ObjectId[]> {
  const commits: ObjectId[] = [];
  for (const want of wants) {
    const peeled = await graph.peel(want);
    if (peeled?.kind === 'commit') commits.push(peeled.id);
  }
  return commits;
}

/** Level by level, so that each commit is met first at its least depth. O(commits reached). */
async function byDepth(
  graph: CommitGraph,
  wants: readonly ObjectId[],
  has: ReadonlySet<ObjectId>,
  { depth, isRelative }: Deepening,
): Promise<Reached> {
  // Relative depth counts from behind the ends that the client has.
  const isFromEnds = isRelative && has.size > 0;
  const seen = new Set<ObjectId>();
  const ends = new Set<ObjectId>();
  let left = (depth ?? DEPTH_INFINITE) + (isFromEnds ? 1 : 0);
  let level = isFromEnds ? await endsBehind(graph, wants, has) : new Set(wants);
  while (level.size > 0) {
    const next = new Set<ObjectId>();
    left--;
    for (const id of level) seen.add(id);
    for (const id of level) {
      const { parents } = await graph.need(id);
      if (left <= 0 && parents.length > 0) ends.add(id);
      if (left > 0) for (const parent of parents) if (!seen.has(parent)) next.add(parent);
    }
    level = next;
  }
  return { seen, ends };
}

/**
 * Of the client's ends those that its wants lead to: others may not be here, or not be for it, nor
 * what is behind them.
 */
async function endsBehind(
  graph: CommitGraph,
  wants: readonly ObjectId[],
  has: ReadonlySet<ObjectId>,
): Promise<Set<ObjectId>> {
  const found = new Set<ObjectId>();
  const seen = new Set(wants);
  // It grows while it is walked.
  for (const id of seen) {
    if (found.size === has.size) break;
    if (has.has(id)) found.add(id);
    for (const parent of (await graph.need(id)).parents) seen.add(parent);
  }
  return found;
}

/**
 * Commits that are new enough, and that no excluded ref reaches; ends are those with others behind.
 */
async function byHistory(
  graph: CommitGraph,
  backend: ObjectBackend,
  roots: readonly ObjectId[],
  { since, not }: Deepening,
): Promise<Reached> {
  const excluded = await excludedBy(graph, backend, not);
  const isIn = async (id: ObjectId): Promise<boolean> =>
    !excluded.has(id) && (since === null || (await graph.need(id)).seconds >= since);
  const seen = new Set<ObjectId>();
  const ends = new Set<ObjectId>();
  const stack: ObjectId[] = [];
  for (const id of roots) if (await isIn(id)) stack.push(id);
  if (stack.length === 0) throw refused('no commits selected for shallow requests');
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    for (const parent of (await graph.need(id)).parents) {
      if (await isIn(parent)) stack.push(parent);
      else ends.add(id);
    }
  }
  return { seen, ends };
}

async function excludedBy(
  graph: CommitGraph,
  backend: ObjectBackend,
  names: readonly string[],
): Promise<ReadonlySet<ObjectId>> {
  const excluded = new Set<ObjectId>();
  if (names.length === 0) return excluded;
  const refs = new Map<string, ObjectId>();
  for (const { name, id } of got(await backend.listRefs('refs/'))) refs.set(name, id);
  for (const name of new Set(names)) {
    const id = refNamed(refs, name);
    if (id === null) throw refused(`deepen-not is not a ref: ${name}`);
    const stack = await commitsOf(graph, [id]);
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (excluded.has(at)) continue;
      excluded.add(at);
      stack.push(...(await graph.need(at)).parents);
    }
  }
  return excluded;
}

/** As `git fetch --shallow-exclude` names refs: in full, or without their first parts. */
function refNamed(refs: ReadonlyMap<string, ObjectId>, name: string): ObjectId | null {
  for (const prefix of ['', 'refs/', 'refs/tags/', 'refs/heads/', 'refs/remotes/']) {
    const id = refs.get(`${prefix}${name}`);
    if (id !== undefined) return id;
  }
  return null;
}
