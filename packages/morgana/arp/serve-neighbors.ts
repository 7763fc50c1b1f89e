/** A host's store of neighbours as a Git repository for others, read-only. */

import type { Logger } from '#core';
import type { VersionedArp } from '#versioned-arp';
import type { GitHandler } from '../git/git-handler.ts';
import { gitHandler } from '../git/repository-git.ts';

/** `git clone http://HOST/path`; everybody may. */
export const neighborsHandler = (
  { repository, timers }: VersionedArp,
  path: string,
  log: Logger,
): GitHandler => gitHandler(repository, { timers, path, log });
