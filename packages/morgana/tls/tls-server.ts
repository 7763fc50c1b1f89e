/**
 * TLS for those who connect to a program: handshakes on accepted flows, within bounds, with
 * certificates that may change while it runs. Read first: credential-shelf.ts,
 * packages/tls/config.ts. Not here: where certificates come from (server-connector.ts), HTTPS
 * (https.ts).
 */

import { after, assert, type Logger, type Result, Timer } from '#core';
import type {
  Flow,
  ListenError,
  Listener,
  SignatureScheme,
  Stack,
  TlsServerSnapshot,
  TlsSessionSnapshot,
} from '#device';
import type { Exchange } from '#http';
import {
  acceptTls,
  type Credentials,
  formatTlsError,
  TicketKeys,
  type TlsEnvironment,
  type TlsError,
  type TlsFlow,
  type TlsServerConfig,
  tlsServerConfig,
} from '#tls';
import type { TrustAnchors } from '#x509';
import type { CredentialShelf } from './credential-shelf.ts';
import { HANDSHAKES_MAX, KEYS_KEPT, SESSIONS_LISTED_MAX } from './limits.ts';

/** Who a server is for one client; null: it doesn't know, ask the next one. */
export type ChooseCredentials = (
  serverName: string | null,
  schemes: readonly SignatureScheme[],
  alpn: readonly string[],
) => Credentials | null;

export interface TlsServerOptions {
  readonly env: TlsEnvironment;
  readonly log: Logger;
  readonly shelf: CredentialShelf | null;
  readonly clientAuth: TlsServerConfig['clientAuth'];
  readonly clientAnchors: TrustAnchors | null;
}

export interface TlsPortOptions {
  /** Protocols above (RFC 7301), ours first; a client that offers others only is refused. */
  readonly alpn?: readonly string[];
  readonly handshakesMax?: number;
}

export class TlsServer {
  readonly env: TlsEnvironment;
  readonly log: Logger;
  /** A client must show, may show, or isn't asked for a certificate. */
  readonly clientAuth: TlsServerConfig['clientAuth'];
  readonly counts = {
    handshakes: 0,
    resumed: 0,
    handshakesFailed: 0,
    handshakesEvicted: 0,
    handshakesTimedOut: 0,
    handshakesCut: 0,
    reloads: 0,
    reloadsFailed: 0,
  };
  readonly alertsSent: Record<string, number> = {};
  readonly alertsReceived: Record<string, number> = {};
  readonly sessions = new Set<TlsFlow>();
  /**
   * Protocols (RFC 7301) that are spoken on each port that has some, whatever it is for: a session
   * of one is its function's, which must attach a handler.
   */
  readonly protocols = new Map<string, (flow: TlsFlow) => void>();
  /** Answers some requests on a port of plain HTTP beside (RFC 8555 §8.3); true: this one. */
  answerInPlain: ((exchange: Exchange) => boolean) | null = null;
  /** Reads certificates again; null: there is nothing that could have changed. */
  reload: (() => Promise<Result<string, string>>) | null = null;
  private shelf: CredentialShelf | null;
  private readonly clientAnchors: TrustAnchors | null;
  /** Asked before the shelf. */
  private readonly choosers: ChooseCredentials[] = [];

  constructor({ env, log, shelf, clientAuth, clientAnchors }: TlsServerOptions) {
    this.env = env;
    this.log = log;
    this.shelf = shelf;
    this.clientAuth = clientAuth;
    this.clientAnchors = clientAnchors;
  }

  /**
   * Accepts TLS connections on `port`: `accept` gets a session once its handshake is complete, and
   * must attach a handler before it returns. Handshakes that fail are counted, by alert.
   */
  async listen(
    stack: Stack,
    port: number,
    accept: (flow: TlsFlow) => void,
    options: TlsPortOptions = {},
  ): Promise<Result<Listener, ListenError>> {
    const gate = this.gate(options);
    return stack.listen(port, (flow) => gate.accept(flow, accept));
  }

  /** For flows that come another way than by `listen`. */
  gate({ alpn = [], handshakesMax = HANDSHAKES_MAX }: TlsPortOptions = {}): TlsGate {
    const { crypto, entropy, timers } = this.env;
    const config = tlsServerConfig({
      credentials: (serverName, schemes, offered) => this.choose(serverName, schemes, offered),
      clientAuth: this.clientAuth,
      clientAnchors: this.clientAnchors,
      // Of this port only: a ticket of one protocol is no word in another.
      tickets: new TicketKeys(crypto, entropy, timers.now),
      alpn: alpn.length === 0 ? alpn : [...alpn, ...this.protocols.keys()],
    });
    return new TlsGate(this, config, handshakesMax);
  }

  /** `choose` is asked for credentials before those that are there: ACME's are found so. */
  prefer(choose: ChooseCredentials): void {
    this.choosers.push(choose);
  }

  /** From the next handshake on; those in progress, and open sessions, keep what they have. */
  replaceShelf(shelf: CredentialShelf): void {
    const before = this.shelf;
    this.shelf = shelf;
    if (before === null) return;
    // Handshakes in progress may still sign with its keys, for as long as they may take.
    const { timers } = this.env;
    const timer = new Timer(() => before.destroy());
    timers.arm(timer, after(timers.now, KEYS_KEPT));
  }

  /** The first name of the certificates, for who asks by none; null: there is none. */
  get firstName(): string | null {
    return this.shelf?.firstName ?? null;
  }

  snapshot(): TlsServerSnapshot {
    const list: TlsSessionSnapshot[] = [];
    for (const flow of this.sessions) {
      if (list.length === SESSIONS_LISTED_MAX) break;
      list.push(sessionSnapshot(flow));
    }
    return {
      certificates: this.shelf?.snapshot() ?? [],
      sessions: { count: this.sessions.size, list },
      counters: { ...this.counts },
      alertsSent: { ...this.alertsSent },
      alertsReceived: { ...this.alertsReceived },
    };
  }

  failed(error: TlsError): void {
    this.counts.handshakesFailed += 1;
    switch (error.kind) {
      case 'alert sent':
        count(this.alertsSent, error.alert);
        break;
      case 'alert received':
        count(this.alertsReceived, error.alert ?? 'unknown');
        break;
      case 'timeout':
        this.counts.handshakesTimedOut += 1;
        break;
      default:
        this.counts.handshakesCut += 1;
    }
  }

  private choose(
    serverName: string | null,
    schemes: readonly SignatureScheme[],
    alpn: readonly string[],
  ): Credentials | null {
    for (const choose of this.choosers) {
      const found = choose(serverName, schemes, alpn);
      if (found !== null) return found;
    }
    return this.shelf?.choose(serverName, schemes) ?? null;
  }
}

/** One port's handshakes in progress. */
export class TlsGate {
  private readonly server: TlsServer;
  private readonly config: TlsServerConfig;
  private readonly handshakesMax: number;
  /** In the order of their beginning. */
  private readonly pending = new Set<Flow>();

  constructor(server: TlsServer, config: TlsServerConfig, handshakesMax: number) {
    assert(handshakesMax >= 1);
    this.server = server;
    this.config = config;
    this.handshakesMax = handshakesMax;
  }

  get handshakes(): number {
    return this.pending.size;
  }

  /** Takes over `flow`; `opened` is called later, or never. */
  accept(flow: Flow, opened: (flow: TlsFlow) => void): void {
    const { server } = this;
    if (this.pending.size >= this.handshakesMax) this.evictOldest();
    this.pending.add(flow);
    acceptTls(flow, this.config, server.env, (result) => {
      this.pending.delete(flow);
      if (!result.ok) {
        server.failed(result.error);
        server.log.debug(`${flow.remote.address}: ${formatTlsError(result.error)}`);
        return;
      }
      const session = result.value;
      server.counts.handshakes += 1;
      if (session.session.resumed) server.counts.resumed += 1;
      server.sessions.add(session);
      session.onGone = () => server.sessions.delete(session);
      const own = server.protocols.get(session.session.alpn ?? '');
      if (own === undefined) opened(session);
      else own(session);
    });
  }

  checkInvariants(): void {
    assert(this.pending.size <= this.handshakesMax);
  }

  /** Honest clients are through after two round trips: the oldest is the likeliest to be none. */
  private evictOldest(): void {
    for (const oldest of this.pending) {
      this.server.counts.handshakesEvicted += 1;
      this.pending.delete(oldest);
      oldest.abort();
      return;
    }
  }
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

const place = ({ address, port }: Flow['local']): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

function sessionSnapshot({ local, remote, session }: TlsFlow): TlsSessionSnapshot {
  const { version, suite, group, alpn, serverName, resumed, peerChain } = session;
  const agreed = { version, suite, group, alpn, serverName, resumed };
  const hasClientCertificate = peerChain.length > 0;
  return { local: place(local), remote: place(remote), ...agreed, hasClientCertificate };
}
