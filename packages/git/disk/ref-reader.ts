/**
 * Refs as Git keeps them in files: a loose one in a file of its name, which comes before the one in
 * packed-refs; HEAD beside them. Loose ones are read first: `git pack-refs` writes the packed file
 * before it removes them. Read first: packed-refs.ts, ref-file.ts.
 */

import { err, ok, type Result } from '#core';
import type { Clock, FileStat, FileSystem } from '#device';
import type { BackendError, BrokenRef, RefEntry, RefValue } from '../backend.ts';
import type { ObjectHash, ObjectId } from '../object-id.ts';
import { isRefName, refParents } from '../ref-name.ts';
import { compareText } from '../wire/text.ts';
import { damaged, fileFailed, malformed } from './file-fault.ts';
import {
  FILE_TIME_MILLIS,
  REF_DIRECTORY_DEPTH_MAX,
  REF_FILE_BYTES_MAX,
  REMEMBERED_REFS_MAX,
  SYMBOLIC_DEPTH_MAX,
} from './limits.ts';
import { isSame, PackedRefsFile, type PackedTable } from './packed-table.ts';
import { parseRefFile } from './ref-file.ts';

export const HEAD = 'HEAD';

/** What a name leads to, through symbolic refs. */
export interface ResolvedRef {
  /** The last name on the way, which isn't symbolic. */
  readonly name: string;
  /** Null: there is no such ref. */
  readonly id: ObjectId | null;
}

export interface ListedRefs {
  readonly refs: readonly RefEntry[];
  readonly broken: readonly BrokenRef[];
}

export class RefReader {
  /** Where refs/ and packed-refs are. */
  readonly #files: FileSystem;
  /** Where HEAD is: elsewhere in a linked work tree. */
  readonly #headFiles: FileSystem;
  readonly #hash: ObjectHash;
  readonly #packed: PackedRefsFile;
  readonly #clock: Clock | null;
  /** What files said that are older than a file's time is coarse: a look tells that they do. */
  readonly #remembered = new Map<string, { stat: FileStat; value: RefValue }>();

  /** With a clock, by which files have their times, a ref isn't read again that hasn't changed. */
  constructor(files: FileSystem, headFiles: FileSystem, hash: ObjectHash, clock: Clock | null) {
    this.#clock = clock;
    this.#files = files;
    this.#headFiles = headFiles;
    this.#hash = hash;
    this.#packed = new PackedRefsFile(files, hash, clock);
  }

  packed(): Result<PackedTable, BackendError> {
    return this.#packed.read();
  }

  /** Whether this name was read before, and so is one. */
  isRemembered(name: string): boolean {
    return this.#remembered.has(name);
  }

  /** From its own file; null when it has none. */
  loose(name: string): Result<RefValue | null, BackendError> {
    const files = name === HEAD ? this.#headFiles : this.#files;
    const known = this.#remembered.get(name);
    if (known !== undefined) {
      const now = files.stat(name);
      if (now.ok && isSame(now.value, known.stat)) return ok(known.value);
      this.#remembered.delete(name);
    }
    const bytes = files.readFile(name, REF_FILE_BYTES_MAX);
    if (!bytes.ok) {
      const { kind } = bytes.error;
      // A directory on the way that is a ref, or the other way round: this one isn't there.
      const isAbsent = kind === 'absent' || kind === 'directory' || kind === 'no directory';
      return isAbsent ? ok(null) : fileFailed(bytes.error);
    }
    const parsed = parseRefFile(bytes.value, this.#hash);
    if (!parsed.ok) return malformed(name, parsed.error);
    this.#remember(files, name, parsed.value);
    return parsed;
  }

  #remember(files: FileSystem, name: string, value: RefValue): void {
    if (this.#clock === null) return;
    const before = this.#clock.wall();
    const stat = files.stat(name);
    if (!stat.ok || stat.value === null) return;
    const madeAt = Number(stat.value.modifiedNanos / 1_000_000n);
    // Replaced between the read and the look at it, it is younger than that.
    if (madeAt + FILE_TIME_MILLIS > before) return;
    if (this.#remembered.size >= REMEMBERED_REFS_MAX) this.#remembered.clear();
    this.#remembered.set(name, { stat: stat.value, value });
  }

  read(name: string): Result<RefValue | null, BackendError> {
    const loose = this.loose(name);
    if (!loose.ok || loose.value !== null || name === HEAD) return loose;
    const packed = this.#packed.read();
    if (!packed.ok) return packed;
    const found = packed.value.get(name);
    return ok(found === null ? null : { id: found.id });
  }

  resolve(name: string): Result<ResolvedRef, BackendError> {
    let at = name;
    for (let depth = 0; depth <= SYMBOLIC_DEPTH_MAX; depth++) {
      const found = this.read(at);
      if (!found.ok) return found;
      if (found.value?.symbolic === undefined) return ok({ name: at, id: found.value?.id ?? null });
      at = found.value.symbolic;
    }
    return damaged(`${name} is symbolic more than ${SYMBOLIC_DEPTH_MAX} times over`);
  }

  /** In the order of their bytes, without broken ones and symbolic ones that lead nowhere. */
  list(prefix: string): Result<readonly RefEntry[], BackendError> {
    const listed = this.listAll(prefix);
    return listed.ok ? ok(listed.value.refs) : listed;
  }

  /** As `list`, with those that can't be read: as Git, one of them doesn't hide the others. */
  listAll(prefix: string): Result<ListedRefs, BackendError> {
    const found = new Map<string, ObjectId>();
    const broken: BrokenRef[] = [];
    const names = this.looseNames(prefix);
    if (!names.ok) return names;
    const gone = new Set<string>();
    for (const name of names.value) {
      const resolved = this.resolve(name);
      if (!resolved.ok) {
        if (resolved.error.kind !== 'damaged') return resolved;
        broken.push({ name, what: resolved.error.what });
        gone.add(name);
      } else if (resolved.value.id === null) gone.add(name);
      else found.set(name, resolved.value.id);
    }
    const packed = this.#packed.read();
    if (!packed.ok) return packed;
    for (const { name, id } of packed.value.startingWith(prefix)) {
      if (!found.has(name) && !gone.has(name)) found.set(name, id);
    }
    const entries = [...found].map(([name, id]) => ({ name, id }));
    return ok({ refs: entries.sort((a, b) => compareText(a.name, b.name)), broken });
  }

  /**
   * A ref that can't be beside `name`: one that it would lie in, or that would lie in it. Those
   * for which `isGone` holds aren't in the way.
   */
  inTheWay(name: string, isGone: (name: string) => boolean): Result<string | null, BackendError> {
    for (const parent of refParents(name)) {
      if (isGone(parent)) continue;
      const found = isRefName(parent) ? this.read(parent) : ok(null);
      if (!found.ok) return found;
      if (found.value !== null) return ok(parent);
    }
    const inside = `${name}/`;
    const packed = this.#packed.read();
    if (!packed.ok) return packed;
    const ref = packed.value.startingWith(inside).find((entry) => !isGone(entry.name));
    if (ref !== undefined) return ok(ref.name);
    const names = this.looseNames(inside);
    if (!names.ok) return names;
    return ok(names.value.find((other) => !isGone(other)) ?? null);
  }

  /** Names of files below refs/, whatever is in them. */
  looseNames(prefix: string): Result<string[], BackendError> {
    const slash = prefix.lastIndexOf('/');
    const start = slash < 0 ? 'refs' : prefix.slice(0, slash);
    const names: string[] = [];
    if (start !== 'refs' && !start.startsWith('refs/')) return ok(names);
    const failed = this.#walk(start, names, REF_DIRECTORY_DEPTH_MAX);
    return failed === null ? ok(names.filter((name) => name.startsWith(prefix))) : err(failed);
  }

  #walk(directory: string, names: string[], depth: number): BackendError | null {
    const entries = this.#files.list(directory);
    if (!entries.ok) {
      const { kind } = entries.error;
      // Removed meanwhile, or no directory.
      if (kind === 'absent' || kind === 'no directory' || kind === 'name') return null;
      return fileFailed(entries.error).error;
    }
    for (const { name, kind } of entries.value) {
      const path = `${directory}/${name}`;
      if (kind === 'directory') {
        const failed = depth === 0 ? null : this.#walk(path, names, depth - 1);
        if (failed !== null) return failed;
      } else if (isRefName(path)) {
        names.push(path);
      }
    }
    return null;
  }
}
