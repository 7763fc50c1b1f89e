/**
 * 'tls.client': connections over TLS, for programs with protocols of their own. What `fetch`, name
 * servers and syslog have over TLS is the same (secure.ts), without this device.
 */

import type { Result } from '#core';
import type { ConnectError, Connecting, Stack, TlsFault } from '#device';
import type { TlsFlow } from '#tls';
import type { Connector } from '../run.ts';

export interface TlsConnectOptions {
  /** What the server's certificate must name, when that is another than the address given. */
  readonly serverName?: string;
  /** Protocols above (RFC 7301), ours first. */
  readonly alpn?: readonly string[];
}

export interface TlsClient {
  /**
   * As Stack.connect, with TLS on the connection: `opened` gets a session once the server has
   * proved its name, and must attach a handler.
   */
  connect(
    address: string,
    port: number,
    opened: (result: Result<TlsFlow, ConnectError | TlsFault>) => void,
    options?: TlsConnectOptions,
  ): Connecting;
}

export const tlsClientConnector: Connector<'tls.client'> = {
  args: {},
  async connect({ needs, secure }) {
    if (secure === null) return { lacks: "whom to trust: the configuration needs ca: './ca.pem'" };
    const stack = needs[0] as Stack;
    return {
      connect: (address, port, opened, options) =>
        secure.connect(stack.connect.bind(stack), address, port, opened, options),
    };
  },
};
