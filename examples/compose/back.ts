/** Knows what there is, and sells one to whoever asks. */

let left = 100;

export default {
  fetch(request: Request): Response {
    const { pathname } = new URL(request.url);
    if (pathname === '/ready') return new Response('ready\n');
    if (pathname !== '/stock') return new Response('Not Found\n', { status: 404 });
    left -= 1;
    return Response.json({ item: 'unikernel', left });
  },
};
