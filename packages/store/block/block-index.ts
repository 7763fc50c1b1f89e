/**
 * Where each object is: those written since the last checkpoint in memory, all others in sorted
 * runs on the device. A checkpoint writes what is in memory as a run, and merges it with runs that
 * aren't much longer, so that there are few. Read first: index-run.ts.
 */

import { assert, err, ok, type Result } from '#core';
import { type ObjectId, readId, writeId } from '#git';
import type { StoreFault } from './fault.ts';
import { IndexRun, type RunContext, RunWriter } from './index-run.ts';
import { PAGE_BYTES, RUN_GROWTH, RUNS_MAX } from './limits.ts';
import {
  compareBytes,
  entriesPerPage,
  entryBytes,
  indexCount,
  indexEntryAt,
  sealIndexPage,
} from './wire/index-page.ts';
import { readU48be, writeU48be } from './wire/places.ts';
import type { RunRoot } from './wire/superblock.ts';

type Places = Map<ObjectId, number>;

export interface Merged {
  readonly run: IndexRun | null;
  /** What it stands for: the last `replaced` runs. */
  readonly replaced: number;
}

export class BlockIndex {
  readonly #context: RunContext;
  /** Oldest first. Another array each time: whoever looks through one may be waiting. */
  #runs: readonly IndexRun[] = [];
  #recent: Places = new Map();
  /** What a checkpoint under way is writing. */
  #frozen: Places | null = null;

  constructor(context: RunContext) {
    this.#context = context;
  }

  async open(roots: readonly RunRoot[]): Promise<Result<void, StoreFault>> {
    const runs: IndexRun[] = [];
    for (const root of roots) {
      const run = await IndexRun.open(this.#context, root);
      if (!run.ok) return run;
      runs.push(run.value);
    }
    this.#runs = runs;
    return ok(undefined);
  }

  get runs(): readonly IndexRun[] {
    return this.#runs;
  }

  get roots(): RunRoot[] {
    return this.#runs.map(({ root }) => root);
  }

  /** Objects that only memory knows the places of. */
  get recentCount(): number {
    return this.#recent.size + (this.#frozen?.size ?? 0);
  }

  add(id: ObjectId, place: number): void {
    this.#recent.set(id, place);
  }

  /** The place of its record, of those that memory knows. */
  findRecent(id: ObjectId): number | null {
    return this.#recent.get(id) ?? this.#frozen?.get(id) ?? null;
  }

  async find(id: ObjectId): Promise<Result<number | null, StoreFault>> {
    const recent = this.findRecent(id);
    return recent === null ? findInRuns(this.#runs, id) : ok(recent);
  }

  /** From now on what is in memory is the next run's. */
  freeze(): void {
    assert(this.#frozen === null, 'one checkpoint at a time');
    this.#frozen = this.#recent;
    this.#recent = new Map();
  }

  /** The checkpoint came to nothing: what it was to write is in memory as before. */
  thaw(): void {
    const newer = this.#recent;
    this.#recent = this.#frozen ?? new Map();
    for (const [id, place] of newer) this.#recent.set(id, place);
    this.#frozen = null;
  }

  /**
   * Writes what is frozen, with as many of the last runs as are not much longer; with all of them
   * but the first `keep` when `isWhole`. Null: there is nothing to write.
   */
  async merge(keep: number, isWhole: boolean): Promise<Result<Merged, StoreFault>> {
    const frozen = this.#frozen ?? new Map<ObjectId, number>();
    let replaced = 0;
    let total = frozen.size;
    const most = this.#runs.length - keep;
    while (replaced < most) {
      const { entryCount } = this.#runs.at(-1 - replaced)!.root;
      const tooMany = this.#runs.length - replaced + 1 > RUNS_MAX;
      if (!isWhole && !tooMany && entryCount > RUN_GROWTH * total) break;
      total += entryCount;
      replaced += 1;
    }
    if (frozen.size === 0 && replaced <= 1) return ok({ run: null, replaced: 0 });
    const older = this.#runs.slice(this.#runs.length - replaced);
    const run = await writeMerged(this.#context, frozen, older);
    return run.ok ? ok({ run: run.value, replaced }) : run;
  }

  /** What `merge` gave takes the place of what it stands for; gives those that are no more. */
  install({ run, replaced }: Merged): IndexRun[] {
    this.#frozen = null;
    const kept = this.#runs.length - replaced;
    const gone = this.#runs.slice(kept);
    const older = this.#runs.slice(0, kept);
    this.#runs = run === null ? older : [...older, run];
    return gone;
  }

  /** A collection's runs take the place of the first `count`. */
  replaceFirst(count: number, runs: readonly IndexRun[]): IndexRun[] {
    const gone = this.#runs.slice(0, count);
    this.#runs = [...runs, ...this.#runs.slice(count)];
    return gone;
  }

  /** Ids with their places, in order, each once. */
  async *entries(): AsyncGenerator<Result<{ id: ObjectId; place: number }, StoreFault>> {
    const { idBytes } = this.#context;
    const memory = new Map([...(this.#frozen ?? []), ...this.#recent]);
    const merge = new Merge(this.#context, memory, [...this.#runs]);
    for (;;) {
      const at = await merge.next();
      if (!at.ok) yield at;
      if (!at.ok || at.value === null) return;
      const { page, offset } = at.value;
      yield ok({ id: readId(page, offset, idBytes), place: readU48be(page, offset + idBytes) });
    }
  }

  checkInvariants(): void {
    assert(this.#runs.length <= RUNS_MAX, 'few runs');
    const firsts = new Set(this.#runs.map(({ root }) => root.firstSegment));
    assert(firsts.size === this.#runs.length, 'runs share no segment');
  }
}

async function findInRuns(
  runs: readonly IndexRun[],
  id: ObjectId,
): Promise<Result<number | null, StoreFault>> {
  const bytes = new Uint8Array(id.length / 2);
  writeId(bytes, 0, id);
  for (let i = runs.length - 1; i >= 0; i--) {
    const found = await runs[i]!.find(bytes);
    if (!found.ok || found.value !== null) return found;
  }
  return ok(null);
}

async function writeMerged(
  context: RunContext,
  memory: Places,
  runs: readonly IndexRun[],
): Promise<Result<IndexRun | null, StoreFault>> {
  const writer = new RunWriter(context);
  const written = await copyMerged(new Merge(context, memory, runs), writer);
  if (!written.ok) {
    writer.abandon();
    return written;
  }
  return written.value === null ? ok(null) : IndexRun.open(context, written.value);
}

async function copyMerged(
  merge: Merge,
  writer: RunWriter,
): Promise<Result<RunRoot | null, StoreFault>> {
  for (;;) {
    const at = await merge.next();
    if (!at.ok) return at;
    if (at.value === null) return writer.finish();
    const added = await writer.add(at.value.page, at.value.offset);
    if (!added.ok) return added;
  }
}

/** One run or what is in memory, page by page. */
interface Source {
  /** Null: memory. */
  readonly run: IndexRun | null;
  page: Uint8Array;
  index: number;
  count: number;
  number: number;
  readonly read: (number: number) => Promise<Result<Uint8Array | null, StoreFault>>;
}

export interface MergedEntry {
  readonly page: Uint8Array;
  readonly offset: number;
  /** Where it is from, and which entry of that it is; null: memory. */
  readonly run: IndexRun | null;
  readonly entry: number;
}

/** The entries of several sources in order; of two for one id the newer source's. */
export class Merge {
  readonly #idBytes: number;
  /** Newest first. */
  readonly #sources: Source[];
  #isOpen = false;

  /** `runs` are given oldest first; `memory` is newer than all of them. */
  constructor(context: RunContext, memory: Places, runs: readonly IndexRun[]) {
    this.#idBytes = context.idBytes;
    const sources = [...runs]
      .reverse()
      .map((run) =>
        sourceOf(run, (number) =>
          number < run.root.pageCount ? run.page(number) : Promise.resolve(ok(null)),
        ),
      );
    if (memory.size > 0) sources.unshift(sourceOf(null, pagesOf(context, memory)));
    this.#sources = sources;
  }

  /** The next entry; null at the end. */
  async next(): Promise<Result<MergedEntry | null, StoreFault>> {
    if (!this.#isOpen) {
      this.#isOpen = true;
      for (const source of this.#sources) {
        const fault = await load(source);
        if (fault !== null) return err(fault);
      }
    }
    const least = this.#least();
    if (least === null) return ok(null);
    const { page, run } = least;
    const offset = indexEntryAt(least.index, this.#idBytes);
    const entry = (least.number - 1) * entriesPerPage(this.#idBytes) + least.index;
    for (const source of this.#sources) {
      if (source.count === 0 || (source !== least && !this.#same(source, page, offset))) continue;
      source.index += 1;
      if (source.index < source.count) continue;
      const fault = await load(source);
      if (fault !== null) return err(fault);
    }
    return ok({ page, offset, run, entry });
  }

  #least(): Source | null {
    let least: Source | null = null;
    for (const source of this.#sources) {
      if (source.count === 0) continue;
      if (least === null || this.#compare(source, least) < 0) least = source;
    }
    return least;
  }

  #compare(a: Source, b: Source): number {
    const count = this.#idBytes;
    const left = indexEntryAt(a.index, count);
    return compareBytes(a.page, left, b.page, indexEntryAt(b.index, count), count);
  }

  #same(source: Source, page: Uint8Array, offset: number): boolean {
    const at = indexEntryAt(source.index, this.#idBytes);
    return compareBytes(source.page, at, page, offset, this.#idBytes) === 0;
  }
}

const sourceOf = (run: IndexRun | null, read: Source['read']): Source => ({
  run,
  page: new Uint8Array(0),
  index: 0,
  count: 0,
  number: 0,
  read,
});

async function load(source: Source): Promise<StoreFault | null> {
  const page = await source.read(source.number);
  if (!page.ok) return page.error;
  source.number += 1;
  source.index = 0;
  source.count = page.value === null ? 0 : indexCount(page.value);
  if (page.value !== null) source.page = page.value;
  return null;
}

/** What is in memory as pages, made one at a time. */
function pagesOf({ idBytes }: RunContext, memory: Places): Source['read'] {
  const ids = [...memory.keys()].sort();
  const perPage = entriesPerPage(idBytes);
  const step = entryBytes(idBytes);
  return (number) => {
    const part = ids.slice(number * perPage, (number + 1) * perPage);
    if (part.length === 0) return Promise.resolve(ok(null));
    const page = new Uint8Array(PAGE_BYTES);
    part.forEach((id, index) => {
      const at = indexEntryAt(0, idBytes) + index * step;
      writeId(page, at, id);
      writeU48be(page, at + idBytes, memory.get(id)!);
    });
    sealIndexPage(() => new Uint8Array(8), page, number, part.length, idBytes);
    return Promise.resolve(ok(page));
  };
}
