/**
 * What a server's ticket of TLS 1.3 holds, how it is given, and how one that comes back is taken:
 * RFC 8446 §4.2.11 and §4.6.1. Not here: how it is sealed (ticket-keys.ts), the client's side.
 */

import { hot, readU16be, writeU16be } from '#core';
import { constantTimeEqual, wipe } from '#crypto';
import type { TlsEnvironment, TlsServerConfig } from './config.ts';
import type { Handshake13 } from './handshake-13.ts';
import { finishedMac, KeySchedule, ticketKey } from './key-schedule.ts';
import { IDENTITIES_LOOKED_AT_MAX } from './limits.ts';
import { type Refusal, refuse } from './refusal.ts';
import { type CipherSuite, suiteOfCode } from './suites.ts';
import type { TicketKeys } from './ticket-keys.ts';
import type { Transcript } from './transcript.ts';
import { TLS_1_3 } from './wire/code-points.ts';
import { bindersBytes, type OfferedPsks } from './wire/extension-values.ts';
import { ticketExtensions } from './wire/extensions.ts';
import { handshakeMessage, handshakeType } from './wire/handshake.ts';
import { emitNewSessionTicket13 } from './wire/new-session-ticket.ts';

/** Tickets that a server gives after a handshake: a client uses each once (RFC 8446 §C.4). */
const TICKETS_GIVEN = 2;
const NONCE_BYTES = 1;
/** Version, suite, then the key, then the name that the client asked for. */
const at = { version: 0, suite: 2, key: 4 } as const;

export interface OfferedTicket {
  /** The caller wipes it. */
  readonly key: Uint8Array;
  /** Which identity it is, for the ServerHello. */
  readonly index: number;
}

/** Queues NewSessionTickets; their keys are in them, and nowhere else. */
export function sendTickets(
  keys: TicketKeys,
  handshake: Handshake13,
  serverName: string | null,
): void {
  const { engine, suite } = handshake;
  const { crypto, entropy, timers } = engine.env;
  const resumptionSecret = handshake.resumptionSecret();
  const ageAdd = new Uint8Array(4);
  for (let i = 0; i < TICKETS_GIVEN; i++) {
    const nonce = new Uint8Array(NONCE_BYTES);
    nonce[0] = i;
    const key = ticketKey(crypto, suite, resumptionSecret, nonce);
    const contents = ticketContents(suite, key, serverName);
    wipe(key);
    entropy.fill(ageAdd);
    engine.sendMessage(
      handshakeMessage(handshakeType.new_session_ticket, emitNewSessionTicket13, {
        lifetimeSeconds: keys.lifetimeSeconds,
        ageAdd: readU16be(ageAdd, 0) * 0x10000 + readU16be(ageAdd, 2),
        nonce,
        ticket: keys.seal(contents, timers.now),
        extensions: ticketExtensions.of({}),
      }),
    );
    wipe(contents);
  }
  wipe(resumptionSecret);
}

function ticketContents(
  suite: CipherSuite,
  key: Uint8Array,
  serverName: string | null,
): Uint8Array {
  const name = serverName ?? '';
  const contents = new Uint8Array(at.key + key.length + name.length);
  writeU16be(contents, at.version, TLS_1_3);
  writeU16be(contents, at.suite, suite.code);
  hot.copy(contents, at.key, key, 0, key.length);
  hot.writeLatin1(contents, at.key + key.length, name);
  return contents;
}

/**
 * The first of a ClientHello's identities that is a good ticket, with its binder checked; null:
 * none, and the handshake is a full one. `transcript` has what came before the hello.
 */
export function takeTicket(
  env: TlsEnvironment,
  config: TlsServerConfig,
  suite: CipherSuite,
  serverName: string | null,
  transcript: Transcript,
  hello: { readonly offered: OfferedPsks; readonly message: Uint8Array },
): OfferedTicket | Refusal | null {
  const { offered, message } = hello;
  const count = Math.min(offered.identities.length, IDENTITIES_LOOKED_AT_MAX);
  for (let index = 0; index < count; index++) {
    const { identity } = offered.identities[index]!;
    const contents = config.tickets!.open(identity, env.timers.now);
    if (contents === null) continue;
    const key = keyIn(contents, suite, serverName);
    wipe(contents);
    if (key === null) continue;
    const coveredBytes = message.length - bindersBytes(offered);
    const binder = binderOf(env, suite, key, transcript.digestWith(message, coveredBytes));
    if (constantTimeEqual(binder, offered.binders[index]!)) return { key, index };
    wipe(key);
    return refuse('decrypt_error', 'a binder is wrong');
  }
  return null;
}

/** The key of a ticket that fits: same version and hash, same name asked for (RFC 6066 §3). */
function keyIn(
  contents: Uint8Array,
  suite: CipherSuite,
  serverName: string | null,
): Uint8Array | null {
  if (contents.length < at.key || readU16be(contents, at.version) !== TLS_1_3) return null;
  const sealed = suiteOfCode(readU16be(contents, at.suite));
  if (sealed === null || sealed.hash !== suite.hash) return null;
  const nameAt = at.key + suite.hashBytes;
  if (hot.latin1(contents, nameAt, contents.length) !== (serverName ?? '')) return null;
  return contents.slice(at.key, nameAt);
}

/** RFC 8446 §4.2.11.2. */
export function binderOf(
  env: TlsEnvironment,
  suite: CipherSuite,
  key: Uint8Array,
  transcriptHash: Uint8Array,
): Uint8Array {
  const schedule = new KeySchedule(env.crypto, suite, key);
  const secret = schedule.binderSecret();
  const binder = finishedMac(env.crypto, suite, secret, transcriptHash);
  wipe(secret);
  schedule.destroy();
  return binder;
}
