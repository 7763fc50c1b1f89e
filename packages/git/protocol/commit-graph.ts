/** Commits as walks see them: parents, tree and time; each read once. Read first: ../backend.ts. */

import { TAG_CHAIN_MAX } from '../limits.ts';
import type { ObjectKind } from '../object.ts';
import { ID_BYTES, type ObjectId } from '../object-id.ts';
import { type CommitLinks, commitLinks } from '../pack/commit-links.ts';
import { parseTag } from '../wire/tag.ts';
import type { ObjectReader } from './quarantine.ts';
import { got, Stop } from './stop.ts';

export interface CommitNode extends CommitLinks {
  readonly id: ObjectId;
}

/** What a walk that goes back in time looks at first. */
export const isNewer = (a: CommitNode, b: CommitNode): boolean => a.seconds > b.seconds;

/** What a name finally stands for. */
export interface Peeled {
  readonly id: ObjectId;
  readonly kind: ObjectKind;
  /** Tags on the way, the first one first; none when the name is no tag. */
  readonly tags: readonly ObjectId[];
}

/**
 * Holds every commit that was asked for: one graph for one request. Commits whose parents were cut
 * off here have none.
 */
export class CommitGraph {
  /** Commits that walks may still look at, those that are known already too. */
  walkLeft: number;
  readonly #backend: ObjectReader;
  readonly #nodes = new Map<ObjectId, CommitNode | null>();
  #shallow: ReadonlySet<ObjectId> | null = null;

  constructor(backend: ObjectReader, walkCommitsMax = Number.POSITIVE_INFINITY) {
    this.#backend = backend;
    this.walkLeft = walkCommitsMax;
  }

  /** Commits held. */
  get count(): number {
    return this.#nodes.size;
  }

  /** Null when it isn't here, or is no commit. Throws Stop when the backend fails. */
  async commit(id: ObjectId): Promise<CommitNode | null> {
    const known = this.#nodes.get(id);
    if (known !== undefined) return known;
    const object = got(await this.#backend.readObject(id));
    let node: CommitNode | null = null;
    if (object?.kind === 'commit') {
      const links = commitLinks(object.bytes, ID_BYTES[this.#backend.hash]);
      if (links === null) throw damaged(id, 'a malformed commit');
      const isShallow = (await this.shallow()).has(id);
      node = isShallow ? { id, ...links, parents: [] } : { id, ...links };
    }
    this.#nodes.set(id, node);
    return node;
  }

  /** Where the history here ends, as it was when it was asked for first. Throws Stop. */
  async shallow(): Promise<ReadonlySet<ObjectId>> {
    const list = this.#backend.listShallow;
    this.#shallow ??= list === undefined ? NONE : got(await list.call(this.#backend));
    return this.#shallow;
  }

  /** As `commit`, of one that must be here. */
  async need(id: ObjectId): Promise<CommitNode> {
    const node = await this.commit(id);
    if (node === null) throw damaged(id, 'a commit is missing');
    return node;
  }

  /** Follows tags; null when the object, or one on the way, isn't here. */
  async peel(id: ObjectId): Promise<Peeled | null> {
    const tags: ObjectId[] = [];
    for (let at = id; tags.length <= TAG_CHAIN_MAX; ) {
      if ((this.#nodes.get(at) ?? null) !== null) return { id: at, kind: 'commit', tags };
      const object = got(await this.#backend.readObject(at));
      if (object === null) return null;
      if (object.kind !== 'tag') return { id: at, kind: object.kind, tags };
      const tag = parseTag(object.bytes, ID_BYTES[this.#backend.hash]);
      if (!tag.ok) throw damaged(at, 'a malformed tag');
      tags.push(at);
      at = tag.value.object;
    }
    throw damaged(id, 'a tag of too many tags');
  }
}

const NONE: ReadonlySet<ObjectId> = new Set();

const damaged = (id: ObjectId, what: string): Stop =>
  new Stop({ kind: 'backend', error: { kind: 'damaged', id, what } });
