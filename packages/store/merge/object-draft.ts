/**
 * New objects over those of a repository, in memory, not yet written: what a merge makes, and a
 * repository of its own where there is nothing below. Adding is idempotent. Not here: writing
 * (the store does, in one batch, what `reachable` lists).
 */

import { assert, err, ok, type Result } from '#core';
import type { CryptoPrimitives } from '#device';
import {
  type GitObject,
  ID_BYTES,
  MODE_SUBMODULE,
  type NamedObject,
  nameObject,
  type ObjectHash,
  type ObjectId,
  type ObjectKind,
} from '#git';
import { type CommitObject, emitCommit, parseCommit, TreeTable } from '#git/wire';
import type { ObjectReader, ReadFault } from './object-reader.ts';

export class ObjectDraft implements ObjectReader {
  readonly hash: ObjectHash;
  readonly emptyTree: ObjectId;
  readonly #crypto: CryptoPrimitives;
  readonly #below: ObjectReader | null;
  readonly #objects = new Map<ObjectId, GitObject>();
  readonly #trees = new Map<ObjectId, TreeTable>();
  readonly #news = new Map<ObjectId, readonly ObjectId[]>();

  /** Over `below`, or over nothing but the empty tree. */
  constructor(crypto: CryptoPrimitives, hash: ObjectHash, below: ObjectReader | null = null) {
    assert(below === null || below.hash === hash, 'one hash');
    this.#crypto = crypto;
    this.hash = hash;
    this.#below = below;
    const empty = TreeTable.empty(ID_BYTES[hash]);
    this.emptyTree = nameObject(crypto, hash, 'tree', empty.bytes).id;
    this.#trees.set(this.emptyTree, empty);
  }

  /** The bytes are shared from then on. */
  addBlob(bytes: Uint8Array): ObjectId {
    return this.#add('blob', bytes);
  }

  /** `news`: the only entries that may be new; without it, any may be. */
  addTree(table: TreeTable, news?: readonly ObjectId[]): ObjectId {
    const id = this.#add('tree', table.bytes);
    this.#trees.set(id, table);
    if (news !== undefined) this.#news.set(id, news);
    return id;
  }

  addCommit(commit: CommitObject): ObjectId {
    return this.#add('commit', emitCommit(commit));
  }

  /** New objects that `root`, a tree, reaches; those that were below already aren't followed. */
  reachable(root: ObjectId): NamedObject[] {
    const found = new Map<ObjectId, NamedObject>();
    const queue = [root];
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
      const object = this.#objects.get(id);
      if (object === undefined || found.has(id)) continue;
      found.set(id, { id, ...object });
      if (object.kind === 'tree') queue.push(...(this.#news.get(id) ?? this.#entriesOf(id)));
    }
    return [...found.values()];
  }

  isShallow(commit: ObjectId): boolean {
    return this.#below?.isShallow?.(commit) ?? false;
  }

  async commit(id: ObjectId): Promise<Result<CommitObject, ReadFault>> {
    const object = this.#mine(id, 'commit');
    if (object === null) return this.#below?.commit(id) ?? err({ kind: 'dangling', id });
    if (!object.ok) return object;
    const commit = parseCommit(object.value, ID_BYTES[this.hash]);
    return commit.ok ? commit : err({ kind: 'malformed', id, fault: commit.error });
  }

  async tree(id: ObjectId): Promise<Result<TreeTable, ReadFault>> {
    const table = this.#trees.get(id);
    if (table !== undefined) return ok(table);
    const object = this.#mine(id, 'tree');
    if (object === null) return this.#below?.tree(id) ?? err({ kind: 'dangling', id });
    assert(!object.ok, 'trees of ours are kept parsed');
    return object;
  }

  async blob(id: ObjectId): Promise<Result<Uint8Array, ReadFault>> {
    return this.#mine(id, 'blob') ?? this.#below?.blob(id) ?? err({ kind: 'dangling', id });
  }

  #entriesOf(id: ObjectId): ObjectId[] {
    const entries = this.#trees.get(id)?.entries() ?? [];
    return entries.filter(({ mode }) => mode !== MODE_SUBMODULE).map((entry) => entry.id);
  }

  #add(kind: ObjectKind, bytes: Uint8Array): ObjectId {
    const { id } = nameObject(this.#crypto, this.hash, kind, bytes);
    if (!this.#objects.has(id)) this.#objects.set(id, { kind, bytes });
    return id;
  }

  #mine(id: ObjectId, want: ObjectKind): Result<Uint8Array, ReadFault> | null {
    const object = this.#objects.get(id);
    if (object === undefined) return null;
    if (object.kind !== want) return err({ kind: 'wrong kind', id, want, have: object.kind });
    return ok(object.bytes);
  }
}
