/**
 * The opening handshake, the server's part (RFC 6455 §4.2): an HTTP request becomes a WebSocket, or
 * is answered with what is wrong with it. Deviates: who may connect is checked here too (§10.2): a
 * page of another site could otherwise use its visitor's rights.
 */

import { hot, type TimerQueue } from '#core';
import type { CryptoPrimitives } from '#device';
import type { Exchange, HeaderField } from '../exchange.ts';
import { isKnownHost } from '../known-host.ts';
import { latin1Bytes } from '../latin1-bytes.ts';
import type { RequestHead } from '../wire/request-head.ts';
import { hasToken } from '../wire/token-list.ts';
import { WEBSOCKET_LIMITS, type WebSocketLimits } from './limits.ts';
import { WebSocket } from './web-socket.ts';

export interface WebSocketOptions {
  readonly timers: TimerQueue;
  /** For the handshake's SHA-1, which protects nothing. */
  readonly crypto: Pick<CryptoPrimitives, 'digest'>;
  /** What differs from WEBSOCKET_LIMITS. */
  readonly limits?: Partial<WebSocketLimits>;
  /** Subprotocols that we speak; then a client must offer one of them. None: none is agreed on. */
  readonly protocols?: readonly string[];
  /**
   * Whether a page of `origin` may connect; null: no browser asks. Absent: pages of this host, and
   * whoever is no browser. A page that wasn't loaded by HTTPS, where a certificate proves the host,
   * is of this host only when that is localhost, an address, or one of `hosts`.
   */
  readonly allows?: (origin: string | null, head: RequestHead) => boolean;
  /** Names that this server is known by, without ports: known-host.ts. */
  readonly hosts?: readonly string[];
}

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Sixteen bytes in base64 end in the two bits' worth of four letters. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;
const VERSION = '13';

/**
 * The WebSocket of `exchange`, which is over then: attach to it before returning. Null: it was no
 * handshake of ours, and is answered.
 */
export function acceptWebSocket(exchange: Exchange, options: WebSocketOptions): WebSocket | null {
  const { head } = exchange;
  const refusal = refusalOf(head, options);
  if (refusal !== null) return refuse(exchange, ...refusal);
  const protocol = protocolOf(head, options.protocols ?? []);
  if (protocol === null) return refuse(exchange, 400, 'no subprotocol that this server speaks');
  const key = head.get('sec-websocket-key') ?? '';
  const fields: HeaderField[] = [['Sec-WebSocket-Accept', acceptOf(key, options.crypto)]];
  if (protocol !== '') fields.push(['Sec-WebSocket-Protocol', protocol]);
  let made: WebSocket | null = null;
  const limits = { ...WEBSOCKET_LIMITS, ...options.limits };
  exchange.upgrade('websocket', fields, (flow) => {
    made = new WebSocket(flow, options.timers, limits, protocol);
    return made;
  });
  return made ?? refuse(exchange, 400, 'a handshake with a body, or by HTTP/1.0');
}

/** RFC 6455 §4.2.2 (5.4). */
export function acceptOf(key: string, crypto: Pick<CryptoPrimitives, 'digest'>): string {
  const digest = crypto.digest('SHA-1', latin1Bytes(key + GUID));
  return btoa(hot.latin1(digest, 0, digest.length));
}

type Refusal = readonly [status: number, why: string, fields?: readonly HeaderField[]];

function refusalOf(head: RequestHead, { allows, hosts }: WebSocketOptions): Refusal | null {
  if (head.method !== 'GET') return [405, 'only GET', [['Allow', 'GET']]];
  const asks =
    hasToken(head.get('upgrade') ?? '', 'websocket') &&
    hasToken(head.get('connection') ?? '', 'upgrade');
  if (!asks) return [426, 'this is for WebSockets'];
  if (head.get('sec-websocket-version') !== VERSION) {
    return [426, `only version ${VERSION}`, [['Sec-WebSocket-Version', VERSION]]];
  }
  if (!KEY.test(head.get('sec-websocket-key') ?? '')) return [400, 'no key of 16 bytes'];
  const origin = head.get('origin');
  if (allows !== undefined) return allows(origin, head) ? null : NOT_THEIRS;
  if (origin === null) return null;
  const own = /^(https?):\/\/([^/]+)$/i.exec(origin);
  if (own === null || own[2]!.toLowerCase() !== head.host.toLowerCase()) return NOT_THEIRS;
  const isProven = own[1]!.toLowerCase() === 'https';
  return isProven || isKnownHost(head.host, hosts) ? null : UNKNOWN_HOST;
}

const NOT_THEIRS: Refusal = [403, 'pages of this origin may not connect'];
const UNKNOWN_HOST: Refusal = [403, 'this server has no such name: its program says which (hosts)'];

function refuse(exchange: Exchange, ...[status, why, fields = []]: Refusal): null {
  const type: HeaderField = ['Content-Type', 'text/plain; charset=utf-8'];
  exchange.respond(status, [type, ...fields], latin1Bytes(`${why}\n`));
  return null;
}

/** The first of the client's that we speak; '' when we speak none; null: it must offer one. */
function protocolOf(head: RequestHead, ours: readonly string[]): string | null {
  if (ours.length === 0) return '';
  const offered = (head.get('sec-websocket-protocol') ?? '').split(',').map((one) => one.trim());
  return offered.find((one) => ours.includes(one)) ?? null;
}
