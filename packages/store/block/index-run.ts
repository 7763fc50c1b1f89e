/**
 * A run: a sorted part of the index that never changes, in segments of its own. In memory is a
 * number a page; a page is read when somebody asks for an id in it. Read first:
 * wire/index-page.ts. Not here: which runs there are (block-index.ts).
 */

import { err, hot, ok, type Result, readU32be } from '#core';
import type { CryptoPrimitives } from '#device';
import type { Disk } from './disk.ts';
import type { StoreFault } from './fault.ts';
import { INDEX_PAGES_CACHED, PAGE_BYTES } from './limits.ts';
import { NO_CHAIN, type SegmentTaker } from './stream-writer.ts';
import { type Checksum, sha256 } from './wire/checksum.ts';
import {
  checkIndexPage,
  emitFencePage,
  entriesPerPage,
  entryBytes,
  fencePages,
  findInPage,
  indexEntryAt,
  parseFencePage,
  sealIndexPage,
} from './wire/index-page.ts';
import { readU48be } from './wire/places.ts';
import { NO_SEGMENT, type RunRoot } from './wire/superblock.ts';

/** Pages of runs in memory; the oldest goes when there are too many. */
export class PageCache {
  readonly #pages = new Map<string, Uint8Array>();
  #runs = 0;

  /** Tells runs apart, also those whose segments another one had. */
  nextRun(): number {
    return ++this.#runs;
  }

  get(key: string): Uint8Array | undefined {
    return this.#pages.get(key);
  }

  put(key: string, page: Uint8Array): void {
    if (this.#pages.size >= INDEX_PAGES_CACHED) {
      for (const oldest of this.#pages.keys()) {
        this.#pages.delete(oldest);
        break;
      }
    }
    this.#pages.set(key, page);
  }
}

export interface RunContext {
  readonly disk: Disk;
  readonly crypto: CryptoPrimitives;
  readonly taker: SegmentTaker;
  readonly cache: PageCache;
  /** 20 or 32. */
  readonly idBytes: number;
  /** Lets others go on: long work calls it after each bounded step. */
  readonly pause: () => Promise<void>;
}

export class IndexRun {
  readonly root: RunRoot;
  readonly #context: RunContext;
  readonly #checksum: Checksum;
  readonly #number: number;
  readonly #segments: readonly number[];
  /** The first 32 bits of each page's first id. */
  readonly #fences: Uint32Array;

  private constructor(context: RunContext, root: RunRoot, fences: Uint32Array) {
    this.#context = context;
    this.root = root;
    this.#number = context.cache.nextRun();
    this.#checksum = sha256(context.crypto);
    this.#segments = context.disk.table.stream(root.firstSegment);
    this.#fences = fences;
  }

  /** Reads its fences: O(pages / 1,000) reads. */
  static async open(context: RunContext, root: RunRoot): Promise<Result<IndexRun, StoreFault>> {
    const { disk } = context;
    const room = disk.table.stream(root.firstSegment).length * disk.geometry.streamBytes;
    const pages = root.pageCount + fencePages(root.pageCount);
    const startPlace = disk.geometry.startOf(root.firstSegment);
    if (root.pageCount === 0 || pages * PAGE_BYTES > room) {
      return err(disk.damaged(startPlace, 'a run of the index that its segments do not hold'));
    }
    const fences = new Uint32Array(root.pageCount);
    const run = new IndexRun(context, root, fences);
    for (let i = 0; i < fencePages(root.pageCount); i++) {
      const page = await run.#readPage(root.pageCount + i);
      if (!page.ok) return page;
      const fault = parseFencePage(run.#checksum, page.value, i, fences);
      if (!fault.ok) return err(run.#damaged(root.pageCount + i, `fences (${fault.error.kind})`));
    }
    return ok(run);
  }

  /** The place of the record of `id` (its bytes), or null. One read as a rule. */
  async find(id: Uint8Array): Promise<Result<number | null, StoreFault>> {
    const found = await this.locate(id);
    return found.ok ? ok(found.value?.place ?? null) : found;
  }

  /** As `find`, and which entry of the run it is, from 0. */
  async locate(
    id: Uint8Array,
  ): Promise<Result<{ readonly entry: number; readonly place: number } | null, StoreFault>> {
    const prefix = readU32be(id, 0);
    let number = this.#lastPageUpTo(prefix);
    // An id with the prefix of a page's first one may stand on the page before.
    for (; number >= 0; number--) {
      const page = await this.page(number);
      if (!page.ok) return page;
      const index = findInPage(page.value, id);
      if (index >= 0) {
        const at = indexEntryAt(index, id.length) + id.length;
        const entry = number * entriesPerPage(id.length) + index;
        return ok({ entry, place: readU48be(page.value, at) });
      }
      if (this.#fences[number] !== prefix) break;
    }
    return ok(null);
  }

  #lastPageUpTo(prefix: number): number {
    let low = 0;
    let high = this.#fences.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#fences[middle]! <= prefix) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Page `number` of entries, its checksum checked. */
  async page(number: number): Promise<Result<Uint8Array, StoreFault>> {
    const { cache, idBytes } = this.#context;
    const key = `${this.#number}/${number}`;
    const cached = cache.get(key);
    if (cached !== undefined) return ok(cached);
    const page = await this.#readPage(number);
    if (!page.ok) return page;
    const fault = checkIndexPage(this.#checksum, page.value, number, idBytes);
    if (fault !== null) return err(this.#damaged(number, `a page of the index (${fault.kind})`));
    cache.put(key, page.value);
    return page;
  }

  #placeOf(number: number): number {
    const { geometry } = this.#context.disk;
    const at = number * PAGE_BYTES;
    const segment = this.#segments[Math.floor(at / geometry.streamBytes)]!;
    return geometry.startOf(segment) + (at % geometry.streamBytes);
  }

  async #readPage(number: number): Promise<Result<Uint8Array, StoreFault>> {
    return this.#context.disk.read(this.#placeOf(number), PAGE_BYTES);
  }

  #damaged(number: number, what: string): StoreFault {
    return this.#context.disk.damaged(this.#placeOf(number), what);
  }
}

const WRITE_PAGES = 16;

/** Writes a run, whose entries come in order. Its segments are temporary until a superblock. */
export class RunWriter {
  readonly #context: RunContext;
  readonly #checksum: Checksum;
  readonly #page = new Uint8Array(PAGE_BYTES);
  readonly #fences: number[] = [];
  #inPage = 0;
  #entries = 0;
  #out = new Uint8Array(WRITE_PAGES * PAGE_BYTES);
  #outBytes = 0;
  #first = NO_SEGMENT;
  #last = NO_SEGMENT;
  #place = 0;

  constructor(context: RunContext) {
    this.#context = context;
    this.#checksum = sha256(context.crypto);
  }

  /** Adds the entry at `at` of `b`: an id and a place. */
  async add(b: Uint8Array, at: number): Promise<Result<void, StoreFault>> {
    const { idBytes } = this.#context;
    hot.copy(this.#page, indexEntryAt(this.#inPage, idBytes), b, at, entryBytes(idBytes));
    this.#inPage += 1;
    this.#entries += 1;
    return this.#inPage < entriesPerPage(idBytes) ? ok(undefined) : this.#endPage();
  }

  /** The run's root; null when nothing was added. */
  async finish(): Promise<Result<RunRoot | null, StoreFault>> {
    if (this.#inPage > 0) {
      const ended = await this.#endPage();
      if (!ended.ok) return ended;
    }
    const pageCount = this.#fences.length;
    if (pageCount === 0) return ok(null);
    const fences = Uint32Array.from(this.#fences);
    for (let i = 0; i < fencePages(pageCount); i++) {
      emitFencePage(this.#checksum, this.#page, i, fences);
      const put = await this.#put();
      if (!put.ok) return put;
    }
    const written = await this.#write();
    if (!written.ok) return written;
    return ok({ firstSegment: this.#first, pageCount, entryCount: this.#entries });
  }

  /** Gives its segments back. */
  abandon(): void {
    if (this.#first !== NO_SEGMENT) this.#context.disk.table.release(this.#first);
    this.#first = NO_SEGMENT;
  }

  async #endPage(): Promise<Result<void, StoreFault>> {
    const { idBytes } = this.#context;
    const number = this.#fences.length;
    this.#fences.push(readU32be(this.#page, indexEntryAt(0, idBytes)));
    sealIndexPage(this.#checksum, this.#page, number, this.#inPage, idBytes);
    this.#inPage = 0;
    return this.#put();
  }

  async #put(): Promise<Result<void, StoreFault>> {
    hot.copy(this.#out, this.#outBytes, this.#page, 0, PAGE_BYTES);
    this.#outBytes += PAGE_BYTES;
    return this.#outBytes < this.#out.length ? ok(undefined) : this.#write();
  }

  async #write(): Promise<Result<void, StoreFault>> {
    const { disk, taker, pause } = this.#context;
    const { geometry } = disk;
    if (this.#outBytes === 0) return ok(undefined);
    // The last blocks of a run may be filled up with what was there: nobody reads it.
    const bytes = this.#out.subarray(0, geometry.roundUp(this.#outBytes));
    if (this.#first === NO_SEGMENT) {
      const taken = await taker.take('index', NO_SEGMENT, NO_CHAIN, true);
      if (!taken.ok) return taken;
      this.#first = taken.value;
      this.#last = taken.value;
      this.#place = geometry.startOf(taken.value);
    }
    while (disk.room(this.#place) < bytes.length) {
      const taken = await taker.take('index', this.#last, NO_CHAIN, true);
      if (!taken.ok) return taken;
      this.#last = taken.value;
    }
    const written = await disk.write(this.#place, bytes);
    this.#place = disk.advance(this.#place, bytes.length);
    this.#outBytes = 0;
    await pause();
    return written;
  }
}
