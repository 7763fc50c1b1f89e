/**
 * Lowest common ancestors: commits that both sides come from, and that no other such commit comes
 * from. Right for every history: criss-cross merges, several roots, clocks that are wrong (dates
 * only decide what is looked at first). The search is Git's (commit-reach.c,
 * paint_down_to_common): paint downwards from both sides, newest first, until nothing but
 * ancestors of what was found is left; then drop what another one comes from. Read first:
 * commit-graph.ts.
 */

import { BinaryHeap, err, ok, type Result } from '#core';
import type { ObjectId } from '#git';
import { COMMON_ANCESTORS_MAX } from '../limits.ts';
import type { CommitGraph, CommitNode, HistoryFault } from './commit-graph.ts';

const LEFT = 1;
const RIGHT = 2;
const BOTH = LEFT | RIGHT;
/** An ancestor of a common ancestor. */
const STALE = 4;

export interface AncestorLimits {
  /**
   * Steps from either side, along the way that the search took; a search that has to go further
   * is 'too deep'. Default: any.
   */
  readonly depthMax?: number;
  /** Results; more are 'too many ancestors'. Default: COMMON_ANCESTORS_MAX. */
  readonly countMax?: number;
}

interface Painted {
  readonly node: CommitNode;
  /** Steps from the side that is further away. */
  depth: number;
  flags: number;
  queued: boolean;
}

/** Newest first; the rest only makes it a total order. */
function isBefore(a: Painted, b: Painted): boolean {
  if (a.node.seconds !== b.node.seconds) return a.node.seconds > b.node.seconds;
  return a.node.id > b.node.id;
}

class Painter {
  readonly #graph: CommitGraph;
  readonly #depthMax: number;
  readonly #painted = new Map<ObjectId, Painted>();
  readonly #queue = new BinaryHeap<Painted>(isBefore);
  /** Queued commits that aren't stale. The search is over at 0. */
  #fresh = 0;

  constructor(graph: CommitGraph, depthMax: number) {
    this.#graph = graph;
    this.#depthMax = depthMax;
  }

  flagsOf(id: ObjectId): number {
    return this.#painted.get(id)?.flags ?? 0;
  }

  async paint(id: ObjectId, flags: number, depth: number): Promise<HistoryFault | null> {
    let entry = this.#painted.get(id);
    if (entry === undefined) {
      const known = this.#graph.get(id);
      const node = known === undefined ? await this.#graph.read(id) : ok(known);
      if (!node.ok) return node.error;
      entry = { node: node.value, depth, flags: 0, queued: false };
      this.#painted.set(id, entry);
    }
    if ((entry.flags & flags) === flags) return null;
    if (depth > this.#depthMax) {
      // What is stale only saves work: what it would have ruled out is dropped at the end.
      if ((flags & STALE) !== 0) return null;
      return { kind: 'too deep', depthMax: this.#depthMax };
    }
    entry.depth = Math.max(entry.depth, depth);
    if (entry.queued && (entry.flags & STALE) === 0) this.#fresh--;
    entry.flags |= flags;
    if ((entry.flags & STALE) === 0) this.#fresh++;
    if (!entry.queued) this.#queue.push(entry);
    entry.queued = true;
    return null;
  }

  /** Paints down to what is common; the common ancestors among which the lowest ones are. */
  async run(): Promise<Result<ObjectId[], HistoryFault>> {
    const found = new Set<Painted>();
    while (this.#fresh > 0) {
      const entry = this.#queue.pop()!;
      entry.queued = false;
      let { flags } = entry;
      if ((flags & STALE) === 0) this.#fresh--;
      if ((flags & BOTH) === BOTH) {
        if ((flags & STALE) === 0) found.add(entry);
        flags |= STALE;
      }
      for (const parent of entry.node.parents) {
        const fault = await this.paint(parent, flags, entry.depth + 1);
        if (fault !== null) return err(fault);
      }
    }
    const lowest = [...found].filter(({ flags }) => (flags & STALE) === 0);
    return ok(lowest.map(({ node }) => node.id));
  }
}

/**
 * All lowest common ancestors of two commits, newest first; none when their histories are
 * unrelated. A commit is an ancestor of itself. Faults: see HistoryFault.
 */
export async function lowestCommonAncestors(
  graph: CommitGraph,
  ours: ObjectId,
  theirs: ObjectId,
  { depthMax = Number.POSITIVE_INFINITY, countMax = COMMON_ANCESTORS_MAX }: AncestorLimits = {},
): Promise<Result<ObjectId[], HistoryFault>> {
  if (ours === theirs) {
    const node = await graph.read(ours);
    return node.ok ? ok([ours]) : node;
  }
  const candidates = await paintFrom(graph, depthMax, [ours], [theirs]);
  if (!candidates.ok) return candidates;
  const lowest = await withoutAncestors(graph, candidates.value.ids);
  if (!lowest.ok) return lowest;
  if (lowest.value.length > countMax) return err({ kind: 'too many ancestors', countMax });
  return ok(newestFirst(graph, lowest.value));
}

async function paintFrom(
  graph: CommitGraph,
  depthMax: number,
  left: readonly ObjectId[],
  right: readonly ObjectId[],
): Promise<Result<{ ids: ObjectId[]; painter: Painter }, HistoryFault>> {
  const painter = new Painter(graph, depthMax);
  for (const [ids, flag] of [[left, LEFT] as const, [right, RIGHT] as const]) {
    for (const id of ids) {
      const fault = await painter.paint(id, flag, 0);
      if (fault !== null) return err(fault);
    }
  }
  const ids = await painter.run();
  return ids.ok ? ok({ ids: ids.value, painter }) : ids;
}

/** Those of `ids` that aren't ancestors of another of them. Exact whatever the dates say. */
async function withoutAncestors(
  graph: CommitGraph,
  ids: readonly ObjectId[],
): Promise<Result<ObjectId[], HistoryFault>> {
  const redundant = new Set<ObjectId>();
  for (const id of ids) {
    if (redundant.has(id)) continue;
    const others = ids.filter((other) => other !== id && !redundant.has(other));
    if (others.length === 0) break;
    const painted = await paintFrom(graph, Number.POSITIVE_INFINITY, [id], others);
    if (!painted.ok) return painted;
    const { painter } = painted.value;
    if ((painter.flagsOf(id) & RIGHT) !== 0) redundant.add(id);
    for (const other of others) if ((painter.flagsOf(other) & LEFT) !== 0) redundant.add(other);
  }
  return ok(ids.filter((id) => !redundant.has(id)));
}

function newestFirst(graph: CommitGraph, ids: ObjectId[]): ObjectId[] {
  const seconds = (id: ObjectId) => graph.get(id)?.seconds ?? 0;
  return ids.sort((a, b) => seconds(b) - seconds(a) || (a < b ? -1 : 1));
}

/** How `to` stands to `from`. */
export type Relation =
  | 'same'
  /** `to` comes from `from`: a branch may be moved there without losing anything. */
  | 'ahead'
  | 'behind'
  | 'diverged'
  | 'unrelated';

/** A fast-forward from `from` to `to` is legal when this is 'ahead' or 'same'. */
export async function relationOf(
  graph: CommitGraph,
  from: ObjectId,
  to: ObjectId,
  limits: AncestorLimits = {},
): Promise<Result<Relation, HistoryFault>> {
  const common = await lowestCommonAncestors(graph, from, to, limits);
  if (!common.ok) return common;
  if (from === to) return ok('same');
  if (common.value.includes(from)) return ok('ahead');
  if (common.value.includes(to)) return ok('behind');
  return ok(common.value.length === 0 ? 'unrelated' : 'diverged');
}
