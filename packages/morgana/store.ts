/**
 * `morgana/store`: Git for an application's data. `openRepository` gives a repository over any
 * backend (`MemoryBackend`, one on a block device, in browsers morgana/browser's); its branches are
 * stores with typed contents:
 *
 *     const schema = defineSchema({ visits: stock.integer, pages: { '**': stock.text } });
 *     const repository = openRepository(new MemoryBackend(), { clock, author, entropy });
 *     const store = repository.with(schema).branch('main');
 *     await store.set(['pages', 'index'], 'hello');
 *
 * Read on: packages/store/README.md.
 */

import { primitives } from '#crypto/platform';
import type { ObjectBackend } from '#git';
import { type RawShape, Repository, type RepositoryOptions } from '#store';

export { type Result, type WallTime, wallTimeOfMillis } from '#core';
/** The target's own, for `verifyProof`; a browser's are in morgana/browser. */
export { primitives } from '#crypto/platform';
export {
  type BackendError,
  type BundleFault,
  formatBackendError,
  formatBundleFault,
  type GitObject,
  isBranchName,
  MemoryBackend,
  type MemoryBackendOptions,
  type ObjectBackend,
  type ObjectId,
  parseObjectId,
  type RefConflict,
} from '#git';
export * from '#store';
export {
  BlockBackend,
  type BlockStoreStats,
  type CheckReport,
  type Collected,
  type CollectOptions,
  formatCheckProblem,
} from '#store/block';
export { exportBundle, exportSlice, importBundle, importSlice } from './store-files.ts';

/** With the target's own cryptographic primitives. */
export function openRepository(
  backend: ObjectBackend,
  options: Omit<RepositoryOptions, 'backend' | 'crypto'>,
): Repository<RawShape> {
  return Repository.open({ ...options, backend, crypto: primitives });
}
