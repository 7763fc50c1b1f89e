/** Which objects an object needs, and which of a repository's are needed at all. */

import { err, ok } from '#core';
import { formatBackendError, ID_BYTES, kindOfMode, type ObjectId, type ObjectKind } from '#git';
import { parseTag } from '#git/wire';
import type { Repository, Shape } from '#store';
import type { Outcome } from './neighbor-store.ts';

/** What `id` names; nothing for contents. */
export async function linksOf<S extends Shape>(
  repository: Repository<S>,
  id: ObjectId,
  kind: ObjectKind,
): Promise<Outcome<readonly ObjectId[]>> {
  if (kind === 'commit') {
    const commit = await repository.objects.commit(id);
    return commit.ok ? ok([commit.value.tree, ...commit.value.parents]) : err(commit.error.kind);
  }
  if (kind === 'tree') {
    const tree = await repository.objects.tree(id);
    if (!tree.ok) return err(tree.error.kind);
    const links: ObjectId[] = [];
    for (let i = 0; i < tree.value.count; i++) {
      if (kindOfMode(tree.value.modeAt(i)) !== 'commit') links.push(tree.value.idAt(i));
    }
    return ok(links);
  }
  if (kind === 'blob') return ok([]);
  const object = await repository.backend.readObject(id);
  if (!object.ok || object.value === null) return err(`${id} is missing`);
  const tag = parseTag(object.value.bytes, ID_BYTES[repository.backend.hash]);
  return tag.ok ? ok([tag.value.object]) : err(`${id} is no tag`);
}

/** Every object that a ref leads to. */
export async function reachable<S extends Shape>(
  repository: Repository<S>,
): Promise<Outcome<ReadonlySet<ObjectId>>> {
  const { backend } = repository;
  const refs = await backend.listRefs('');
  if (!refs.ok) return err(formatBackendError(refs.error));
  const seen = new Set<ObjectId>(refs.value.map(({ id }) => id));
  const stack = [...seen];
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    const object = await backend.readObject(id);
    if (!object.ok) return err(formatBackendError(object.error));
    if (object.value === null) return err(`${id} is missing`);
    const links = await linksOf(repository, id, object.value.kind);
    if (!links.ok) return links;
    for (const link of links.value) {
      if (seen.has(link)) continue;
      seen.add(link);
      stack.push(link);
    }
  }
  return ok(seen);
}
