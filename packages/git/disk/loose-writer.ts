/**
 * Writes loose objects so that neither a reader nor a crash ever sees a part of one: to a file of
 * another name first, synced, then renamed; in the end the directories are synced.
 */

import { err, ok, type Result } from '#core';
import { directoryOf, type Entropy, type FileError, type FileSystem, type Zlib } from '#device';
import type { NamedObject } from '../object.ts';
import type { DirectorySync } from './directories.ts';
import { emitLooseObject, loosePath } from './loose-object.ts';
import { randomName } from './temporary.ts';

/** As Git's own, so that `git prune` takes away what a crash leaves. */
const TEMPORARY = 'tmp_obj_';
const TRIES_MAX = 4;

export class LooseWriter {
  /** Of the directory "objects". */
  readonly #files: FileSystem;
  readonly #zlib: Zlib;
  readonly #entropy: Entropy;
  readonly #directories: DirectorySync;
  readonly #isSynced: boolean;

  constructor(
    files: FileSystem,
    zlib: Zlib,
    entropy: Entropy,
    directories: DirectorySync,
    isSynced: boolean,
  ) {
    this.#files = files;
    this.#zlib = zlib;
    this.#entropy = entropy;
    this.#directories = directories;
    this.#isSynced = isSynced;
  }

  /** All of them last when it returns. A fault leaves some of them, or none. */
  write(objects: readonly NamedObject[]): Result<void, FileError> {
    const written: { from: string; to: string }[] = [];
    const failed = this.#writeAll(objects, written);
    if (failed !== null) {
      for (const { from } of written) this.#files.remove(from);
      return err(failed);
    }
    const directories = new Set<string>();
    for (const { from, to } of written) {
      const renamed = this.#files.rename(from, to);
      if (!renamed.ok) return renamed;
      directories.add(directoryOf(to));
    }
    for (const directory of directories) {
      const synced = this.#directories.sync(directory);
      if (!synced.ok) return synced;
    }
    return ok(undefined);
  }

  #writeAll(
    objects: readonly NamedObject[],
    written: { from: string; to: string }[],
  ): FileError | null {
    for (const object of objects) {
      const to = loosePath(object.id);
      const temporary = this.#write(directoryOf(to), emitLooseObject(this.#zlib, object));
      if (!temporary.ok) return temporary.error;
      written.push({ from: temporary.value, to });
    }
    return null;
  }

  /** Its path. */
  #write(directory: string, bytes: Uint8Array): Result<string, FileError> {
    for (let tries = 1; ; tries++) {
      const path = `${directory}/${TEMPORARY}${randomName(this.#entropy)}`;
      const opened = this.#files.open(path, 'sealed');
      if (!opened.ok) {
        const { kind } = opened.error;
        if (tries === TRIES_MAX || (kind !== 'absent' && kind !== 'exists')) return opened;
        if (kind === 'exists') continue;
        // `git gc` removes empty ones.
        this.#directories.forget(directory);
        const made = this.#files.makeDirectory(directory);
        if (!made.ok && made.error.kind !== 'exists') return made;
        continue;
      }
      const file = opened.value;
      const appended = file.append(bytes);
      const done = appended.ok && this.#isSynced ? file.sync() : appended;
      file.close();
      if (done.ok) return ok(path);
      this.#files.remove(path);
      return done;
    }
  }
}
