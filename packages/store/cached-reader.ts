/**
 * A backend's objects, parsed and cached: what trees, merges and walks read. Objects that are in
 * the cache are got without waiting (`peek…`), which is what makes warm reads cheap. Read first:
 * merge/object-reader.ts, object-cache.ts.
 */

import { err, ok, type Result } from '#core';
import type { CryptoPrimitives } from '#device';
import {
  hashObject,
  ID_BYTES,
  type ObjectBackend,
  type ObjectHash,
  type ObjectId,
  type ObjectKind,
} from '#git';
import { type CommitObject, parseCommit, TreeTable } from '#git/wire';
import type { ObjectReader, ReadFault } from './merge/object-reader.ts';
import { ObjectCache } from './object-cache.ts';

export class CachedReader implements ObjectReader {
  readonly hash: ObjectHash;
  readonly emptyTree: ObjectId;
  readonly cache: ObjectCache;
  readonly #backend: ObjectBackend;
  readonly #empty: TreeTable;

  constructor(backend: ObjectBackend, crypto: CryptoPrimitives, cacheBytes: number) {
    this.hash = backend.hash;
    this.cache = new ObjectCache(cacheBytes);
    this.#backend = backend;
    this.#empty = TreeTable.empty(ID_BYTES[backend.hash]);
    this.emptyTree = hashObject(crypto, backend.hash, 'tree', this.#empty.bytes);
  }

  peekCommit(id: ObjectId): CommitObject | undefined {
    const cached = this.cache.get(id);
    return cached?.kind === 'commit' ? cached.commit : undefined;
  }

  peekTree(id: ObjectId): TreeTable | undefined {
    const cached = this.cache.get(id);
    if (cached?.kind === 'tree') return cached.table;
    return id === this.emptyTree ? this.#empty : undefined;
  }

  peekBlob(id: ObjectId): Uint8Array | undefined {
    const cached = this.cache.get(id);
    return cached?.kind === 'blob' ? cached.content : undefined;
  }

  isShallow(commit: ObjectId): boolean {
    return this.#backend.isShallow?.(commit) ?? false;
  }

  async commit(id: ObjectId): Promise<Result<CommitObject, ReadFault>> {
    const cached = this.peekCommit(id);
    if (cached !== undefined) return ok(cached);
    const bytes = await this.#read(id, 'commit');
    if (!bytes.ok) return bytes;
    const commit = parseCommit(bytes.value, ID_BYTES[this.hash]);
    if (!commit.ok) return err({ kind: 'malformed', id, fault: commit.error });
    this.cache.addCommit(id, commit.value);
    return commit;
  }

  async tree(id: ObjectId): Promise<Result<TreeTable, ReadFault>> {
    const cached = this.peekTree(id);
    if (cached !== undefined) return ok(cached);
    const bytes = await this.#read(id, 'tree');
    if (!bytes.ok) return bytes;
    const table = TreeTable.parse(bytes.value, ID_BYTES[this.hash]);
    if (!table.ok) return err({ kind: 'malformed', id, fault: table.error });
    this.cache.addTree(id, table.value);
    return table;
  }

  async blob(id: ObjectId): Promise<Result<Uint8Array, ReadFault>> {
    const cached = this.peekBlob(id);
    if (cached !== undefined) return ok(cached);
    const bytes = await this.#read(id, 'blob');
    if (bytes.ok) this.cache.addBlob(id, bytes.value);
    return bytes;
  }

  async #read(id: ObjectId, want: ObjectKind): Promise<Result<Uint8Array, ReadFault>> {
    const object = await this.#backend.readObject(id);
    if (!object.ok) return err({ kind: 'backend', error: object.error });
    if (object.value === null) return err({ kind: 'dangling', id });
    const { kind, bytes } = object.value;
    return kind === want ? ok(bytes) : err({ kind: 'wrong kind', id, want, have: kind });
  }
}
