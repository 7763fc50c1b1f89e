/** Reads one file of the repository's head, and says how long that took. */

import type { Start } from 'morgana';
import type config from './morgana.config.ts';

export const start: Start<typeof config> = async ({ repo, clock, log }) => {
  const begin = clock.wall();
  const found = await repo.branch('main').find(['d3', 'f7']);
  if (!found.ok || found.value === undefined) return 1;
  log.info(`first read in ${clock.wall() - begin} ms`);
  return 0;
};
