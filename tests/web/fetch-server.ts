/** A node:http server with routes for every case of fetch, and the `fetch` that asks it. */

import assert from 'node:assert/strict';
import http from 'node:http';
import type net from 'node:net';
import { after, before } from 'node:test';
import { setTimeout as sleepless } from 'node:timers/promises';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { fetch } from '../../packages/http/client/fetch.ts';
import { installNetwork, installWeb } from '../../packages/web/index.ts';
import { HostStack } from '../../targets/node/host-stack.ts';
import { createMachine } from '../../targets/node/launch.ts';
import { NodeLoop } from '../../targets/node/loop.ts';

const loop = new NodeLoop();
export const stack = new HostStack(loop);
export let origin = '';
/** Another origin, with the same routes. */
export let other = '';
/** Requests as they came, and what became of their connections. */
export const seen: { line: string; headers: http.IncomingHttpHeaders; body: string }[] = [];
export const connections = new Set<net.Socket>();

const ROUTES: Record<string, http.RequestListener> = {
  '/hello': (_, response) => response.end('hello'),
  '/echo': (request, response) => {
    response.setHeader('x-method', request.method!);
    request.pipe(response);
  },
  '/gzip': (_, response) => {
    const body = gzipSync('compressed '.repeat(10_000));
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': body.length });
    response.end(body);
  },
  '/deflate': (_, response) => {
    response.writeHead(200, { 'content-encoding': 'deflate' });
    response.end(deflateSync('zlib'));
  },
  '/raw-deflate': (_, response) => {
    response.writeHead(200, { 'content-encoding': 'deflate' });
    response.end(deflateRawSync('raw'));
  },
  '/br': (_, response) => {
    response.writeHead(200, { 'content-encoding': 'br' });
    response.end('as it is');
  },
  '/bad-gzip': (_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' });
    response.end('this is no gzip');
  },
  '/cut-gzip': (_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' });
    response.end(gzipSync('x'.repeat(100_000)).subarray(0, 60));
  },
  '/bomb': (_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' });
    response.end(gzipSync(Buffer.alloc(50_000_000)));
  },
  '/cookies': (_, response) => {
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    response.setHeader('x-two', ['1', '2']);
    response.end();
  },
  '/none': (_, response) => response.writeHead(204, 'Nothing At All').end(),
  '/teapot': (_, response) => response.writeHead(418).end('tea'),
  '/hang': () => {},
  '/half': (_, response) => {
    response.writeHead(200, { 'content-length': 10 });
    response.write('half');
  },
  '/cut': (_, response) => {
    response.writeHead(200, { 'content-length': 10 });
    response.write('half', () => response.destroy());
  },
  '/flood': (_, response) => {
    const chunk = Buffer.alloc(65_536, 'x');
    const pour = (): void => {
      while (response.write(chunk));
    };
    response.on('drain', pour);
    pour();
  },
};

function route(request: http.IncomingMessage, response: http.ServerResponse): void {
  const url = new URL(request.url!, 'http://x');
  const chunks: Buffer[] = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const line = `${request.method} ${request.url}`;
    seen.push({ line, headers: request.headers, body: Buffer.concat(chunks).toString() });
  });
  const redirect = /^\/redirect\/(\d+)$/.exec(url.pathname);
  if (redirect !== null) {
    const location = url.searchParams.get('to');
    response.writeHead(Number(redirect[1]), location === null ? {} : { location });
    response.end('go away');
  } else {
    (ROUTES[url.pathname] ?? ((_, answer) => answer.writeHead(404).end()))(request, response);
  }
}

const servers = [http.createServer(route), http.createServer(route)];

before(async () => {
  installWeb(createMachine(loop, { bootArguments: [], content: {}, publish: [] }));
  installNetwork(stack);
  for (const server of servers) {
    server.on('connection', (socket) => {
      connections.add(socket);
      socket.on('close', () => connections.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  }
  [origin, other] = servers.map(
    (server) => `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
  ) as [string, string];
});

after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** The body as text, with the case's patience. */
export const textOf = async (path: string, init?: Parameters<typeof fetch>[1]): Promise<string> =>
  (await fetch(`${origin}${path}`, init)).text();

export const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; !condition(); i++) {
    assert.ok(i < 12_000, 'it took too long');
    await sleepless(5);
  }
};
