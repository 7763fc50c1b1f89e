/** A UDP socket: messages to and from any peer. */

import type { Endpoint } from './flow.ts';

export interface DatagramHandler {
  /** A message arrived; `bytes` is borrowed for this call only. */
  receive(bytes: Uint8Array, from: Endpoint): void;
}

export interface DatagramSocket {
  readonly local: Endpoint;
  /**
   * Sends one message, at most 65,507 bytes; copied before return. False when it was dropped (queue
   * full, no route).
   */
  send(bytes: Uint8Array, to: Endpoint): boolean;
  close(): void;
}
