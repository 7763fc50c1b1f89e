/** The network as applications see it: our own TCP/IP on a NetDevice, or a host's sockets. */

import type { Result } from '#core';
import type { DatagramHandler, DatagramSocket } from './datagram.ts';
import type { Flow } from './flow.ts';

export type ListenError = { readonly kind: 'port in use' | 'not permitted'; readonly port: number };
export type ConnectError = {
  readonly kind: 'refused' | 'unreachable' | 'timeout' | 'no port' | 'bad address';
};

export interface Listener {
  /** The port listened on: the given one, or the one chosen when 0 was given. */
  readonly port: number;
  /** Accepts no more; open flows go on. */
  close(): void;
}

export interface Stack {
  /** Accepts TCP connections on `port` of every address; `accept` must attach a handler. */
  listen(port: number, accept: (flow: Flow) => void): Promise<Result<Listener, ListenError>>;
  /**
   * Opens a TCP connection to a numeric address; `opened` must attach a handler to the flow it
   * gets.
   */
  connect(
    address: string,
    port: number,
    opened: (result: Result<Flow, ConnectError>) => void,
  ): void;
  /** Opens a UDP socket on `port`, 0 for any. */
  bind(port: number, handler: DatagramHandler): Promise<Result<DatagramSocket, ListenError>>;
  /** Our addresses with their prefix lengths ("10.0.2.15/24"), empty until configured. */
  addresses(): readonly string[];
  /** Counters by name, for logs and inspection. */
  counters(): Readonly<Record<string, number>>;
}
