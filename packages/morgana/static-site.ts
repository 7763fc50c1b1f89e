/** The program of a website: the directory 'site' on the port that the argument names. */

import type { KvReadOnly, Stack } from '#device';
import { StaticSite } from '#http';
import { serveHttp } from './http.ts';
import type { AnyContext } from './run.ts';

export async function startStaticSite(context: AnyContext): Promise<void> {
  const { stack, site, args, clock } = context;
  const handler = new StaticSite(site as KvReadOnly, clock);
  await serveHttp(stack as Stack, Number(args.port), handler, context);
}
