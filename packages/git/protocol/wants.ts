/**
 * Whether a client may have what it wants. A repository's objects are public as far as its refs
 * lead, and no further: what was pushed by mistake and taken back isn't handed out by its name.
 */

import { ID_BYTES, type ObjectId } from '../object-id.ts';
import type { FetchRequest } from '../wire/fetch-request.ts';
import type { CommitGraph } from './commit-graph.ts';
import { areReachable } from './common.ts';
import { ALL_REFS, servedRefs } from './served-refs.ts';
import { got, refused } from './stop.ts';
import type { UploadPackOptions } from './upload-pack.ts';

/**
 * Throws Stop for a want that isn't allowed. `mayReach`: refs may have moved on since the client
 * was told of them, so what they reach counts too, unless only tips do.
 */
export async function checkWants(
  { backend, allow = 'reachable' }: UploadPackOptions,
  graph: CommitGraph,
  { wants, filter }: FetchRequest,
  mayReach: boolean,
): Promise<void> {
  if (filter != null && allow !== 'any') throw refused('filters are not taken here');
  if (wants.length === 0) return;
  const tips: ObjectId[] = [];
  if (allow !== 'any') {
    for (const { id } of await servedRefs(backend, { ...ALL_REFS, peel: false })) {
      if (id !== null) tips.push(id);
    }
  }
  const isTip = new Set(tips);
  const others = new Set<ObjectId>();
  for (const want of wants) {
    if (isTip.has(want)) continue;
    // Whether it is here at all may be learned by nobody who can't have it.
    const isHere = want.length === 2 * ID_BYTES[backend.hash] && got(await backend.hasObject(want));
    if (!isHere || allow === 'tips') throw notOurs(want);
    if (allow !== 'any') others.add(want);
  }
  if (others.size === 0) return;
  if (!mayReach || !(await areReachable(graph, tips, others))) throw notOurs([...others][0]!);
}

const notOurs = (want: ObjectId) => refused(`upload-pack: not our ref ${want}`);
