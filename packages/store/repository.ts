/**
 * A repository: objects by hash and a table of branches, over any backend. Read first:
 * packages/git/backend.ts.
 */

import type { CryptoPrimitives } from '#device';
import type { ObjectBackend } from '#git';

export interface RepositoryOptions {
  readonly backend: ObjectBackend;
  readonly crypto: CryptoPrimitives;
}

export class Repository {
  readonly backend: ObjectBackend;
  readonly crypto: CryptoPrimitives;

  constructor({ backend, crypto }: RepositoryOptions) {
    this.backend = backend;
    this.crypto = crypto;
  }
}
