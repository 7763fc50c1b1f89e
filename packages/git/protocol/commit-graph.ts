/** Commits as walks see them: parents, tree and time; each read once. Read first: ../backend.ts. */

import type { ObjectKind } from '../object.ts';
import { ID_BYTES, type ObjectId } from '../object-id.ts';
import { parseCommit } from '../wire/commit.ts';
import { parseTag } from '../wire/tag.ts';
import { PEELS_MAX } from './limits.ts';
import type { ObjectReader } from './quarantine.ts';
import { got, Stop } from './stop.ts';

export interface CommitNode {
  readonly tree: ObjectId;
  readonly parents: readonly ObjectId[];
  /** Of the committer, since 1970. */
  readonly seconds: number;
}

/** What a name finally stands for. */
export interface Peeled {
  readonly id: ObjectId;
  readonly kind: ObjectKind;
  /** Tags on the way, the first one first; none when the name is no tag. */
  readonly tags: readonly ObjectId[];
}

/** Holds every commit that was asked for: one graph for one request. */
export class CommitGraph {
  readonly #backend: ObjectReader;
  readonly #nodes = new Map<ObjectId, CommitNode | null>();

  constructor(backend: ObjectReader) {
    this.#backend = backend;
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
      const parsed = parseCommit(object.bytes, ID_BYTES[this.#backend.hash]);
      if (!parsed.ok) throw damaged(id, 'a malformed commit');
      const { tree, parents, committer } = parsed.value;
      node = { tree, parents, seconds: committer.seconds };
    }
    this.#nodes.set(id, node);
    return node;
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
    for (let at = id; tags.length <= PEELS_MAX; ) {
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

const damaged = (id: ObjectId, what: string): Stop =>
  new Stop({ kind: 'backend', error: { kind: 'damaged', id, what } });
