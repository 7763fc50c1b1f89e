/**
 * The handshake on one page: what is accepted in each state, RFC 8446 §4 and §A, RFC 5246 §7.3.
 * The engine asks this table before any message reaches a state machine; what it doesn't list is
 * `unexpected_message`. Alerts are taken in every state; renegotiation is in none.
 *
 *     client                       server
 *     start                        start
 *      | ServerHello                | ClientHello
 *      |  (HelloRetryRequest:       |  (sends HelloRetryRequest:
 *      |   start again, once)       |   client_hello again, once)
 *     1.3: encrypted_extensions    1.3: certificate -> certificate_verify (clientAuth)
 *      | certificate_or_request     |
 *      | certificate                |
 *      | certificate_verify         |
 *     1.3: finished                1.3: finished
 *     1.3: open                    1.3: open
 */

import type { HandshakeTypeName } from './wire/handshake.ts';

export interface Accepted {
  readonly messages: readonly HandshakeTypeName[];
  /**
   * change_cipher_spec: `dropped`, when it is one byte, 1 (RFC 8446 §5); `next`: TLS 1.2 changes
   * keys here; `refused`.
   */
  readonly changeCipherSpec: 'dropped' | 'next' | 'refused';
  /** Whether application data may come. */
  readonly data: boolean;
}

const handshake = (...messages: HandshakeTypeName[]): Accepted => ({
  messages,
  changeCipherSpec: 'dropped',
  data: false,
});

export const STATES = {
  'client: server_hello': handshake('server_hello'),
  'client 1.3: server_hello after retry': handshake('server_hello'),
  'client 1.3: encrypted_extensions': handshake('encrypted_extensions'),
  'client 1.3: certificate or request': handshake('certificate', 'certificate_request'),
  'client 1.3: certificate': handshake('certificate'),
  'client 1.3: certificate_verify': handshake('certificate_verify'),
  'client 1.3: finished': handshake('finished'),
  'client 1.3: open': {
    // Not certificate_request: we never offer post_handshake_auth (RFC 8446 §4.2.6).
    messages: ['new_session_ticket', 'key_update'],
    changeCipherSpec: 'refused',
    data: true,
  },

  'server: client_hello': {
    messages: ['client_hello'],
    changeCipherSpec: 'refused',
    data: false,
  },
  'server 1.3: client_hello after retry': handshake('client_hello'),
  'server 1.3: certificate': handshake('certificate'),
  'server 1.3: certificate_verify': handshake('certificate_verify'),
  'server 1.3: finished': handshake('finished'),
  'server 1.3: open': { messages: ['key_update'], changeCipherSpec: 'refused', data: true },
} as const satisfies Record<string, Accepted>;

export type StateName = keyof typeof STATES;
