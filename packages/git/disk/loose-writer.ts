/**
 * Writes loose objects so that neither a reader nor a crash ever sees a part of one: to a file of
 * another name first, synced, then renamed; in the end the directories are synced.
 */

import { err, ok, type Result } from '#core';
import {
  directoryOf,
  type Entropy,
  type FileError,
  type FileSystem,
  type OpenFile,
  type Zlib,
} from '#device';
import type { NamedObject } from '../object.ts';
import type { DirectorySync } from './directories.ts';
import { emitLooseObject, loosePath } from './loose-object.ts';
import { randomName } from './temporary.ts';

/** As Git's own, so that `git prune` takes away what a crash leaves. */
const TEMPORARY = 'tmp_obj_';
const TRIES_MAX = 4;
/** Files that are open at once, and synced together. */
const TOGETHER_MAX = 64;

interface Written {
  readonly from: string;
  readonly to: string;
  readonly file: OpenFile;
}

export class LooseWriter {
  /** Of the directory "objects". */
  readonly #files: FileSystem;
  readonly #zlib: Zlib;
  readonly #entropy: Entropy;
  readonly #directories: DirectorySync;

  constructor(files: FileSystem, zlib: Zlib, entropy: Entropy, directories: DirectorySync) {
    this.#files = files;
    this.#zlib = zlib;
    this.#entropy = entropy;
    this.#directories = directories;
  }

  /** All of them last when it resolves. A fault leaves some of them, or none. */
  async write(objects: readonly NamedObject[]): Promise<Result<void, FileError>> {
    for (let at = 0; at < objects.length; at += TOGETHER_MAX) {
      const done = await this.#writeSome(objects.slice(at, at + TOGETHER_MAX));
      if (!done.ok) return done;
    }
    return ok(undefined);
  }

  async #writeSome(objects: readonly NamedObject[]): Promise<Result<void, FileError>> {
    const written: Written[] = [];
    const failed = this.#writeAll(objects, written);
    const files = written.map(({ file }) => file);
    const synced = failed === null ? await this.#directories.syncAll(files, []) : err(failed);
    for (const file of files) file.close();
    if (!synced.ok) {
      for (const { from } of written) this.#files.remove(from);
      return synced;
    }
    const directories = new Set<string>();
    for (const { from, to } of written) {
      const renamed = this.#files.rename(from, to);
      if (!renamed.ok) return renamed;
      directories.add(directoryOf(to));
    }
    return this.#directories.syncAll([], directories);
  }

  #writeAll(objects: readonly NamedObject[], written: Written[]): FileError | null {
    for (const object of objects) {
      const to = loosePath(object.id);
      const opened = this.#open(directoryOf(to));
      if (!opened.ok) return opened.error;
      const { path: from } = opened.value;
      written.push({ from, to, file: opened.value.file });
      const appended = opened.value.file.append(emitLooseObject(this.#zlib, object));
      if (!appended.ok) return appended.error;
    }
    return null;
  }

  /** A new file in this directory, which is made when it isn't there. */
  #open(directory: string): Result<{ path: string; file: OpenFile }, FileError> {
    for (let tries = 1; ; tries++) {
      const path = `${directory}/${TEMPORARY}${randomName(this.#entropy)}`;
      const opened = this.#files.open(path, 'sealed');
      if (opened.ok) return ok({ path, file: opened.value });
      const { kind } = opened.error;
      if (tries === TRIES_MAX || (kind !== 'absent' && kind !== 'exists')) return opened;
      if (kind === 'exists') continue;
      // `git gc` removes empty ones.
      this.#directories.forget(directory);
      const made = this.#files.makeDirectory(directory);
      if (!made.ok && made.error.kind !== 'exists') return made;
    }
  }
}
