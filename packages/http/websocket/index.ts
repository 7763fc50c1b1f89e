/** WebSockets, the server's end. Read first: handshake.ts, web-socket.ts, frame-reader.ts. */
export { acceptOf, acceptWebSocket, type WebSocketOptions } from './handshake.ts';
export { WEBSOCKET_LIMITS, type WebSocketLimits } from './limits.ts';
export {
  CLOSE_ABNORMAL,
  CLOSE_NORMAL,
  WebSocket,
  type WebSocketHandler,
} from './web-socket.ts';
