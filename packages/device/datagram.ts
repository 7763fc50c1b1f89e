/** A UDP socket: messages to and from any peer. */

import type { Endpoint } from './flow.ts';

export interface DatagramHandler {
  /**
   * A message arrived; `bytes` is borrowed for this call only. `to`: the address that it was sent
   * to, one of ours or one that we share (where the host tells; else any of ours).
   */
  receive(bytes: Uint8Array, from: Endpoint, to: string): void;
  /**
   * A router or `to` itself says that a message of ours couldn't be delivered there: nobody listens,
   * or there is no way. A hint: it may be late, and anybody could have forged it.
   */
  unreachable?(to: Endpoint): void;
}

export interface DatagramSocket {
  readonly local: Endpoint;
  /**
   * Sends one message, at most 65,507 bytes; copied before return. False when it was dropped (queue
   * full, no route). `from`: the address of ours that it comes from, as an answer should come from
   * the one that was asked; absent, or an address that we share: the one that suits.
   */
  send(bytes: Uint8Array, to: Endpoint, from?: string): boolean;
  /**
   * From now on also receives what is sent to this multicast group on the socket's port. False when
   * it is no group, or one too many.
   */
  join(group: string): boolean;
  /** Undoes `join`; `close` does so too. */
  leave(group: string): void;
  close(): void;
}
