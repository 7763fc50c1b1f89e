/** Replaces packed-refs, under its lock, for good. Read first: packed-refs.ts. */

import { ok, type Result } from '#core';
import type { FileSystem } from '#device';
import type { BackendError } from '../backend.ts';
import type { ObjectId } from '../object-id.ts';
import { compareText } from '../wire/text.ts';
import type { DirectorySync } from './directories.ts';
import { fileFailed } from './file-fault.ts';
import { emitPackedRefs, type PackedRef, type PackedRefs } from './packed-refs.ts';
import { PACKED_REFS } from './packed-table.ts';

export interface PackedWriterOptions {
  readonly files: FileSystem;
  readonly directories: DirectorySync;
  readonly isSynced: boolean;
  /** What the tag at `id` leads to, null for no tag, undefined when that can't be known. */
  peel(id: ObjectId): ObjectId | null | undefined;
}

const NEW_PACKED_REFS = 'packed-refs.new';

/** `packed` with these changes (null removes) takes its place. The lock of packed-refs is held. */
export function replacePackedRefs(
  { files, directories, isSynced, peel }: PackedWriterOptions,
  packed: PackedRefs,
  changes: ReadonlyMap<string, ObjectId | null>,
): Result<void, BackendError> {
  const refs = packed.refs.filter(({ name }) => !changes.has(name));
  let { isPeeled } = packed;
  for (const [name, id] of changes) {
    if (id === null) continue;
    const peeled = name.startsWith('refs/heads/') ? null : peel(id);
    if (peeled === undefined) isPeeled = false;
    refs.push({ name, id, peeled: peeled ?? null } satisfies PackedRef);
  }
  refs.sort((a, b) => compareText(a.name, b.name));
  const bytes = emitPackedRefs({ isPeeled, refs });
  // Left by a crash: whoever has the lock may take it away.
  files.remove(NEW_PACKED_REFS);
  const opened = files.open(NEW_PACKED_REFS, 'new');
  if (!opened.ok) return fileFailed(opened.error);
  const written = opened.value.append(bytes);
  let done = written.ok && isSynced ? opened.value.sync() : written;
  opened.value.close();
  if (done.ok) done = files.rename(NEW_PACKED_REFS, PACKED_REFS);
  if (done.ok) done = directories.sync('');
  if (!done.ok) {
    files.remove(NEW_PACKED_REFS);
    return fileFailed(done.error);
  }
  return ok(undefined);
}
