/**
 * TLS 1.3 after the handshake, both roles: KeyUpdate (RFC 8446 §4.6.3), a client's tickets
 * (§4.6.1). It is what a connection keeps, so it keeps little.
 */

import { wipe } from '#crypto';
import type { TlsEngine } from './engine.ts';
import { bodyOf } from './handshake-13.ts';
import { protectionOf, updateSecret } from './key-schedule.ts';
import { POST_HANDSHAKE_MAX } from './limits.ts';
import type { Machine } from './machine.ts';
import { type Refusal, refuse, refuseMalformed } from './refusal.ts';
import type { CipherSuite } from './suites.ts';
import type { TicketTaker } from './ticket-taker.ts';
import { handshakeMessage, handshakeType } from './wire/handshake.ts';
import { parseNewSessionTicket13 } from './wire/new-session-ticket.ts';
import { emitKeyUpdate, parseKeyUpdate } from './wire/small-messages.ts';

export interface Open13Parts {
  /** Wiped by it. */
  readonly readSecret: Uint8Array;
  readonly writeSecret: Uint8Array;
  /** A client's; null: tickets aren't kept, or we are the server. */
  readonly tickets: TicketTaker | null;
}

export class Open13 implements Machine {
  private readonly engine: TlsEngine;
  private readonly suite: CipherSuite;
  private readonly tickets: TicketTaker | null;
  private readSecret: Uint8Array;
  private writeSecret: Uint8Array;

  constructor(
    engine: TlsEngine,
    role: 'client' | 'server',
    suite: CipherSuite,
    parts: Open13Parts,
  ) {
    this.engine = engine;
    this.suite = suite;
    this.readSecret = parts.readSecret;
    this.writeSecret = parts.writeSecret;
    this.tickets = parts.tickets;
    engine.enter(role === 'client' ? 'client 1.3: open' : 'server 1.3: open', this);
  }

  message(type: number, message: Uint8Array): Refusal | null {
    if (++this.engine.postHandshakeMessages > POST_HANDSHAKE_MAX) {
      return refuse('unexpected_message', 'too many messages without data');
    }
    if (type === handshakeType.key_update) return this.keyUpdate(message);
    const parsed = parseNewSessionTicket13(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'new_session_ticket');
    this.tickets?.take(parsed.value);
    return null;
  }

  changeCipherSpec(): Refusal | null {
    return null;
  }

  /** Sends a KeyUpdate that asks for none, and writes under the next key. */
  renewKey(): Refusal | null {
    const { engine, suite } = this;
    const { crypto } = engine.env;
    engine.sendMessage(
      handshakeMessage(handshakeType.key_update, emitKeyUpdate, { isRequested: false }),
    );
    engine.flush();
    this.writeSecret = updateSecret(crypto, suite, this.writeSecret);
    engine.setWriteProtection(protectionOf(crypto, suite, this.writeSecret));
    return null;
  }

  destroy(): void {
    wipe(this.readSecret);
    wipe(this.writeSecret);
    this.tickets?.destroy();
  }

  private keyUpdate(message: Uint8Array): Refusal | null {
    const { engine, suite } = this;
    const { crypto } = engine.env;
    const parsed = parseKeyUpdate(bodyOf(message));
    if (!parsed.ok) return refuseMalformed(parsed.error, 'key_update');
    this.readSecret = updateSecret(crypto, suite, this.readSecret);
    engine.reader.setProtection(protectionOf(crypto, suite, this.readSecret));
    return parsed.value.isRequested ? engine.answerKeyUpdate() : null;
  }
}
