/** A store that is kept the same as a server's, with the target's own zlib. */

import { zlib } from '#git/zlib/platform';
import type { Repository, Shape } from '#store';
import { SyncClient, type SyncClientOptions } from '#store/sync';

export type SyncOptions<S extends Shape> = Omit<
  SyncClientOptions<S>,
  'repository' | 'crypto' | 'zlib'
>;

/** Begins at once; `stop` ends it. */
export const syncClient = <S extends Shape>(
  repository: Repository<S>,
  options: SyncOptions<S>,
): SyncClient<S> =>
  new SyncClient({ ...options, repository, crypto: repository.core.crypto, zlib });
