/**
 * Key-value devices on a branch of a store: 'kv.commit' has the files of its newest commit at boot,
 * in memory; 'kv.store' is read and written. Read first: packages/store/store-kv.ts.
 */

import type { KvReadOnly } from '#device';
import {
  CommitContent,
  formatContentError,
  formatStoreError,
  type Repository,
  StoreKv,
} from '#store';
import type { Connector } from './run.ts';

/** Of the machine's memory, what a commit's files may take. */
const MEMORY_SHARE = 1 / 4;

export const commitConnector: Connector<'kv.commit'> = {
  args: {},
  async connect({ machine, node, needs, log }) {
    const repository = needs[0] as Repository;
    const branch = String(node.options.branch);
    const head = await repository.headOf(branch);
    if (!head.ok) return { lacks: formatStoreError(head.error) };
    if (head.value === null) {
      log.source('store').warn(`device '${node.name}': there is no branch '${branch}'`);
      return NOTHING;
    }
    const bytesMax = machine.memoryBytes * MEMORY_SHARE;
    const loaded = await CommitContent.load(repository, head.value, { bytesMax });
    return loaded.ok ? loaded.value : { lacks: formatContentError(loaded.error) };
  },
};

export const storeKvConnector: Connector<'kv.store'> = {
  args: {},
  async connect({ node, needs }) {
    return new StoreKv((needs[0] as Repository).branch(String(node.options.branch)));
  },
};

const NOTHING: KvReadOnly = { get: () => null, paths: () => [] };
