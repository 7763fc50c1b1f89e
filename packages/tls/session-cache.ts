/**
 * A client's sessions that can be resumed, by server. One cache is for connections of one
 * configuration: a session that one trusted isn't for another that wouldn't.
 */

import { type Instant, seconds, since, type WallTime } from '#core';
import { wipe } from '#crypto';
import type { TlsVersion } from './config.ts';
import type { CipherSuite } from './suites.ts';

export interface StoredSession {
  readonly version: TlsVersion;
  readonly suite: CipherSuite;
  /** The ticket's key (1.3), the master secret (1.2). */
  readonly secret: Uint8Array;
  /** Empty for a session of TLS 1.2 that has an identifier. */
  readonly ticket: Uint8Array;
  /** The session's identifier (RFC 5246 §7.4.1.3); empty when it has a ticket. */
  readonly id: Uint8Array;
  /** Added to the ticket's age in what is sent (RFC 8446 §4.2.11.1). */
  readonly ageAdd: number;
  readonly receivedAt: Instant;
  readonly lifetimeSeconds: number;
  readonly peerChain: readonly Uint8Array[];
  /** Until when the server needs not prove again who it is (peer-certificate.ts). */
  readonly provedUntil: WallTime;
}

/** Sessions of one server that are kept; one more: the oldest goes. */
const SESSIONS_PER_SERVER_MAX = 4;

export class SessionCache {
  private readonly sessionsMax: number;
  /** Servers in the order of their last session; each one's sessions, oldest first. */
  private readonly servers = new Map<string, StoredSession[]>();
  private count = 0;

  /** One session more than `sessionsMax`: the server that was heard least lately loses its own. */
  constructor(sessionsMax = 64) {
    this.sessionsMax = sessionsMax;
  }

  get size(): number {
    return this.count;
  }

  put(server: string, session: StoredSession): void {
    const sessions = this.servers.get(server) ?? [];
    this.servers.delete(server);
    this.servers.set(server, sessions);
    sessions.push(session);
    this.count++;
    if (sessions.length > SESSIONS_PER_SERVER_MAX) this.drop(server, sessions);
    while (this.count > this.sessionsMax) {
      const [oldest, its] = this.servers.entries().next().value!;
      this.drop(oldest, its);
    }
  }

  /**
   * Takes the newest session of `server` that is still good: each is used once (RFC 8446 §C.4).
   * Its secret is the caller's to wipe. Null: none. `at`: the time of day, for certificates.
   */
  take(server: string, now: Instant, at: WallTime): StoredSession | null {
    const sessions = this.servers.get(server);
    while (sessions !== undefined && sessions.length > 0) {
      const session = sessions.pop()!;
      this.count--;
      if (sessions.length === 0) this.servers.delete(server);
      const isFresh = since(session.receivedAt, now) < seconds(session.lifetimeSeconds);
      if (isFresh && at <= session.provedUntil) return session;
      wipe(session.secret);
    }
    return null;
  }

  /** Wipes and forgets everything. */
  clear(): void {
    for (const sessions of this.servers.values()) for (const { secret } of sessions) wipe(secret);
    this.servers.clear();
    this.count = 0;
  }

  private drop(server: string, sessions: StoredSession[]): void {
    wipe(sessions.shift()!.secret);
    this.count--;
    if (sessions.length === 0) this.servers.delete(server);
  }
}
