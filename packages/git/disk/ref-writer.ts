/**
 * Changes of refs under Git's locks. One ref: its lock, the file renamed into its place. Several
 * refs: the locks of all and of packed-refs; what they are now goes into packed-refs, their loose
 * files go, then packed-refs is replaced at once by one with what they are to be, so that neither
 * a reader nor a crash sees some of them changed. Everything is synchronous: a lock is never held
 * while anybody else runs here. Read first: ref-reader.ts, lock-file.ts.
 */

import { err, ok, type Result } from '#core';
import { type Clock, directoryOf, type FileSystem } from '#device';
import type { BackendError, RefConflict, RefUpdate } from '../backend.ts';
import type { ObjectId } from '../object-id.ts';
import { compareText } from '../wire/text.ts';
import { type DirectorySync, removeEmptyDirectories, removeEmptyParents } from './directories.ts';
import { damaged, fileFailed, fileFault, lockedBy } from './file-fault.ts';
import { SYMBOLIC_DEPTH_MAX } from './limits.ts';
import { LockFile } from './lock-file.ts';
import { PACKED_REFS } from './packed-table.ts';
import { type PackedWriterOptions, replacePackedRefs } from './packed-writer.ts';
import { emitRefFile } from './ref-file.ts';
import { HEAD, type RefReader } from './ref-reader.ts';
import type { RefAuthor, ReflogFiles } from './reflog-files.ts';

export type RefError = RefConflict | BackendError;

export interface RefWriterOptions extends PackedWriterOptions {
  readonly headFiles: FileSystem;
  readonly reader: RefReader;
  readonly logs: ReflogFiles;
  /** The clock of the host's files; without it nobody is told how old a lock is. */
  readonly clock: Clock | null;
}

/** A ref whose lock is held. */
interface Held {
  readonly update: RefUpdate;
  readonly name: string;
  readonly actual: ObjectId | null;
  readonly lock: LockFile;
}

/** Parts of a directory's name that stay, empty or not: "refs/heads". */
const KEPT_PARTS = 2;

export class RefWriter {
  readonly #files: FileSystem;
  readonly #headFiles: FileSystem;
  readonly #reader: RefReader;
  readonly #logs: ReflogFiles;
  readonly #directories: DirectorySync;
  readonly #isSynced: boolean;
  readonly #options: RefWriterOptions;

  constructor(options: RefWriterOptions) {
    this.#files = options.files;
    this.#headFiles = options.headFiles;
    this.#reader = options.reader;
    this.#logs = options.logs;
    this.#directories = options.directories;
    this.#isSynced = options.isSynced;
    this.#options = options;
  }

  /** 'busy': a lock was held by another; nothing has changed. The names were checked. */
  update(updates: readonly RefUpdate[], reason: string, author: RefAuthor): Result<void, RefError> {
    const [only] = updates;
    if (only === undefined) return ok(undefined);
    if (updates.length > 1) return this.#updateAll(updates, reason, author);
    const held = this.#hold(only);
    if (!held.ok) return held;
    const done = this.#change(held.value, reason, author);
    held.value.lock.drop();
    return done;
  }

  /** Makes HEAD symbolic. */
  setHead(name: string, reason: string, author: RefAuthor): Result<void, BackendError> {
    const before = this.#reader.resolve(HEAD);
    const taken = LockFile.take(this.#headFiles, HEAD);
    if (!taken.ok)
      return this.#notTaken(HEAD, taken.error.kind, fileFault(taken.error), this.#headFiles);
    const written = taken.value.write(emitRefFile({ symbolic: name }), this.#isSynced);
    const done = written.ok ? taken.value.commit() : written;
    if (!done.ok) return fileFailed(done.error);
    if (this.#isSynced) {
      const synced = this.#headFiles.syncDirectory('');
      if (!synced.ok) return fileFailed(synced.error);
    }
    const now = this.#reader.resolve(HEAD);
    const from = before.ok ? before.value.id : null;
    const to = now.ok ? now.value.id : null;
    if (to === null) return ok(undefined);
    const logged = this.#logs.append(HEAD, from, to, reason, author);
    return logged.ok ? logged : fileFailed(logged.error);
  }

  #notTaken(path: string, kind: string, otherwise: BackendError, files = this.#files) {
    return err(kind === 'exists' ? lockedBy(files, path, this.#options.clock) : otherwise);
  }

  /** Takes the ref's lock, reads it, and compares. */
  #hold(update: RefUpdate, name = update.name, depth = 0): Result<Held, RefError> {
    const taken = LockFile.take(this.#files, name, (directory) =>
      // Others remove empty ones, and know nothing of what we synced.
      this.#directories.forgetAll(directory),
    );
    if (!taken.ok) {
      const { kind } = taken.error;
      if (kind === 'no directory' || kind === 'exists') {
        const parent = this.#looseParent(name);
        if (parent !== null) return err({ kind: 'in the way', name: update.name, other: parent });
      }
      return this.#notTaken(name, kind, fileFault(taken.error));
    }
    const lock = taken.value;
    const now = this.#reader.read(name);
    // A ref that is damaged may be replaced by whoever doesn't mind what it was.
    if (!now.ok && update.from !== 'any') {
      lock.drop();
      return now;
    }
    const value = now.ok ? now.value : null;
    if (value?.symbolic !== undefined) {
      // It is what this one leads to that changes.
      lock.drop();
      if (depth < SYMBOLIC_DEPTH_MAX) return this.#hold(update, value.symbolic, depth + 1);
      return damaged(`${update.name} is symbolic more than ${SYMBOLIC_DEPTH_MAX} times over`);
    }
    const actual = value?.id ?? null;
    if (update.from !== 'any' && update.from !== actual) {
      lock.drop();
      return err({ kind: 'moved', name: update.name, actual });
    }
    return ok({ update, name, actual, lock });
  }

  /** The file of a ref that `name` would lie in. */
  #looseParent(name: string): string | null {
    for (let at = directoryOf(name); at.includes('/'); at = directoryOf(at)) {
      const found = this.#files.stat(at);
      if (found.ok && found.value?.kind === 'file') return at;
    }
    return null;
  }

  /** One ref. */
  #change(held: Held, reason: string, author: RefAuthor): Result<void, RefError> {
    const { update, name, actual, lock } = held;
    if (update.to === actual) return this.#settle(name);
    if (update.to === null) return this.#remove(held, reason, author);
    if (actual === null) {
      const other = this.#reader.inTheWay(name, () => false);
      if (!other.ok) return other;
      if (other.value !== null) {
        removeEmptyParents(this.#files, name, KEPT_PARTS);
        return err({ kind: 'in the way', name: update.name, other: other.value });
      }
    }
    const written = lock.write(emitRefFile({ id: update.to }), this.#isSynced);
    if (!written.ok) return fileFailed(written.error);
    const logged = this.#log(held, reason, author);
    if (!logged.ok) return logged;
    let renamed = lock.commit();
    if (!renamed.ok && renamed.error.kind === 'directory') {
      // Left by refs that were removed. The lock is gone: begin again.
      if (removeEmptyDirectories(this.#files, name)) return this.#again(update, reason, author);
      const other = this.#reader.inTheWay(name, () => false);
      if (other.ok && other.value !== null) {
        return err({ kind: 'in the way', name: update.name, other: other.value });
      }
    }
    if (renamed.ok) renamed = this.#directories.sync(directoryOf(name));
    return renamed.ok ? renamed : fileFailed(renamed.error);
  }

  #again(update: RefUpdate, reason: string, author: RefAuthor): Result<void, RefError> {
    const held = this.#hold(update);
    if (!held.ok) return held;
    const done = this.#change(held.value, reason, author);
    held.value.lock.drop();
    return done;
  }

  /**
   * A ref that is as it is to be: what made it so may have failed, or died, before that would last.
   * Its lock is held, so its directory is there.
   */
  #settle(name: string): Result<void, BackendError> {
    const own = this.#directories.sync(directoryOf(name));
    const synced = own.ok ? this.#directories.sync('') : own;
    return synced.ok ? synced : fileFailed(synced.error);
  }

  /** First from packed-refs, which would show through; then its file, its log, its directories. */
  #remove(held: Held, reason: string, author: RefAuthor): Result<void, RefError> {
    // Held although it isn't in packed-refs: or it may be put there just now, to be pruned.
    const taken = LockFile.take(this.#files, PACKED_REFS);
    if (!taken.ok) return this.#notTaken(PACKED_REFS, taken.error.kind, fileFault(taken.error));
    const gone = this.#removeBoth(held, reason, author);
    taken.value.drop();
    if (!gone.ok) return gone;
    this.#logs.remove(held.name);
    held.lock.drop();
    this.#forgetParents(held.name);
    return ok(undefined);
  }

  #removeBoth(held: Held, reason: string, author: RefAuthor): Result<void, RefError> {
    const { name } = held;
    const packed = this.#reader.packed();
    if (!packed.ok) return packed;
    if (packed.value.get(name) !== null) {
      const replaced = this.#replacePacked(new Map([[name, null]]));
      if (!replaced.ok) return replaced;
    }
    const logged = this.#logHead(held, reason, author);
    if (!logged.ok) return logged;
    const gone = this.#dropLoose(name);
    return gone.ok ? this.#settle(name) : gone;
  }

  #forgetParents(name: string): void {
    removeEmptyParents(this.#files, name, KEPT_PARTS);
    for (let at = directoryOf(name); at.includes('/'); at = directoryOf(at)) {
      this.#directories.forget(at);
    }
  }

  /** Removes its file, if there is one; not synced. */
  #dropLoose(name: string): Result<void, BackendError> {
    const removed = this.#files.remove(name);
    if (removed.ok) return removed;
    const { kind } = removed.error;
    const isAbsent = kind === 'absent' || kind === 'directory' || kind === 'no directory';
    return isAbsent ? ok(undefined) : fileFailed(removed.error);
  }

  #log(held: Held, reason: string, author: RefAuthor): Result<void, BackendError> {
    const { name, actual, update } = held;
    const logged = this.#logs.append(name, actual, update.to, reason, author);
    return logged.ok ? this.#logHead(held, reason, author) : fileFailed(logged.error);
  }

  /** HEAD's log tells what becomes of the branch that it names. */
  #logHead(held: Held, reason: string, author: RefAuthor): Result<void, BackendError> {
    const head = this.#reader.loose(HEAD);
    if (!head.ok || head.value?.symbolic !== held.name) return ok(undefined);
    const logged = this.#logs.append(HEAD, held.actual, held.update.to, reason, author);
    return logged.ok ? logged : fileFailed(logged.error);
  }

  /** Several refs: see above. */
  #updateAll(
    updates: readonly RefUpdate[],
    reason: string,
    author: RefAuthor,
  ): Result<void, RefError> {
    const packedLock = LockFile.take(this.#files, PACKED_REFS);
    if (!packedLock.ok) {
      const { error } = packedLock;
      return this.#notTaken(PACKED_REFS, error.kind, fileFault(error));
    }
    const held: Held[] = [];
    const done = this.#holdAll(updates, held);
    const result = done.ok ? this.#changeAll(held, reason, author) : done;
    for (const { lock } of held) lock.drop();
    packedLock.value.drop();
    for (const { name } of held) this.#forgetParents(name);
    return result;
  }

  /** Removals first: their files make room for the directories of the others. */
  #holdAll(updates: readonly RefUpdate[], held: Held[]): Result<void, RefError> {
    const names = new Set<string>();
    const sets = updates.filter(({ to }) => to !== null);
    for (const update of [...updates.filter(({ to }) => to === null), ...sets]) {
      let taken = this.#hold(update);
      if (!taken.ok && taken.error.kind === 'in the way') {
        const { other } = taken.error;
        if (!held.some(({ name, update: { to } }) => to === null && name === other)) return taken;
        const folded = this.#fold(held.filter(({ name }) => name === other));
        if (!folded.ok) return folded;
        taken = this.#hold(update);
      }
      if (!taken.ok) return taken;
      held.push(taken.value);
      // Two symbolic refs that lead to the same one.
      if (names.has(taken.value.name)) return err({ kind: 'bad transaction' });
      names.add(taken.value.name);
    }
    return this.#checkPlaces(held);
  }

  #checkPlaces(held: readonly Held[]): Result<void, RefError> {
    const gone = new Set(held.filter(({ update }) => update.to === null).map(({ name }) => name));
    const come = held.filter(({ update }) => update.to !== null).map(({ name }) => name);
    come.sort(compareText);
    const names = new Set(come);
    for (const { name, actual, update } of held) {
      if (update.to === null) continue;
      for (let at = directoryOf(name); at !== ''; at = directoryOf(at)) {
        if (names.has(at)) return err({ kind: 'in the way', name: update.name, other: at });
      }
      if (actual !== null) continue;
      const other = this.#reader.inTheWay(name, (found) => gone.has(found) || names.has(found));
      if (!other.ok) return other;
      if (other.value !== null) {
        return err({ kind: 'in the way', name: update.name, other: other.value });
      }
    }
    return ok(undefined);
  }

  #changeAll(held: readonly Held[], reason: string, author: RefAuthor): Result<void, RefError> {
    const folded = this.#fold(held);
    if (!folded.ok) return folded;
    const changed = held.filter(({ update, actual }) => update.to !== actual);
    for (const one of changed) {
      const { to } = one.update;
      const logged =
        to === null ? this.#logHead(one, reason, author) : this.#log(one, reason, author);
      if (!logged.ok) return logged;
    }
    if (changed.length > 0) {
      const to = new Map(changed.map(({ name, update }) => [name, update.to]));
      const replaced = this.#replacePacked(to);
      if (!replaced.ok) return replaced;
    } else {
      const synced = this.#directories.sync('');
      if (!synced.ok) return fileFailed(synced.error);
    }
    for (const { name, update } of held) if (update.to === null) this.#logs.remove(name);
    return ok(undefined);
  }

  /** Moves what refs are from their files to packed-refs. The lock of packed-refs is held. */
  #fold(held: readonly Held[]): Result<void, BackendError> {
    const loose = new Map<string, ObjectId | null>();
    for (const { name, actual } of held) {
      const found = this.#files.stat(name);
      if (!found.ok && found.error.kind !== 'no directory') return fileFailed(found.error);
      if (found.ok && found.value?.kind === 'file') loose.set(name, actual);
    }
    const replaced = loose.size === 0 ? ok(undefined) : this.#replacePacked(loose);
    if (!replaced.ok) return replaced;
    for (const name of loose.keys()) {
      const gone = this.#dropLoose(name);
      if (!gone.ok) return gone;
    }
    // Also where none was: whoever removed it may have failed before that would last.
    for (const directory of new Set(held.map(({ name }) => directoryOf(name)))) {
      const synced = this.#directories.sync(directory);
      if (!synced.ok) return fileFailed(synced.error);
    }
    return ok(undefined);
  }

  /** A new packed-refs with these changes, under its lock, for good. */
  #replacePacked(changes: ReadonlyMap<string, ObjectId | null>): Result<void, BackendError> {
    const packed = this.#reader.packed();
    return packed.ok ? replacePackedRefs(this.#options, packed.value, changes) : packed;
  }
}
