/**
 * `morgana/browser`: a repository in a tab's database, and what its stores (`morgana/store`) and
 * their syncing (`morgana/sync`) need there.
 */

export { browserEntropy } from './entropy.ts';
export {
  DATABASE_VERSION,
  formatIndexedDbOpenError,
  IndexedDbBackend,
  type IndexedDbOpenError,
  type IndexedDbOptions,
} from './indexed-db-backend.ts';
export { tools } from './tools.ts';
