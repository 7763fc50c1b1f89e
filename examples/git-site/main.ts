/**
 * A website from a branch of a Git repository: pulled at boot and on a signed webhook, and replaced
 * as a whole. What goes back is what was pushed: `git revert` is the way to undo. With a disk, what
 * was shown last is there at boot.
 */

import type { Start } from 'morgana';
import { pullBranch, webhook } from 'morgana/git';
import { type HttpHandler, PreparedResponse, StaticSite, serveHttp } from 'morgana/http';
import type config from './morgana.config.ts';

const NOTHING = new TextEncoder().encode('The site is not here yet.\n');
/** Until the first pull. */
const nothing: HttpHandler = {
  answer: () =>
    new PreparedResponse(
      503,
      `Content-Type: text/plain\r\nContent-Length: ${NOTHING.length}\r\nRetry-After: 5\r\n`,
      [NOTHING],
    ),
  request: (exchange) => exchange.abort(),
};

export const start: Start<typeof config> = async ({ stack, repository, args, ...environment }) => {
  const { clock, log, timers, memoryBytes } = environment;
  const hook = webhook({
    path: '/webhook',
    secret: args.secret,
    timers,
    log,
    pushed: () => branch.pull(),
  });
  const server = await serveHttp(stack, args.port, hook.beside(nothing), environment);
  const branch = pullBranch({
    url: args.remote,
    branch: args.branch,
    repository,
    bytesMax: memoryBytes / 8,
    clock,
    log,
    timers,
    changed: (content) => server.replaceHandler(hook.beside(new StaticSite(content, clock))),
  });
  void branch.pull();
};
