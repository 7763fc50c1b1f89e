/** Directories that come and go with what is in them, and what makes them last. */

import { ok, type Result } from '#core';
import { directoryOf, type FileError, type FileSystem, type OpenFile } from '#device';
import { REF_DIRECTORY_DEPTH_MAX } from './limits.ts';

/**
 * Makes changes of directories last. A directory that wasn't seen before is synced with all that
 * it lies in, because whoever made it may not have done so; afterwards alone.
 */
export class DirectorySync {
  readonly #files: FileSystem;
  readonly #isOn: boolean;
  readonly #known = new Set<string>();

  constructor(files: FileSystem, isOn: boolean) {
    this.#files = files;
    this.#isOn = isOn;
  }

  sync(path: string): Result<void, FileError> {
    if (!this.#isOn) return ok(undefined);
    const synced = this.#files.syncDirectory(path);
    if (!synced.ok || path === '' || this.#known.has(path)) return synced;
    const above = this.sync(directoryOf(path));
    if (above.ok) this.#known.add(path);
    return above;
  }

  /** `sync` of all these, and of these files, together. */
  async syncAll(
    files: readonly OpenFile[],
    paths: Iterable<string>,
  ): Promise<Result<void, FileError>> {
    if (!this.#isOn) return ok(undefined);
    const all = new Set<string>();
    for (const path of paths) {
      for (let at = path; ; at = directoryOf(at)) {
        all.add(at);
        if (at === '' || this.#known.has(at)) break;
      }
    }
    const synced = await this.#files.syncAll(files, [...all]);
    if (synced.ok) for (const path of all) if (path !== '') this.#known.add(path);
    return synced;
  }

  /** It was removed, or is about to be made. */
  forget(path: string): void {
    this.#known.delete(path);
  }

  /** As `forget`, with all that it lies in. */
  forgetAll(path: string): void {
    for (let at = path; at !== ''; at = directoryOf(at)) this.forget(at);
  }
}

/** Removes `path` when it is a directory with nothing but such directories in it. */
export function removeEmptyDirectories(
  files: FileSystem,
  path: string,
  depth = REF_DIRECTORY_DEPTH_MAX,
): boolean {
  const entries = files.list(path);
  if (!entries.ok || depth === 0) return false;
  for (const { name, kind } of entries.value) {
    if (kind !== 'directory') return false;
    if (!removeEmptyDirectories(files, `${path}/${name}`, depth - 1)) return false;
  }
  return files.removeDirectory(path).ok;
}

/** Removes the directories that `path` was the last in, while they have more than `keep` parts. */
export function removeEmptyParents(files: FileSystem, path: string, keep: number): void {
  for (let at = directoryOf(path); at.split('/').length > keep; at = directoryOf(at)) {
    if (!files.removeDirectory(at).ok) return;
  }
}
