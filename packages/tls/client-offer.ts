/**
 * A client's ClientHello: what it offers, in TLS 1.3 and 1.2 (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2),
 * and the second one that a HelloRetryRequest asks for. Not here: what the server answers.
 */

import { hot, millis, since, toU32 } from '#core';
import { wipe } from '#crypto';
import { type GroupName, isHostName, type KeyAgreement } from '#device';
import type { TlsClientConfig, TlsEnvironment } from './config.ts';
import type { StoredSession } from './session-cache.ts';
import { type CipherSuite, suiteOfName } from './suites.ts';
import { binderOf } from './ticket-13.ts';
import type { Transcript } from './transcript.ts';
import {
  type ClientHello,
  emitClientHello,
  RANDOM_BYTES,
  SESSION_ID_BYTES_MAX,
} from './wire/client-hello.ts';
import {
  namedGroup,
  POINT_UNCOMPRESSED,
  PSK_DHE_KE,
  signatureScheme,
  TLS_1_2,
  TLS_1_3,
} from './wire/code-points.ts';
import { clientHelloExtensions } from './wire/extensions.ts';
import { handshakeMessage, handshakeType } from './wire/handshake.ts';

const NOTHING = new Uint8Array(0);

/** What a ClientHello promised, until the server has answered. */
export interface ClientOffer {
  readonly hello: ClientHello;
  /** As it was sent, header first. */
  readonly message: Uint8Array;
  /** For TLS 1.3; null when only 1.2 is offered. */
  readonly agreement: KeyAgreement | null;
  /** The session that is to be resumed: by pre_shared_key, or by a ticket of TLS 1.2. */
  readonly session: StoredSession | null;
}

/** Forgets the offer's secrets, but for the session's when `keepsSession`. */
export function destroyOffer({ agreement, session }: ClientOffer, keepsSession = false): void {
  agreement?.destroy();
  if (session !== null && !keepsSession) wipe(session.secret);
}

/** Whether the server's name is one to send (RFC 6066 §3: addresses aren't). */
const sentName = ({ serverName }: TlsClientConfig): string | null =>
  serverName !== null && isHostName(serverName) ? serverName.replace(/\.$/, '') : null;

/** A first hello. `session`: one to resume, the offer's from now on. */
export function makeOffer(
  env: TlsEnvironment,
  config: TlsClientConfig,
  session: StoredSession | null,
): ClientOffer {
  const { crypto, entropy } = env;
  const has13 = config.versions.includes('TLS 1.3');
  const has12 = config.versions.includes('TLS 1.2');
  const random = new Uint8Array(RANDOM_BYTES);
  entropy.fill(random);
  const agreement = has13 ? crypto.generateKeyAgreement(config.groups[0]!, entropy) : null;
  const ticket12 = session?.version === 'TLS 1.2' ? session.ticket : NOTHING;
  // Shown back by a server of TLS 1.2 that takes the ticket (RFC 5077 §3.4).
  const hasId = (has13 && config.middleboxCompatibility) || ticket12.length > 0;
  const randomId = new Uint8Array(hasId ? SESSION_ID_BYTES_MAX : 0);
  entropy.fill(randomId);
  const sessionId = session !== null && session.id.length > 0 ? session.id : randomId;
  const suites = config.suites
    .map(suiteOfName)
    .filter(({ signature }) => (signature === null ? has13 : has12));
  const hello: ClientHello = {
    version: TLS_1_2,
    random,
    sessionId,
    suites: suites.map(({ code }) => code),
    compressions: Uint8Array.of(0),
    extensions: clientHelloExtensions.of({
      serverName: sentName(config),
      extendedMasterSecret: has12 ? true : null,
      renegotiationInfo: has12 ? NOTHING : null,
      supportedGroups: config.groups.map((group) => namedGroup[group]),
      ecPointFormats: has12 ? Uint8Array.of(POINT_UNCOMPRESSED) : null,
      sessionTicket: has12 && config.sessions !== null ? ticket12 : null,
      alpn: config.alpn.length > 0 ? config.alpn : null,
      statusRequest: { type: 'ocsp', responderIds: [], requestExtensions: NOTHING },
      signatureAlgorithms: config.schemes.map((scheme) => signatureScheme[scheme]),
      recordSizeLimit: config.recordSizeLimit,
      supportedVersions: has13 ? (has12 ? [TLS_1_3, TLS_1_2] : [TLS_1_3]) : null,
      pskKeyExchangeModes: has13 ? Uint8Array.of(PSK_DHE_KE) : null,
      keyShare: agreement === null ? null : [shareOf(agreement)],
      preSharedKey: pskOf(env, session),
    }),
  };
  return { hello, message: emitBound(env, hello, session, null), agreement, session };
}

/**
 * The second hello, RFC 8446 §4.1.2: with a share of `group` (null: the same one), with the cookie.
 * `first` is used up. `transcript` has the first hello's hash and the request.
 */
export function makeSecondOffer(
  env: TlsEnvironment,
  first: ClientOffer,
  group: GroupName | null,
  cookie: Uint8Array | null,
  suite: CipherSuite,
  transcript: Transcript,
): ClientOffer {
  const keepsSession = first.session?.suite.hash === suite.hash;
  const session = keepsSession ? first.session : null;
  if (!keepsSession && first.session !== null) wipe(first.session.secret);
  let { agreement } = first;
  if (group !== null) {
    agreement!.destroy();
    agreement = env.crypto.generateKeyAgreement(group, env.entropy);
  }
  const { others } = first.hello.extensions;
  const extensions = clientHelloExtensions.of(
    {
      ...first.hello.extensions,
      earlyData: null,
      cookie,
      keyShare: [shareOf(agreement!)],
      preSharedKey: pskOf(env, session),
    },
    others,
  );
  const hello = { ...first.hello, extensions };
  return { hello, message: emitBound(env, hello, session, transcript), agreement, session };
}

const shareOf = ({ group, publicKey }: KeyAgreement) => ({
  group: namedGroup[group],
  keyExchange: publicKey,
});

/** With zeros for the binder: emitBound writes it. */
function pskOf({ timers }: TlsEnvironment, session: StoredSession | null) {
  if (session?.version !== 'TLS 1.3') return null;
  const ageMillis = Math.floor(since(session.receivedAt, timers.now) / millis(1));
  // RFC 8446 §4.2.11.1: modulo 2^32.
  const obfuscatedAge = toU32(ageMillis + session.ageAdd);
  return {
    identities: [{ identity: session.ticket, obfuscatedAge }],
    binders: [new Uint8Array(session.suite.hashBytes)],
  };
}

/** The message, with the binder over all before it: the last bytes (RFC 8446 §4.2.11.2). */
function emitBound(
  env: TlsEnvironment,
  hello: ClientHello,
  session: StoredSession | null,
  before: Transcript | null,
): Uint8Array {
  const message = handshakeMessage(handshakeType.client_hello, emitClientHello, hello);
  if (session?.version !== 'TLS 1.3') return message;
  const { suite, secret } = session;
  const coveredBytes = message.length - 3 - suite.hashBytes;
  const covered = message.subarray(0, coveredBytes);
  const digest =
    before === null
      ? env.crypto.digest(suite.hash, covered)
      : before.digestWith(message, coveredBytes);
  const binder = binderOf(env, suite, secret, digest);
  hot.copy(message, message.length - suite.hashBytes, binder, 0, suite.hashBytes);
  return message;
}
