/**
 * TLS for what a program asks of others: `fetch("https://...")`, name servers, syslog. One set of
 * trusted CAs for all of them, linked at build time (`ca`) or given at boot (--ca). Linked only
 * where the build says so: docs/decisions on TLS where users meet it.
 */

import { err, ok, type Result } from '#core';
import { primitives } from '#crypto/platform';
import type {
  ConnectError,
  Connecting,
  ConnectSecure,
  CryptoPrimitives,
  Machine,
  Stack,
  TlsFault,
} from '#device';
import { type DnsTransport, TlsTransport } from '#dns';
import {
  connectTls,
  SessionCache,
  type TlsClientConfig,
  type TlsEnvironment,
  type TlsError,
  type TlsFlow,
  tlsClientConfig,
} from '#tls';
import { decodeBase64, type PathFaultKind, TrustAnchors } from '#x509';
import { TLS_CLIENT_ARGS } from '../standard-args.ts';
import { argumentAnchors } from './pem-source.ts';
import type { TlsConnectOptions } from './tls-client.ts';

type Values = Readonly<Record<string, string | number | boolean>>;
type Opened = (result: Result<TlsFlow, ConnectError | TlsFault>) => void;

/** RFC 7858 §3.1: no ALPN is defined; RFC 9112 over TLS: http/1.1. */
const HTTP: TlsConnectOptions = { alpn: ['http/1.1'] };

/** What `runUnikernel` starts before any device: `ca` is base64 of DER, as the build linked it. */
export const secureWith = (ca: readonly string[]) => ({
  args: TLS_CLIENT_ARGS,
  async start(machine: Machine, args: Values): Promise<Result<SecureClient, string>> {
    const text = String(args.ca);
    if (text === '') return ok(new SecureClient(machine, primitives, ca, []));
    const given = await argumentAnchors('ca', text, machine.hostFiles ?? null);
    if (!given.ok) return given;
    const certificates = given.value.certificates.map(({ raw }) => raw);
    return ok(new SecureClient(machine, primitives, ca, certificates));
  },
});

export class SecureClient {
  readonly counts = { handshakes: 0, resumed: 0, handshakesFailed: 0 };
  private readonly env: TlsEnvironment;
  private readonly linked: readonly string[];
  private readonly given: readonly Uint8Array[];
  /** Read when they are first needed: a bundle of all public CAs takes a while. */
  private anchors: TrustAnchors | null = null;
  private readonly sessions = new SessionCache();

  /** Believes `linked`, base64 of DER, and `given`. */
  constructor(
    { clock, entropy, timers }: Pick<Machine, 'clock' | 'entropy' | 'timers'>,
    crypto: CryptoPrimitives,
    linked: readonly string[],
    given: readonly Uint8Array[],
  ) {
    this.env = { crypto, clock, entropy, timers };
    this.linked = linked;
    this.given = given;
  }

  /** `connect` with TLS for HTTP on each connection. */
  http(connect: Stack['connect']): ConnectSecure {
    return (address, port, opened) => this.connect(connect, address, port, opened, HTTP);
  }

  /** `connect` with TLS on each connection. */
  over(connect: Stack['connect']): ConnectSecure {
    return (address, port, opened) => this.connect(connect, address, port, opened);
  }

  /** `plain` for name servers in the open, TLS by `connect` for the others. */
  names(plain: DnsTransport, connect: Stack['connect']): DnsTransport {
    return new TlsTransport({
      plain,
      timers: this.env.timers,
      connect: ({ address, port, tlsName }, opened) =>
        this.connect(connect, address, port, opened, { serverName: tlsName ?? address }),
    });
  }

  /** `opened` is called once, later; not after `cancel`. */
  connect(
    connect: Stack['connect'],
    address: string,
    port: number,
    opened: Opened,
    { serverName = address, alpn = [] }: TlsConnectOptions = {},
  ): Connecting {
    const attempt = new Attempt(opened);
    const config = this.configOf(serverName, alpn);
    attempt.connecting = connect(address, port, (result) => {
      if (!result.ok) {
        attempt.done(result);
        return;
      }
      attempt.flow = result.value;
      connectTls(result.value, config, this.env, (session) => {
        if (session.ok) {
          this.counts.handshakes += 1;
          if (session.value.session.resumed) this.counts.resumed += 1;
          attempt.done(session);
        } else {
          this.counts.handshakesFailed += 1;
          attempt.done(err(faultOf(session.error)));
        }
      });
    });
    return attempt;
  }

  private configOf(serverName: string, alpn: readonly string[]): TlsClientConfig {
    const { sessions } = this;
    // A name may end in a dot (RFC 1034 §3.1); certificates and SNI have none.
    const name = serverName.replace(/\.$/, '');
    return tlsClientConfig({ serverName: name, anchors: this.trusted(), alpn, sessions });
  }

  private trusted(): TrustAnchors {
    if (this.anchors === null) {
      const linked = this.linked.flatMap((base64) => decodeBase64(base64) ?? []);
      this.anchors = new TrustAnchors([...linked, ...this.given]);
    }
    return this.anchors;
  }
}

/** A connection on its way to a session. */
class Attempt implements Connecting {
  connecting: Connecting | null = null;
  flow: { abort(): void } | null = null;
  private readonly opened: Opened;
  private isOver = false;

  constructor(opened: Opened) {
    this.opened = opened;
  }

  done(result: Parameters<Opened>[0]): void {
    if (this.isOver) return;
    this.isOver = true;
    this.opened(result);
  }

  cancel(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.connecting?.cancel();
    this.flow?.abort();
  }
}

/** In words for people; 'unknown issuer' and the like are those of a path's fault. */
function faultOf(error: TlsError): TlsFault {
  switch (error.kind) {
    case 'alert sent': {
      const kind: PathFaultKind | null = error.certificate?.kind ?? null;
      return { kind: 'tls', fault: kind ?? error.reason, alert: error.alert };
    }
    case 'alert received':
      return {
        kind: 'tls',
        fault: `the server refused: ${error.alert ?? 'unknown alert'}`,
        alert: error.alert,
      };
    case 'truncated':
      return { kind: 'tls', fault: 'the server ended the connection', alert: null };
    case 'timeout':
      return { kind: 'tls', fault: 'the handshake took too long', alert: null };
    case 'flow':
      return { kind: 'tls', fault: `the connection ended (${error.how})`, alert: null };
  }
}
