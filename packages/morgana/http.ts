/** `morgana/http`: an HTTP/1.1 server for applications that hold a stack. */

import type { Stack } from '#device';
import { DEFAULT_LIMITS, type HttpHandler, HttpServer } from '#http';
import type { Environment } from './index.ts';
import type { ServeProgram } from './run.ts';

export * from '#http';

/**
 * Serves `handler` on `port`. Rejects when the port can't be had: a service without its port is no
 * service. A request's body may take a quarter of the machine's memory at most (413). The server
 * lives as long as the image.
 */
export async function serveHttp(
  stack: Stack,
  port: number,
  handler: HttpHandler,
  environment: ServeEnvironment,
): Promise<HttpServer> {
  const server = new HttpServer({ handler, ...httpServerOptions(environment) });
  const listening = await stack.listen(port, (flow) => server.accept(flow));
  if (!listening.ok) throw new Error(`port ${port}: ${listening.error.kind}`);
  environment.log.info(`listening on port ${listening.value.port}`);
  return server;
}

/** What a server needs of the program. */
export type ServeEnvironment = Pick<Environment, 'timers' | 'clock' | 'log' | 'memoryBytes'>;

/** Of every server of a program, HTTPS too. */
export function httpServerOptions({ timers, clock, log, memoryBytes }: ServeEnvironment) {
  // A handler may hold a whole body, twice for a moment.
  const bodyBytesMax = Math.min(DEFAULT_LIMITS.bodyBytesMax, Math.floor(memoryBytes / 4));
  return { timers, clock, log, limits: { bodyBytesMax } };
}

/** As a website or a handler is served unless it has TLS: the argument `port` says where. */
export const serveInTheOpen: ServeProgram = (handler, context) =>
  serveHttp(context.stack as Stack, Number(context.args.port), handler, context);
