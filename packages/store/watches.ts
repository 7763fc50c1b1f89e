/**
 * Who is told when branches change: on one branch, on a path of it, or on all. Changes come from
 * this repository's writers, and from others where the backend sees them. Each watcher has its
 * calls one at a time and in order; between two of them it may have missed some heads, never the
 * last one. A callback that throws, rejects or never ends is its own watcher's trouble alone.
 */

import { assert, err, ok, type Result } from '#core';
import { HEADS, type ObjectBackend, type ObjectId } from '#git';
import { compareText } from '#git/wire';
import type { CachedReader } from './cached-reader.ts';
import type { Path } from './path.ts';
import type { StoreError } from './store-error.ts';
import { entryAt } from './tree/entry-at.ts';
import { type DiffSide, diffEntries, type TreeChange } from './tree/tree-diff.ts';

/** Of a branch, or of what it has at a path. */
export interface HeadChange {
  /** Whether there is something new, no longer something, or something else. */
  readonly kind: 'added' | 'removed' | 'updated';
  readonly branch: string;
  /** The commit that was seen last; null: there was no such branch. */
  readonly before: ObjectId | null;
  /** The commit that is there now; null: the branch is gone. */
  readonly after: ObjectId | null;
  /** What differs, contents by contents; from the watched path on, where there is one. */
  diff(): AsyncGenerator<Result<TreeChange, StoreError>>;
}

export type Watch = (change: HeadChange) => void | Promise<void>;

export interface WatchOptions {
  /** The commit that was seen last, instead of what is there now; null: none. */
  readonly since?: ObjectId | null;
}

/** Ends a watch: no call begins afterwards. May be called twice. */
export type StopWatch = () => void;

/** Why somebody wasn't told: a callback failed, or what it was to be told can't be read. */
export type WatchFault =
  | { readonly kind: 'callback'; readonly error: unknown }
  | { readonly kind: 'store'; readonly error: StoreError };

type Heads = ReadonlyMap<string, ObjectId>;

/** What one watcher was told last. */
interface Watcher {
  /** Tells the difference between that and `heads`. */
  catchUp(heads: Heads): Promise<void>;
  isStopped: boolean;
  isBusy: boolean;
}

interface Told {
  readonly commit: ObjectId | null;
  readonly entry: DiffSide | null;
}

export class Watches {
  /** Calls that were made. */
  told = 0;
  failures = 0;
  readonly #backend: ObjectBackend;
  readonly #reader: CachedReader;
  readonly #report: (fault: WatchFault) => void;
  readonly #watchers = new Set<Watcher>();
  #heads: Heads = new Map();
  #version = 0;
  #end: (() => void) | null = null;
  #scan: Promise<Result<void, StoreError>> | null = null;
  #isScanDue = false;
  /** Watches that are about to be added. */
  #beginning = 0;

  constructor(backend: ObjectBackend, reader: CachedReader, report: (fault: WatchFault) => void) {
    this.#backend = backend;
    this.#reader = reader;
    this.#report = report;
  }

  /** On what a branch has at `path`; [] is the branch itself. */
  async onPath(
    branch: string,
    path: Path,
    watch: Watch,
    { since }: WatchOptions,
  ): Promise<Result<StopWatch, StoreError>> {
    const start = await this.#begin(async (heads) => {
      return this.#at(since === undefined ? (heads.get(branch) ?? null) : since, path);
    });
    if (!start.ok) return start;
    let last = start.value;
    return ok(
      this.#add(async (now, isStopped) => {
        const next = await this.#at(now.get(branch) ?? null, path);
        if (isStopped()) return;
        if (!next.ok) return this.#failed({ kind: 'store', error: next.error });
        const before = last;
        last = next.value;
        const change = this.#change(branch, path, before, last);
        if (change !== null) await this.#tell(watch, change);
      }),
    );
  }

  /** On every branch. */
  async onAll(watch: Watch): Promise<Result<StopWatch, StoreError>> {
    const start = await this.#begin(async (heads) => ok(new Map(heads)));
    if (!start.ok) return start;
    const last = start.value;
    const stop = this.#add(async (now, isStopped) => {
      const names = [...new Set([...last.keys(), ...now.keys()])].sort(compareText);
      for (const branch of names) {
        if (isStopped()) return;
        const [old, next] = [last.get(branch) ?? null, now.get(branch) ?? null];
        if (old === next) continue;
        const [before, after] = await Promise.all([this.#at(old, []), this.#at(next, [])]);
        if (isStopped()) return;
        if (next === null) last.delete(branch);
        else last.set(branch, next);
        if (!before.ok) this.#failed({ kind: 'store', error: before.error });
        else if (!after.ok) this.#failed({ kind: 'store', error: after.error });
        else await this.#tell(watch, this.#change(branch, [], before.value, after.value)!);
      }
    });
    return ok(stop);
  }

  /** Ends all watches. */
  close(): void {
    for (const watcher of this.#watchers) watcher.isStopped = true;
    this.#watchers.clear();
    this.#end?.();
    this.#end = null;
  }

  checkInvariants(): void {
    const isNeeded = this.#watchers.size + this.#beginning > 0;
    assert((this.#end !== null) === isNeeded, 'the backend is watched for somebody');
    for (const watcher of this.#watchers) assert(!watcher.isStopped, 'who stopped is gone');
  }

  /** What `start` makes of the heads as they are; changes are seen from then on. */
  async #begin<T>(
    start: (heads: Heads) => Promise<Result<T, StoreError>>,
  ): Promise<Result<T, StoreError>> {
    this.#beginning++;
    this.#end ??= this.#backend.watchRefs(() => this.#poke());
    const read = await this.#read();
    const started = read.ok ? await start(this.#heads) : read;
    this.#beginning--;
    if (!started.ok) this.#endIfAlone();
    return started;
  }

  #add(catchUp: (heads: Heads, isStopped: () => boolean) => Promise<void>): StopWatch {
    const watcher: Watcher = {
      catchUp: (heads) => catchUp(heads, () => watcher.isStopped),
      isStopped: false,
      isBusy: false,
    };
    this.#watchers.add(watcher);
    // What has changed since the heads were read.
    void this.#pump(watcher);
    return () => {
      watcher.isStopped = true;
      this.#watchers.delete(watcher);
      this.#endIfAlone();
    };
  }

  #endIfAlone(): void {
    if (this.#watchers.size + this.#beginning > 0) return;
    this.#end?.();
    this.#end = null;
  }

  /** Something has changed. */
  #poke(): void {
    void this.#read().then((read) => {
      if (!read.ok) this.#failed({ kind: 'store', error: read.error });
    });
  }

  /** Reads the heads, once more when something changes meanwhile. */
  #read(): Promise<Result<void, StoreError>> {
    this.#isScanDue = true;
    this.#scan ??= this.#scanUntilDone().finally(() => {
      this.#scan = null;
    });
    return this.#scan;
  }

  async #scanUntilDone(): Promise<Result<void, StoreError>> {
    while (this.#isScanDue) {
      this.#isScanDue = false;
      const refs = await this.#backend.listRefs(HEADS);
      if (!refs.ok) return err({ kind: 'backend', error: refs.error });
      const heads = new Map<string, ObjectId>();
      for (const { name, id } of refs.value) heads.set(name.slice(HEADS.length), id);
      this.#heads = heads;
      this.#version++;
      for (const watcher of this.#watchers) void this.#pump(watcher);
    }
    return ok(undefined);
  }

  async #pump(watcher: Watcher): Promise<void> {
    if (watcher.isBusy) return;
    watcher.isBusy = true;
    for (let seen = -1; seen !== this.#version && !watcher.isStopped; ) {
      seen = this.#version;
      await watcher.catchUp(this.#heads);
    }
    watcher.isBusy = false;
  }

  async #tell(watch: Watch, change: HeadChange): Promise<void> {
    this.told++;
    try {
      await watch(change);
    } catch (error) {
      this.#failed({ kind: 'callback', error });
    }
  }

  #failed(fault: WatchFault): void {
    this.failures++;
    this.#report(fault);
  }

  async #at(commit: ObjectId | null, path: Path): Promise<Result<Told, StoreError>> {
    if (commit === null) return ok({ commit, entry: null });
    const read = await this.#reader.commit(commit);
    if (!read.ok) return read;
    const entry = await entryAt(this.#reader, read.value.tree, path);
    return entry.ok ? ok({ commit, entry: entry.value }) : entry;
  }

  /** Null when there is nothing to tell. */
  #change(branch: string, path: Path, before: Told, after: Told): HeadChange | null {
    const reader = this.#reader;
    // Of a branch any other commit counts, of a path only what is there.
    const key = ({ commit, entry }: Told): string | null =>
      path.length === 0 ? commit : entry === null ? null : `${entry.mode} ${entry.id}`;
    const [old, now] = [key(before), key(after)];
    if (old === now) return null;
    return {
      kind: old === null ? 'added' : now === null ? 'removed' : 'updated',
      branch,
      before: before.commit,
      after: after.commit,
      diff: () => diffEntries(reader, before.entry, after.entry),
    };
  }
}
