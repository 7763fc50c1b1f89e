export { browserEntropy } from './entropy.ts';
export {
  DATABASE_VERSION,
  formatIndexedDbOpenError,
  IndexedDbBackend,
  type IndexedDbOpenError,
  type IndexedDbOptions,
} from './indexed-db-backend.ts';
