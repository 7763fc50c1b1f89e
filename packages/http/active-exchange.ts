/** The exchange in progress on a connection: the response's head and framing (RFC 9112 §6, §7). */

import { hot } from '#core';
import type { Endpoint, Flow, FlowHandler } from '#device';
import type { HttpConnection } from './connection.ts';
import type { Exchange, ExchangeHandler, HeaderField } from './exchange.ts';
import { latin1Bytes } from './latin1-bytes.ts';
import { JOINED_BODY_BYTES_MAX, type PreparedResponse } from './prepared-response.ts';
import type { RequestBody } from './request-body.ts';
import { isBodyless, statusText } from './status.ts';
import { isFieldValue } from './wire/chars.ts';
import type { RequestHead } from './wire/request-head.ts';

/** How the body of a streamed response is delimited. */
type Framing = 'none' | 'length' | 'chunked' | 'close';

export class ActiveExchange implements Exchange {
  readonly head: RequestHead;
  handler: ExchangeHandler | null = null;
  isPaused = false;
  /** 100 (Continue) was sent; the handler was told of the end of the body. */
  continued = false;
  bodyEnded = false;
  responded = false;
  finished = false;
  /** The connection may serve another request after this response. */
  keepAlive: boolean;
  private readonly connection: HttpConnection;
  private framing: Framing = 'none';
  private leftBytes = 0;
  private chunks = 0;

  constructor(connection: HttpConnection, head: RequestHead, keepAlive: boolean) {
    this.connection = connection;
    this.head = head;
    this.keepAlive = keepAlive;
  }

  get flow(): Flow {
    return this.connection.flow;
  }

  get local(): Endpoint {
    return this.connection.flow.local;
  }

  get remote(): Endpoint {
    return this.connection.flow.remote;
  }

  get queuedBytes(): number {
    return this.finished ? 0 : this.connection.flow.queuedBytes;
  }

  /** True once: the client waits for 100 (Continue), and nothing of `body` has come. */
  continues(body: RequestBody): boolean {
    const isDue = this.head.expectsContinue && !this.continued && !this.responded;
    if (!isDue || body.isDone || body.receivedBytes > 0) return false;
    this.continued = true;
    return true;
  }

  attach(handler: ExchangeHandler): void {
    if (this.handler !== null || this.finished) return;
    this.handler = handler;
    this.connection.bodyWanted();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused || this.finished) return;
    this.isPaused = false;
    this.connection.bodyWanted();
  }

  /** Sends a response made before; `parts` empty for HEAD. */
  respondPrepared(response: PreparedResponse): void {
    this.keepAlive &&= this.connection.mayReachNext(this);
    this.responded = true;
    const writer = this.connection.writer;
    if (this.keepAlive && this.head.minorVersion === 1) writer.sendPrepared(response);
    else writer.sendSaying(this.keepAlive ? 'keep-alive' : 'close', response, false);
    this.done();
  }

  respond(status: number, fields: readonly HeaderField[], body: Uint8Array): void {
    if (this.responded || this.finished) return;
    this.keepAlive &&= this.connection.mayReachNext(this);
    const head = this.headText(status, fields, body.length);
    this.responded = true;
    const isSent = this.head.method !== 'HEAD' && !isBodyless(status);
    if (isSent && body.length <= JOINED_BODY_BYTES_MAX) {
      const bytes = new Uint8Array(head.length + body.length);
      hot.writeLatin1(bytes, 0, head);
      hot.copy(bytes, head.length, body, 0, body.length);
      this.connection.writer.send(bytes);
    } else {
      this.connection.writer.send(latin1Bytes(head));
      if (isSent) this.connection.writer.send(body);
    }
    this.done();
  }

  begin(status: number, fields: readonly HeaderField[], lengthBytes: number | null): void {
    if (this.responded || this.finished) return;
    // A 1.0 client knows no chunks: the end of the connection ends the body (RFC 9112 §6.3).
    const closes = lengthBytes === null && this.head.minorVersion === 0;
    if (closes) this.keepAlive = false;
    const head = this.headText(status, fields, lengthBytes);
    this.responded = true;
    if (this.head.method === 'HEAD' || isBodyless(status)) this.framing = 'none';
    else this.framing = lengthBytes !== null ? 'length' : closes ? 'close' : 'chunked';
    this.leftBytes = lengthBytes ?? 0;
    this.connection.writer.send(latin1Bytes(head));
  }

  write(bytes: Uint8Array): void {
    if (!this.responded || this.finished || this.framing === 'none' || bytes.length === 0) return;
    if (this.framing === 'length') {
      if (bytes.length > this.leftBytes) throw new RangeError('more bytes than announced');
      this.leftBytes -= bytes.length;
    } else if (this.framing === 'chunked') {
      const size = `${bytes.length.toString(16)}\r\n`;
      this.connection.writer.send(latin1Bytes(this.chunks++ === 0 ? size : `\r\n${size}`));
    }
    this.connection.writer.send(bytes);
  }

  finish(): void {
    if (!this.responded || this.finished) return;
    if (this.framing === 'length' && this.leftBytes > 0) {
      this.abort();
      return;
    }
    if (this.framing === 'chunked') {
      this.connection.writer.send(latin1Bytes(this.chunks === 0 ? '0\r\n\r\n' : '\r\n0\r\n\r\n'));
    }
    this.done();
  }

  abort(): void {
    if (this.finished) return;
    this.finished = true;
    this.handler = null;
    this.connection.flow.abort();
  }

  upgrade(
    protocol: string,
    fields: readonly HeaderField[],
    take: (flow: Flow) => FlowHandler,
  ): boolean {
    const { head } = this;
    if (this.responded || this.finished) return false;
    if (head.bodyBytes !== 0 || head.minorVersion === 0) return false;
    const text = this.fieldsText('HTTP/1.1 101 Switching Protocols\r\n', fields);
    this.responded = true;
    this.finished = true;
    this.handler = null;
    this.connection.switchTo(`${text}Connection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`, take);
    return true;
  }

  /** The connection ends the exchange: tells the handler, once. */
  cut(): void {
    if (this.finished) return;
    this.finished = true;
    const handler = this.handler;
    this.handler = null;
    try {
      handler?.aborted();
    } catch (error) {
      this.connection.server.handlerFailed(this, this.connection, error);
    }
  }

  private done(): void {
    this.finished = true;
    this.handler = null;
    this.connection.responseDone();
  }

  private headText(
    status: number,
    fields: readonly HeaderField[],
    lengthBytes: number | null,
  ): string {
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new RangeError(`status ${status}`);
    }
    let text = this.fieldsText(`HTTP/1.1 ${status} ${statusText(status)}\r\n`, fields);
    if (!isBodyless(status)) {
      if (lengthBytes !== null) text += `Content-Length: ${lengthBytes}\r\n`;
      else if (this.head.minorVersion === 1) text += 'Transfer-Encoding: chunked\r\n';
    }
    if (!this.keepAlive) text += 'Connection: close\r\n';
    else if (this.head.minorVersion === 0) text += 'Connection: keep-alive\r\n';
    return `${text}\r\n`;
  }

  /** The status line, then the handler's fields, then those of every response. */
  private fieldsText(statusLine: string, fields: readonly HeaderField[]): string {
    let text = statusLine;
    let hasDate = false;
    const names = this.connection.server.fieldNames;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      const name = field[0];
      const value = field[1];
      const kind = names.kind(name);
      if (kind === 'bad' || !isFieldValue(value)) throw new RangeError(`header field ${name}`);
      if (kind === 'framing') continue;
      if (kind === 'date') hasDate = true;
      text += `${name}: ${value}\r\n`;
    }
    const { server } = this.connection;
    return text + (hasDate ? server.ownLines : server.date().dateLine);
  }
}
