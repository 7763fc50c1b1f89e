/** Which refs have a log, and their files below logs/ (git-config(1), core.logAllRefUpdates). */

import { ok, type Result } from '#core';
import { directoryOf, type FileError, type FileSystem, makeDirectories } from '#device';
import type { ObjectHash, ObjectId } from '../object-id.ts';
import { removeEmptyDirectories, removeEmptyParents } from './directories.ts';
import { REFLOG_BYTES_MAX } from './limits.ts';
import { HEAD } from './ref-reader.ts';
import { emitReflogLine, parseReflog } from './reflog.ts';

/** Who changes refs, as logs have it. */
export interface RefAuthor {
  readonly name: string;
  readonly email: string;
  readonly seconds: number;
  readonly zoneMinutes: number;
}

/** never: only those that have a log already. branches: as Git in a work tree. */
export type ReflogPolicy = 'never' | 'branches' | 'always';

const LOGGED = ['refs/heads/', 'refs/remotes/', 'refs/notes/'];

export class ReflogFiles {
  readonly #files: FileSystem;
  readonly #headFiles: FileSystem;
  readonly #hash: ObjectHash;
  readonly #policy: ReflogPolicy;

  constructor(files: FileSystem, headFiles: FileSystem, hash: ObjectHash, policy: ReflogPolicy) {
    this.#files = files;
    this.#headFiles = headFiles;
    this.#hash = hash;
    this.#policy = policy;
  }

  append(
    name: string,
    from: ObjectId | null,
    to: ObjectId | null,
    reason: string,
    author: RefAuthor,
  ): Result<void, FileError> {
    const files = name === HEAD ? this.#headFiles : this.#files;
    const path = `logs/${name}`;
    if (!this.#isMade(name)) {
      const found = files.stat(path);
      const isThere = found.ok && found.value?.kind === 'file';
      if (!isThere) return ok(undefined);
    }
    let opened = files.open(path, 'append');
    if (!opened.ok) {
      const { kind } = opened.error;
      // Left by refs that were removed, or not there yet.
      if (kind === 'directory') removeEmptyDirectories(files, path);
      else if (kind === 'absent') makeDirectories(files, directoryOf(path));
      opened = files.open(path, 'append');
    }
    if (!opened.ok) return opened;
    const line = emitReflogLine({ ...author, from, to, reason }, this.#hash);
    const written = opened.value.append(line);
    opened.value.close();
    return written;
  }

  /** Every object that a log of these refs, or HEAD's, names. */
  ids(names: readonly string[]): Set<ObjectId> {
    const ids = new Set<ObjectId>();
    for (const name of [HEAD, ...names]) {
      const files = name === HEAD ? this.#headFiles : this.#files;
      const bytes = files.readFile(`logs/${name}`, REFLOG_BYTES_MAX);
      for (const { from, to } of bytes.ok ? parseReflog(bytes.value, this.#hash) : []) {
        if (from !== null) ids.add(from);
        if (to !== null) ids.add(to);
      }
    }
    return ids;
  }

  /** With its ref. */
  remove(name: string): void {
    const path = `logs/${name}`;
    if (this.#files.remove(path).ok) removeEmptyParents(this.#files, path, 3);
  }

  #isMade(name: string): boolean {
    if (this.#policy !== 'branches') return this.#policy === 'always';
    return name === HEAD || LOGGED.some((prefix) => name.startsWith(prefix));
  }
}
