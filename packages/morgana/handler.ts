/**
 * The program of a Web-standard handler: `export default { fetch(request) }` on the port that the
 * argument names, or over HTTPS (`serve`).
 */

import { type FetchApp, fetchHandler, type HttpHandler, type HttpServer } from '#http';
import { serveInTheOpen } from './http.ts';
import type { AnyContext, ServeProgram } from './run.ts';

export async function startHandler(
  app: FetchApp,
  context: AnyContext,
  serve: ServeProgram = serveInTheOpen,
): Promise<void> {
  await serveApp(app, context, serve);
}

export const serveApp = (
  app: FetchApp,
  context: AnyContext,
  serve: ServeProgram = serveInTheOpen,
): Promise<HttpServer> => serve(handlerOf(app, context), context);

/** With --tls there is a device of that name, and all that comes in came over it. */
export const handlerOf = (app: FetchApp, { log, tls }: AnyContext): HttpHandler =>
  fetchHandler(app, { log, scheme: tls === undefined ? 'http' : 'https' });
