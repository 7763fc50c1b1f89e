/** The network as applications see it: our own TCP/IP on a NetDevice, or a host's sockets. */

import type { Result } from '#core';
import type { DatagramHandler, DatagramSocket } from './datagram.ts';
import type { Flow } from './flow.ts';
import type { InspectRequest, StackSnapshot } from './inspect.ts';

export type ListenError = { readonly kind: 'port in use' | 'not permitted'; readonly port: number };
export type ConnectError = {
  readonly kind: 'refused' | 'unreachable' | 'timeout' | 'no port' | NameError['kind'];
};

/** There was a connection, and no TLS session on it. */
export interface TlsFault {
  readonly kind: 'tls';
  /** Why, in a few words: 'unknown issuer'. */
  readonly fault: string;
  /** The alert that was sent or came, as RFC 8446 §6 names it; null: none. */
  readonly alert: string | null;
}

/** As Stack.connect, where there may be TLS on the connection. */
export type ConnectSecure = (
  address: string,
  port: number,
  opened: (result: Result<Flow, ConnectError | TlsFault>) => void,
) => Connecting;

/** Why a name has no address. */
export type NameError = {
  readonly kind: /** Neither an address nor a name (host-name.ts). */
    | 'bad address'
    | 'name not found'
    /** The name exists, without an address that we could use. */
    | 'no address'
    /** No answer, or none but errors. */
    | 'name servers silent'
    | 'name servers failed'
    /** Nobody told us any: neither the network nor an argument. */
    | 'no name servers'
    | 'too many names';
};

/** A connection that is being opened. */
export interface Connecting {
  /** Gives up: `opened` isn't called any more, and nothing stays behind. Harmless afterwards. */
  cancel(): void;
}

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
   * Opens a TCP connection to a numeric address or a host's name; a name's addresses are tried by
   * Happy Eyeballs (RFC 8305). `opened` is called once, later; it must attach a handler to the flow
   * it gets.
   */
  connect(
    address: string,
    port: number,
    opened: (result: Result<Flow, ConnectError>) => void,
  ): Connecting;
  /** Numeric addresses of a host's name (or of itself, when numeric), the best one first. */
  resolve(name: string): Promise<Result<readonly string[], NameError>>;
  /** Opens a UDP socket on `port`, 0 for any. */
  bind(port: number, handler: DatagramHandler): Promise<Result<DatagramSocket, ListenError>>;
  /** Our addresses with their prefix lengths ("10.0.2.15/24"), empty until configured. */
  addresses(): readonly string[];
  /** Counters by name, for logs and inspection. */
  counters(): Readonly<Record<string, number>>;
  /** All that the stack tells about itself, made now; absent where it is nothing. */
  inspect?(request: InspectRequest): StackSnapshot;
  /**
   * The program ends in order: gives back what the network has lent us, as far as one message does.
   * Nothing is used afterwards. Absent where nothing is lent.
   */
  release?(): void;
}
