/**
 * HTTPS: an HTTP server over TLS sessions, plain HTTP that redirects to it (RFC 9110 §15.4.9), and
 * HSTS (RFC 6797). packages/http sees flows only. Not here: certificates (tls-server.ts).
 */

import type { Flow, Stack } from '#device';
import { type HeaderField, type HttpHandler, HttpServer, HttpsRedirect } from '#http';
import type { TlsFlow } from '#tls';
import { httpServerOptions, type ServeEnvironment } from '../http.ts';
import type { TlsServer } from './tls-server.ts';

export interface Hsts {
  /** How long browsers remember it, seconds; 0: they forget it (RFC 6797 §6.1.1). */
  readonly maxAgeSeconds: number;
  readonly includeSubDomains?: boolean;
  /** Consent to the lists that browsers ship with; hard to undo. */
  readonly preload?: boolean;
}

export interface HttpsOptions {
  /** The port of plain HTTP, where every request is redirected; null or absent: none. */
  readonly redirectFrom?: number | null;
  /** The port of HTTPS as clients see it; the one that is listened on unless given. */
  readonly publicPort?: number;
  /** Null or absent: nothing is said. */
  readonly hsts?: Hsts | null;
}

/** The field of RFC 6797 §6.1. */
function hstsField({ maxAgeSeconds, includeSubDomains, preload }: Hsts): HeaderField {
  const sub = includeSubDomains === true ? '; includeSubDomains' : '';
  const list = preload === true ? '; preload' : '';
  return ['Strict-Transport-Security', `max-age=${maxAgeSeconds}${sub}${list}`];
}

/**
 * Serves `handler` over HTTPS on `port`, with ALPN http/1.1. Rejects when a port can't be had. The
 * server lives as long as the image.
 */
export async function serveHttps(
  stack: Stack,
  port: number,
  handler: HttpHandler,
  tls: TlsServer,
  environment: ServeEnvironment,
  options: HttpsOptions = {},
): Promise<HttpServer> {
  const { hsts = null, redirectFrom = null, publicPort = port } = options;
  const { answerInPlain } = tls;
  const common = httpServerOptions(environment);
  // RFC 6797 §7.2: never over plain HTTP.
  const fields = hsts === null ? [] : [hstsField(hsts)];
  const server = new HttpServer({ handler, ...common, fields });
  const listening = await tls.listen(stack, port, (flow) => server.accept(flow), {
    alpn: ['http/1.1'],
  });
  if (!listening.ok) throw new Error(`port ${port}: ${listening.error.kind}`);
  const { log } = environment;
  log.info(`listening on port ${listening.value.port} (HTTPS)`);
  if (redirectFrom === null) return server;
  const redirect = new HttpServer({
    handler: new HttpsRedirect({
      port: publicPort,
      host: () => tls.firstName,
      ...(answerInPlain === null ? {} : { except: answerInPlain }),
    }),
    ...common,
  });
  const plain = await stack.listen(redirectFrom, (flow) => redirect.accept(flow));
  if (!plain.ok) throw new Error(`port ${redirectFrom}: ${plain.error.kind}`);
  log.info(`listening on port ${plain.value.port} (HTTP, redirects to HTTPS)`);
  return server;
}

/**
 * The TLS session of a connection: what was agreed on, and the client's certificates, checked.
 * Null: there is no TLS on it. For `fetch(request, info)`: `tlsSession(info.flow)`.
 */
export const tlsSession = (flow: Flow): TlsFlow['session'] | null =>
  'session' in flow ? (flow as TlsFlow).session : null;
