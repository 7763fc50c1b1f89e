/**
 * Where the history here ends, while a fetch changes that. A commit is shallow before it comes and
 * until its parents have come, so that a fetch that dies leaves nothing that looks whole and isn't.
 * Read first: ../shallow.ts. Throws Stop.
 */

import type { ObjectBackend } from '../../backend.ts';
import { ID_BYTES, type ObjectId } from '../../object-id.ts';
import { commitLinks } from '../../pack/commit-links.ts';
import { got } from '../stop.ts';

export class HistoryEnds {
  readonly #backend: ObjectBackend;
  /** The client asked for no more than a part: its wish counts more than what is here. */
  readonly #isDeepening: boolean;
  readonly #ids: Set<ObjectId>;
  /** Those that weren't before the pack that is under way. */
  #new: ObjectId[] = [];

  private constructor(backend: ObjectBackend, isDeepening: boolean, ids: Set<ObjectId>) {
    this.#backend = backend;
    this.#isDeepening = isDeepening;
    this.#ids = ids;
  }

  static async open(backend: ObjectBackend, isDeepening: boolean): Promise<HistoryEnds> {
    const listed = backend.listShallow === undefined ? [] : got(await backend.listShallow());
    return new HistoryEnds(backend, isDeepening, new Set(listed));
  }

  get ids(): ReadonlySet<ObjectId> {
    return this.#ids;
  }

  /** Before a pack is stored: these may come without their parents. */
  async expect(told: readonly ObjectId[]): Promise<void> {
    this.#new = [];
    for (const id of told) {
      if (this.#ids.has(id)) continue;
      // What is here already goes on here, wherever the server's history ends.
      if (!this.#isDeepening && got(await this.#backend.hasObject(id))) continue;
      this.#new.push(id);
      this.#ids.add(id);
    }
    await this.#update(this.#new, []);
  }

  /** The pack is here, and the parents of `unshallow` are. */
  async settle(unshallow: readonly ObjectId[]): Promise<void> {
    const gone = unshallow.filter((id) => this.#ids.has(id));
    if (!this.#isDeepening) for (const id of this.#new) if (!(await this.#ends(id))) gone.push(id);
    await this.#drop(gone);
  }

  /** The pack didn't come. */
  undo(): Promise<void> {
    return this.#drop(this.#new);
  }

  /** Whether it came, and its parents aren't here from elsewhere. */
  async #ends(id: ObjectId): Promise<boolean> {
    const object = got(await this.#backend.readObject(id));
    if (object?.kind !== 'commit') return false;
    const parents = commitLinks(object.bytes, ID_BYTES[this.#backend.hash])?.parents ?? [];
    for (const parent of parents) if (!got(await this.#backend.hasObject(parent))) return true;
    return false;
  }

  async #drop(ids: readonly ObjectId[]): Promise<void> {
    for (const id of ids) this.#ids.delete(id);
    this.#new = [];
    await this.#update([], ids);
  }

  async #update(add: readonly ObjectId[], remove: readonly ObjectId[]): Promise<void> {
    if (add.length === 0 && remove.length === 0) return;
    const { updateShallow } = this.#backend;
    if (updateShallow !== undefined) got(await updateShallow.call(this.#backend, { add, remove }));
  }
}
