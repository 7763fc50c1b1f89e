/**
 * Moves refs from their files to packed-refs, as `git pack-refs --all --prune` does: first
 * packed-refs with all of them, for good; then each file goes under its own lock, when it still
 * says what was packed. Whoever changes a ref meanwhile has a file of it, which comes first;
 * whoever removes one needs the lock of packed-refs. A crash leaves refs in both, or a lock. Read
 * first: ref-reader.ts, packed-writer.ts.
 */

import { err, millis, ok, type Result } from '#core';
import type { Clock } from '#device';
import type { BackendError } from '../backend.ts';
import type { ObjectId } from '../object-id.ts';
import { removeEmptyParents } from './directories.ts';
import { fileFailed, lockedBy } from './file-fault.ts';
import { LockFile } from './lock-file.ts';
import { PACKED_REFS, type PackedTable } from './packed-table.ts';
import { type PackedWriterOptions, replacePackedRefs } from './packed-writer.ts';
import type { RefReader } from './ref-reader.ts';
import type { Pause } from './ref-watch.ts';

export interface RefPackerOptions extends PackedWriterOptions {
  readonly reader: RefReader;
  readonly pause: Pause;
  readonly clock: Clock | null;
}

/** Each work tree has its own (gitrepository-layout(5)): they stay files. */
const OWN_REFS = /^refs\/(bisect|worktree|rewritten)\//;
/** Files that are removed between two pauses. */
const BATCH_REFS = 64;
/** Parts of a directory's name that stay, empty or not: "refs/heads". */
const KEPT_PARTS = 2;

/** How many have become packed. 'busy': somebody has the lock of packed-refs. */
export async function packRefs(options: RefPackerOptions): Promise<Result<number, BackendError>> {
  const packed = packAll(options);
  if (!packed.ok) return packed;
  let seen = 0;
  for (const [name, id] of packed.value) {
    const dropped = dropFile(options, name, id);
    if (!dropped.ok) return dropped;
    if (++seen % BATCH_REFS === 0) await options.pause(millis(0));
  }
  return ok(packed.value.size);
}

/** What loose refs are is in packed-refs, for good. */
function packAll(options: RefPackerOptions): Result<Map<string, ObjectId>, BackendError> {
  const { files, reader, clock } = options;
  const taken = LockFile.take(files, PACKED_REFS);
  if (!taken.ok) {
    const isHeld = taken.error.kind === 'exists';
    return isHeld ? err(lockedBy(files, PACKED_REFS, clock)) : fileFailed(taken.error);
  }
  try {
    const packed = reader.packed();
    if (!packed.ok) return packed;
    const loose = looseRefs(options);
    if (!loose.ok) return loose;
    const changes = new Map([...unpeeled(packed.value), ...loose.value]);
    if (changes.size === 0) return loose;
    const table = { isPeeled: true, refs: packed.value.refs };
    const replaced = replacePackedRefs(options, table, changes);
    return replaced.ok ? loose : replaced;
  } finally {
    taken.value.drop();
  }
}

/** All that an old Git packed: what its tags lead to isn't told there. */
const unpeeled = ({ isPeeled, refs }: PackedTable): [string, ObjectId][] =>
  isPeeled ? [] : refs.map(({ name, id }) => [name, id]);

/** Symbolic ones stay files, and those that are broken, or name what isn't here. */
function looseRefs({
  reader,
  peel,
}: RefPackerOptions): Result<Map<string, ObjectId>, BackendError> {
  const names = reader.looseNames('');
  if (!names.ok) return names;
  const refs = new Map<string, ObjectId>();
  for (const name of names.value) {
    if (OWN_REFS.test(name)) continue;
    const found = reader.loose(name);
    if (!found.ok && found.error.kind !== 'damaged') return found;
    const id = found.ok ? found.value?.id : undefined;
    if (id !== undefined && peel(id) !== undefined) refs.set(name, id);
  }
  return ok(refs);
}

/** Somebody else's lock leaves the file where it is. */
function dropFile(
  { files, reader, directories }: RefPackerOptions,
  name: string,
  id: ObjectId,
): Result<void, BackendError> {
  const taken = LockFile.take(files, name, (directory) => directories.forgetAll(directory));
  if (!taken.ok) return ok(undefined);
  const found = reader.loose(name);
  const isSame = found.ok && found.value?.id === id;
  const removed = isSame ? files.remove(name) : ok(undefined);
  taken.value.drop();
  removeEmptyParents(files, name, KEPT_PARTS);
  directories.forgetAll(name);
  return removed.ok || removed.error.kind === 'absent' ? ok(undefined) : fileFailed(removed.error);
}
