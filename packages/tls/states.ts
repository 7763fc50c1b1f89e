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
 *
 *     client                         server
 *     1.2: certificate               1.2: certificate (clientAuth)
 *      | status or key exchange,      | client_key_exchange
 *      | server_key_exchange          | certificate_verify (the client has one)
 *      | request or done,             | change_cipher_spec
 *      | server_hello_done            | finished
 *      | new_session_ticket          1.2: open
 *      | change_cipher_spec
 *      | finished                    A resumption (RFC 5246 §7.3, figure 2) goes from the hellos to
 *     1.2: open                      new_session_ticket, or change_cipher_spec.
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

/** Of TLS 1.2: keys change once, and a client is told to renegotiate at any time (§7.4.1.1). */
const client12 = (...messages: HandshakeTypeName[]): Accepted => ({
  messages: ['hello_request', ...messages],
  changeCipherSpec: 'refused',
  data: false,
});

const server12 = (...messages: HandshakeTypeName[]): Accepted => ({
  messages,
  changeCipherSpec: 'refused',
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

  'client 1.2: certificate': client12('certificate'),
  'client 1.2: status or key exchange': client12('certificate_status', 'server_key_exchange'),
  'client 1.2: server_key_exchange': client12('server_key_exchange'),
  'client 1.2: request or done': client12('certificate_request', 'server_hello_done'),
  'client 1.2: server_hello_done': client12('server_hello_done'),
  'client 1.2: new_session_ticket': client12('new_session_ticket'),
  'client 1.2: change_cipher_spec': { ...client12(), changeCipherSpec: 'next' },
  'client 1.2: finished': client12('finished'),
  // What it asks for is refused (no_renegotiation).
  'client 1.2: open': { ...client12(), data: true },

  'server 1.2: certificate': server12('certificate'),
  'server 1.2: client_key_exchange': server12('client_key_exchange'),
  'server 1.2: certificate_verify': server12('certificate_verify'),
  'server 1.2: change_cipher_spec': { ...server12(), changeCipherSpec: 'next' },
  'server 1.2: finished': server12('finished'),
  'server 1.2: open': { ...server12('client_hello'), data: true },
} as const satisfies Record<string, Accepted>;

export type StateName = keyof typeof STATES;
