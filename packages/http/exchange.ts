/**
 * One request and its response, as handlers see them: synchronous, pushed, borrowed bytes, like
 * `Flow`. Read first: RFC 9110 §3.4, §6. Not here: connections and framing (connection.ts).
 */

import type { Endpoint, Flow, FlowHandler } from '#device';
import type { PreparedResponse } from './prepared-response.ts';
import type { RequestHead } from './wire/request-head.ts';

/**
 * Name (any case) and value, one char code (0..255) a byte. A name that is no token, or a value
 * with a control character or a char code above 255, makes `begin` and `respond` throw a
 * RangeError. The server itself writes Connection, Keep-Alive, Content-Length, Transfer-Encoding
 * and Upgrade, and ignores a handler's; Date is added unless given.
 */
export type HeaderField = readonly [name: string, value: string];

/** What a handler is told once it has attached itself to an exchange. */
export interface ExchangeHandler {
  /** Bytes of the request's body. Borrowed for this call only. Never called while paused. */
  data(bytes: Uint8Array): void;
  /** The request's body is complete. Called at once by `attach` when there is none. */
  end(): void;
  /** `queuedBytes` fell to 65,536 or under after having been above: write on. */
  drained(): void;
  /**
   * The client is gone, or broke the protocol or a limit: nothing more is called, writes are
   * ignored.
   */
  aborted(): void;
}

export interface Exchange {
  /** The handler may keep it for as long as it likes. */
  readonly head: RequestHead;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** The connection, to be asked what it is (a TLS session, say); it stays the server's. */
  readonly flow: Flow;
  /**
   * Response bytes written and not yet taken by the client; those of pipelined predecessors
   * included.
   */
  readonly queuedBytes: number;
  /** True once `respond` or `begin` was called. */
  readonly responded: boolean;
  /**
   * True once the response is complete or the exchange was aborted; everything is ignored from then
   * on.
   */
  readonly finished: boolean;
  /**
   * Asks for the events, at any time, once. The body waits (in the peer) until then, and `Expect:
   * 100-continue` is answered by it. A handler that never attaches doesn't want the body: what
   * there is of it is thrown away after the response, or the connection is closed.
   */
  attach(handler: ExchangeHandler): void;
  /** Stops `data` and `end`. */
  pause(): void;
  /** Undoes `pause`; what waits may be delivered within this call. */
  resume(): void;
  /**
   * The whole response. `body` is the server's from now on and must never change. HEAD, 204 and 304
   * send none of it (but for HEAD its length). Status 200..599; throws a RangeError on a bad status
   * or field.
   */
  respond(status: number, fields: readonly HeaderField[], body: Uint8Array): void;
  /**
   * Starts a streamed response of exactly `lengthBytes`, or of any length when null (chunked, or
   * ended by the connection's end for an HTTP/1.0 client). Throws as `respond` does.
   */
  begin(status: number, fields: readonly HeaderField[], lengthBytes: number | null): void;
  /**
   * Always accepts; watch `queuedBytes`. `bytes` is the server's from now on. More than announced
   * throws a RangeError.
   */
  write(bytes: Uint8Array): void;
  /**
   * Ends a streamed response. Fewer bytes than announced break the connection, so the client
   * notices.
   */
  finish(): void;
  /** Breaks the connection: the client sees an incomplete response. */
  abort(): void;
  /**
   * Answers 101 (Switching Protocols): the connection speaks `protocol` from now on, and whoever
   * `take` returns is its handler; what the client sent already follows within this call or the
   * event that it came in. The server's limits end with it, and its count of connections. False,
   * and nothing done, when the request has a body, came by HTTP/1.0, or is answered.
   */
  upgrade(
    protocol: string,
    fields: readonly HeaderField[],
    take: (flow: Flow) => FlowHandler,
  ): boolean;
}

export interface HttpHandler {
  /**
   * How long the body of this request may be, for handlers that don't hold bodies; longer: 413.
   * Absent: the server's own `bodyBytesMax`.
   */
  bodyBytesMax?(head: RequestHead): number;
  /**
   * An answer that follows from the head alone, or null: then `request` is called. The server gives
   * the same answer again, without asking, to the same head (byte for byte); so it must hold as
   * long as the server lives.
   */
  answer(head: RequestHead): PreparedResponse | null;
  /**
   * Answers now or later. A throw or a rejection is logged and becomes a 500 and the end of this
   * connection only (an abort, when the response had begun).
   */
  request(exchange: Exchange): void | Promise<void>;
}
