/**
 * Reads everything: superblocks, the index, every object with its hash, what they name, what refs
 * name. Problems are values; nothing is changed. Read first: object-reader.ts, roots.ts. Not here:
 * repair (repair.ts, and `BlockBackend.check`).
 */

import { err, ok, type Result } from '#core';
import type { GitObject, ObjectId } from '#git';
import { linksOf } from './collect/links.ts';
import type { StoreCore } from './core.ts';
import type { StoreFault } from './fault.ts';
import { SLOTS } from './geometry.ts';
import { CHECK_PROBLEMS_MAX, PAGE_BYTES } from './limits.ts';
import type { ObjectReader } from './object-reader.ts';
import type { RefState } from './ref-state.ts';
import { checkIndexOrder } from './wire/index-page.ts';
import { parseSuperblock } from './wire/superblock.ts';

export type CheckProblem =
  /** A copy of the superblock that should be whole isn't. */
  | { readonly kind: 'superblock'; readonly slot: number }
  | { readonly kind: 'index'; readonly block: number; readonly what: string }
  | {
      readonly kind: 'object';
      readonly id: ObjectId;
      readonly block: number;
      readonly what: string;
    }
  /** `by` names an object that isn't here. */
  | { readonly kind: 'missing'; readonly id: ObjectId; readonly by: ObjectId }
  /** A ref names one that isn't here, or is damaged. */
  | { readonly kind: 'ref'; readonly name: string; readonly id: ObjectId };

export interface CheckReport {
  readonly objects: number;
  readonly bytes: number;
  /** At most CHECK_PROBLEMS_MAX of them. */
  readonly problems: readonly CheckProblem[];
  /** All of them. */
  readonly problemCount: number;
  /**
   * At the log's end, which weren't whole when the store was opened: what was being written when
   * the power went, or else the last batch, rotten, which nothing tells apart.
   */
  readonly droppedBytes: number;
}

export class Checker {
  readonly problems: CheckProblem[] = [];
  count = 0;
  objects = 0;
  bytes = 0;
  readonly droppedBytes: number;
  readonly #core: StoreCore;
  readonly #reader: ObjectReader;
  readonly #damaged = new Set<ObjectId>();

  constructor(core: StoreCore, reader: ObjectReader, droppedBytes: number) {
    this.droppedBytes = droppedBytes;
    this.#core = core;
    this.#reader = reader;
  }

  get report(): CheckReport {
    const { objects, bytes, problems, count, droppedBytes } = this;
    return { objects, bytes, problems, problemCount: count, droppedBytes };
  }

  add(problem: CheckProblem): void {
    this.count += 1;
    if (this.problems.length < CHECK_PROBLEMS_MAX) this.problems.push(problem);
  }

  async superblocks(): Promise<Result<void, StoreFault>> {
    const { disk, roots, checksum } = this.#core;
    const { geometry } = disk;
    const bytes = new Uint8Array(geometry.slotBytes);
    for (let slot = 0; slot < SLOTS; slot++) {
      // A slot of a generation that never was is blank.
      if (roots.generation < 2 && slot % 2 === 0) continue;
      const read = await disk.device.read(geometry.blockOf(geometry.slotAt(slot)), bytes);
      if (!read.ok) return err({ kind: 'device', error: read.error });
      const isWhole = parseSuperblock(checksum, bytes.subarray(0, PAGE_BYTES)).ok;
      if (!isWhole) this.add({ kind: 'superblock', slot });
    }
    return ok(undefined);
  }

  async index(): Promise<Result<void, StoreFault>> {
    const { idBytes, pause } = this.#core;
    for (const run of [...this.#core.index.runs]) {
      let last: Uint8Array | null = null;
      for (let number = 0; number < run.root.pageCount; number++) {
        const page = await run.page(number);
        if (!page.ok) {
          if (page.error.kind !== 'damaged') return page;
          this.add({ ...page.error, kind: 'index' });
          continue;
        }
        const inOrder: boolean = checkIndexOrder(page.value, last, idBytes);
        const block = this.#core.disk.geometry.segmentAt(run.root.firstSegment);
        if (!inOrder) {
          const what = `page ${number} is out of order`;
          this.add({ kind: 'index', block: this.#core.disk.geometry.blockOf(block), what });
        }
        last = page.value;
        await pause();
      }
    }
    return ok(undefined);
  }

  /** One object, and whether what it names is here. */
  async object(id: ObjectId, place: number, isShallow: boolean): Promise<Result<void, StoreFault>> {
    const read = await this.#reader.object(id, place);
    if (!read.ok) {
      if (read.error.kind !== 'damaged') return read;
      this.#damaged.add(id);
      this.add({ ...read.error, kind: 'object', id });
      return ok(undefined);
    }
    this.objects += 1;
    this.bytes += read.value.bytes.length;
    return this.#links(id, read.value, isShallow);
  }

  async #links(
    id: ObjectId,
    object: GitObject,
    isShallow: boolean,
  ): Promise<Result<void, StoreFault>> {
    const { idBytes, index } = this.#core;
    for (const link of linksOf(object, idBytes) ?? []) {
      if (isShallow && link.kind === 'commit') continue;
      const found = await index.find(link.id);
      if (!found.ok) return found.error.kind === 'damaged' ? ok(undefined) : found;
      if (found.value === null) this.add({ kind: 'missing', id: link.id, by: id });
    }
    return ok(undefined);
  }

  async refs({ refs }: RefState): Promise<Result<void, StoreFault>> {
    for (const { name, id } of refs.list('')) {
      const found = await this.#core.index.find(id);
      if (!found.ok && found.error.kind !== 'damaged') return found;
      const isHere = found.ok && found.value !== null && !this.#damaged.has(id);
      if (!isHere) this.add({ kind: 'ref', name, id });
    }
    return ok(undefined);
  }
}

/** One sentence's end, without a dot. */
export function formatCheckProblem(problem: CheckProblem): string {
  switch (problem.kind) {
    case 'superblock':
      return `copy ${problem.slot} of the superblock is damaged`;
    case 'index':
      return `block ${problem.block}: ${problem.what}`;
    case 'object':
      return `object ${problem.id} at block ${problem.block}: ${problem.what}`;
    case 'missing':
      return `object ${problem.id}, which ${problem.by} names, is missing`;
    case 'ref':
      return `${problem.name} names ${problem.id}, which is missing or damaged`;
  }
}
