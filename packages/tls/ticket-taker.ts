/** A client keeps the tickets that a server of TLS 1.3 gives: RFC 8446 §4.6.1. */

import type { WallTime } from '#core';
import { wipe } from '#crypto';
import type { TlsEnvironment } from './config.ts';
import { ticketKey } from './key-schedule.ts';
import {
  TICKET_BYTES_MAX,
  TICKET_LIFETIME_SECONDS_MAX,
  TICKETS_KEPT_PER_CONNECTION,
} from './limits.ts';
import type { SessionCache } from './session-cache.ts';
import type { CipherSuite } from './suites.ts';
import type { NewSessionTicket13 } from './wire/new-session-ticket.ts';

const NOTHING = new Uint8Array(0);

export interface TicketTakerParts {
  readonly env: TlsEnvironment;
  readonly sessions: SessionCache;
  /** Under which name the cache keeps them. */
  readonly server: string;
  readonly suite: CipherSuite;
  /** The taker's from now on. */
  readonly resumptionSecret: Uint8Array;
  readonly peerChain: readonly Uint8Array[];
  /** Of the handshake that had certificates. */
  readonly provedUntil: WallTime;
}

export class TicketTaker {
  private readonly parts: TicketTakerParts;
  private kept = 0;

  constructor(parts: TicketTakerParts) {
    this.parts = parts;
  }

  /** `message` is borrowed. */
  take({ lifetimeSeconds, ageAdd, nonce, ticket }: NewSessionTicket13): void {
    const { env, sessions, server, suite, resumptionSecret, peerChain, provedUntil } = this.parts;
    if (lifetimeSeconds === 0 || ticket.length > TICKET_BYTES_MAX) return;
    if (this.kept === TICKETS_KEPT_PER_CONNECTION) return;
    this.kept++;
    sessions.put(server, {
      version: 'TLS 1.3',
      suite,
      secret: ticketKey(env.crypto, suite, resumptionSecret, nonce),
      ticket: ticket.slice(),
      id: NOTHING,
      ageAdd,
      receivedAt: env.timers.now,
      lifetimeSeconds: Math.min(lifetimeSeconds, TICKET_LIFETIME_SECONDS_MAX),
      peerChain,
      provedUntil,
    });
    if (this.kept === TICKETS_KEPT_PER_CONNECTION) this.destroy();
  }

  destroy(): void {
    wipe(this.parts.resumptionSecret);
  }
}
