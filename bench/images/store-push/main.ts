/** A Git server whose repository is on a disk; whoever asks may push. */

import type { Start } from 'morgana';
import { gitHandler } from 'morgana/git';
import { serveHttp } from 'morgana/http';
import type config from './morgana.config.ts';

export const start: Start<typeof config> = async ({ stack, repo, ...environment }) => {
  const { log, timers } = environment;
  const handler = gitHandler(repo, {
    log,
    timers,
    path: '/repo',
    push: { authorise: () => 'all' },
  });
  await serveHttp(stack, 80, handler, environment);
  log.info('serving');
};
