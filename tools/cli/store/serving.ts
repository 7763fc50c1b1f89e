/** `morgana store serve`: over HTTP, for `git clone` and, if asked for, `git push`. */

import { Log, wallTimeOfMillis } from '#core';
import { type HttpHandler, HttpServer, isKnownHost } from '#http';
import { nodeCrypto } from '#targets/node/crypto';
import { HostStack } from '#targets/node/host-stack';
import { NodeLoop } from '#targets/node/loop';
import { zlib } from '#targets/node/zlib';
import { GitHandler } from '../../../packages/morgana/git.ts';
import { EXIT_OK, Failure } from '../failure.ts';
import type { OpenStore } from './open.ts';

/** Until Ctrl-C. Port 0: one that is free. */
export async function serve(
  opened: OpenStore,
  { port, push, json }: { readonly port: number; readonly push: boolean; readonly json: boolean },
): Promise<number> {
  const log = new Log((line) => process.stderr.write(`${line}\n`), 'info').source('store');
  const loop = new NodeLoop();
  const stack = new HostStack(loop);
  const repository = new GitHandler({
    backend: opened.backend,
    crypto: nodeCrypto,
    zlib,
    log,
    path: '',
    // As from git: partial clones ask for what they left out by its id.
    allow: 'any',
    ...(push
      ? { push: { authorise: ({ remote }) => (isLoopback(remote.address) ? '' : null) } }
      : {}),
  });
  const handler = knownHostsOnly(repository);
  const clock = { wall: () => wallTimeOfMillis(Date.now()) };
  const server = new HttpServer({ handler, timers: loop.timers, clock, log });
  const listening = await stack.listenAt('127.0.0.1', port, (flow) => server.accept(flow));
  if (!listening.ok) {
    throw new Failure({
      what: `port ${port}: ${listening.error.kind}`,
      mend: 'name another --port',
    });
  }
  const listener = listening.value;
  const url = `http://127.0.0.1:${listener.port}/`;
  if (json) opened.out.jsonLine({ url });
  else opened.out.text(`${url}\n`);
  return new Promise<number>((resolve) => {
    const end = (): void => {
      listener.close();
      server.close();
      resolve(EXIT_OK);
    };
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
  });
}

const UNKNOWN = new TextEncoder().encode('ask for it by 127.0.0.1 or localhost\n');

/** A page whose own name leads to 127.0.0.1 is on this machine, and may neither read nor push. */
const knownHostsOnly = (handler: HttpHandler): HttpHandler => ({
  answer: (head) => (isKnownHost(head.host) ? handler.answer(head) : null),
  request(exchange) {
    if (isKnownHost(exchange.head.host)) handler.request(exchange);
    else exchange.respond(403, [['Content-Type', 'text/plain']], UNKNOWN);
  },
  bodyBytesMax: (head) => handler.bodyBytesMax!(head),
});

/** Only this machine pushes: there are no passwords here. */
const isLoopback = (address: string): boolean =>
  address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
