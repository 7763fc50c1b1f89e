/**
 * The lock of a garbage collection: Git's own, so that the two don't run at once. A file names the
 * process and its host; it counts while that process lives, for half a day at most (git:
 * builtin/gc.c, lock_repo_for_gc). It is looked at, and replaced, under a lock of its own. What a
 * collection that died leaves stops nobody for long, then.
 */

import { err, type Result } from '#core';
import type { Clock, FileSystem } from '#device';
import type { BackendError } from '../backend.ts';
import { decodeText, encodeText } from '../wire/text.ts';
import { ageOf, fileFailed, lockedBy } from './file-fault.ts';
import { GC_LOCK_MILLIS_MAX, REF_FILE_BYTES_MAX } from './limits.ts';
import { LockFile } from './lock-file.ts';

/** Who we are, on a host where others can ask whether we live. */
export interface HostProcess {
  readonly id: number;
  /** The host's name. */
  readonly host: string;
  /** Whether a process of this host lives. */
  isAlive(id: number): boolean;
}

export interface GcLockOptions {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly process: HostProcess | null;
}

const GC_PID = 'gc.pid';
/** Of whom nothing is known: others believe that he lives. */
const SOMEBODY = '0 morgana';

/** Ends with `dropGcLock`. 'busy': somebody else has it. */
export function takeGcLock({ files, clock, process }: GcLockOptions): Result<void, BackendError> {
  const taken = LockFile.take(files, GC_PID);
  if (!taken.ok) {
    const isHeld = taken.error.kind === 'exists';
    return isHeld ? err(lockedBy(files, GC_PID, clock)) : fileFailed(taken.error);
  }
  const held = heldBy({ files, clock, process });
  if (held !== null) {
    taken.value.drop();
    return err(held);
  }
  const text = process === null ? SOMEBODY : `${process.id} ${process.host}`;
  const written = taken.value.write(encodeText(text), false);
  const done = written.ok ? taken.value.commit() : written;
  return done.ok ? done : fileFailed(done.error);
}

export function dropGcLock(files: FileSystem): void {
  files.remove(GC_PID);
}

/** Null: nobody holds it, whatever the file says. */
function heldBy({ files, clock, process }: GcLockOptions): BackendError | null {
  const found = files.stat(GC_PID);
  if (!found.ok) return fileFailed(found.error).error;
  if (found.value === null) return null;
  const age = ageOf(found.value, clock);
  if (age.millis >= GC_LOCK_MILLIS_MAX) return null;
  const bytes = files.readFile(GC_PID, REF_FILE_BYTES_MAX);
  if (!bytes.ok) return bytes.error.kind === 'absent' ? null : fileFailed(bytes.error).error;
  const named = /^\s*(\d{1,15})\s+(\S+)/.exec(decodeText(bytes.value, 0, bytes.value.length));
  // As Git: whoever collects names himself.
  if (named === null) return null;
  const [, id, host] = named;
  if (process !== null && host === process.host && !process.isAlive(Number(id))) return null;
  const who = `process ${id} of ${host} collects garbage`;
  return { kind: 'busy', what: `${GC_PID}, made ${age.text}, says that ${who}: ${MEND}` };
}

const MEND = 'wait for it, or remove that file when it has ended';
