/** Handlers and requests that the tests of the server share. */

import type { Exchange, ExchangeHandler, HeaderField, HttpHandler } from './exchange.ts';
import type { HttpLimits } from './limits.ts';
import { PreparedResponse } from './prepared-response.ts';
import { Bench, type FakeFlow } from './test-flow.ts';

export const GET = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n';
export const POST = (body: string): string =>
  `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
export const TEXT: readonly HeaderField[] = [['Content-Type', 'text/plain']];

/** Keeps what it was told, and its exchanges. */
export class Recorder implements HttpHandler, ExchangeHandler {
  readonly exchanges: Exchange[] = [];
  readonly events: string[] = [];
  onRequest: (exchange: Exchange) => void | Promise<void> = () => {};

  answer(): null {
    return null;
  }
  request(exchange: Exchange): void | Promise<void> {
    this.exchanges.push(exchange);
    this.events.push(`${exchange.head.method} ${exchange.head.path}`);
    return this.onRequest(exchange);
  }
  data(bytes: Uint8Array): void {
    this.events.push(`data ${Buffer.from(bytes).toString('latin1')}`);
  }
  end(): void {
    this.events.push('end');
  }
  drained(): void {
    this.events.push('drained');
  }
  aborted(): void {
    this.events.push('aborted');
  }
  /** Events since the last call. */
  take(): string[] {
    return this.events.splice(0);
  }
  get last(): Exchange {
    return this.exchanges[this.exchanges.length - 1]!;
  }
}

export function start(
  onRequest: (exchange: Exchange, recorder: Recorder) => void | Promise<void>,
  limits: Partial<HttpLimits> = {},
): { bench: Bench; flow: FakeFlow; recorder: Recorder } {
  const recorder = new Recorder();
  recorder.onRequest = (exchange) => onRequest(exchange, recorder);
  const bench = new Bench(recorder, limits);
  return { bench, flow: bench.connect(), recorder };
}

/** Answers the path at once. */
export const echoPath = (exchange: Exchange): void =>
  exchange.respond(200, TEXT, bytesOf(exchange.head.path));

/** Answers the body when it is complete. */
export function echoBody(exchange: Exchange): void {
  const parts: Uint8Array[] = [];
  exchange.attach({
    data: (bytes) => parts.push(Uint8Array.from(bytes)),
    end: () => exchange.respond(200, TEXT, Buffer.concat(parts)),
    drained: () => {},
    aborted: () => {},
  });
}

export const bodyOf = (response: string): string =>
  response.slice(response.indexOf('\r\n\r\n') + 4);
export const statusOf = (response: string): string => response.slice(9, 12);

/** Counts how often it is asked. */
export class Answerer implements HttpHandler {
  asked = 0;
  readonly response: PreparedResponse;
  constructor(body: Uint8Array) {
    this.response = new PreparedResponse(200, `Content-Length: ${body.length}\r\n`, [body]);
  }
  answer(): PreparedResponse {
    this.asked++;
    return this.response;
  }
  request(): void {
    throw new Error('not reached');
  }
}
