/** What people see: asks the back, which only the network knows, by its name. */

export default {
  async fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname === '/ready') return new Response('ready\n');
    const answer = await fetch('http://back/stock');
    if (!answer.ok) return new Response('Bad Gateway\n', { status: 502 });
    const { item, left } = (await answer.json()) as { item: string; left: number };
    return new Response(`${left} x ${item} left\n`);
  },
};
