/**
 * How questions travel: by datagram and by stream (stack-transport.ts), or over TLS to the servers
 * that say so (tls-transport.ts).
 */

import type { Endpoint } from '#device';

export interface DnsServer extends Endpoint {
  /**
   * Asked over TLS and no other way (RFC 8310 §5: strict). What its certificate must name; null:
   * its address. Absent: asked in the open.
   */
  readonly tlsName?: string | null;
}

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
  datagram(server: DnsServer, query: Uint8Array, handler: DnsExchangeHandler): DnsExchange;
  /** Opens a connection for this query (RFC 7766). As above. */
  stream(server: DnsServer, query: Uint8Array, handler: DnsExchangeHandler): DnsExchange;
  counters(): Readonly<Record<string, number>>;
}
