/**
 * The program of a Web-standard handler: `export default { fetch(request) }` on the port that the
 * argument names.
 */

import type { Stack } from '#device';
import { type FetchApp, fetchHandler } from '#http';
import { serveHttp } from './http.ts';
import type { AnyContext } from './run.ts';

export async function startHandler(app: FetchApp, context: AnyContext): Promise<void> {
  const { stack, args, log } = context;
  await serveHttp(stack as Stack, Number(args.port), fetchHandler(app, { log }), context);
}
