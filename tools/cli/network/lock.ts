/**
 * One process a network. The kernel keeps the lock (flock(2)) with the open file, so it goes with
 * its holder, however that ends; Node has no call for it, but util-linux has, and takes it for the
 * file that it is given.
 */

import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { Failure } from '../failure.ts';

/** Of flock(1) when somebody else has the lock. */
const STATUS_HELD = 1;

/** Takes the lock until this process ends, or `release` is called; null when another has it. */
export function takeLock(file: string): { release(): void } | null {
  const fd = openSync(file, 'a', 0o600);
  const { status, error } = spawnSync('flock', ['-n', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
  });
  if (status === 0) return { release: () => closeSync(fd) };
  closeSync(fd);
  if (status === STATUS_HELD) return null;
  throw new Failure({
    what: `can't lock ${file} (${error?.message ?? `flock ended with ${status}`})`,
    mend: 'install util-linux, which has flock',
  });
}
