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

  /** As `fetch`, but an answer must begin within the patience; its body may take its time. */
  async function soon(request: Request): Promise<Response> {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(new Error('no answer yet')), args.patience);
    const signal = AbortSignal.any([request.signal, controller.signal]);
    try {
      return await fetch(request, { redirect: 'manual', signal });
    } finally {
      clearTimeout(timer);
    }
  }

  async function passOn(request: Request, path: string): Promise<Response> {
    try {
      return await soon(new Request(args.upstream + path, request));
    } catch (error) {
      log.warn(`${request.method} ${path}: ${(error as Error).message}`);
      return new Response('Bad Gateway\n', { status: 502 });
    }
  }

  async function status(): Promise<Response> {
    const answers = await Promise.allSettled(
      PARTS.map(async (part) => (await soon(new Request(`${args.upstream}/${part}`))).json()),
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
      if (pathname === '/status') return status();
      if (!pathname.startsWith('/api/')) return new Response('Not Found\n', { status: 404 });
      return passOn(request, pathname.slice('/api'.length) + search);
    },
  };
  await serveHttp(stack, args.port, fetchHandler(app, { log }), environment);
};
