/**
 * A directory of the host as a FileSystem. Required reading: packages/device/file-system.ts.
 *
 * Symbolic links: each directory is resolved when it is first used, and the last name of a path
 * at every use (O_NOFOLLOW); what leads out of the root is refused. Deviates: whoever may write
 * into the root and swaps a directory that was in use for a link leads us out; they are trusted
 * as far as the root's permissions trust them.
 */

import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  fsyncSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  renameSync,
  rmdirSync,
  type Stats,
  statSync,
  unlinkSync,
  watch,
  writeSync,
} from 'node:fs';
import { join, sep } from 'node:path';
import { assert, err, ok, type Result } from '#core';
import {
  directoryOf,
  type FileEntry,
  type FileError,
  type FileKind,
  type FileStat,
  type FileSystem,
  isFilePath,
  type OpenFile,
  type OpenMode,
} from '#device';

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

const FLAGS: Readonly<Record<OpenMode, number>> = {
  // A named pipe would block without O_NONBLOCK.
  read: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
  new: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
  sealed: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
  scratch: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
  append: O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW,
};
const PERMISSIONS = 0o666;
const SEALED_PERMISSIONS = 0o444;

const KINDS: Readonly<Record<string, Exclude<FileError['kind'], 'too long' | 'device'>>> = {
  ENOENT: 'absent',
  EEXIST: 'exists',
  EISDIR: 'directory',
  ENOTDIR: 'no directory',
  ENOTEMPTY: 'not empty',
  ENAMETOOLONG: 'name',
  EACCES: 'read only',
  EPERM: 'read only',
  EROFS: 'read only',
  ENOSPC: 'full',
  EDQUOT: 'full',
};

function faultOf(path: string, thrown: unknown): FileError {
  const code = (thrown as NodeJS.ErrnoException).code;
  if (code === undefined) throw thrown;
  const kind = KINDS[code];
  return kind === undefined ? { kind: 'device', path, code } : { kind, path };
}

const failed = (path: string, thrown: unknown) => err(faultOf(path, thrown));

interface Kinds {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

function kindOf(found: Kinds): FileKind {
  if (found.isFile()) return 'file';
  if (found.isDirectory()) return 'directory';
  return found.isSymbolicLink() ? 'link' : 'other';
}

const statOf = (stats: import('node:fs').BigIntStats): FileStat => ({
  kind: kindOf(stats),
  sizeBytes: Number(stats.size),
  modifiedNanos: stats.mtimeNs,
  inode: stats.ino,
});

/** Opening a directory or a pipe for reading works; there is nothing to read. */
function checkKind(path: string, stats: Stats): FileError | null {
  if (stats.isFile()) return null;
  return stats.isDirectory()
    ? { kind: 'directory', path }
    : { kind: 'device', path, code: 'EINVAL' };
}

function fsyncLater(path: string, descriptor: number): Promise<Result<void, FileError>> {
  return new Promise((resolve) => {
    fsync(descriptor, (thrown) => resolve(thrown === null ? ok(undefined) : failed(path, thrown)));
  });
}

class NodeFile implements OpenFile {
  readonly path: string;
  #descriptor: number;
  /** Where the next byte goes; null: the kernel knows. */
  #end: number | null;

  constructor(path: string, descriptor: number, mode: OpenMode) {
    this.path = path;
    this.#end = mode === 'append' ? null : 0;
    this.#descriptor = descriptor;
  }

  read(at: number, into: Uint8Array): Result<number, FileError> {
    try {
      let done = 0;
      while (done < into.length) {
        const count = readSync(this.#descriptor, into, done, into.length - done, at + done);
        if (count === 0) break;
        done += count;
      }
      return ok(done);
    } catch (thrown) {
      return failed(this.path, thrown);
    }
  }

  append(bytes: Uint8Array): Result<void, FileError> {
    const written = this.#write(this.#end, bytes);
    if (written.ok && this.#end !== null) this.#end += bytes.length;
    return written;
  }

  write(at: number, bytes: Uint8Array): Result<void, FileError> {
    assert(this.#end !== null && at + bytes.length <= this.#end, 'over what is there');
    return this.#write(at, bytes);
  }

  stat(): Result<FileStat, FileError> {
    try {
      return ok(statOf(fstatSync(this.#descriptor, { bigint: true })));
    } catch (thrown) {
      return failed(this.path, thrown);
    }
  }

  sync(): Result<void, FileError> {
    try {
      fsyncSync(this.#descriptor);
      return ok(undefined);
    } catch (thrown) {
      return failed(this.path, thrown);
    }
  }

  #write(at: number | null, bytes: Uint8Array): Result<void, FileError> {
    try {
      for (let done = 0; done < bytes.length; ) {
        const place = at === null ? null : at + done;
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, place);
      }
      return ok(undefined);
    } catch (thrown) {
      return failed(this.path, thrown);
    }
  }

  /** As `sync`, beside whatever else is done. */
  async syncLater(): Promise<Result<void, FileError>> {
    return fsyncLater(this.path, this.#descriptor);
  }

  close(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#descriptor = -1;
  }
}

export class NodeFileSystem implements FileSystem {
  /** The root's own path, with all links resolved. */
  readonly name: string;
  /** Directories that are known to be inside of the root. */
  readonly #inside = new Set<string>();

  /** Throws Node's error when `root` isn't there. */
  constructor(root: string) {
    this.name = realpathSync(root);
  }

  open(path: string, mode: OpenMode): Result<OpenFile, FileError> {
    const refused = this.#refuse(path);
    if (refused !== null) return err(refused);
    if (path === '') return err({ kind: 'directory', path });
    try {
      const descriptor = this.#descriptor(path, mode);
      if (typeof descriptor !== 'number') return err(descriptor);
      const wrong = mode === 'read' ? checkKind(path, fstatSync(descriptor)) : null;
      if (wrong === null) return ok(new NodeFile(path, descriptor, mode));
      closeSync(descriptor);
      return err(wrong);
    } catch (thrown) {
      return failed(path, thrown);
    }
  }

  readFile(path: string, sizeBytesMax: number): Result<Uint8Array, FileError> {
    const refused = this.#refuse(path);
    if (refused !== null) return err(refused);
    if (path === '') return err({ kind: 'directory', path });
    let descriptor = -1;
    try {
      const found = this.#descriptor(path, 'read');
      if (typeof found !== 'number') return err(found);
      descriptor = found;
      const stats = fstatSync(descriptor);
      const wrong = checkKind(path, stats);
      if (wrong !== null) return err(wrong);
      return this.#readAll(path, descriptor, stats, sizeBytesMax);
    } catch (thrown) {
      return failed(path, thrown);
    } finally {
      if (descriptor >= 0) closeSync(descriptor);
    }
  }

  rename(from: string, to: string): Result<void, FileError> {
    const refused = this.#refuse(from) ?? this.#refuse(to);
    if (refused !== null) return err(refused);
    if (this.#inside.has(from)) this.#inside.clear();
    return this.#attempt(to, () => renameSync(this.#absolute(from), this.#absolute(to)), from);
  }

  link(from: string, to: string): Result<void, FileError> {
    const refused = this.#refuse(from) ?? this.#refuse(to);
    if (refused !== null) return err(refused);
    return this.#attempt(to, () => linkSync(this.#absolute(from), this.#absolute(to)), from);
  }

  remove(path: string): Result<void, FileError> {
    const refused = this.#refuse(path);
    if (refused !== null) return err(refused);
    return this.#attempt(path, () => unlinkSync(this.#absolute(path)));
  }

  makeDirectory(path: string): Result<void, FileError> {
    const refused = this.#refuse(path);
    if (refused !== null) return err(refused);
    return this.#attempt(path, () => mkdirSync(this.#absolute(path)));
  }

  removeDirectory(path: string): Result<void, FileError> {
    const refused = this.#refuse(path);
    if (refused !== null) return err(refused);
    this.#inside.clear();
    return this.#attempt(path, () => rmdirSync(this.#absolute(path)));
  }

  touch(path: string): Result<void, FileError> {
    const refused = this.#refuse(path);
    if (refused !== null) return err(refused);
    const now = new Date();
    return this.#attempt(path, () => lutimesSync(this.#absolute(path), now, now));
  }

  list(path: string): Result<readonly FileEntry[], FileError> {
    const refused = this.#refuse(path) ?? this.#enter(path);
    if (refused !== null) return err(refused);
    try {
      const found = readdirSync(this.#absolute(path), { withFileTypes: true });
      return ok(found.map((entry) => ({ name: entry.name, kind: kindOf(entry) })));
    } catch (thrown) {
      return failed(path, thrown);
    }
  }

  stat(path: string): Result<FileStat | null, FileError> {
    const refused = this.#refuse(path);
    if (refused?.kind === 'absent') return ok(null);
    if (refused !== null) return err(refused);
    const options = { bigint: true, throwIfNoEntry: false } as const;
    try {
      const itself = lstatSync(this.#absolute(path), options);
      if (itself === undefined) return ok(null);
      if (!itself.isSymbolicLink()) return ok(statOf(itself));
      const real = this.#resolve(path, this.#absolute(path));
      if (typeof real !== 'string') return real.kind === 'absent' ? ok(null) : err(real);
      const behind = statSync(real, options);
      return ok(behind === undefined ? null : statOf(behind));
    } catch (thrown) {
      return failed(path, thrown);
    }
  }

  syncDirectory(path: string): Result<void, FileError> {
    const refused = this.#refuse(path) ?? this.#enter(path);
    if (refused !== null) return err(refused);
    return this.#attempt(path, () => {
      const descriptor = openSync(this.#absolute(path), O_RDONLY | constants.O_DIRECTORY);
      try {
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    });
  }

  async syncAll(
    files: readonly OpenFile[],
    directories: readonly string[],
  ): Promise<Result<void, FileError>> {
    const all = [
      ...files.map((file) => (file as NodeFile).syncLater()),
      ...directories.map((path) => this.#syncDirectoryLater(path)),
    ];
    const wrong = (await Promise.all(all)).find((done) => !done.ok);
    return wrong ?? ok(undefined);
  }

  async #syncDirectoryLater(path: string): Promise<Result<void, FileError>> {
    const refused = this.#refuse(path) ?? this.#enter(path);
    if (refused !== null) return err(refused);
    let descriptor = -1;
    try {
      descriptor = openSync(this.#absolute(path), O_RDONLY | constants.O_DIRECTORY);
      return await fsyncLater(path, descriptor);
    } catch (thrown) {
      return failed(path, thrown);
    } finally {
      if (descriptor >= 0) closeSync(descriptor);
    }
  }

  watch(path: string, changed: () => void): Result<() => void, FileError> {
    const refused = this.#refuse(path) ?? this.#enter(path);
    if (refused !== null) return err(refused);
    try {
      const watcher = watch(this.#absolute(path), () => changed());
      // The directory is gone, say: there is nothing left to tell.
      watcher.on('error', () => watcher.close());
      return ok(() => watcher.close());
    } catch (thrown) {
      return failed(path, thrown);
    }
  }

  #absolute(path: string): string {
    return path === '' ? this.name : this.name + sep + path;
  }

  #attempt(path: string, work: () => void, alsoPath = path): Result<void, FileError> {
    try {
      work();
      return ok(undefined);
    } catch (thrown) {
      const fault = faultOf(path, thrown);
      if (fault.kind !== 'absent' || alsoPath === path) return err(fault);
      const found = lstatSync(this.#absolute(alsoPath), { throwIfNoEntry: false });
      return err(found === undefined ? { kind: 'absent', path: alsoPath } : fault);
    }
  }

  /** Why `path` may not be used: its form, or the directory that it is in. */
  #refuse(path: string): FileError | null {
    if (!isFilePath(path)) return { kind: 'name', path };
    const slash = path.lastIndexOf('/');
    if (slash < 0 || this.#inside.has(path.slice(0, slash))) return null;
    const refused = this.#enter(directoryOf(path));
    return refused === null ? null : { ...refused, path };
  }

  /** Why the directory `path` can't be gone into. */
  #enter(path: string): FileError | null {
    if (path === '' || this.#inside.has(path)) return null;
    const real = this.#resolve(path, this.#absolute(path));
    if (typeof real !== 'string') return real;
    if (!statSync(real).isDirectory()) return { kind: 'no directory', path };
    this.#inside.add(path);
    return null;
  }

  /** Where `absolute` leads, which is inside of the root. */
  #resolve(path: string, absolute: string): string | FileError {
    try {
      const real = realpathSync(absolute);
      const inside = real === this.name || real.startsWith(join(this.name, sep));
      return inside ? real : { kind: 'outside', path };
    } catch (thrown) {
      return faultOf(path, thrown);
    }
  }

  #descriptor(path: string, mode: OpenMode): number | FileError {
    const permissions = mode === 'sealed' || mode === 'scratch' ? SEALED_PERMISSIONS : PERMISSIONS;
    try {
      return openSync(this.#absolute(path), FLAGS[mode], permissions);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ELOOP') throw thrown;
      const real = this.#resolve(path, this.#absolute(path));
      return typeof real === 'string' ? openSync(real, FLAGS[mode], permissions) : real;
    }
  }

  #readAll(
    path: string,
    descriptor: number,
    stats: Stats,
    sizeBytesMax: number,
  ): Result<Uint8Array, FileError> {
    const sizeBytes = stats.size;
    if (sizeBytes > sizeBytesMax) return err({ kind: 'too long', path, sizeBytes });
    // One byte more than it had, to see whether it grew meanwhile.
    const bytes = new Uint8Array(sizeBytes + 1);
    let done = 0;
    while (done < bytes.length) {
      const count = readSync(descriptor, bytes, done, bytes.length - done, done);
      if (count === 0) return ok(bytes.subarray(0, done));
      done += count;
    }
    return this.#readAll(path, descriptor, fstatSync(descriptor), sizeBytesMax);
  }
}
