/**
 * Requests over HTTPS, by packages/http's client on connections that somebody else opens: TLS is
 * given, not made. Read first: transport.ts, packages/http/client/exchange.ts.
 */

import { err, hot, ok, type Result, type TimerQueue } from '#core';
import type { ConnectSecure } from '#device';
import { type ClientError, type ClientHandler, HttpClient } from '#http/client';
import type { TransportError } from './error.ts';
import type { AcmeAnswer, AcmeRequest, AcmeTransport, Sending } from './transport.ts';

/** RFC 8555 §6.1 wants a name of the client and a language. */
const FIELDS = [
  ['user-agent', 'Morgana'],
  ['accept-language', 'en'],
] as const;

/** An authority is asked for one thing at a time. */
const LIMITS = { originConnectionsMax: 2, connectionsMax: 4, waitingMax: 4 };

export class HttpTransport implements AcmeTransport {
  private readonly client: HttpClient;

  /** `connect` opens TLS connections, with the server's certificate checked. */
  constructor(connect: ConnectSecure, timers: TimerQueue) {
    this.client = new HttpClient({ connect, timers, limits: LIMITS });
  }

  send(request: AcmeRequest, done: (result: Result<AcmeAnswer, TransportError>) => void): Sending {
    const { method, url, accept, body } = request;
    const { host, port, authority, target } = url;
    const fields = [
      ...FIELDS,
      ...(accept === null ? [] : ([['accept', accept]] as const)),
      ...(body === null ? [] : ([['content-type', 'application/jose+json']] as const)),
    ];
    const reader = new AnswerReader(request.bodyBytesMax, done);
    const exchange = this.client.request(
      { method, host, port, authority, target, fields, body },
      reader,
    );
    reader.abort = () => exchange.abort();
    return { cancel: () => exchange.abort() };
  }
}

class AnswerReader implements ClientHandler {
  abort: () => void = () => {};
  private readonly bodyBytesMax: number;
  private readonly done: (result: Result<AcmeAnswer, TransportError>) => void;
  private status = 0;
  private readonly fields = new Map<string, string>();
  private readonly parts: Uint8Array[] = [];
  private bytes = 0;

  constructor(bodyBytesMax: number, done: AnswerReader['done']) {
    this.bodyBytesMax = bodyBytesMax;
    this.done = done;
  }

  response(head: Parameters<ClientHandler['response']>[0]): void {
    this.status = head.status;
    head.forEach((name, value) => void this.fields.set(name, value));
  }

  data(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    if (this.bytes > this.bodyBytesMax) {
      this.abort();
      this.done(err({ kind: 'too long' }));
      return;
    }
    this.parts.push(bytes.slice());
  }

  end(): void {
    const body = new Uint8Array(this.bytes);
    let at = 0;
    for (const part of this.parts) {
      hot.copy(body, at, part, 0, part.length);
      at += part.length;
    }
    this.done(ok({ status: this.status, fields: this.fields, body }));
  }

  failed(error: ClientError): void {
    this.done(err(transportError(error)));
  }

  drained(): void {}
}

function transportError(error: ClientError): TransportError {
  switch (error.kind) {
    case 'connect': {
      const { error: why } = error;
      const text = why.kind === 'tls' ? `TLS: ${why.fault}` : why.kind;
      return { kind: 'connection', text: `no connection: ${text}` };
    }
    case 'closed':
      return { kind: 'connection', text: 'the connection broke' };
    case 'malformed':
      return { kind: 'connection', text: 'what came is no HTTP/1.1 response' };
    case 'timeout':
      return { kind: 'timeout' };
    case 'busy':
      return { kind: 'connection', text: 'too many requests wait already' };
  }
}
