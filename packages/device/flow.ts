/**
 * A reliable ordered stream of bytes, both ways: a TCP connection, a TLS session, a host socket.
 * Events are pushed, synchronously; `flow-io.ts` has the promise-shaped adapter for applications.
 */

import type { Duration } from '#core';

/** Text form of an address, as in a URL but without brackets; and a port, 0..65535. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export type FlowEnd =
  /** Both sides finished. */
  | 'closed'
  /** The peer broke the connection (RST), or we did (`abort`). */
  | 'reset'
  /** The peer stopped answering. */
  | 'timeout';

export interface FlowHandler {
  /**
   * Bytes arrived in order. Borrowed for this call only: copy what you keep. Never called while
   * paused.
   */
  data(bytes: Uint8Array): void;
  /**
   * `queuedBytes` fell to `lowWaterBytes` or under, after having been above. A mark that grew by
   * itself may be beyond a writer's own bound (65,536 or more): then it is called again, the last
   * time at 65,536.
   */
  drained(): void;
  /** The peer sends no more (FIN). We still may. */
  end(): void;
  /** The flow is gone; nothing is called after this. */
  closed(how: FlowEnd): void;
}

export interface Flow {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Bytes written and not yet acknowledged by the peer (or taken by the host). */
  readonly queuedBytes: number;
  /** The mark for `drained`; 65,536, and more on fast ways over long distances, unless set. */
  lowWaterBytes: number;
  /**
   * Small writes leave at the end of their turn, whatever else isn't acknowledged: no Nagle (RFC
   * 9293 §3.7.4). For answers to a person's keys and the like; host sockets start with true.
   */
  noDelay: boolean;
  /**
   * Sets who is told. Call before returning from the accept or connect callback; may be called
   * again later.
   */
  attach(handler: FlowHandler): void;
  /**
   * Queues `bytes` for sending, without copying: the array is the flow's from now on and must never
   * change. Always accepts; a writer that watches `queuedBytes` and waits for `drained` stays
   * bounded. What is written in one turn of the event loop leaves in as few packets as possible.
   * Ignored once closed or shut down.
   */
  write(bytes: Uint8Array): void;
  /** Sends what is queued, then FIN: we send no more. */
  shutdown(): void;
  /**
   * Breaks the connection at once (RST); what is queued is dropped. `closed` follows, with 'reset'.
   */
  abort(): void;
  /**
   * Asks the peer whether it is still there when nothing came for `idle` (at least a second), and
   * ends the flow ('timeout') when it stays silent for about a minute. Null, as a flow begins:
   * never asks; a peer that vanished while nothing was written stays for ever.
   */
  askIfAlive(idle: Duration | null): void;
  /** Stops `data` events: bytes wait in the flow up to its receive window, then in the peer. */
  pause(): void;
  /** Undoes `pause`; what waits is delivered later, not within this call. */
  resume(): void;
}
