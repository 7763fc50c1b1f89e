/**
 * Notices changes of refs that other processes make: directories are watched where the host can
 * do that; everything is looked at every now and then besides, because a watch can miss what
 * happens in directories that are new. Whoever watches is told when the refs are others than
 * before, not when files are. Read first: ref-reader.ts.
 */

import { type Duration, millis } from '#core';
import type { FileSystem } from '#device';
import type { RefUpdate } from '../backend.ts';
import type { ObjectId } from '../object-id.ts';
import { RefWatchers } from '../ref-watchers.ts';
import { REF_DIRECTORY_DEPTH_MAX, WATCHED_DIRECTORIES_MAX } from './limits.ts';
import { HEAD, type RefReader } from './ref-reader.ts';

export type Pause = (wait: Duration) => Promise<void>;

/** Changes that are closer together than this are told as one. */
const COALESCE = millis(20);
/** Between looks, with and without a watch of all directories. */
const POLL_WATCHED = millis(2_000);
const POLL_ALONE = millis(250);

type Snapshot = Map<string, string>;

export class RefWatch {
  readonly #files: FileSystem;
  readonly #headFiles: FileSystem;
  readonly #reader: RefReader;
  readonly #pause: Pause;
  readonly #watchers = new RefWatchers();
  /** What the watchers know; null while there are none. */
  #known: Snapshot | null = null;
  #stops = new Map<string, () => void>();
  #isWatching = false;
  #isDue = false;
  /** Which of the loops is the current one. */
  #turn = 0;

  constructor(files: FileSystem, headFiles: FileSystem, reader: RefReader, pause: Pause) {
    this.#files = files;
    this.#headFiles = headFiles;
    this.#reader = reader;
    this.#pause = pause;
  }

  add(changed: () => void): () => void {
    const stop = this.#watchers.add(changed);
    if (this.#known === null) this.#begin();
    return () => {
      stop();
      if (this.#watchers.count === 0) this.#end();
    };
  }

  /** We changed these ourselves. */
  updated(updates: readonly RefUpdate[]): void {
    const known = this.#known;
    if (known === null) return;
    let isChanged = false;
    for (const { name, to } of updates) {
      if ((known.get(name) ?? null) === to) continue;
      isChanged = true;
      if (to === null) known.delete(name);
      else known.set(name, to);
    }
    if (isChanged) this.#watchers.changed();
  }

  headSet(name: string): void {
    if (this.#known === null || this.#known.get(HEAD) === name) return;
    this.#known.set(HEAD, name);
    this.#watchers.changed();
  }

  close(): void {
    this.#watchers.clear();
    this.#end();
  }

  #begin(): void {
    this.#known = this.#look();
    this.#watchAll();
    void this.#poll(++this.#turn);
  }

  #end(): void {
    this.#turn++;
    this.#known = null;
    for (const stop of this.#stops.values()) stop();
    this.#stops = new Map();
  }

  /** Null when they can't be read. */
  #look(): Snapshot | null {
    const refs = this.#reader.list('');
    const head = this.#reader.loose(HEAD);
    if (!refs.ok || !head.ok) return null;
    const seen: Snapshot = new Map(refs.value.map(({ name, id }) => [name, id as ObjectId]));
    if (head.value !== null) seen.set(HEAD, head.value.symbolic ?? head.value.id ?? '');
    return seen;
  }

  async #poll(turn: number): Promise<void> {
    while (turn === this.#turn) {
      await this.#pause(this.#isWatching ? POLL_WATCHED : POLL_ALONE);
      if (turn === this.#turn) this.#check();
    }
  }

  /** A directory has changed: looks, once for all that change in a while. */
  #notice(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    const turn = this.#turn;
    void this.#pause(COALESCE).then(() => {
      this.#isDue = false;
      if (turn === this.#turn) this.#check();
    });
  }

  #check(): void {
    const known = this.#known;
    const now = this.#look();
    if (known === null || now === null) return;
    let isSame = known.size === now.size;
    for (const [name, id] of now) isSame &&= known.get(name) === id;
    if (isSame) return;
    this.#known = now;
    this.#watchAll();
    this.#watchers.changed();
  }

  /** Watches the directories that refs are in now, and no others. */
  #watchAll(): void {
    const wanted = new Set<string>(['']);
    const isWhole = this.#collect('refs', wanted, REF_DIRECTORY_DEPTH_MAX);
    let isWatching = isWhole;
    for (const [path, stop] of this.#stops) {
      if (wanted.has(path) || path === HEAD) continue;
      stop();
      this.#stops.delete(path);
    }
    for (const path of wanted) isWatching = this.#watch(this.#files, path, path) && isWatching;
    if (this.#headFiles !== this.#files) {
      isWatching = this.#watch(this.#headFiles, '', HEAD) && isWatching;
    }
    this.#isWatching = isWatching;
  }

  #watch(files: FileSystem, path: string, key: string): boolean {
    if (this.#stops.has(key)) return true;
    const watched = files.watch(path, () => this.#notice());
    if (watched.ok) this.#stops.set(key, watched.value);
    return watched.ok;
  }

  /** False when there are more than may be watched. */
  #collect(directory: string, found: Set<string>, depth: number): boolean {
    if (found.size >= WATCHED_DIRECTORIES_MAX || depth === 0) return false;
    found.add(directory);
    const entries = this.#files.list(directory);
    if (!entries.ok) return true;
    let isWhole = true;
    for (const { name, kind } of entries.value) {
      if (kind !== 'directory') continue;
      isWhole = this.#collect(`${directory}/${name}`, found, depth - 1) && isWhole;
    }
    return isWhole;
  }
}
