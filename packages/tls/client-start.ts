/**
 * A client from its ClientHello to the ServerHello: which version is spoken is found out here and
 * nowhere else (RFC 8446 §4.1.3, §4.2.1), then that version's machine goes on.
 */

import { Client12 } from './client-12.ts';
import { Client13 } from './client-13.ts';
import { type ClientOffer, destroyOffer, makeOffer } from './client-offer.ts';
import type { TlsClientConfig } from './config.ts';
import type { TlsEngine } from './engine.ts';
import { bodyOf } from './handshake-13.ts';
import type { Machine } from './machine.ts';
import { type Refusal, refuse, refuseMalformed } from './refusal.ts';
import { TLS_1_0, TLS_1_2, TLS_1_3 } from './wire/code-points.ts';
import {
  type HelloRetryRequest,
  isDowngradeMarked,
  parseServerHello,
  type ServerHello,
} from './wire/server-hello.ts';

export class ClientStart implements Machine {
  private readonly engine: TlsEngine;
  private readonly config: TlsClientConfig;
  private readonly server: string;
  /** Null once it is another machine's. */
  private offer: ClientOffer | null = null;

  /** `server`: under which name sessions with it are kept. */
  constructor(engine: TlsEngine, config: TlsClientConfig, server: string) {
    this.engine = engine;
    this.config = config;
    this.server = server;
    engine.enter('client: server_hello', this);
  }

  /** Sends the ClientHello. */
  start(): void {
    const { config, engine, server } = this;
    const { clock, timers } = engine.env;
    const session = config.sessions?.take(server, timers.now, clock.wall()) ?? null;
    const isOffered = session === null || config.versions.includes(session.version);
    this.startWith(makeOffer(engine.env, config, isOffered ? session : null));
  }

  /** Sends that one. */
  startWith(offer: ClientOffer): void {
    const { engine } = this;
    const { writer } = engine;
    this.offer = offer;
    // RFC 8446 §5.1: for servers that know no better.
    writer.plainVersion = TLS_1_0;
    engine.sendMessage(offer.message);
    engine.flush();
    writer.plainVersion = TLS_1_2;
  }

  message(_type: number, message: Uint8Array): Refusal | null {
    const { config, engine, server } = this;
    const parsed = parseServerHello(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'server_hello');
    const hello = parsed.value;
    const version = chosenVersion(hello, config);
    if (typeof version !== 'number') return version;
    const offer = this.offer!;
    this.offer = null;
    if (version === TLS_1_3) {
      return new Client13(engine, config, server, offer).start(hello, message);
    }
    if (hello.kind === 'retry') return refuse('illegal_parameter', 'a retry in TLS 1.2');
    // Dropped, as TLS 1.3 wants it, before it was known that this isn't TLS 1.3.
    if (engine.changeCipherSpecs > 0) {
      return refuse('unexpected_message', 'change_cipher_spec before a hello');
    }
    return new Client12(engine, config, server, offer).start(hello, message);
  }

  changeCipherSpec(): Refusal | null {
    return null;
  }

  renewKey(): Refusal | null {
    return null;
  }

  destroy(): void {
    if (this.offer !== null) destroyOffer(this.offer);
  }
}

function chosenVersion(
  hello: ServerHello | HelloRetryRequest,
  config: TlsClientConfig,
): number | Refusal {
  const has13 = config.versions.includes('TLS 1.3');
  const { supportedVersions } = hello.extensions;
  if (supportedVersions !== null) {
    if (!has13) return refuse('unsupported_extension', 'supported_versions was not offered');
    if (supportedVersions === TLS_1_3 && hello.version === TLS_1_2) return TLS_1_3;
    return refuse('illegal_parameter', 'the server chose a version that was not offered');
  }
  if (hello.kind === 'retry') {
    return refuse('missing_extension', 'a HelloRetryRequest without supported_versions');
  }
  if (hello.version !== TLS_1_2 || !config.versions.includes('TLS 1.2')) {
    return refuse('protocol_version', 'the server chose a version that was not offered');
  }
  // RFC 8446 §4.1.3: somebody made the server believe that we can't do better.
  if (has13 && isDowngradeMarked(hello.random)) {
    return refuse('illegal_parameter', 'the server was made to choose an older version');
  }
  return TLS_1_2;
}
