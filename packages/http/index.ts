export type { Exchange, ExchangeHandler, HeaderField, HttpHandler } from './exchange.ts';
export {
  type FetchApp,
  type FetchInfo,
  type FetchPlatform,
  fetchHandler,
} from './fetch-handler.ts';
export { HttpsRedirect, type RedirectOptions } from './https-redirect.ts';
export { isKnownHost } from './known-host.ts';
export { DEFAULT_LIMITS, type HttpLimits } from './limits.ts';
export { PreparedResponse } from './prepared-response.ts';
export { HttpServer, type HttpServerOptions } from './server.ts';
export { StaticSite } from './static-site.ts';
export { isBodyless, statusText } from './status.ts';
export {
  acceptWebSocket,
  WEBSOCKET_LIMITS,
  WebSocket as ServerWebSocket,
  type WebSocketHandler,
  type WebSocketLimits,
  type WebSocketOptions,
} from './websocket/index.ts';
export { RequestHead } from './wire/request-head.ts';
