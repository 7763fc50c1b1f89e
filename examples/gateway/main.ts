/**
 * A gateway: /api/ is passed on to another server, body by body as it comes; /status asks it for
 * several things at once and makes one answer of them. `fetch` is the standard one.
 */

import type { Start } from 'morgana';
import { type FetchApp, fetchHandler, serveHttp } from 'morgana/http';
import type config from './morgana.config.ts';

const PARTS = ['users', 'orders', 'stock'] as const;

export const start: Start<typeof config> = async ({ stack, args, ...environment }) => {
  const { log } = environment;
  const signalFor = (request: Request): AbortSignal =>
    AbortSignal.any([request.signal, AbortSignal.timeout(args.patience)]);

  /** The same request elsewhere; who asked has an answer within the patience, or 502. */
  async function passOn(request: Request, path: string): Promise<Response> {
    try {
      const url = new URL(path, args.upstream);
      return await fetch(new Request(url, request), {
        redirect: 'manual',
        signal: signalFor(request),
      });
    } catch (error) {
      log.warn(`${request.method} ${path}: ${(error as Error).message}`);
      return new Response('Bad Gateway\n', { status: 502 });
    }
  }

  async function status(request: Request): Promise<Response> {
    const signal = signalFor(request);
    const answers = await Promise.allSettled(
      PARTS.map(async (part) => (await fetch(`${args.upstream}/${part}`, { signal })).json()),
    );
    const entries = answers.map((answer, i) => [
      PARTS[i]!,
      answer.status === 'fulfilled' ? answer.value : { error: String(answer.reason.message) },
    ]);
    return Response.json(Object.fromEntries(entries));
  }

  const app: FetchApp = {
    fetch(request: Request): Promise<Response> | Response {
      const { pathname, search } = new URL(request.url);
      if (pathname === '/status') return status(request);
      if (!pathname.startsWith('/api/')) return new Response('Not Found\n', { status: 404 });
      return passOn(request, pathname.slice('/api'.length) + search);
    },
  };
  await serveHttp(stack, args.port, fetchHandler(app, { log }), environment);
};
