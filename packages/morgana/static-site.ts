/**
 * The program of a website: the directory 'site' on the port that the argument names, or over HTTPS
 * (`serve`).
 */

import type { KvReadOnly } from '#device';
import { type HttpServer, StaticSite } from '#http';
import { serveInTheOpen } from './http.ts';
import type { AnyContext, ServeProgram } from './run.ts';

export async function startStaticSite(
  context: AnyContext,
  serve: ServeProgram = serveInTheOpen,
): Promise<void> {
  await serveSite(context, serve);
}

export const serveSite = (
  context: AnyContext,
  serve: ServeProgram = serveInTheOpen,
): Promise<HttpServer> => serve(siteOf(context), context);

/** The website that the context's directory is. */
export const siteOf = ({ site, clock }: AnyContext): StaticSite =>
  new StaticSite(site as KvReadOnly, clock);
