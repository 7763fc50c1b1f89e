/** A request and its response, as a client sees them. */

import type { ConnectError, TlsFault } from '#device';
import type { HeaderField } from '../exchange.ts';
import type { ResponseHead } from '../wire/response-head.ts';

export interface ClientRequest {
  /** A token. */
  readonly method: string;
  /** A name or a numeric address, an IPv6 one without brackets. */
  readonly host: string;
  readonly port: number;
  /** The value of Host (RFC 9110 §7.2). */
  readonly authority: string;
  /** Path and query, or '*'. */
  readonly target: string;
  /** Names and values must be of the forms that RFC 9110 §5 gives them; framing is left out. */
  readonly fields: readonly HeaderField[];
  /** Bytes, which must not change; or a stream of so many bytes, null: as many as come; or none. */
  readonly body: Uint8Array | { readonly lengthBytes: number | null } | null;
}

/** Why a request has no response, or not all of one. */
export type ClientError =
  | { readonly kind: 'connect'; readonly error: ConnectError | TlsFault }
  /** The server ended the connection too early. */
  | { readonly kind: 'closed' }
  /** What came is no response. */
  | { readonly kind: 'malformed' }
  | { readonly kind: 'timeout' }
  /** Too many requests wait already. */
  | { readonly kind: 'busy' };

/** Told in this order: `response`, `data`s, `end`; or `failed`, at any time before the end. */
export interface ClientHandler {
  response(head: ResponseHead): void;
  /** Borrowed for this call only. Never called while paused. */
  data(bytes: Uint8Array): void;
  /** The response is complete. */
  end(): void;
  /** Nothing is called after this. */
  failed(error: ClientError): void;
  /** The server took enough of what was written to write on. */
  drained(): void;
}

/** What the one who asked can do. All of it is harmless once the exchange is over. */
export interface ClientExchange {
  /** Bytes written and not yet taken by the server. */
  readonly queuedBytes: number;
  /** So many bytes are queued that a writer should wait for `drained`, which will be told. */
  readonly isFull: boolean;
  /** The next bytes of a streamed body; they must not change. */
  write(bytes: Uint8Array): void;
  /** The streamed body is complete. */
  finish(): void;
  pause(): void;
  resume(): void;
  /** Gives up. Nothing is called after this. */
  abort(): void;
}
