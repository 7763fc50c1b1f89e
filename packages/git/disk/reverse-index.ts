/** The entries of a pack in the order in which they lie in it, from an index by id. */

import type { ObjectId } from '../object-id.ts';
import type { PackIndex } from '../pack/pack-index.ts';

export class ReverseIndex {
  readonly #index: PackIndex;
  /** Where each entry begins, in order. */
  readonly #offsets: Float64Array;
  /** The number by id of each of them. */
  readonly #numbers: Uint32Array;

  /** O(objects · log objects). */
  constructor(index: PackIndex) {
    this.#index = index;
    this.#offsets = new Float64Array(index.count);
    for (let i = 0; i < index.count; i++) this.#offsets[i] = index.offsetAt(i) ?? 0;
    this.#offsets.sort();
    this.#numbers = new Uint32Array(index.count);
    for (let i = 0; i < index.count; i++) {
      const rank = this.rankOf(index.offsetAt(i) ?? 0);
      if (rank >= 0) this.#numbers[rank] = i;
    }
  }

  /** All ids, as they lie in the pack. */
  *ids(): Generator<ObjectId> {
    for (const number of this.#numbers) yield this.#index.idAt(number);
  }

  /** The object whose entry begins at `offset`; null when none does. */
  idAt(offset: number): ObjectId | null {
    const rank = this.rankOf(offset);
    return rank < 0 ? null : this.#index.idAt(this.#numbers[rank]!);
  }

  /** Where the entry that begins at `offset` ends; `packEnd` ends the last one. */
  endOf(offset: number, packEnd: number): number | null {
    const rank = this.rankOf(offset);
    if (rank < 0) return null;
    return rank + 1 < this.#offsets.length ? this.#offsets[rank + 1]! : packEnd;
  }

  /** The place of the entry that begins at `offset`, in the order of offsets; -1: none does. */
  rankOf(offset: number): number {
    let low = 0;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#offsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return this.#offsets[low] === offset ? low : -1;
  }
}
