/**
 * The program of a Web-standard handler: `export default { fetch(request) }` on the port that the
 * argument names.
 */

import type { Stack } from '#device';
import { type FetchApp, fetchHandler, type HttpServer } from '#http';
import { serveHttp } from './http.ts';
import type { AnyContext } from './run.ts';

export async function startHandler(app: FetchApp, context: AnyContext): Promise<void> {
  await serveApp(app, context);
}

export function serveApp(app: FetchApp, context: AnyContext): Promise<HttpServer> {
  const { stack, args, log } = context;
  return serveHttp(stack as Stack, Number(args.port), fetchHandler(app, { log }), context);
}
