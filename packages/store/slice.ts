/**
 * Parts of a repository, to take elsewhere: the objects between some commits and others, as a
 * pack. Importing one adds objects and moves no branch; what is to become of them (a merge, a new
 * branch) is the importer's to say. Read first: packages/git/pack/select-objects.ts. Not here:
 * files that name branches too (Git's bundles), and the exchange of two repositories over a
 * network.
 */

import { err, ok, type Result } from '#core';
import type { Zlib } from '#device';
import {
  type BackendError,
  HEADS,
  type ObjectId,
  type PackFault,
  packPieces,
  Selection,
  selectObjects,
  shallowOf,
  type Unpacked,
  unpackObjects,
} from '#git';
import { CommitGraph, type HistoryFault } from './history/commit-graph.ts';
import { commitsWithin } from './history/walk.ts';
import type { Repository } from './repository.ts';
import type { Shape } from './schema.ts';

export interface SliceOptions {
  /** Trees and contents too, or commits alone. Default: true. */
  readonly full?: boolean;
  /** Commits more than so many steps from every one of `max` are left out. Default: none. */
  readonly depth?: number;
  /** What these reach, themselves too, is left out: the receiver has it. Default: nothing. */
  readonly min?: readonly ObjectId[];
  /** Where the slice begins. Default: the heads of all branches. */
  readonly max?: readonly ObjectId[];
}

export interface Slice {
  readonly heads: readonly ObjectId[];
  /** Commits whose parents aren't in it, because of `depth`, or here: a history ends there. */
  readonly ends: ReadonlySet<ObjectId>;
  readonly isFull: boolean;
  readonly objects: number;
  /** A pack, whole in itself or upon what `min` reaches; throws a PackStopped of packages/git. */
  readonly pack: AsyncIterable<Uint8Array>;
}

export type SliceError = HistoryFault | { readonly kind: 'backend'; readonly error: BackendError };

/** What to export is settled when it resolves; the pack is made as it is read. */
export async function exportSlice<S extends Shape>(
  repository: Repository<S>,
  zlib: Zlib,
  { full = true, depth, min = [], max }: SliceOptions = {},
): Promise<Result<Slice, SliceError>> {
  const { backend, crypto } = repository.core;
  const heads = max === undefined ? await headsOf(repository) : ok(max);
  if (!heads.ok) return heads;
  const graph = new CommitGraph(repository.objects);
  const ends = await endsOf(graph, heads.value, depth);
  if (!ends.ok) return ends;
  const request = { wants: heads.value, haves: min, ends: ends.value };
  const selected = await selectObjects(backend, request);
  if (!selected.ok) return err({ kind: 'backend', error: selected.error });
  const cutOff = await shallowOf(backend, selected.value);
  if (!cutOff.ok) return err({ kind: 'backend', error: cutOff.error });
  const selection = full ? selected.value : onlyCommits(selected.value);
  const options = { ofsDelta: true, thin: false, deltas: null, reuse: true };
  return ok({
    heads: heads.value,
    ends: new Set([...ends.value, ...cutOff.value]),
    isFull: full,
    objects: selection.count,
    pack: packPieces(backend, { crypto, zlib }, selection, options),
  });
}

/**
 * Adds the objects of a slice. Each is checked, and so is that what they name is there, but for
 * parents of its ends, and trees where it isn't full. A slice that is refused may leave objects
 * that nothing names.
 */
export function importObjects<S extends Shape>(
  repository: Repository<S>,
  zlib: Zlib,
  slice: Pick<Slice, 'ends' | 'isFull' | 'pack'>,
): Promise<Result<Unpacked, PackFault | BackendError>> {
  const { backend, crypto } = repository.core;
  const check = slice.isFull ? 'objects' : 'nothing';
  const options = { check, shallow: slice.ends } as const;
  return unpackObjects(slice.pack, backend, { crypto, zlib }, options);
}

async function headsOf<S extends Shape>({
  backend,
}: Repository<S>): Promise<Result<ObjectId[], SliceError>> {
  const refs = await backend.listRefs(HEADS);
  if (!refs.ok) return err({ kind: 'backend', error: refs.error });
  return ok([...new Set(refs.value.map(({ id }) => id))]);
}

/** Commits within `depth` that have a parent beyond it. */
async function endsOf(
  graph: CommitGraph,
  heads: readonly ObjectId[],
  depth: number | undefined,
): Promise<Result<ReadonlySet<ObjectId>, HistoryFault>> {
  const ends = new Set<ObjectId>();
  if (depth === undefined) return ok(ends);
  const within = await commitsWithin(graph, heads, depth);
  if (!within.ok) return within;
  for (const id of within.value) {
    const node = await graph.read(id);
    if (!node.ok) return node;
    if (node.value.parents.some((parent) => !within.value.has(parent))) ends.add(id);
  }
  return ok(ends);
}

function onlyCommits(selection: Selection): Selection {
  const commits = new Selection(selection.hash);
  for (let number = 0; number < selection.count; number++) {
    if (selection.kindAt(number) !== 'commit') continue;
    commits.choose(commits.table.addId(selection.idAt(number)), 'commit', 0);
  }
  return commits;
}
