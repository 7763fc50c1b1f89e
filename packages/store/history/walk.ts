/**
 * Walks over histories, from heads downwards: newest first, or children before their parents. Each
 * commit comes once. Read first: commit-graph.ts. Not here: which commits changed a path (the
 * store, which knows trees).
 */

import { BinaryHeap, err, ok, type Result } from '#core';
import type { ObjectId } from '#git';
import type { CommitGraph, CommitNode, HistoryFault } from './commit-graph.ts';

export interface WalkOptions {
  /**
   * 'date' gives the newest commit whose child was given (or that is a head) first, as `git log`
   * does: it streams, but with wrong clocks a parent can come before another of its children.
   * 'topological' never does that, and among what is left gives the newest first, as
   * `git log --date-order`; it reads all of it before the first one comes.
   */
  readonly order?: 'date' | 'topological';
  /** Commits more than so many steps from every head, the shortest way, are left out. */
  readonly depthMax?: number;
  /** Where walks end: these are given, and what is behind them only if another way leads there. */
  readonly until?: Iterable<ObjectId>;
  /** The walk ends after so many. */
  readonly countMax?: number;
}

interface Step {
  readonly node: CommitNode;
  /** When it was found: breaks ties of dates as Git does. */
  readonly index: number;
}

const isNewer = (a: Step, b: Step): boolean =>
  a.node.seconds === b.node.seconds ? a.index < b.index : a.node.seconds > b.node.seconds;

/**
 * The commits that `heads` come from, themselves included; a fault is the last that comes. Reads
 * a commit of a 'date' walk when it is next, so whoever stops early has read little more.
 */
export async function* walkHistory(
  graph: CommitGraph,
  heads: readonly ObjectId[],
  { order = 'date', depthMax, until, countMax }: WalkOptions = {},
): AsyncGenerator<Result<CommitNode, HistoryFault>> {
  const last = new Set(until);
  const within = depthMax === undefined ? null : await commitsWithin(graph, heads, depthMax, last);
  if (within !== null && !within.ok) {
    yield within;
    return;
  }
  const follow = (node: CommitNode): readonly ObjectId[] => {
    if (last.has(node.id)) return [];
    if (within === null) return node.parents;
    return node.parents.filter((parent) => within.value.has(parent));
  };
  let given = 0;
  const walk =
    order === 'date' ? byDate(graph, heads, follow) : childrenFirst(graph, heads, follow);
  for await (const node of walk) {
    if (countMax !== undefined && given === countMax) return;
    given++;
    yield node;
  }
}

type Follow = (node: CommitNode) => readonly ObjectId[];

async function* byDate(
  graph: CommitGraph,
  heads: readonly ObjectId[],
  follow: Follow,
): AsyncGenerator<Result<CommitNode, HistoryFault>> {
  const seen = new Set<ObjectId>();
  const queue = new BinaryHeap<Step>(isNewer);
  const enter = async (ids: readonly ObjectId[]): Promise<HistoryFault | null> => {
    for (const id of ids) {
      if (seen.has(id)) continue;
      const node = await graph.read(id);
      if (!node.ok) return node.error;
      queue.push({ node: node.value, index: seen.size });
      seen.add(id);
    }
    return null;
  };
  let fault = await enter(heads);
  for (let step = queue.pop(); step !== undefined; step = queue.pop()) {
    yield ok(step.node);
    fault ??= await enter(follow(step.node));
    if (fault !== null) break;
  }
  if (fault !== null) yield err(fault);
}

/** Kahn's algorithm: a commit is ready when all of its children that the walk has were given. */
async function* childrenFirst(
  graph: CommitGraph,
  heads: readonly ObjectId[],
  follow: Follow,
): AsyncGenerator<Result<CommitNode, HistoryFault>> {
  const children = new Map<ObjectId, number>();
  const found: CommitNode[] = [];
  for await (const node of byDate(graph, heads, follow)) {
    if (!node.ok) {
      yield node;
      return;
    }
    found.push(node.value);
    for (const parent of new Set(follow(node.value))) {
      children.set(parent, (children.get(parent) ?? 0) + 1);
    }
  }
  const ready = new BinaryHeap<Step>(isNewer);
  let index = 0;
  for (const node of found) if (!children.has(node.id)) ready.push({ node, index: index++ });
  for (let step = ready.pop(); step !== undefined; step = ready.pop()) {
    yield ok(step.node);
    for (const parent of new Set(follow(step.node))) {
      const left = children.get(parent)! - 1;
      children.set(parent, left);
      if (left === 0) ready.push({ node: graph.get(parent)!, index: index++ });
    }
  }
}

/** The commits at most `depthMax` steps from a head, not past those in `last`. */
export async function commitsWithin(
  graph: CommitGraph,
  heads: readonly ObjectId[],
  depthMax: number,
  last: ReadonlySet<ObjectId> = new Set(),
): Promise<Result<ReadonlySet<ObjectId>, HistoryFault>> {
  const seen = new Set(heads);
  let layer = [...seen];
  for (let depth = 0; depth < depthMax && layer.length > 0; depth++) {
    const next: ObjectId[] = [];
    for (const id of layer) {
      if (last.has(id)) continue;
      const node = await graph.read(id);
      if (!node.ok) return node;
      for (const parent of node.value.parents) {
        if (seen.has(parent)) continue;
        seen.add(parent);
        next.push(parent);
      }
    }
    layer = next;
  }
  return ok(seen);
}
