/**
 * A branch of a store as a key-value device: each change is one commit, and one that changes
 * nothing is none. Contents are named by their blobs' ids. Required reading: packages/device/kv.ts,
 * store.ts.
 */

import { assert, err, ok, type Result } from '#core';
import {
  comparePaths,
  isKvPath,
  KV_CHANGES_MAX,
  type KvChange,
  type KvEntry,
  type KvError,
  type KvReadOnly,
  type KvReadWrite,
} from '#device';
import { MODE_DIRECTORY, MODE_LINK, MODE_SUBMODULE, type ObjectId } from '#git';
import type { CommitObject } from '#git/wire';
import { CommitContent, DIGEST_CHARACTERS_MAX, formatContentError } from './commit-content.ts';
import { isStep } from './path.ts';
import type { RawShape } from './raw-schema.ts';
import type { Store } from './store.ts';
import { formatStoreError, type StoreError } from './store-error.ts';
import { inTurn } from './transaction.ts';
import { entryAt } from './tree/entry-at.ts';
import type { Tree } from './tree/tree.ts';

/** A snapshot is all in memory. */
export const SNAPSHOT_BYTES_MAX = 64 * 1024 * 1024;

export interface StoreKvOptions {
  /** Of a snapshot's contents; SNAPSHOT_BYTES_MAX unless given. */
  readonly snapshotBytesMax?: number;
}

type Failed = Result<never, KvError>;
/** Why a transaction was given up. */
interface Refusal {
  readonly kind: 'kv';
  readonly error: KvError;
}

/** A branch as a key-value device: a read is of its head, a change is a commit. */
export class StoreKv implements KvReadWrite {
  readonly #store: Store<RawShape>;
  readonly #snapshotBytesMax: number;
  #last: CommitContent | null = null;

  /** `store` is a view on a branch. */
  constructor(store: Store<RawShape>, options: StoreKvOptions = {}) {
    assert(store.branch !== null, 'a branch');
    this.#store = store;
    this.#snapshotBytesMax = options.snapshotBytesMax ?? SNAPSHOT_BYTES_MAX;
  }

  /** Its time is that of the head: none is earlier than its last change. */
  async get(path: string): Promise<Result<KvEntry | null, KvError>> {
    if (!isPath(path)) return ok(null);
    const { repository } = this.#store;
    const head = await this.#store.headCommit();
    if (!head.ok) return failed(head.error);
    if (head.value === null) return ok(null);
    const found = await entryAt(repository.objects, head.value.tree, path.split('/'));
    if (!found.ok) return failed(found.error);
    const entry = found.value;
    if (entry === null || !isContent(entry.mode)) return ok(null);
    const bytes = await repository.objects.blob(entry.id);
    return bytes.ok ? ok(entryOf(entry.id, bytes.value, head.value)) : failed(bytes.error);
  }

  async list(directory: string): Promise<Result<readonly string[], KvError>> {
    if (directory !== '' && !isPath(directory)) return ok([]);
    const steps = directory === '' ? [] : directory.split('/');
    const tree = await this.#store.findTree(steps);
    if (!tree.ok) return failed(tree.error);
    const paths: string[] = [];
    if (tree.value === undefined) return ok(paths);
    for await (const item of tree.value.walk()) {
      if (!item.ok) return failed(item.error);
      const { path, mode } = item.value;
      const name = [...steps, ...path].join('/');
      if (isContent(mode) && isKvPath(name)) paths.push(name);
    }
    return ok(paths.sort(comparePaths));
  }

  set(path: string, bytes: Uint8Array): Promise<Result<void, KvError>> {
    return this.#change([{ path, bytes }], `set ${path}`);
  }

  remove(path: string): Promise<Result<void, KvError>> {
    return this.#change([{ path, bytes: null }], `remove ${path}`);
  }

  async batch(changes: readonly KvChange[]): Promise<Result<void, KvError>> {
    if (changes.length > KV_CHANGES_MAX) {
      return err({ kind: 'too many changes', changesMax: KV_CHANGES_MAX });
    }
    const last = new Map(changes.map((change) => [change.path, change]));
    return this.#change([...last.values()], `batch: ${last.size} changes`);
  }

  async snapshot(): Promise<Result<KvReadOnly, KvError>> {
    const head = await this.#store.head();
    if (!head.ok) return failed(head.error);
    if (head.value === null) return ok(NOTHING);
    const options = { bytesMax: this.#snapshotBytesMax, previous: this.#last };
    const loaded = await CommitContent.load(this.#store.repository, head.value, options);
    if (!loaded.ok) return err({ kind: 'failed', what: formatContentError(loaded.error) });
    this.#last = loaded.value;
    return loaded;
  }

  async watch(
    path: string,
    changed: (paths: readonly string[]) => void,
  ): Promise<Result<() => void, KvError>> {
    if (path !== '' && !isPath(path)) return err({ kind: 'bad path', path });
    const steps = path === '' ? [] : path.split('/');
    const watching = await this.#store.watchPath(steps, async (change) => {
      const paths: string[] = [];
      for await (const one of change.diff()) {
        // What can't be read any more isn't known to have changed.
        if (!one.ok) break;
        paths.push([...steps, ...one.value.path].join('/'));
      }
      if (paths.length > 0) changed(paths);
    });
    return watching.ok ? ok(watching.value) : failed(watching.error);
  }

  /** One commit, or none. Removals first: they make room. */
  async #change(changes: readonly KvChange[], message: string): Promise<Result<void, KvError>> {
    const bad = changes.find(({ path }) => !isPath(path));
    if (bad !== undefined) return err({ kind: 'bad path', path: bad.path });
    const inOrder = [
      ...changes.filter(({ bytes }) => bytes === null),
      ...changes.filter(({ bytes }) => bytes !== null),
    ];
    const { repository, branch } = this.#store;
    return inTurn(repository, branch, () => this.#commit(inOrder, message));
  }

  async #commit(changes: readonly KvChange[], message: string): Promise<Result<void, KvError>> {
    const done = await this.#store.withTree<[], Refusal>(
      [],
      async (tree) => {
        let next: Tree<RawShape> = tree;
        for (const change of changes) {
          const made = await changedTree(next, change);
          if (!made.ok) return err({ kind: 'kv', error: made.error });
          next = made.value;
        }
        return ok(next);
      },
      { message },
    );
    if (done.ok) return ok(undefined);
    return done.error.kind === 'kv' ? err(done.error.error) : failed(done.error);
  }
}

/** The tree with one change made, or what is in its way. */
async function changedTree(
  tree: Tree<RawShape>,
  { path, bytes }: KvChange,
): Promise<Result<Tree<RawShape>, KvError>> {
  const steps = path.split('/');
  const kind = await tree.kind(steps);
  if (!kind.ok) return failed(kind.error);
  if (bytes === null) {
    if (kind.value !== 'contents') return ok(tree);
    const removed = await tree.remove(steps);
    return removed.ok ? removed : failed(removed.error);
  }
  if (kind.value === 'tree') {
    // A directory whose contents were removed by this change is no longer there.
    const below = await tree.findTree(steps);
    const isEmpty = below.ok ? await below.value?.isEmpty() : below;
    if (isEmpty?.ok === false) return failed(isEmpty.error);
    if (isEmpty?.value === false) return err({ kind: 'in the way', path, other: `${path}/` });
  }
  for (let depth = 1; depth < steps.length && kind.value === undefined; depth++) {
    const above = await tree.kind(steps.slice(0, depth));
    if (!above.ok) return failed(above.error);
    if (above.value === undefined) break;
    if (above.value === 'tree') continue;
    return err({ kind: 'in the way', path, other: steps.slice(0, depth).join('/') });
  }
  const set = await tree.set(steps, bytes);
  return set.ok ? set : failed(set.error);
}

const failed = (error: StoreError): Failed =>
  err({ kind: 'failed', what: formatStoreError(error) });

/** Of a device, and one that Git has. */
const isPath = (path: string): boolean => isKvPath(path) && path.split('/').every(isStep);

const isContent = (mode: number): boolean =>
  mode !== MODE_DIRECTORY && mode !== MODE_SUBMODULE && mode !== MODE_LINK;

function entryOf(id: ObjectId, bytes: Uint8Array, commit: CommitObject): KvEntry {
  const modifiedSeconds = commit.committer.seconds;
  return { bytes, modifiedSeconds, digest: id.slice(0, DIGEST_CHARACTERS_MAX), variants: [] };
}

const NOTHING: KvReadOnly = { get: () => null, paths: () => [] };
