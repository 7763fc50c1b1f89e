/**
 * How an object that comes is kept: as the entry of the pack that it came in, so that nothing is
 * compressed again, when what that is a delta upon is here and not deep; whole else. Read first:
 * log.ts, packages/git/backend.ts (NewObject).
 */

import { ok, type Result } from '#core';
import type { NewObject, ObjectId } from '#git';
import type { StoreCore } from './core.ts';
import type { StoreFault } from './fault.ts';
import { DELTA_DEPTH_MAX, DEPTHS_KNOWN_MAX } from './limits.ts';
import type { Log, StoredForm } from './log.ts';
import type { ObjectReader } from './object-reader.ts';

/** What an entry may have more than its object: past it, it is padded. */
const EXCESS_FACTOR = 1 / 1_024;
const EXCESS_BYTES = 64;

export class StoredForms {
  readonly #core: StoreCore;
  readonly #log: Log;
  readonly #reader: ObjectReader;
  /** How many deltas some objects are made of; what a collection does changes that. */
  readonly #depths = new Map<ObjectId, number>();
  #collections = 0;

  constructor(core: StoreCore, log: Log, reader: ObjectReader) {
    this.#core = core;
    this.#log = log;
    this.#reader = reader;
  }

  whole({ bytes }: NewObject): StoredForm {
    return { base: null, sizeBytes: bytes.length, payload: this.#core.zlib.deflate(bytes) };
  }

  /** With a base, that was here: whether it still is, the caller asks. */
  async of(object: NewObject): Promise<Result<StoredForm, StoreFault>> {
    const { id, bytes, entry } = object;
    const bytesMax = bytes.length * (1 + EXCESS_FACTOR) + EXCESS_BYTES;
    if (entry === undefined || entry.deflated.length > bytesMax) return ok(this.whole(object));
    const { base, sizeBytes, deflated } = entry;
    if (base === null) {
      this.#remember([id], 0);
      return ok({ base, sizeBytes, payload: deflated });
    }
    const depth = await this.#depthOf(base);
    if (!depth.ok) return depth;
    if (depth.value === null || depth.value >= DELTA_DEPTH_MAX) return ok(this.whole(object));
    this.#remember([id], depth.value + 1);
    return ok({ base, sizeBytes, payload: deflated });
  }

  /** Deltas that `id` is made of; null: it isn't here, or is damaged, or too many. */
  async #depthOf(id: ObjectId): Promise<Result<number | null, StoreFault>> {
    const { collections } = this.#core.roots.state;
    if (collections !== this.#collections) this.#depths.clear();
    this.#collections = collections;
    const chain: ObjectId[] = [];
    for (let at: ObjectId | null = id; at !== null; ) {
      const known = this.#depths.get(at);
      // The first one is looked for in any case: it may be gone.
      if (known !== undefined && chain.length > 0) return ok(this.#remember(chain, known + 1));
      if (chain.length > DELTA_DEPTH_MAX) return ok(null);
      const base: Result<ObjectId | null | undefined, StoreFault> = await this.#baseOf(at);
      if (!base.ok) return base.error.kind === 'damaged' ? ok(null) : base;
      if (base.value === undefined) return ok(null);
      if (known !== undefined) return ok(known);
      chain.push(at);
      at = base.value;
    }
    return ok(this.#remember(chain, 0));
  }

  /** Undefined: it isn't here. */
  async #baseOf(id: ObjectId): Promise<Result<ObjectId | null | undefined, StoreFault>> {
    const waiting = this.#log.baseOf(id);
    if (waiting !== undefined) return ok(waiting);
    const found = await this.#core.index.find(id);
    if (!found.ok) return found;
    if (found.value === null) return ok(undefined);
    const record = await this.#reader.record(found.value);
    return record.ok ? ok(record.value.base) : record;
  }

  /** The last of the chain has `depth`, each before it one more; gives that of the first. */
  #remember(chain: readonly ObjectId[], depth: number): number {
    if (this.#depths.size + chain.length > DEPTHS_KNOWN_MAX) this.#depths.clear();
    chain.forEach((id, i) => {
      this.#depths.set(id, depth + chain.length - 1 - i);
    });
    return depth + chain.length - 1;
  }
}
