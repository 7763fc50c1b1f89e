/**
 * The gateway of the examples in a virtual machine and as a process of the host: `fetch` by name
 * and by number, to servers of this test on the host's loopback (10.0.2.2 in QEMU's network).
 */

import assert from 'node:assert/strict';
import http from 'node:http';
import type net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { HostStack } from '../../targets/node/host-stack.ts';
import { NodeLoop } from '../../targets/node/loop.ts';
import { freePort, type Tool, Workspace } from '../cli/cli.ts';
import { address, TestDnsServer } from '../helpers/dns-server.ts';
import { cannotBoot } from '../helpers/machine.ts';

const GATEWAY = path.join(import.meta.dirname, '../../examples/gateway');
const ECHO_BYTES = 1_000_000;

interface Place {
  readonly name: string;
  readonly flags: readonly string[];
  readonly skip: string | false;
  /** The upstream, as this place calls it. */
  readonly upstream: string;
}

const PLACES: readonly Place[] = [
  { name: 'microvm', flags: [], skip: cannotBoot, upstream: 'upstream.example' },
  { name: 'node', flags: ['--target=node'], skip: false, upstream: 'localhost' },
];

const work = new Workspace({
  'fetcher.ts': `export default {
  async fetch(request: Request): Promise<Response> {
    try {
      return await fetch(new URL(request.url).searchParams.get('to')!);
    } catch (error) {
      return new Response(String(error), { status: 502 });
    }
  },
};
`,
});
const upstream = http.createServer((request, response) => {
  if (request.url === '/echo') {
    request.pipe(response);
  } else if (request.url === '/gzip') {
    response.writeHead(200, { 'content-encoding': 'gzip', 'set-cookie': ['a=1', 'b=2'] });
    response.end(gzipSync('compressed '.repeat(1_000)));
  } else if (request.url === '/stock') {
    response.writeHead(500).end('no JSON');
  } else if (request.url !== '/hang') {
    response.end(JSON.stringify({ path: request.url, host: request.headers.host }));
  }
});
const dns = new TestDnsServer([address('upstream.example', '10.0.2.2')]);
let port = 0;

before(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  port = (upstream.address() as net.AddressInfo).port;
  await dns.serve(new HostStack(new NodeLoop()), 0);
});

after(() => {
  upstream.closeAllConnections();
  upstream.close();
  dns.close();
  work.remove();
});

type Ask = (where: string, init?: RequestInit) => Promise<Response>;

async function running(
  app: string,
  place: Place,
  args: readonly string[],
  body: (ask: Ask, tool: Tool) => Promise<void>,
): Promise<void> {
  const at = await freePort();
  const own = place.name === 'node' ? [] : [`--nameservers=10.0.2.2:${dns.port}`];
  const words = ['--memory=32', ...place.flags, `--publish=${at}:80`, '--', ...args, ...own];
  const tool = work.start(['run', app, ...words]);
  try {
    await tool.wrote(/info \S+: listening on/);
    const signal = () => AbortSignal.timeout(60_000);
    await body(
      (where, init) => fetch(`http://127.0.0.1:${at}${where}`, { signal: signal(), ...init }),
      tool,
    );
  } finally {
    tool.child.kill('SIGINT');
  }
  assert.equal((await tool.ended).code, 130);
}

for (const place of PLACES) {
  const { skip } = place;
  test(`gateway on ${place.name} › passes on, puts together, gives up`, { skip }, () => {
    const base = `http://${place.upstream}:${port}`;
    const args = [`--upstream=${base}`, '--patience=3000'];
    return running(GATEWAY, place, args, async (ask, tool) => {
      const passed = await ask('/api/users?x=y');
      const host = `${place.upstream}:${port}`;
      assert.deepEqual(await passed.json(), { path: '/users?x=y', host });
      const gzip = await ask('/api/gzip');
      assert.equal(await gzip.text(), 'compressed '.repeat(1_000));
      assert.deepEqual(gzip.headers.getSetCookie(), ['a=1', 'b=2']);
      const body = new Uint8Array(ECHO_BYTES).map((_, i) => i * 7);
      const echo = await ask('/api/echo', { method: 'POST', body });
      assert.deepEqual(new Uint8Array(await echo.arrayBuffer()), body);
      const status = (await (await ask('/status')).json()) as Record<string, { path?: string }>;
      assert.deepEqual(Object.keys(status), ['users', 'orders', 'stock']);
      assert.equal(status.orders!.path, '/orders');
      assert.ok('error' in status.stock!);
      assert.equal((await ask('/api/hang')).status, 502);
      await tool.wrote(/warn gateway: GET \/hang/);
      assert.equal((await ask('/')).status, 404);
    });
  });

  test(`handler on ${place.name} › fetch to a name, none, https, data`, { skip }, () =>
    running(work.path('fetcher.ts'), place, [], async (ask) => {
      const to = async (url: string): Promise<string> =>
        (await ask(`/?to=${encodeURIComponent(url)}`)).text();
      assert.match(await to(`http://${place.upstream}:${port}/x`), /"path":"\/x"/);
      assert.match(await to('http://a.invalid/'), /TypeError: .*a\.invalid: name not found/);
      assert.match(await to('https://example.org/'), /TypeError: .*needs TLS/);
      assert.equal(await to('data:,hello%20there'), 'hello there');
    }),
  );
}
