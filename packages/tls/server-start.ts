/**
 * A server that waits for the first ClientHello: which version is spoken is decided here and
 * nowhere else (RFC 8446 §4.2.1, §D), then that version's machine goes on. Not here: what else the
 * hello says.
 */

import type { TlsServerConfig } from './config.ts';
import type { TlsEngine } from './engine.ts';
import { bodyOf } from './handshake-13.ts';
import type { Machine } from './machine.ts';
import { type Refusal, refuse, refuseMalformed } from './refusal.ts';
import { Server12 } from './server-12.ts';
import { Server13 } from './server-13.ts';
import { type ClientHello, parseClientHello } from './wire/client-hello.ts';
import { FALLBACK_SCSV, SSL_3_0, TLS_1_2, TLS_1_3 } from './wire/code-points.ts';

export class ServerStart implements Machine {
  private readonly engine: TlsEngine;
  private readonly config: TlsServerConfig;

  constructor(engine: TlsEngine, config: TlsServerConfig) {
    this.engine = engine;
    this.config = config;
    engine.enter('server: client_hello', this);
  }

  message(_type: number, message: Uint8Array): Refusal | null {
    const parsed = parseClientHello(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'client_hello');
    const hello = parsed.value;
    const version = chooseVersion(hello, this.config);
    if (version === TLS_1_3) return new Server13(this.engine, this.config).start(hello, message);
    // RFC 7507 §3: the client could do better and was kept from it.
    const isBest = version === TLS_1_2 && !this.config.versions.includes('TLS 1.3');
    if (!isBest && hello.suites.includes(FALLBACK_SCSV)) {
      return refuse('inappropriate_fallback', 'the client fell back to an older version');
    }
    if (version === null) return refuse('protocol_version', 'no version in common');
    return new Server12(this.engine, this.config).start(hello, message);
  }

  changeCipherSpec(): Refusal | null {
    return refuse('unexpected_message', 'change_cipher_spec before a hello');
  }

  renewKey(): Refusal | null {
    return null;
  }

  destroy(): void {}
}

function chooseVersion(hello: ClientHello, config: TlsServerConfig): number | null {
  // RFC 8446 §D.5: never, whatever else is offered.
  if (hello.version <= SSL_3_0) return null;
  const { supportedVersions } = hello.extensions;
  const has12 = config.versions.includes('TLS 1.2');
  if (supportedVersions === null) return has12 && hello.version >= TLS_1_2 ? TLS_1_2 : null;
  if (config.versions.includes('TLS 1.3') && supportedVersions.includes(TLS_1_3)) return TLS_1_3;
  return has12 && supportedVersions.includes(TLS_1_2) ? TLS_1_2 : null;
}
