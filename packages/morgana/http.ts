/** `morgana/http`: an HTTP/1.1 server for applications that hold a stack. */

import type { Stack } from '#device';
import { type HttpHandler, HttpServer } from '#http';
import type { Environment } from './index.ts';

export * from '#http';

/**
 * Serves `handler` on `port`. Rejects when the port can't be had: a service without its port is no
 * service. The server lives as long as the image.
 */
export async function serveHttp(
  stack: Stack,
  port: number,
  handler: HttpHandler,
  { timers, clock, log }: Pick<Environment, 'timers' | 'clock' | 'log'>,
): Promise<HttpServer> {
  const server = new HttpServer({ handler, timers, clock, log });
  const listening = await stack.listen(port, (flow) => server.accept(flow));
  if (!listening.ok) throw new Error(`port ${port}: ${listening.error.kind}`);
  log.info(`listening on ${stack.addresses().join(', ')} port ${listening.value.port}`);
  return server;
}
