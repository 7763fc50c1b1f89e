/**
 * The file "shallow": commits whose parents aren't here, one id a line (gitrepository-layout(5)).
 * `git fetch --depth` and `git gc` beside us rewrite it, so it is looked at before each answer.
 */

import { err, ok, type Result, type WireFault } from '#core';
import type { Clock, FileError, FileStat, FileSystem } from '#device';
import type { BackendError, ShallowUpdate } from '../backend.ts';
import { ID_BYTES, type ObjectHash, type ObjectId, readIdText } from '../object-id.ts';
import { encodeText } from '../wire/text.ts';
import type { DirectorySync } from './directories.ts';
import { fileFailed, lockedBy, malformed } from './file-fault.ts';
import { FILE_TIME_MILLIS, SHALLOW_FILE_BYTES_MAX } from './limits.ts';
import { LockFile } from './lock-file.ts';
import { isSame } from './packed-table.ts';

const SHALLOW = 'shallow';
const LF = 0x0a;
const NONE: ReadonlySet<ObjectId> = new Set();

export function parseShallowFile(
  b: Uint8Array,
  hash: ObjectHash,
): Result<readonly ObjectId[], WireFault> {
  if (b.length > SHALLOW_FILE_BYTES_MAX) return err({ kind: 'field', offset: 0, value: b.length });
  const digits = 2 * ID_BYTES[hash];
  const ids: ObjectId[] = [];
  for (let at = 0; at < b.length; at += digits + 1) {
    const end = at + digits;
    if (end > b.length) return err({ kind: 'short', needBytes: end, haveBytes: b.length });
    const id = readIdText(b, at, digits);
    if (id === null) return err({ kind: 'field', offset: at, value: b[at]! });
    if (end < b.length && b[end] !== LF) return err({ kind: 'field', offset: end, value: b[end]! });
    ids.push(id);
  }
  return ok(ids);
}

export const emitShallowFile = (ids: readonly ObjectId[]): Uint8Array =>
  encodeText(ids.map((id) => `${id}\n`).join(''));

export const formatShallowFile = (ids: readonly ObjectId[]): string => ids.join(' ');

export interface ShallowFileOptions {
  /** Where it is: what all work trees share. */
  readonly files: FileSystem;
  readonly hash: ObjectHash;
  /** By which files have their times; without one they are believed at once. */
  readonly clock: Clock | null;
  readonly directories: DirectorySync;
  readonly isSynced: boolean;
}

export class ShallowFile {
  readonly #options: ShallowFileOptions;
  #ids = NONE;
  /** Of the file that they are of; undefined when it must be read again. */
  #stat: FileStat | null | undefined = undefined;

  constructor(options: ShallowFileOptions) {
    this.#options = options;
  }

  /** As it is now; one stat when it hasn't changed. */
  read(): Result<ReadonlySet<ObjectId>, BackendError> {
    const { files, hash } = this.#options;
    const before = files.stat(SHALLOW);
    if (!before.ok) return fileFailed(before.error);
    if (this.#stat !== undefined && isSame(before.value, this.#stat)) return ok(this.#ids);
    if (before.value === null) return ok(this.#keep(NONE, null));
    const bytes = files.readFile(SHALLOW, SHALLOW_FILE_BYTES_MAX);
    // Removed meanwhile: the history is whole by now.
    if (!bytes.ok && bytes.error.kind === 'absent') return ok(this.#keep(NONE, undefined));
    if (!bytes.ok) return fileFailed(bytes.error);
    const parsed = parseShallowFile(bytes.value, hash);
    if (!parsed.ok) return malformed(SHALLOW, parsed.error);
    return ok(this.#keep(new Set(parsed.value), this.#settled(before.value)));
  }

  /** Changed and synced, under Git's lock. 'busy': somebody has it; 'too big': they don't fit. */
  async update({ add, remove }: ShallowUpdate): Promise<Result<void, BackendError>> {
    const { files, hash, clock, directories, isSynced } = this.#options;
    const taken = LockFile.take(files, SHALLOW);
    if (!taken.ok) {
      const isHeld = taken.error.kind === 'exists';
      return isHeld ? err(lockedBy(files, SHALLOW, clock)) : fileFailed(taken.error);
    }
    const lock = taken.value;
    const read = this.read();
    if (!read.ok) {
      lock.drop();
      return read;
    }
    const ids = new Set(read.value);
    for (const id of remove) ids.delete(id);
    for (const id of add) ids.add(id);
    const sizeBytes = ids.size * (2 * ID_BYTES[hash] + 1);
    // Nobody could read it again.
    if (sizeBytes > SHALLOW_FILE_BYTES_MAX) {
      lock.drop();
      return err({ kind: 'too big', sizeBytes, bytesMax: SHALLOW_FILE_BYTES_MAX });
    }
    const written = this.#write(lock, ids);
    lock.drop();
    this.#stat = undefined;
    if (!written.ok) return fileFailed(written.error);
    if (!isSynced) return ok(undefined);
    const synced = await directories.syncAll([], ['']);
    return synced.ok ? synced : fileFailed(synced.error);
  }

  /** Of none, the file goes, as Git has it. */
  #write(lock: LockFile, ids: ReadonlySet<ObjectId>): Result<void, FileError> {
    const { files, isSynced } = this.#options;
    if (ids.size === 0) {
      const removed = files.remove(SHALLOW);
      return removed.ok || removed.error.kind === 'absent' ? ok(undefined) : removed;
    }
    const written = lock.write(emitShallowFile([...ids].sort()), isSynced);
    return written.ok ? lock.commit() : written;
  }

  /** A file that is young may be replaced by one that looks the same. */
  #settled(stat: FileStat): FileStat | undefined {
    const { clock } = this.#options;
    if (clock === null) return stat;
    const madeAt = Number(stat.modifiedNanos / 1_000_000n);
    return madeAt + FILE_TIME_MILLIS > clock.wall() ? undefined : stat;
  }

  #keep(ids: ReadonlySet<ObjectId>, stat: FileStat | null | undefined): ReadonlySet<ObjectId> {
    this.#ids = ids;
    this.#stat = stat;
    return ids;
  }
}
