/**
 * A repository: objects by hash, and branches and tags that name commits. Stores are views on it.
 * Read first: packages/git/backend.ts, store.ts. Not here: merging (merge/), walks (history/).
 *
 * No call rejects. One repository at a time should write to a backend in one process: its writers
 * take turns, those of others only retry.
 */

import { assert, err, ok, type Result, type WallTime } from '#core';
import type { Clock, CryptoPrimitives, Entropy } from '#device';
import {
  type BackendError,
  HEADS,
  ID_BYTES,
  isBranchName,
  isRefName,
  type NamedObject,
  nameObject,
  type ObjectBackend,
  type ObjectId,
  type RefConflict,
  TAG_CHAIN_MAX,
  TAGS,
} from '#git';
import {
  type CommitObject,
  emitCommit,
  emitTag,
  parseTag,
  type Signature,
  signatureOf,
  type TagObject,
} from '#git/wire';
import { CachedReader } from './cached-reader.ts';
import { type Commit, type CommitInfo, messageText, type Person } from './commit-info.ts';
import { CommitMarks } from './commit-mark.ts';
import { CACHE_BYTES } from './limits.ts';
import { type RawShape, rawSchema } from './raw-schema.ts';
import type { Schema, Shape } from './schema.ts';
import { Store } from './store.ts';
import { refError, type StoreError } from './store-error.ts';
import { Tree } from './tree/tree.ts';
import { type TreeContext, TreeNode } from './tree/tree-node.ts';
import { Turns } from './turns.ts';
import { type StopWatch, type Watch, Watches, type WatchFault } from './watches.ts';

export interface RepositoryOptions {
  readonly backend: ObjectBackend;
  readonly crypto: CryptoPrimitives;
  /** For the dates of commits that aren't given one. */
  readonly clock: Clock;
  /** Of commits that aren't given one. */
  readonly author: Person;
  /**
   * Of it each commit of a schema with counters, or other types that add up, gets a mark, so that
   * no two replicas make one commit. Null: none does, for who wants bytes that depend on nothing
   * else, and has one writer. Commits of other schemas have no marks.
   */
  readonly entropy: Entropy | null;
  /** Of parsed objects in memory. Default: CACHE_BYTES. */
  readonly cacheBytes?: number;
  /** Called when somebody who watches couldn't be told, or threw. */
  readonly watchFailed?: (fault: WatchFault) => void;
}

export interface Tag {
  readonly name: string;
  /** What it is a name for: of an annotated tag the object that this names. */
  readonly target: ObjectId;
  /** Null for a name without more. */
  readonly annotation: TagObject | null;
}

/** What all views of one backend share. */
export interface RepositoryCore extends TreeContext {
  readonly backend: ObjectBackend;
  readonly clock: Clock;
  readonly author: Person;
  readonly marks: CommitMarks;
  readonly turns: Turns;
  readonly watches: Watches;
  readonly counters: { commits: number; lostRaces: number };
}

/** A ref that names a ref, and so on: Git gives up at 5. */
const SYMBOLIC_DEPTH_MAX = 5;

/**
 * Branches, tags and commits over a backend: what stores are views of. Each has its own cache, and
 * its writers take turns: open one for a backend, and share it.
 */
export class Repository<S extends Shape = RawShape> {
  readonly schema: Schema;
  /** Not for applications. */
  readonly core: RepositoryCore;
  declare readonly shape: S;

  private constructor(core: RepositoryCore, schema: Schema) {
    this.core = core;
    this.schema = schema;
  }

  /** Contents of any path are bytes; `with` gives them types. */
  static open(options: RepositoryOptions): Repository {
    const { backend, crypto, clock, author, entropy, cacheBytes = CACHE_BYTES } = options;
    const { watchFailed = () => {} } = options;
    const reader = new CachedReader(backend, crypto, cacheBytes);
    const watches = new Watches(backend, reader, watchFailed);
    const turns = new Turns();
    const counters = { commits: 0, lostRaces: 0 };
    const marks = new CommitMarks(entropy);
    const core = { backend, crypto, clock, author, marks, reader, turns, watches, counters };
    return new Repository<RawShape>(core, rawSchema);
  }

  /** The same repository with contents of these types: shares everything. */
  with<T extends Shape>(schema: Schema<T>): Repository<T> {
    return new Repository<T>(this.core, schema);
  }

  get backend(): ObjectBackend {
    return this.core.backend;
  }

  /** Objects, parsed and cached: for merges, walks and proofs. */
  get objects(): CachedReader {
    return this.core.reader;
  }

  /** A view on a branch, which need not be there yet. Asserts that the name can be one's. */
  branch(name: string): Store<S> {
    assert(isBranchName(name), 'the name of a branch');
    return new Store<S>(this, { branch: name });
  }

  /** A view on a commit: what is set makes commits that no branch names. */
  at(commit: ObjectId): Store<S> {
    return new Store<S>(this, { commit });
  }

  /** A view on nothing. */
  empty(): Store<S> {
    return new Store<S>(this, { commit: null });
  }

  emptyTree(): Tree<S> {
    return this.treeOf(this.core.reader.emptyTree);
  }

  /** An empty tree of what another schema has. */
  emptyTreeAs<T extends Shape>(schema: Schema<T>): Tree<T> {
    return new Tree<T>(this.core, schema, new TreeNode(this.core.reader.emptyTree));
  }

  /** The tree with this name; it is read when it is asked. */
  treeOf(id: ObjectId): Tree<S> {
    return new Tree<S>(this.core, this.schema, new TreeNode(id));
  }

  /** Names of branches, in byte order. */
  async branches(): Promise<Result<readonly string[], StoreError>> {
    const refs = await this.backend.listRefs(HEADS);
    if (!refs.ok) return err({ kind: 'backend', error: refs.error });
    return ok(refs.value.map(({ name }) => name.slice(HEADS.length)));
  }

  /** Where a branch is; null when there is none. */
  async headOf(branch: string): Promise<Result<ObjectId | null, StoreError>> {
    return this.readRef(HEADS + branch);
  }

  /** The branch that HEAD names, there or not; null when HEAD is at a commit. */
  async currentBranch(): Promise<Result<string | null, StoreError>> {
    const head = await this.backend.readRef('HEAD');
    if (!head.ok) return err({ kind: 'backend', error: head.error });
    const name = head.value?.symbolic;
    return ok(name?.startsWith(HEADS) ? name.slice(HEADS.length) : null);
  }

  async setCurrentBranch(branch: string): Promise<Result<void, StoreError>> {
    if (!isBranchName(branch)) return err({ kind: 'bad name', name: branch });
    const set = await this.backend.setHead(HEADS + branch);
    return set.ok ? set : err({ kind: 'backend', error: set.error });
  }

  /** Done also when there is no such branch. */
  async removeBranch(name: string): Promise<Result<void, StoreError>> {
    if (!isBranchName(name)) return err({ kind: 'bad name', name });
    return this.moveRef(HEADS + name, 'any', null, `branch: removed ${name}`);
  }

  async commit(id: ObjectId): Promise<Result<Commit, StoreError>> {
    const commit = this.core.reader.peekCommit(id);
    const read = commit === undefined ? await this.core.reader.commit(id) : ok(commit);
    return read.ok ? ok({ id, ...read.value }) : read;
  }

  /** Writes objects and a commit of a tree among them, marked if need be; no branch moves. */
  async writeCommit(
    tree: { readonly id: ObjectId; readonly objects: readonly NamedObject[] },
    parents: readonly ObjectId[],
    info: CommitInfo,
  ): Promise<Result<ObjectId, StoreError>> {
    const { crypto, backend, reader } = this.core;
    const who = this.signature(info);
    const commit: CommitObject = {
      tree: tree.id,
      parents,
      author: who,
      committer: who,
      extraHeaders: this.schema.mayAddUp ? this.core.marks.next() : '',
      message: messageText(info.message ?? ''),
    };
    const object = nameObject(crypto, backend.hash, 'commit', emitCommit(commit));
    const objects = [...tree.objects, object];
    if (tree.id === reader.emptyTree) objects.push(this.#emptyTreeObject());
    const written = await backend.writeObjects(objects);
    if (!written.ok) return err({ kind: 'backend', error: written.error });
    reader.cache.addCommit(object.id, commit);
    return ok(object.id);
  }

  #emptyTreeObject(): NamedObject {
    return { id: this.core.reader.emptyTree, kind: 'tree', bytes: new Uint8Array(0) };
  }

  /** Who, and when: of `info`, or of the repository. */
  signature({ author, date, zoneMinutes = 0 }: CommitInfo): Signature {
    const when: WallTime = date ?? this.core.clock.wall();
    return signatureOf(author ?? this.core.author, when, zoneMinutes);
  }

  /** Names of tags, in byte order. */
  async tags(): Promise<Result<readonly string[], StoreError>> {
    const refs = await this.backend.listRefs(TAGS);
    if (!refs.ok) return err({ kind: 'backend', error: refs.error });
    return ok(refs.value.map(({ name }) => name.slice(TAGS.length)));
  }

  /** Null when there is no such tag. */
  async tag(name: string): Promise<Result<Tag | null, StoreError>> {
    const ref = await this.readRef(TAGS + name);
    if (!ref.ok) return ref;
    let target = ref.value;
    let annotation: TagObject | null = null;
    for (let tags = 0; target !== null; tags++) {
      const object = await this.backend.readObject(target);
      if (!object.ok) return err({ kind: 'backend', error: object.error });
      if (object.value === null) return err({ kind: 'dangling', id: target });
      if (object.value.kind !== 'tag') break;
      if (tags === TAG_CHAIN_MAX) {
        return err({ kind: 'wrong kind', id: target, want: 'commit', have: 'tag' });
      }
      const tag = parseTag(object.value.bytes, ID_BYTES[this.backend.hash]);
      if (!tag.ok) return err({ kind: 'malformed', id: target, fault: tag.error });
      annotation ??= tag.value;
      target = tag.value.object;
    }
    return ok(target === null ? null : { name, target, annotation });
  }

  /**
   * Names a commit for good: a tag that is there already is 'refused', unless `moves`. With a
   * message, an annotated tag.
   */
  async setTag(
    name: string,
    commit: ObjectId,
    { moves = false, ...info }: CommitInfo & { readonly moves?: boolean } = {},
  ): Promise<Result<void, StoreError>> {
    if (!isRefName(TAGS + name)) return err({ kind: 'bad name', name });
    const there = await this.core.reader.commit(commit);
    if (!there.ok) return there;
    let id = commit;
    if (info.message !== undefined) {
      const kept = await this.expectThere(commit);
      if (!kept.ok) return kept;
      const message = messageText(info.message);
      const tagger = this.signature(info);
      const bytes = emitTag({
        object: commit,
        kind: 'commit',
        name,
        tagger,
        extraHeaders: '',
        message,
      });
      const object = nameObject(this.core.crypto, this.backend.hash, 'tag', bytes);
      const written = await this.backend.writeObjects([object]);
      if (!written.ok) return err({ kind: 'backend', error: written.error });
      id = object.id;
    }
    return this.moveRef(TAGS + name, moves ? 'any' : null, id, `tag: ${name}`);
  }

  /** Done also when there is no such tag. */
  async removeTag(name: string): Promise<Result<void, StoreError>> {
    if (!isRefName(TAGS + name)) return err({ kind: 'bad name', name });
    return this.moveRef(TAGS + name, 'any', null, `tag: removed ${name}`);
  }

  /** Where a ref is at last; null when there is none. */
  async readRef(name: string): Promise<Result<ObjectId | null, StoreError>> {
    let at = name;
    for (let depth = 0; depth <= SYMBOLIC_DEPTH_MAX; depth++) {
      const ref = await this.backend.readRef(at);
      if (!ref.ok) return err({ kind: 'backend', error: ref.error });
      if (ref.value === null) return ok(null);
      if (ref.value.id !== undefined) return ok(ref.value.id);
      at = ref.value.symbolic;
    }
    return ok(null);
  }

  /** 'dangling' when a collection has taken it, which no cache knows. */
  async expectThere(id: ObjectId): Promise<Result<void, StoreError>> {
    const there = await this.backend.hasObject(id);
    if (!there.ok) return err({ kind: 'backend', error: there.error });
    return there.value ? ok(undefined) : err({ kind: 'dangling', id });
  }

  async moveRef(
    name: string,
    from: ObjectId | null | 'any',
    to: ObjectId | null,
    reason: string,
  ): Promise<Result<void, StoreError>> {
    const there = to === null ? ok(undefined) : await this.expectThere(to);
    if (!there.ok) return there;
    const moved = await this.swapRef(name, from, to, reason);
    return moved.ok ? moved : err(refError(moved.error));
  }

  /** As `moveRef`, for those who try again. */
  swapRef(
    name: string,
    from: ObjectId | null | 'any',
    to: ObjectId | null,
    reason: string,
  ): Promise<Result<void, RefConflict | BackendError>> {
    return this.backend.updateRefs([{ name, from, to }], reason);
  }

  /** Tells `watch` of every change of a branch: see watches.ts. */
  watchAll(watch: Watch): Promise<Result<StopWatch, StoreError>> {
    return this.core.watches.onAll(watch);
  }

  /** Since it was opened: what it did, and how often others were quicker. */
  counters(): Readonly<Record<string, number>> {
    const { counters, reader, watches } = this.core;
    const { hits: cacheHits, misses: cacheMisses, drops: cacheDrops } = reader.cache;
    const { told: watchCalls, failures: watchFailures } = watches;
    return { ...counters, cacheHits, cacheMisses, cacheDrops, watchCalls, watchFailures };
  }

  close(): Promise<void> {
    this.core.watches.close();
    this.core.reader.cache.clear();
    return this.backend.close();
  }

  checkInvariants(): void {
    this.core.reader.cache.checkInvariants();
    this.core.turns.checkInvariants();
    this.core.watches.checkInvariants();
  }
}
