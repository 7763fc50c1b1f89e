/**
 * What listens on the port of plain HTTP beside HTTPS: sends every request to the same place over
 * TLS, RFC 9110 §15.4.9. Nothing of the request but its host and target comes back, each in its own
 * place: a target can't become another host. Not here: HSTS, which is a field of the other server.
 */

import { hot } from '#core';
import type { Exchange, HttpHandler } from './exchange.ts';
import { PreparedResponse } from './prepared-response.ts';
import { statusText } from './status.ts';
import type { RequestHead } from './wire/request-head.ts';

export interface RedirectOptions {
  /** The port of HTTPS as clients see it; 443 isn't named. */
  readonly port: number;
  /** For clients that name no host (HTTP/1.0); null: the address that they reached. */
  readonly host: () => string | null;
  /** Answers some requests in place of a redirect (RFC 8555 §8.3); true: it took this one. */
  readonly except?: (exchange: Exchange) => boolean;
}

/** A name or an IPv4 address, or an IPv6 address in brackets; and a port, which doesn't count. */
const HOST = /^([a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::\d*)?$/i;
/** RFC 8615: what agreed-upon clients look for, over plain HTTP too. */
const WELL_KNOWN = '/.well-known/';

export class HttpsRedirect implements HttpHandler {
  private readonly options: RedirectOptions;
  private readonly suffix: string;

  constructor(options: RedirectOptions) {
    this.options = options;
    this.suffix = options.port === 443 ? '' : `:${options.port}`;
  }

  answer(head: RequestHead): PreparedResponse | null {
    const mayDiffer = head.host === '' || head.path.startsWith(WELL_KNOWN);
    return mayDiffer ? null : this.responseTo(head, head.host);
  }

  request(exchange: Exchange): void {
    if (this.options.except?.(exchange) === true) return;
    const { head, local } = exchange;
    const address = local.address.includes(':') ? `[${local.address}]` : local.address;
    const host = head.host === '' ? (this.options.host() ?? address) : head.host;
    const { status, location, body } = this.partsOf(head, host);
    const fields = location === null ? [TYPE] : [TYPE, ['Location', location] as const];
    exchange.respond(status, fields, body);
  }

  private responseTo(head: RequestHead, host: string): PreparedResponse {
    const { status, location, body } = this.partsOf(head, host);
    const where = location === null ? '' : `Location: ${location}\r\n`;
    const lines = `${TYPE[0]}: ${TYPE[1]}\r\n${where}Content-Length: ${body.length}\r\n`;
    return new PreparedResponse(status, lines, head.method === 'HEAD' ? [] : [body]);
  }

  private partsOf(
    head: RequestHead,
    host: string,
  ): { status: number; location: string | null; body: Uint8Array } {
    const found = HOST.exec(host);
    const status = found === null ? 400 : 308;
    const body = hot.utf8Encode(`${status} ${statusText(status)}\n`);
    if (found === null) return { status, location: null, body };
    // RFC 9110 §7.1: the target URI of '*' has an empty path.
    const path = head.path === '*' ? '' : head.path;
    const query = head.query === null ? '' : `?${head.query}`;
    const location = `https://${found[1]}${this.suffix}${path}${query}`;
    return { status, location, body };
  }
}

const TYPE = ['Content-Type', 'text/plain; charset=utf-8'] as const;
