/**
 * A store's branch and one of a repository elsewhere: `git pull` and `git push` with typed merges.
 * Read first: packages/git/protocol/client/remote.ts, store.ts. No call rejects.
 */

import { assert, err, ok, type Result } from '#core';
import {
  type ExchangeError,
  formatExchangeError,
  HEADS,
  type ObjectId,
  type PushedRefs,
  REMOTES,
  type Remote,
} from '#git';
import type { Shape } from './schema.ts';
import type { Store } from './store.ts';
import { formatStoreError, type StoreError } from './store-error.ts';
import type { MergeWithOptions } from './store-merge.ts';

/** What becomes of commits that only we have. */
export type PullStrategy =
  /** They are merged with theirs, by the types of the contents. */
  | 'merge'
  /** There may be none: 'not a fast-forward'. */
  | 'fast-forward'
  /** The branch is theirs afterwards, whatever it was. */
  | 'set';

export interface PullOptions extends MergeWithOptions {
  /** 'merge' unless given. */
  readonly strategy?: PullStrategy;
  /** The branch there; the store's own name unless given. */
  readonly branch?: string;
}

export type PullError =
  | { readonly kind: 'exchange'; readonly error: ExchangeError }
  | { readonly kind: 'store'; readonly error: StoreError };

export interface Pulled {
  readonly from: ObjectId | null;
  readonly to: ObjectId;
  /** Objects that came. */
  readonly objects: number;
}

/** Fetches one branch (refs/remotes/NAME/BRANCH) and brings the store's own on. */
export async function pull<S extends Shape>(
  store: Store<S>,
  remote: Remote,
  options: PullOptions = {},
): Promise<Result<Pulled, PullError>> {
  const { strategy = 'merge', branch = store.branch, ...merging } = options;
  assert(store.branch !== null && branch !== null, 'a store on a branch');
  const seen = `${REMOTES}${remote.name}/${branch}`;
  const fetched = await remote.fetch({ refspecs: [`+${HEADS}${branch}:${seen}`] });
  if (!fetched.ok) return err({ kind: 'exchange', error: fetched.error });
  const { refs, objects } = fetched.value;
  const theirs = refs.find(({ local }) => local === seen)?.to ?? null;
  assert(theirs !== null, 'a ref that was asked for');
  const before = await store.head();
  if (!before.ok) return err({ kind: 'store', error: before.error });
  const message = merging.message ?? `pull ${branch} from ${remote.name}`;
  const moved = await bring(store, theirs, strategy, { ...merging, message });
  if (!moved.ok) return err({ kind: 'store', error: moved.error });
  const after = await store.head();
  if (!after.ok) return err({ kind: 'store', error: after.error });
  if (after.value === null) return err({ kind: 'store', error: { kind: 'no head' } });
  return ok({ from: before.value, to: after.value, objects });
}

async function bring<S extends Shape>(
  store: Store<S>,
  theirs: ObjectId,
  strategy: PullStrategy,
  merging: MergeWithOptions,
): Promise<Result<unknown, StoreError>> {
  if (strategy === 'set') return store.setHead(theirs);
  if (strategy === 'fast-forward') return store.fastForward(theirs, merging.limits);
  return store.mergeWith(theirs, merging);
}

export interface StorePushOptions {
  /** The branch there; the store's own name unless given. */
  readonly branch?: string;
  /** History there may be lost. */
  readonly force?: boolean;
}

/** Pushes the store's branch. What was refused is in the result: 'fetch first' wants a pull. */
export function push<S extends Shape>(
  store: Store<S>,
  remote: Remote,
  { branch, force = false }: StorePushOptions = {},
): Promise<Result<PushedRefs, ExchangeError>> {
  assert(store.branch !== null, 'a store on a branch');
  const refspec = `${HEADS}${store.branch}:${HEADS}${branch ?? store.branch}`;
  return remote.push({ refspecs: [refspec], force });
}

/** One sentence, without a dot. */
export const formatPullError = (error: PullError): string =>
  error.kind === 'exchange' ? formatExchangeError(error.error) : formatStoreError(error.error);
