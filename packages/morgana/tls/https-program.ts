/** What `--tls` makes of a website or a handler: its arguments (HTTPS_ARGS) as options of HTTPS. */

import type { Stack } from '#device';
import type { HttpHandler, HttpServer } from '#http';
import type { AnyContext } from '../run.ts';
import { serveHttps } from './https.ts';
import type { TlsServer } from './tls-server.ts';

export function serveProgram(handler: HttpHandler, context: AnyContext): Promise<HttpServer> {
  const { stack, args, tls } = context;
  const [port, redirectFrom, publicPort, maxAgeSeconds] = [
    'port',
    'http-port',
    'public-port',
    'hsts',
  ].map((name) => Number(args[name])) as [number, number, number, number];
  return serveHttps(stack as Stack, port, handler, tls as TlsServer, context, {
    redirectFrom: redirectFrom === 0 ? null : redirectFrom,
    publicPort: publicPort === 0 ? port : publicPort,
    hsts: maxAgeSeconds === 0 ? null : { maxAgeSeconds },
  });
}
