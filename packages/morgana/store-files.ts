/**
 * Parts of a repository to take elsewhere, with the target's own zlib: bundles, which Git clones
 * and fetches from, and slices, which are the objects alone. Read first: packages/store/slice.ts,
 * packages/git/bundle/bundle.ts.
 */

import { err, ok, type Result } from '#core';
import * as bundles from '#git';
import {
  type BundleFault,
  type ExportedBundle,
  HEADS,
  type ImportedBundle,
  type ObjectId,
  TAGS,
} from '#git';
import { zlib } from '#git/zlib/platform';
import type { Repository, Shape, Slice, SliceOptions } from '#store';
import * as slices from '#store';

/** All branches and tags, without what these commits reach: whoever reads it has that. */
export async function exportBundle<S extends Shape>(
  { core }: Repository<S>,
  without: readonly ObjectId[] = [],
): Promise<Result<ExportedBundle, BundleFault>> {
  const { backend, crypto } = core;
  const listed = await backend.listRefs('refs/');
  if (!listed.ok) return err({ kind: 'backend', error: listed.error });
  const refs = listed.value.filter(({ name }) => name.startsWith(HEADS) || name.startsWith(TAGS));
  return bundles.exportBundle(backend, { crypto, zlib }, { refs, without });
}

/**
 * Takes the objects of a bundle in, all checked; no branch moves. Gives where its branches are: a
 * store merges them with `mergeWith`.
 */
export async function importBundle<S extends Shape>(
  { core }: Repository<S>,
  pieces: AsyncIterable<Uint8Array>,
): Promise<
  Result<ImportedBundle & { readonly branches: ReadonlyMap<string, ObjectId> }, BundleFault>
> {
  const { backend, crypto } = core;
  const imported = await bundles.importBundle(backend, { crypto, zlib }, pieces);
  if (!imported.ok) return imported;
  const heads = imported.value.head.refs.filter(({ name }) => name.startsWith(HEADS));
  const branches = new Map(heads.map(({ name, id }) => [name.slice(HEADS.length), id]));
  return ok({ ...imported.value, branches });
}

/** As of packages/store. */
export const exportSlice = <S extends Shape>(repository: Repository<S>, options?: SliceOptions) =>
  slices.exportSlice(repository, zlib, options);

/** Takes the objects of a slice in, all checked; no branch moves. */
export const importSlice = <S extends Shape>(
  repository: Repository<S>,
  slice: Pick<Slice, 'ends' | 'isFull' | 'pack'>,
) => slices.importObjects(repository, zlib, slice);
