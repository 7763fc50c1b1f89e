/**
 * A directory of the host and what is below it: synchronous, because a host's file calls end in
 * microseconds and a store's step between them must not be interrupted. Files are written once,
 * from their beginning to their end, or appended to; nothing that others see is changed in place.
 *
 * Paths are relative to the root, '/'-separated, without empty, '.' and '..' segments; '' is the
 * root itself. An implementation never leaves its root, whatever the path says and wherever
 * symbolic links lead (they are followed inside of the root only).
 *
 * After a loss of power a file has the bytes that it had at its last `sync`; what was appended
 * since may be there, in part, or as garbage. A directory has the entries of its last
 * `syncDirectory`; each that was added, replaced or removed since may be old or new, in any order.
 * A new file needs both. Not here: permissions, times to set, reading without the host (images
 * have block devices: block.ts).
 */

import { err, ok, type Result } from '#core';

/** What a file call met. `path` is the one that was asked for. */
export type FileError =
  /** Nothing has this name, or a directory on the way is missing. */
  | { readonly kind: 'absent'; readonly path: string }
  | { readonly kind: 'exists'; readonly path: string }
  /** A directory where a file was expected. */
  | { readonly kind: 'directory'; readonly path: string }
  /** A file where a directory was expected, also on the way. */
  | { readonly kind: 'no directory'; readonly path: string }
  | { readonly kind: 'not empty'; readonly path: string }
  /** Not a path as above, or too long. */
  | { readonly kind: 'name'; readonly path: string }
  /** A symbolic link on it leads out of the root. */
  | { readonly kind: 'outside'; readonly path: string }
  /** Longer than the reader takes. */
  | { readonly kind: 'too long'; readonly path: string; readonly sizeBytes: number }
  /** By the file's or the directory's permissions too. */
  | { readonly kind: 'read only'; readonly path: string }
  | { readonly kind: 'full'; readonly path: string }
  /** The host failed; `code` is its own word, EIO as a rule. */
  | { readonly kind: 'device'; readonly path: string; readonly code: string };

export type FileKind = 'file' | 'directory' | 'link' | 'other';

export interface FileStat {
  readonly kind: FileKind;
  readonly sizeBytes: number;
  /** Nanoseconds since 1970. */
  readonly modifiedNanos: bigint;
  /** With `modifiedNanos` and `sizeBytes` it tells whether a file is still the same. */
  readonly inode: bigint;
}

export interface FileEntry {
  readonly name: string;
  readonly kind: FileKind;
}

/**
 * read: a file that exists. new: exclusive, made now. sealed: as new, and nobody may write to it
 * once it is closed. scratch: as sealed, and what was written may be read and written over before.
 * append: at the end, made when it isn't there.
 */
export type OpenMode = 'read' | 'new' | 'sealed' | 'scratch' | 'append';

/** An open file: it stays what it was when it was opened, also when its name is gone. */
export interface OpenFile {
  readonly path: string;
  /** Fills `into` from byte `at` on; how many, fewer than asked only at the end. Read, scratch. */
  read(at: number, into: Uint8Array): Result<number, FileError>;
  /** Writes all of `bytes` at the end, or fails. Borrows. Every mode but read. */
  append(bytes: Uint8Array): Result<void, FileError>;
  /** Over bytes that are there already. Scratch. */
  write(at: number, bytes: Uint8Array): Result<void, FileError>;
  stat(): Result<FileStat, FileError>;
  /** What was appended before survives a loss of power; that the file has a name doesn't. */
  sync(): Result<void, FileError>;
  /** May be called twice; nothing else may be called afterwards. */
  close(): void;
}

export interface FileSystem {
  /** For messages: where the root is. */
  readonly name: string;
  open(path: string, mode: OpenMode): Result<OpenFile, FileError>;
  /** The whole file, the caller's own bytes; 'too long' above `sizeBytesMax`. */
  readFile(path: string, sizeBytesMax: number): Result<Uint8Array, FileError>;
  /** Gives a file another name, in the place of what had it; atomic. Directories: into nothing. */
  rename(from: string, to: string): Result<void, FileError>;
  /** One more name for a file; 'exists' when it is taken. */
  link(from: string, to: string): Result<void, FileError>;
  /** Removes a file's name, or a symbolic link itself. */
  remove(path: string): Result<void, FileError>;
  /** One level. */
  makeDirectory(path: string): Result<void, FileError>;
  removeDirectory(path: string): Result<void, FileError>;
  /** Sets a file's modification time to now. */
  touch(path: string): Result<void, FileError>;
  /** In no order. */
  list(path: string): Result<readonly FileEntry[], FileError>;
  /** Follows symbolic links; null when nothing is there. */
  stat(path: string): Result<FileStat | null, FileError>;
  /** The directory's entries survive a loss of power. */
  syncDirectory(path: string): Result<void, FileError>;
  /**
   * `sync` of all these files of this file system and `syncDirectory` of all these directories, in
   * any order or together, which may take no longer than one of them. What happens meanwhile isn't
   * synced.
   */
  syncAll(
    files: readonly OpenFile[],
    directories: readonly string[],
  ): Promise<Result<void, FileError>>;
  /**
   * Calls `changed` some time after an entry of this directory (not below it) is added, replaced
   * or removed, by whomever; maybe more often, maybe from inside of a call here. The value ends
   * it. An error: it can't be watched.
   */
  watch(path: string, changed: () => void): Result<() => void, FileError>;
}

export const FILE_PATH_BYTES_MAX = 4_000;
export const FILE_NAME_BYTES_MAX = 255;

/** Bytes of a string as UTF-8, surrogates by three. */
function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // Both halves of a pair: 2 of its 4 bytes each.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

const WRONG_SEGMENT = /(^|\/)(\.{0,2})(\/|$)|\0/;

/** Whether `path` is well-formed: the same for all file systems. '' is. */
export function isFilePath(path: string): boolean {
  if (path === '') return true;
  if (WRONG_SEGMENT.test(path)) return false;
  if (path.length * 3 <= FILE_NAME_BYTES_MAX) return true;
  if (utf8Bytes(path) > FILE_PATH_BYTES_MAX) return false;
  return path.split('/').every((name) => utf8Bytes(name) <= FILE_NAME_BYTES_MAX);
}

/** The directory that `path` is in; '' for one in the root, and for the root. */
export const directoryOf = (path: string): string =>
  path.slice(0, Math.max(0, path.lastIndexOf('/')));

/** Makes a file of its own at `path`, whole; not synced. A failure leaves nothing of it. */
export function writeNewFile(
  files: FileSystem,
  path: string,
  bytes: Uint8Array,
): Result<void, FileError> {
  const opened = files.open(path, 'new');
  if (!opened.ok) return opened;
  const written = opened.value.append(bytes);
  opened.value.close();
  if (!written.ok) files.remove(path);
  return written;
}

/** Makes the directories on the way to and at `path`; ok when they are there. Not synced. */
export function makeDirectories(files: FileSystem, path: string): Result<void, FileError> {
  if (path === '') return ok(undefined);
  const made = files.makeDirectory(path);
  if (made.ok) return made;
  if (made.error.kind === 'exists') {
    const found = files.stat(path);
    if (!found.ok) return found;
    return found.value?.kind === 'directory' ? ok(undefined) : err({ kind: 'no directory', path });
  }
  if (made.error.kind !== 'absent') return made;
  const above = makeDirectories(files, directoryOf(path));
  if (!above.ok) return above;
  const again = files.makeDirectory(path);
  return again.ok || again.error.kind !== 'exists' ? again : ok(undefined);
}

/** One sentence, without a dot. */
export function formatFileError(error: FileError): string {
  const path = error.path === '' ? 'the directory' : error.path;
  switch (error.kind) {
    case 'absent':
      return `${path} doesn't exist`;
    case 'exists':
      return `${path} exists already`;
    case 'directory':
      return `${path} is a directory`;
    case 'no directory':
      return `${path} is no directory, or is below a file`;
    case 'not empty':
      return `${path} isn't empty`;
    case 'name':
      return `${JSON.stringify(path)} is no path below the root`;
    case 'outside':
      return `a symbolic link leads from ${path} out of the root`;
    case 'too long':
      return `${path} is too long, with ${error.sizeBytes} bytes`;
    case 'read only':
      return `${path} may not be written`;
    case 'full':
      return `no space is left for ${path}`;
    case 'device':
      return `${path}: the host failed with ${error.code}`;
  }
}
