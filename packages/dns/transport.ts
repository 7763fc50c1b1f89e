/**
 * How questions travel: by datagram and by stream (stack-transport.ts); over TLS one day, by
 * another implementation of the same interface.
 */

import type { Endpoint } from '#device';

export interface DnsExchangeHandler {
  /** A message came from the server's address and port. Borrowed for this call only. */
  message(bytes: Uint8Array): void;
  /** Nothing will come. */
  failed(): void;
}

export interface DnsExchange {
  /** Nothing is called after this. */
  cancel(): void;
}

export interface DnsTransport {
  /**
   * Sends `query` from a port of its own that nobody can guess (RFC 5452 §9.2); messages from
   * elsewhere are counted and dropped. Owns `query`. Calls nothing before it returns.
   */
  datagram(server: Endpoint, query: Uint8Array, handler: DnsExchangeHandler): DnsExchange;
  /** Opens a connection for this query (RFC 7766). As above. */
  stream(server: Endpoint, query: Uint8Array, handler: DnsExchangeHandler): DnsExchange;
  counters(): Readonly<Record<string, number>>;
}
