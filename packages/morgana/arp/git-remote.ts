/** Another host's store of neighbours, over Git's smart HTTP protocol. */

import { err, ok } from '#core';
import { primitives } from '#crypto/platform';
import type { CryptoPrimitives, Zlib } from '#device';
import { formatExchangeError, Remote } from '#git';
import { zlib as ownZlib } from '#git/zlib/platform';
import type { NeighborRemote } from '#versioned-arp';
import { HttpTransport, type HttpTransportOptions } from '../git/http-transport.ts';

const BRANCH = 'refs/heads/main';

export interface GitRemoteOptions extends HttpTransportOptions {
  /** Others than the target's own. */
  readonly crypto?: CryptoPrimitives;
  readonly zlib?: Zlib;
}

/** "http://10.0.0.2/arp", with user and password where they are needed. */
export function gitRemote(options: string | GitRemoteOptions): NeighborRemote {
  const given: GitRemoteOptions = typeof options === 'string' ? { url: options } : options;
  const { crypto = primitives, zlib = ownZlib } = given;
  const { host } = new URL(given.url);
  const remoteOf = (backend: Parameters<NeighborRemote['fetch']>[0]['backend']): Remote =>
    new Remote({
      backend,
      crypto,
      zlib,
      connect: () => new HttpTransport(given),
      name: host.replace(/[^a-zA-Z0-9.-]/g, '-'),
    });
  return {
    name: host,
    async fetch({ backend }) {
      const remote = remoteOf(backend);
      const refspecs = [`+${BRANCH}:refs/remotes/${remote.name}/main`];
      const fetched = await remote.fetch({ refspecs, tags: 'none' });
      if (!fetched.ok) return err(formatExchangeError(fetched.error));
      return ok(fetched.value.remoteRefs.find(({ name }) => name === BRANCH)?.id ?? null);
    },
    async push({ backend }) {
      const pushed = await remoteOf(backend).push({ refspecs: [`${BRANCH}:${BRANCH}`] });
      if (!pushed.ok) return err(formatExchangeError(pushed.error));
      const { isWhole, refs, unpack } = pushed.value;
      if (isWhole) return ok('pushed');
      const refusal = refs.find(({ outcome }) => outcome === 'refused')?.refusal ?? null;
      const isBehind = refusal === 'non-fast-forward' || refusal === 'fetch first';
      return isBehind ? ok('behind') : err(refusal ?? unpack ?? 'refused');
    },
  };
}
