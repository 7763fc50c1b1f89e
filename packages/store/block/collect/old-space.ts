/**
 * What there was when a collection began: the runs of the index then. Its objects have numbers, by
 * which a bit says that one stays. Read first: ../index-run.ts.
 */

import { err, ok, type Result } from '#core';
import { type ObjectId, readId, writeId } from '#git';
import type { StoreCore } from '../core.ts';
import type { StoreFault } from '../fault.ts';
import type { IndexRun } from '../index-run.ts';
import { entriesPerPage, indexEntryAt } from '../wire/index-page.ts';
import { readU48be } from '../wire/places.ts';

export interface OldObject {
  readonly number: number;
  readonly id: ObjectId;
  readonly place: number;
}

export class OldSpace {
  readonly runs: readonly IndexRun[];
  /** Entries of all runs; an object that two of them have counts twice. */
  readonly count: number;
  /** The number of each run's first entry. */
  readonly #firsts = new Map<IndexRun, number>();
  readonly #idBytes: number;

  constructor(core: StoreCore, runs: readonly IndexRun[]) {
    this.runs = runs;
    this.#idBytes = core.idBytes;
    let count = 0;
    for (const run of runs) {
      this.#firsts.set(run, count);
      count += run.root.entryCount;
    }
    this.count = count;
  }

  numberOf(run: IndexRun, entry: number): number {
    return this.#firsts.get(run)! + entry;
  }

  async find(id: ObjectId): Promise<Result<OldObject | null, StoreFault>> {
    const bytes = new Uint8Array(this.#idBytes);
    writeId(bytes, 0, id);
    for (let i = this.runs.length - 1; i >= 0; i--) {
      const run = this.runs[i]!;
      const found = await run.locate(bytes);
      if (!found.ok) return found;
      if (found.value === null) continue;
      const { entry, place } = found.value;
      return ok({ number: this.numberOf(run, entry), id, place });
    }
    return ok(null);
  }

  async at(number: number): Promise<Result<OldObject, StoreFault>> {
    const idBytes = this.#idBytes;
    const run = this.runs.findLast((one) => this.#firsts.get(one)! <= number)!;
    const entry = number - this.#firsts.get(run)!;
    const perPage = entriesPerPage(idBytes);
    const page = await run.page(Math.floor(entry / perPage));
    if (!page.ok) return err(page.error);
    const at = indexEntryAt(entry % perPage, idBytes);
    const id = readId(page.value, at, idBytes);
    return ok({ number, id, place: readU48be(page.value, at + idBytes) });
  }
}

/** Numbers that come one by one, in an array that grows. */
export class Numbers {
  #values = new Uint32Array(1_024);
  count = 0;

  push(value: number): void {
    if (this.count === this.#values.length) {
      const grown = new Uint32Array(2 * this.count);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.count++] = value;
  }

  pop(): number {
    this.count -= 1;
    return this.#values[this.count]!;
  }

  get values(): Uint32Array {
    return this.#values.subarray(0, this.count);
  }
}
