/** What one WebSocket may cost, and what happens past each bound. */

import { type Duration, seconds } from '#core';

export interface WebSocketLimits {
  /** A whole message; longer, as soon as its length is known: 1009. */
  readonly messageBytesMax: number;
  /** Control frames, and frames without payload, within a second; more: 1008. */
  readonly controlFramesPerSecond: number;
  /** Above so many queued bytes pings aren't answered: who doesn't read needs no pong. */
  readonly pongQueuedBytesMax: number;
  /** After so long without a frame we ask; after as long again without any the peer is gone. */
  readonly pingEvery: Duration;
  /** How long the peer has for its part of the closing handshake; longer: the flow is broken. */
  readonly closeWait: Duration;
}

export const WEBSOCKET_LIMITS: WebSocketLimits = {
  messageBytesMax: 1_048_576,
  controlFramesPerSecond: 32,
  pongQueuedBytesMax: 65_536,
  pingEvery: seconds(30),
  closeWait: seconds(5),
};

/** What a message's memory begins with; it grows by what came, not by what was announced. */
export const messageBytesFirst = 1_024;
