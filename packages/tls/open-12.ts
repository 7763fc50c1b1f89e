/**
 * TLS 1.2 after the handshake, both roles: renegotiation is refused (RFC 5246 §7.2.2,
 * no_renegotiation), and keys aren't renewed. It is what a connection keeps: next to nothing.
 */

import type { TlsEngine } from './engine.ts';
import { AES_GCM_RECORDS_MAX, CHACHA20_RECORDS_MAX, RENEGOTIATIONS_REFUSED_MAX } from './limits.ts';
import type { Machine } from './machine.ts';
import { type Refusal, refuse } from './refusal.ts';
import type { CipherSuite } from './suites.ts';
import type { ServerSessions } from './ticket-12.ts';

export class Open12 implements Machine {
  private readonly engine: TlsEngine;
  private readonly suite: CipherSuite;
  /** Where the session is kept by its identifier; null: nowhere. */
  private readonly sessions: ServerSessions | null;
  private readonly sessionId: Uint8Array;

  constructor(
    engine: TlsEngine,
    role: 'client' | 'server',
    suite: CipherSuite,
    sessions: ServerSessions | null,
    sessionId: Uint8Array,
  ) {
    this.engine = engine;
    this.suite = suite;
    this.sessions = sessions;
    this.sessionId = sessionId;
    engine.enter(role === 'client' ? 'client 1.2: open' : 'server 1.2: open', this);
  }

  /** A ClientHello to a server, a HelloRequest to a client. */
  message(): Refusal | null {
    const { engine } = this;
    if (++engine.postHandshakeMessages > RENEGOTIATIONS_REFUSED_MAX) {
      return refuse('unexpected_message', 'renegotiation was refused');
    }
    const isUsedUp = this.renewKey();
    if (isUsedUp === null) engine.warn('no_renegotiation');
    return isUsedUp;
  }

  changeCipherSpec(): Refusal | null {
    return null;
  }

  /** RFC 8446 §5.5's limit holds for AES-GCM here too; a sequence number has 32 bits. */
  renewKey(): Refusal | null {
    const isChaCha = this.suite.aead === 'CHACHA20-POLY1305';
    const recordsMax = isChaCha ? CHACHA20_RECORDS_MAX : AES_GCM_RECORDS_MAX;
    if (this.engine.writer.records < recordsMax) return null;
    return refuse('internal_error', 'the key is used up');
  }

  /** RFC 5246 §7.2.2: a session that an alert ended isn't resumed. */
  destroy(isFailed: boolean): void {
    if (isFailed) this.sessions?.remove(this.sessionId);
  }
}
