/** A directory of a file system as one of its own. Faults name the path in the whole. */

import type { Result } from '#core';
import type { FileEntry, FileError, FileStat, FileSystem, OpenFile, OpenMode } from '#device';

export class FilesBelow implements FileSystem {
  readonly name: string;
  readonly #files: FileSystem;
  readonly #directory: string;

  constructor(files: FileSystem, directory: string) {
    this.name = `${files.name}/${directory}`;
    this.#files = files;
    this.#directory = directory;
  }

  open(path: string, mode: OpenMode): Result<OpenFile, FileError> {
    return this.#files.open(this.#whole(path), mode);
  }

  readFile(path: string, sizeBytesMax: number): Result<Uint8Array, FileError> {
    return this.#files.readFile(this.#whole(path), sizeBytesMax);
  }

  rename(from: string, to: string): Result<void, FileError> {
    return this.#files.rename(this.#whole(from), this.#whole(to));
  }

  link(from: string, to: string): Result<void, FileError> {
    return this.#files.link(this.#whole(from), this.#whole(to));
  }

  remove(path: string): Result<void, FileError> {
    return this.#files.remove(this.#whole(path));
  }

  makeDirectory(path: string): Result<void, FileError> {
    return this.#files.makeDirectory(this.#whole(path));
  }

  removeDirectory(path: string): Result<void, FileError> {
    return this.#files.removeDirectory(this.#whole(path));
  }

  touch(path: string): Result<void, FileError> {
    return this.#files.touch(this.#whole(path));
  }

  list(path: string): Result<readonly FileEntry[], FileError> {
    return this.#files.list(this.#whole(path));
  }

  stat(path: string): Result<FileStat | null, FileError> {
    return this.#files.stat(this.#whole(path));
  }

  syncDirectory(path: string): Result<void, FileError> {
    return this.#files.syncDirectory(this.#whole(path));
  }

  syncAll(
    files: readonly OpenFile[],
    directories: readonly string[],
  ): Promise<Result<void, FileError>> {
    return this.#files.syncAll(
      files,
      directories.map((path) => this.#whole(path)),
    );
  }

  watch(path: string, changed: () => void): Result<() => void, FileError> {
    return this.#files.watch(this.#whole(path), changed);
  }

  #whole(path: string): string {
    return path === '' ? this.#directory : `${this.#directory}/${path}`;
  }
}
