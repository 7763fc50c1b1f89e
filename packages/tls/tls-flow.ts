/** A flow inside TLS, as applications see it, and who opens one. */

import { err, ok, type Result } from '#core';
import type { Flow } from '#device';
import { ClientStart } from './client-start.ts';
import type { TlsClientConfig, TlsEnvironment, TlsServerConfig } from './config.ts';
import type { TlsError } from './refusal.ts';
import { ServerStart } from './server-start.ts';
import type { TlsSession } from './session.ts';
import { TlsConnection } from './tls-connection.ts';

/**
 * `end` means the peer's close_notify: all that it said has come. When the peer, or somebody on the
 * way, cuts it short, `end` doesn't come, but `closed` with 'reset', and `failure` says why.
 */
export interface TlsFlow extends Flow {
  readonly session: TlsSession;
  /** Why it ended, other than by both sides' close_notify or our `abort`; set before `closed`. */
  readonly failure: TlsError | null;
  /** Called once, before the handler's `closed`: for who counts sessions, whoever they are for. */
  onGone: (() => void) | null;
}

/**
 * Speaks TLS as the server of `flow`, which is its from now on: call it before returning from the
 * accept callback. `opened` is called once, when the handshake is complete or has failed (the flow
 * is then being ended); attach a handler before returning from it.
 */
export function acceptTls(
  flow: Flow,
  config: TlsServerConfig,
  env: TlsEnvironment,
  opened: (result: Result<TlsFlow, TlsError>) => void,
): void {
  const connection = new TlsConnection(flow, env, config, told(opened));
  new ServerStart(connection.engine, config);
}

/** As `acceptTls`, as the client. */
export function connectTls(
  flow: Flow,
  config: TlsClientConfig,
  env: TlsEnvironment,
  opened: (result: Result<TlsFlow, TlsError>) => void,
): void {
  const connection = new TlsConnection(flow, env, config, told(opened));
  const { address, port } = flow.remote;
  const server = `${config.serverName ?? address} ${port}`;
  new ClientStart(connection.engine, config, server).start();
}

const told =
  (opened: (result: Result<TlsFlow, TlsError>) => void) =>
  (outcome: TlsFlow | TlsError): void =>
    opened('kind' in outcome ? err(outcome) : ok(outcome));
