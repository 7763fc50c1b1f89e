/**
 * Garbage collection of a repository in files, as `git gc` does it: all that refs reach goes into
 * one new pack; when that lasts, loose objects that are in it and the packs that it replaces go.
 * What nobody reaches stays as loose objects while it is young, because whoever wrote it may be
 * about to name it; and for good where a work tree's index may name it, which isn't read here.
 * Whoever writes an object that is there already makes it young (ObjectPlace.refresh): that, and
 * that ages are asked at the last moment, is what lets others write meanwhile. Read first:
 * ../pack/compact.ts, object-place.ts.
 */

import { err, millis, ok, type Result } from '#core';
import { type CryptoPrimitives, directoryOf, type FileSystem, type Zlib } from '#device';
import type { BackendError, ObjectBackend } from '../backend.ts';
import type { NamedObject } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import { compact } from '../pack/compact.ts';
import type { WrittenPack } from '../pack/write-pack.ts';
import { fileFailed } from './file-fault.ts';
import { dropGcLock, type GcLockOptions, takeGcLock } from './gc-lock.ts';
import { loosePath } from './loose-object.ts';
import type { LooseWriter } from './loose-writer.ts';
import type { ObjectPlace } from './object-place.ts';
import type { PackFile } from './pack-file.ts';
import type { PackWriter } from './pack-writer.ts';
import type { Pause } from './ref-watch.ts';

export interface GcOptions {
  /**
   * What nobody reaches goes when it is older: milliseconds since 1970, by the clock of the host's
   * files. Null: it stays.
   */
  readonly pruneBefore: number | null;
  /** What others left half written goes when it is older; `pruneBefore` unless given. */
  readonly temporaryBefore?: number | null;
  readonly progress?: (phase: string, done: number, total: number | null) => void;
}

export interface GcReport {
  /** Of the new pack. */
  readonly objects: number;
  readonly packBytes: number;
  readonly packsRemoved: number;
  readonly looseRemoved: number;
  /** Objects that nobody reaches: those that stayed, and those that are gone. */
  readonly unreachableKept: number;
  readonly unreachableRemoved: number;
  /** Refs whose files went into packed-refs. */
  readonly refsPacked: number;
}

export interface GcParts {
  readonly lock: GcLockOptions;
  readonly backend: ObjectBackend;
  readonly place: ObjectPlace;
  /** What is borrowed from: it needn't be here. */
  readonly alternates: readonly ObjectPlace[];
  readonly packWriter: PackWriter;
  readonly looseWriter: LooseWriter;
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  readonly pause: Pause;
  readonly packRefs: () => Promise<Result<number, BackendError>>;
  /** Everything to be kept. */
  readonly roots: () => Promise<Result<readonly ObjectId[], BackendError>>;
  /** Makes changes of these directories of objects/ last. */
  readonly sync: (paths: readonly string[]) => Promise<Result<void, BackendError>>;
}

/** Files of a pack; the index goes first, because without it the pack isn't there. */
const EXTENSIONS = ['idx', 'rev', 'bitmap', 'mtimes', 'pack'];
const TEMPORARY = /^tmp_(pack|idx|obj|rev)_/;
/** Work between two pauses. */
const PAUSE_AFTER_MILLIS = 10;
/** Loose objects are written so many at a time. */
const BATCH_OBJECTS = 256;
const BATCH_BYTES = 8_388_608;

export async function collectGarbage(
  parts: GcParts,
  options: GcOptions,
): Promise<Result<GcReport, BackendError>> {
  const locked = takeGcLock(parts.lock);
  if (!locked.ok) return locked;
  try {
    return await new Collection(parts, options).run();
  } finally {
    dropGcLock(parts.lock.files);
  }
}

const millisOf = (nanos: bigint): number => Number(nanos / 1_000_000n);

class Collection {
  private readonly parts: GcParts;
  private readonly options: GcOptions;
  private readonly files: FileSystem;
  /** Of the alternates, but for this place itself. */
  private readonly lenders: ObjectPlace[] = [];
  private looseRemoved = 0;
  private unreachableKept = 0;
  private unreachableRemoved = 0;
  private pausedAt: number;

  constructor(parts: GcParts, options: GcOptions) {
    this.parts = parts;
    this.options = options;
    this.files = parts.place.files;
    this.pausedAt = parts.lock.clock.wall();
  }

  /** Lets others run, where they have waited for a while: a timer costs more than a step. */
  private async pause(): Promise<void> {
    // Also when somebody set the clock back.
    if (Math.abs(this.parts.lock.clock.wall() - this.pausedAt) < PAUSE_AFTER_MILLIS) return;
    await this.parts.pause(millis(0));
    this.pausedAt = this.parts.lock.clock.wall();
  }

  async run(): Promise<Result<GcReport, BackendError>> {
    const refs = await this.parts.packRefs();
    if (!refs.ok) return refs;
    const { packs } = this.parts.place;
    const scanned = packs.scan();
    if (!scanned.ok) return scanned;
    const kept = this.keptPacks();
    if (!kept.ok) return kept;
    const old = packs.packs.filter(({ name }) => !kept.value.has(name));
    const roots = await this.parts.roots();
    if (!roots.ok) return roots;
    const borrowed = this.scanAlternates();
    if (!borrowed.ok) return borrowed;
    const written = await this.writePack(roots.value);
    if (!written.ok) return written;
    const { name, pack } = written.value;
    const again = packs.scan();
    if (!again.ok) return again;
    const fresh = packs.packs.find((one) => one.name === name) ?? null;
    if (fresh === null && name !== null) {
      return err({ kind: 'busy', what: `somebody removed ${name}, which was just made` });
    }
    const replaced = old.filter((one) => one.name !== name);
    const stays = [...packs.packs].filter((one) => !replaced.includes(one));
    const cleared = await this.clearCaches();
    if (!cleared.ok) return cleared;
    for (const one of replaced) {
      const removed = await this.removePack(one, stays);
      if (!removed.ok) return removed;
    }
    const loose = await this.removeLoose(stays);
    if (!loose.ok) return loose;
    this.removeTemporary();
    packs.scan();
    return ok({
      objects: pack?.objects ?? 0,
      packBytes: pack?.sizeBytes ?? 0,
      packsRemoved: replaced.length,
      looseRemoved: this.looseRemoved,
      unreachableKept: this.unreachableKept,
      unreachableRemoved: this.unreachableRemoved,
      refsPacked: refs.value,
    });
  }

  /** Packs that somebody marked as not to be touched. */
  private keptPacks(): Result<ReadonlySet<string>, BackendError> {
    const listed = this.files.list('pack');
    if (!listed.ok)
      return listed.error.kind === 'absent' ? ok(new Set()) : fileFailed(listed.error);
    const names = listed.value.map(({ name }) => name);
    return ok(
      new Set(
        names.filter((n) => /\.(keep|promisor)$/.test(n)).map((n) => n.replace(/\.\w+$/, '')),
      ),
    );
  }

  /** The new pack, there for good; a null name when there is nothing to be kept. */
  private async writePack(
    roots: readonly ObjectId[],
  ): Promise<Result<{ name: string | null; pack: WrittenPack | null }, BackendError>> {
    if (roots.length === 0) return ok({ name: null, pack: null });
    const { backend, crypto, zlib, packWriter } = this.parts;
    const begun = packWriter.begin();
    if (!begun.ok) return begun;
    const scratch = begun.value;
    const only = (id: ObjectId): boolean => !this.isBorrowed(id);
    const isAlone = this.lenders.length === 0;
    const steps = compact(backend, { crypto, zlib }, isAlone ? { roots } : { roots, only });
    for (;;) {
      const next = await steps.next();
      if (next.done === true) {
        if (!next.value.ok) {
          packWriter.abandon(scratch);
          return next.value;
        }
        const pack = next.value.value;
        if (pack.objects === 0) {
          packWriter.abandon(scratch);
          return ok({ name: null, pack });
        }
        const name = await packWriter.finish(scratch, pack.entries, pack.checksum);
        return name.ok ? ok({ name: name.value, pack }) : name;
      }
      const { phase, done, total, bytes } = next.value;
      this.options.progress?.(phase, done, total);
      const appended = bytes === null ? ok(undefined) : scratch.append(bytes);
      if (!appended.ok) {
        packWriter.abandon(scratch);
        return appended;
      }
      await this.pause();
    }
  }

  /** What Git keeps about packs and commits that may go: it makes them anew. */
  private async clearCaches(): Promise<Result<void, BackendError>> {
    const changed = new Set(['pack']);
    const paths = ['pack/multi-pack-index', 'info/commit-graph'];
    for (const directory of ['info/commit-graphs', 'pack/multi-pack-index.d']) {
      const listed = this.files.list(directory);
      for (const { name } of listed.ok ? listed.value : []) paths.push(`${directory}/${name}`);
    }
    for (const path of paths) {
      const removed = this.files.remove(path);
      if (removed.ok) changed.add(directoryOf(path));
      const isGone = removed.ok || removed.error.kind === 'absent';
      if (!isGone) return fileFailed(removed.error);
    }
    // Before a pack goes that they tell of.
    return this.parts.sync([...changed]);
  }

  /** Young enough to be spared. */
  private isYoung(path: string, before = this.options.pruneBefore): boolean {
    if (before === null) return true;
    const found = this.files.stat(path);
    return found.ok && found.value !== null && millisOf(found.value.modifiedNanos) >= before;
  }

  /** Whether a repository has it that this one borrows from: as `git gc`, it is left there. */
  private isBorrowed(id: ObjectId): boolean {
    return this.lenders.some((place) => {
      const has = place.has(id);
      return has.ok && has.value;
    });
  }

  /** Whether it is there without what is about to go. */
  private isIn(packs: readonly PackFile[], id: ObjectId): boolean {
    const isPacked = packs.some((pack) => {
      const has = pack.has(id);
      return has.ok && has.value === true;
    });
    return isPacked || this.isBorrowed(id);
  }

  /**
   * What is borrowed may have been packed anew, or be gone. By a link or a mount this place may be
   * an alternate of itself, in which everything would be borrowed: a file made here tells.
   */
  private scanAlternates(): Result<void, BackendError> {
    const { alternates, packWriter } = this.parts;
    if (alternates.length === 0) return ok(undefined);
    const begun = packWriter.begin();
    if (!begun.ok) return begun;
    const { path } = begun.value;
    for (const place of alternates) {
      const found = place.files.stat(path);
      if (found.ok && found.value === null) this.lenders.push(place);
    }
    packWriter.abandon(begun.value);
    for (const { packs } of this.lenders) {
      const scanned = packs.scan();
      if (!scanned.ok) return scanned;
    }
    return ok(undefined);
  }

  private async removePack(
    pack: PackFile,
    stays: readonly PackFile[],
  ): Promise<Result<void, BackendError>> {
    const index = pack.index();
    if (!index.ok) return index;
    if (index.value === null) return ok(undefined);
    const left: ObjectId[] = [];
    for (let i = 0; i < index.value.count; i++) {
      const id = index.value.idAt(i);
      if (!this.isIn(stays, id)) left.push(id);
    }
    // Asked late: whoever needed one of them meanwhile made the pack young.
    if (left.length > 0 && this.isYoung(pack.path)) {
      const loosened = await this.loosen(pack, left);
      if (!loosened.ok) return loosened;
    } else {
      this.unreachableRemoved += left.length;
    }
    for (const extension of EXTENSIONS) {
      const removed = this.files.remove(`pack/${pack.name}.${extension}`);
      if (!removed.ok && removed.error.kind !== 'absent') return fileFailed(removed.error);
    }
    return ok(undefined);
  }

  /** Writes them as loose objects, which `removeLoose` finds. */
  private async loosen(
    pack: PackFile,
    ids: readonly ObjectId[],
  ): Promise<Result<void, BackendError>> {
    let batch: NamedObject[] = [];
    let batchBytes = 0;
    for (const [at, id] of ids.entries()) {
      const object = pack.read(id);
      if (!object.ok) return object;
      if (object.value !== null) batch.push({ id, ...object.value });
      batchBytes += object.value?.bytes.length ?? 0;
      const isLast = at === ids.length - 1;
      if (!isLast && batch.length < BATCH_OBJECTS && batchBytes < BATCH_BYTES) continue;
      const written = await this.parts.looseWriter.write(batch);
      if (!written.ok) return fileFailed(written.error);
      batch = [];
      batchBytes = 0;
      await this.pause();
    }
    return ok(undefined);
  }

  private async removeLoose(stays: readonly PackFile[]): Promise<Result<void, BackendError>> {
    let seen = 0;
    for (const listed of this.parts.place.looseIds()) {
      if (!listed.ok) return listed;
      const id = listed.value;
      const path = loosePath(id);
      const isPacked = this.isIn(stays, id);
      if (++seen % BATCH_OBJECTS === 0) await this.pause();
      if (!isPacked && this.isYoung(path)) {
        this.unreachableKept++;
        continue;
      }
      const removed = this.files.remove(path);
      if (!removed.ok && removed.error.kind !== 'absent') return fileFailed(removed.error);
      if (isPacked) this.looseRemoved++;
      else this.unreachableRemoved++;
    }
    return ok(undefined);
  }

  /** What others left when they died, long ago. */
  private removeTemporary(): void {
    const { pruneBefore, temporaryBefore = pruneBefore } = this.options;
    const directories = ['pack', ...Array.from({ length: 256 }, (_, i) => hex(i))];
    for (const directory of directories) {
      const listed = this.files.list(directory);
      for (const { name } of listed.ok ? listed.value : []) {
        const path = `${directory}/${name}`;
        if (TEMPORARY.test(name) && !this.isYoung(path, temporaryBefore)) this.files.remove(path);
      }
      if (directory !== 'pack' && listed.ok) this.files.removeDirectory(directory);
    }
  }
}

const hex = (byte: number): string => byte.toString(16).padStart(2, '0');
