/** A handler without a framework. `morgana dev` changes it in place, and its visits count on. */

import type { Reload } from 'morgana';

export let visits = 0;

export const reload: Reload = (previous) => {
  visits = Number(previous.visits);
};

export default {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    switch (url.pathname) {
      case '/': {
        visits++;
        return new Response(`Hello from a unikernel. Visit ${visits}.\n`);
      }
      case '/echo':
        return new Response(request.body, {
          headers: { 'content-type': request.headers.get('content-type') ?? 'text/plain' },
        });
      case '/greet':
        return Response.json({ hello: url.searchParams.get('name') ?? 'world' });
      default:
        return new Response('Not Found\n', { status: 404 });
    }
  },
};
