/**
 * What a server's ticket of TLS 1.2 holds (RFC 5077 §4), and sessions by their identifiers (RFC
 * 5246 §F.1.4). All have an extended master secret: others aren't resumed (RFC 7627 §5.3). Not
 * here: how tickets are sealed (ticket-keys.ts).
 */

import {
  assert,
  type Duration,
  hot,
  type Instant,
  readU16be,
  seconds,
  since,
  writeU16be,
} from '#core';
import { wipe } from '#crypto';
import type { Entropy } from '#device';
import { MASTER_SECRET_BYTES } from './prf.ts';
import { type CipherSuite, suiteOfCode } from './suites.ts';
import { SESSION_ID_BYTES_MAX } from './wire/client-hello.ts';
import { TLS_1_2 } from './wire/code-points.ts';

export interface ServerSession {
  readonly suite: CipherSuite;
  /** Whoever gets it wipes it. */
  readonly master: Uint8Array;
  /** What the client asked for: it must ask for the same again (RFC 6066 §3). */
  readonly serverName: string | null;
}

const at = { version: 0, suite: 2, master: 4, name: 4 + MASTER_SECRET_BYTES } as const;

/** The caller wipes it. */
export function ticketContents12({ suite, master, serverName }: ServerSession): Uint8Array {
  const name = serverName ?? '';
  const contents = new Uint8Array(at.name + name.length);
  writeU16be(contents, at.version, TLS_1_2);
  writeU16be(contents, at.suite, suite.code);
  hot.copy(contents, at.master, master, 0, MASTER_SECRET_BYTES);
  hot.writeLatin1(contents, at.name, name);
  return contents;
}

/** Null for the contents of a ticket of TLS 1.3. `contents` is wiped. */
export function sessionInTicket(contents: Uint8Array): ServerSession | null {
  if (contents.length < at.name || readU16be(contents, at.version) !== TLS_1_2) {
    wipe(contents);
    return null;
  }
  const suite = suiteOfCode(readU16be(contents, at.suite));
  const master = contents.slice(at.master, at.name);
  const name = hot.latin1(contents, at.name, contents.length);
  wipe(contents);
  return suite === null ? null : { suite, master, serverName: name === '' ? null : name };
}

interface KeptSession extends ServerSession {
  readonly madeAt: Instant;
}

/** Sessions that a server remembers, for clients that take no tickets. */
export class ServerSessions {
  private readonly entropy: Entropy;
  private readonly sessionsMax: number;
  private readonly lifetime: Duration;
  /** By identifier, oldest first. */
  private readonly sessions = new Map<string, KeptSession>();

  /** One more than `sessionsMax`: the oldest is forgotten. */
  constructor(entropy: Entropy, sessionsMax = 256, lifetime: Duration = seconds(3_600)) {
    assert(sessionsMax >= 1);
    this.entropy = entropy;
    this.sessionsMax = sessionsMax;
    this.lifetime = lifetime;
  }

  get size(): number {
    return this.sessions.size;
  }

  /** An identifier that no session has. */
  makeId(): Uint8Array {
    const id = new Uint8Array(SESSION_ID_BYTES_MAX);
    this.entropy.fill(id);
    return id;
  }

  /** Copies the master secret. */
  put(id: Uint8Array, { suite, master, serverName }: ServerSession, now: Instant): void {
    this.sessions.set(keyOf(id), { suite, master: master.slice(), serverName, madeAt: now });
    for (const [oldest, { madeAt }] of this.sessions) {
      if (this.sessions.size <= this.sessionsMax && since(madeAt, now) < this.lifetime) return;
      this.forget(oldest);
    }
  }

  /** Null: unknown, or too old. Its master secret is a copy. */
  find(id: Uint8Array, now: Instant): ServerSession | null {
    const session = this.sessions.get(keyOf(id));
    if (session === undefined || since(session.madeAt, now) >= this.lifetime) return null;
    const { suite, master, serverName } = session;
    return { suite, master: master.slice(), serverName };
  }

  /** RFC 5246 §7.2.2: a session that ended with a fatal alert isn't resumed. */
  remove(id: Uint8Array): void {
    this.forget(keyOf(id));
  }

  /** Wipes and forgets everything. */
  clear(): void {
    for (const key of [...this.sessions.keys()]) this.forget(key);
  }

  checkInvariants(): void {
    assert(this.sessions.size <= this.sessionsMax);
  }

  private forget(key: string): void {
    const session = this.sessions.get(key);
    if (session !== undefined) wipe(session.master);
    this.sessions.delete(key);
  }
}

const keyOf = (id: Uint8Array): string => hot.latin1(id, 0, id.length);
