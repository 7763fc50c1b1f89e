/** Another host's store of neighbours, over Git's smart HTTP protocol. */

import { err, ok } from '#core';
import { formatExchangeError } from '#git';
import type { NeighborRemote } from '#versioned-arp';
import { type HasBackend, type HttpRemoteOptions, httpRemote } from '../git/repository-git.ts';

const BRANCH = 'refs/heads/main';

/** "http://10.0.0.2/arp", with user and password where they are needed. */
export function gitRemote(options: string | Omit<HttpRemoteOptions, 'name'>): NeighborRemote {
  const given = typeof options === 'string' ? { url: options } : options;
  const { host } = new URL(given.url);
  const nameHere = host.replace(/[^a-zA-Z0-9.-]/g, '-');
  const remoteOf = (repository: HasBackend) => httpRemote(repository, { ...given, name: nameHere });
  return {
    name: host,
    async fetch(repository) {
      const refspecs = [`+${BRANCH}:refs/remotes/${nameHere}/main`];
      const fetched = await remoteOf(repository).fetch({ refspecs, tags: 'none' });
      if (!fetched.ok) return err(formatExchangeError(fetched.error));
      return ok(fetched.value.remoteRefs.find(({ name }) => name === BRANCH)?.id ?? null);
    },
    async push(repository) {
      const pushed = await remoteOf(repository).push({ refspecs: [`${BRANCH}:${BRANCH}`] });
      if (!pushed.ok) return err(formatExchangeError(pushed.error));
      const { isWhole, refs, unpack } = pushed.value;
      if (isWhole) return ok('pushed');
      const refusal = refs.find(({ outcome }) => outcome === 'refused')?.refusal ?? null;
      const isBehind = refusal === 'non-fast-forward' || refusal === 'fetch first';
      return isBehind ? ok('behind') : err(refusal ?? unpack ?? 'refused');
    },
  };
}
