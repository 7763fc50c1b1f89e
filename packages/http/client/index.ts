/** The client's side of HTTP/1.1. Read first: exchange.ts, client.ts. */

export { HttpClient, type HttpClientOptions } from './client.ts';
export type { ClientError, ClientExchange, ClientHandler, ClientRequest } from './exchange.ts';
export { type ClientLimits, DEFAULT_CLIENT_LIMITS } from './limits.ts';
