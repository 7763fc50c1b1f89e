/** The program of a website: the directory 'site' on the port that the argument names. */

import type { KvReadOnly, Stack } from '#device';
import { type HttpServer, StaticSite } from '#http';
import { serveHttp } from './http.ts';
import type { AnyContext } from './run.ts';

export async function startStaticSite(context: AnyContext): Promise<void> {
  await serveSite(context);
}

export function serveSite(context: AnyContext): Promise<HttpServer> {
  const { stack, args } = context;
  return serveHttp(stack as Stack, Number(args.port), siteOf(context), context);
}

/** The website that the context's directory is. */
export const siteOf = ({ site, clock }: AnyContext): StaticSite =>
  new StaticSite(site as KvReadOnly, clock);
