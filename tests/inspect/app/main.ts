/**
 * What is looked into: answers with some bytes, or after some work whose function has a name, and
 * logs each request for those who want it.
 */

import type { Start } from 'morgana';
import { fetchHandler, serveHttp } from 'morgana/http';
import type config from './morgana.config.ts';

function burnCycles(rounds: number): number {
  let sum = 0;
  for (let i = 0; i < rounds; i++) sum = (sum + i * 7) % 1_000_003;
  return sum;
}

const BODY = 'x'.repeat(1_000_000);

export const start: Start<typeof config> = async (context) => {
  const { stack, log } = context;
  const fetch = (request: Request): Response => {
    const { pathname } = new URL(request.url);
    log.debug(`asked for ${pathname}`);
    if (pathname === '/burn') return new Response(`${burnCycles(20_000)}\n`);
    return new Response(pathname === '/large' ? BODY : 'small\n');
  };
  await serveHttp(stack, 80, fetchHandler({ fetch }, { log }), context);
};
