/** Which of a repository's objects are needed at all. */

import { err, ok } from '#core';
import { formatBackendError, ID_BYTES, type ObjectId, objectLinks } from '#git';
import type { Repository, Shape } from '#store';
import type { Outcome } from './neighbor-store.ts';

/**
 * Every object that a ref leads to, as far as history goes here. O(objects), each of which is read.
 */
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
    const links = objectLinks(object.value, ID_BYTES[backend.hash]);
    if (links === null) return err(`${id} is a malformed ${object.value.kind}`);
    const isEnd = object.value.kind === 'commit' && backend.isShallow?.(id) === true;
    for (const link of links) {
      if (seen.has(link.id) || (isEnd && link.kind === 'commit')) continue;
      seen.add(link.id);
      stack.push(link.id);
    }
  }
  return ok(seen);
}
