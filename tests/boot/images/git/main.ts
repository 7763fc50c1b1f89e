/** A Git server whose repository is in memory. */

import type { Start } from 'morgana';
import { formatExchangeError, gitHandler, httpRemote, MemoryBackend } from 'morgana/git';
import { serveHttp } from 'morgana/http';
import type config from './morgana.config.ts';

export const start: Start<typeof config> = async ({ stack, args, ...environment }) => {
  const { log, timers } = environment;
  const backend = new MemoryBackend();
  if (args.mirror !== '') {
    const cloned = await httpRemote({ backend }, args.mirror).clone();
    log.info(cloned.ok ? `cloned ${cloned.value.objects}` : formatExchangeError(cloned.error));
  }
  const push = {
    authorise: ({ user, password }: { user: string | null; password: string | null }) =>
      password === args.password ? user : null,
  };
  const handler = gitHandler({ backend }, { log, timers, path: '/repo', push });
  await serveHttp(stack, 80, handler, environment);
};
