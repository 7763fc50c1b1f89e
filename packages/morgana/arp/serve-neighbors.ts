/** A host's store of neighbours as a Git repository for others, read-only. */

import type { Logger } from '#core';
import { primitives } from '#crypto/platform';
import { zlib } from '#git/zlib/platform';
import type { VersionedArp } from '#versioned-arp';
import { GitHandler } from '../git/git-handler.ts';

/** `git clone http://HOST/path`; everybody may. */
export const neighborsHandler = (
  { repository: { backend } }: VersionedArp,
  path: string,
  log: Logger,
): GitHandler => new GitHandler({ backend, crypto: primitives, zlib, log, path });
