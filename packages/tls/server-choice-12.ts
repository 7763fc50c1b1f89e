/**
 * What a server of TLS 1.2 chooses from a ClientHello: RFC 5246 §7.4.1, RFC 8422 §5.1, RFC 7627 §5.
 */

import { wipe } from '#crypto';
import type { GroupName, SignatureScheme } from '#device';
import type { Credentials, TlsEnvironment, TlsServerConfig } from './config.ts';
import { type Refusal, refuse } from './refusal.ts';
import { knownSchemes } from './schemes.ts';
import { chooseScheme12, groupOfKey, suiteSignature, suiteSignatureOf } from './schemes-12.ts';
import { type CipherSuite, suiteOfName } from './suites.ts';
import { type ServerSession, sessionInTicket } from './ticket-12.ts';
import type { ClientHello } from './wire/client-hello.ts';
import { namedGroup, POINT_UNCOMPRESSED } from './wire/code-points.ts';

/** A full handshake's. */
export interface Choice12 {
  readonly suite: CipherSuite;
  readonly group: GroupName;
  readonly scheme: SignatureScheme;
  readonly credentials: Credentials;
}

/** What no hello of TLS 1.2 may say. */
export function checkHello12({ compressions, extensions }: ClientHello): Refusal | null {
  if (!compressions.includes(0)) return refuse('illegal_parameter', 'not without compression');
  const { ecPointFormats, renegotiationInfo } = extensions;
  if (ecPointFormats !== null && !ecPointFormats.includes(POINT_UNCOMPRESSED)) {
    return refuse('illegal_parameter', 'no uncompressed points'); // RFC 8422 §5.1.2.
  }
  if (renegotiationInfo !== null && renegotiationInfo.length > 0) {
    return refuse('handshake_failure', 'a first handshake that renegotiates'); // RFC 5746 §3.6.
  }
  return null;
}

/** Suite, group, certificate and signature that both can do. */
export function chooseFull12(
  config: TlsServerConfig,
  hello: ClientHello,
  serverName: string | null,
): Choice12 | Refusal {
  const { alpn, signatureAlgorithms, supportedGroups } = hello.extensions;
  const suites = config.suites
    .map(suiteOfName)
    .filter(({ code, signature }) => signature !== null && hello.suites.includes(code));
  if (suites.length === 0) return refuse('handshake_failure', 'no cipher suite in common');
  const group = chooseGroup12(config, supportedGroups);
  if (group === null) return refuse('handshake_failure', 'no group in common');
  // Without the extension a client takes SHA-1 (RFC 5246 §7.4.1.4.1), which we don't sign with.
  const codes = signatureAlgorithms ?? [];
  const schemes = knownSchemes(codes).filter((scheme) =>
    suites.some(({ signature }) => signature === suiteSignatureOf(scheme)),
  );
  const credentials = config.credentials(serverName, schemes, alpn ?? []);
  if (credentials === null) {
    return serverName === null
      ? refuse('handshake_failure', 'no certificate for a client that names no server')
      : refuse('unrecognized_name', 'no certificate for this name');
  }
  const { key } = credentials;
  const curve = groupOfKey(key);
  if (curve !== null && supportedGroups !== null && !supportedGroups.includes(namedGroup[curve])) {
    return refuse('handshake_failure', "the client doesn't know the curve of the certificate");
  }
  const suite = suites.find(({ signature }) => signature === suiteSignature(key));
  if (suite === undefined) return refuse('handshake_failure', 'no suite for this certificate');
  const scheme = chooseScheme12(config.schemes, codes, key);
  if (scheme === null) return refuse('handshake_failure', 'no signature scheme in common');
  return { suite, group, scheme, credentials };
}

/** RFC 8422 §4: who names no groups takes any; P-256 is the one that all have. */
function chooseGroup12(config: TlsServerConfig, offered: readonly number[] | null) {
  const { groups } = config;
  if (offered === null) return groups.includes('secp256r1') ? 'secp256r1' : (groups[0] ?? null);
  return groups.find((group) => offered.includes(namedGroup[group])) ?? null;
}

/** The session that the client may go on with; null: a full handshake. */
export function chooseResumed12(
  env: TlsEnvironment,
  config: TlsServerConfig,
  hello: ClientHello,
  serverName: string | null,
): ServerSession | Refusal | null {
  if (config.clientAuth !== 'none') return null;
  const { now } = env.timers;
  const { extendedMasterSecret, sessionTicket } = hello.extensions;
  let session: ServerSession | null = null;
  if (config.tickets !== null && sessionTicket !== null && sessionTicket.length > 0) {
    const contents = config.tickets.open(sessionTicket, now);
    session = contents === null ? null : sessionInTicket(contents);
  } else if (config.sessions !== null && hello.sessionId.length > 0) {
    session = config.sessions.find(hello.sessionId, now);
  }
  if (session === null) return null;
  const refusal =
    extendedMasterSecret === null
      ? refuse('handshake_failure', 'resumed without extended_master_secret') // RFC 7627 §5.3.
      : hello.suites.includes(session.suite.code)
        ? null
        : refuse('illegal_parameter', 'resumed without its cipher suite'); // RFC 5246 §7.4.1.2.
  const isAnother =
    session.serverName !== serverName || !config.suites.includes(session.suite.name);
  if (refusal === null && !isAnother) return session;
  wipe(session.master);
  return refusal;
}
