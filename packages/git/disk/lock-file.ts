/**
 * Git's locks: a file beside the one it guards, with ".lock" behind its name, made exclusively,
 * and renamed into its place (lockfile.h). Whoever made it has the lock, until it is renamed or
 * removed; one that a crash left stays, and is for people to remove.
 */

import { ok, type Result } from '#core';
import {
  directoryOf,
  type FileError,
  type FileSystem,
  makeDirectories,
  type OpenFile,
} from '#device';

const TRIES_MAX = 4;

export class LockFile {
  readonly path: string;
  readonly #files: FileSystem;
  readonly #file: OpenFile;
  #isHeld = true;

  private constructor(files: FileSystem, path: string, file: OpenFile) {
    this.#files = files;
    this.path = path;
    this.#file = file;
  }

  /** 'exists': somebody has it. Makes the directories on the way, and tells of the last one. */
  static take(
    files: FileSystem,
    path: string,
    making: (directory: string) => void = () => {},
  ): Result<LockFile, FileError> {
    for (let tries = 1; ; tries++) {
      const opened = files.open(`${path}.lock`, 'new');
      if (opened.ok) return ok(new LockFile(files, path, opened.value));
      if (opened.error.kind !== 'absent' || tries === TRIES_MAX) return opened;
      // Others remove empty directories meanwhile: several tries.
      making(directoryOf(path));
      const made = makeDirectories(files, directoryOf(path));
      if (!made.ok && made.error.kind !== 'absent') return made;
    }
  }

  /** What the guarded file is to be. A fault drops the lock. */
  write(bytes: Uint8Array, isSynced: boolean): Result<void, FileError> {
    const written = this.#file.append(bytes);
    const done = written.ok && isSynced ? this.#file.sync() : written;
    if (!done.ok) this.drop();
    return done;
  }

  /** Puts what was written in the file's place, which ends the lock. Not synced. */
  commit(): Result<void, FileError> {
    this.#file.close();
    const renamed = this.#files.rename(`${this.path}.lock`, this.path);
    if (renamed.ok) this.#isHeld = false;
    else this.drop();
    return renamed;
  }

  /** Leaves the file as it is. Does nothing when the lock has ended. */
  drop(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#file.close();
    this.#files.remove(`${this.path}.lock`);
  }
}
