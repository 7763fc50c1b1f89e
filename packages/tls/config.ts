/**
 * What an endpoint of TLS is given: its certificates, whom it trusts, what it offers and accepts.
 * `tlsServerConfig` and `tlsClientConfig` fill in what is left out, once for all the connections
 * that share the result. Not here: what a peer may cost (limits.ts).
 */

import { assert, type TimerQueue } from '#core';
import type {
  Clock,
  CryptoPrimitives,
  Entropy,
  GroupName,
  PrivateKey,
  SignatureScheme,
} from '#device';
import type { RevocationList, TrustAnchors } from '#x509';
import { DEFAULT_LIMITS, RECORD_SIZE_LIMIT_MIN, type TlsLimits } from './limits.ts';
import type { SessionCache } from './session-cache.ts';
import { CIPHER_SUITES } from './suites.ts';
import type { ServerSessions } from './ticket-12.ts';
import type { TicketKeys } from './ticket-keys.ts';
import type { CipherSuiteName } from './wire/code-points.ts';
import { PLAINTEXT_BYTES_MAX } from './wire/record.ts';

export type TlsVersion = 'TLS 1.3' | 'TLS 1.2';

/** What TLS stands on; the same for every connection of a program. */
export interface TlsEnvironment {
  readonly crypto: CryptoPrimitives;
  readonly entropy: Entropy;
  readonly clock: Clock;
  readonly timers: TimerQueue;
}

/** Who we are. Shared by connections; nothing in it changes. */
export interface Credentials {
  /** DER, the leaf first, then each one's issuer; the root may be left out. */
  readonly chain: readonly Uint8Array[];
  readonly key: PrivateKey;
  /** An OCSP response for the leaf (RFC 6960, DER), passed on to clients that ask for it. */
  readonly ocsp?: Uint8Array | null;
}

interface CommonConfig {
  /** Versions that may be spoken. */
  readonly versions: readonly TlsVersion[];
  /** Ours first; those of both versions. A server's order decides. */
  readonly suites: readonly CipherSuiteName[];
  /** Ours first. A client sends a key share of the first. */
  readonly groups: readonly GroupName[];
  /** What a peer may sign with, and we. */
  readonly schemes: readonly SignatureScheme[];
  /** Protocols above (RFC 7301), ours first; empty: the extension is neither sent nor answered. */
  readonly alpn: readonly string[];
  /**
   * The most bytes of a record that we take, the type's byte counted (RFC 8449): 64..16,385. Bounds
   * what a connection holds while a record is incomplete.
   */
  readonly recordSizeLimit: number;
  /** Records of application data are padded to a multiple of this many bytes; 1: not at all. */
  readonly paddingBytes: number;
  /** Each of the peer's certificates must be covered by one of them; null: none is looked up. */
  readonly revocationLists: readonly RevocationList[] | null;
  readonly limits: TlsLimits;
}

export interface TlsServerConfig extends CommonConfig {
  /**
   * The server's credentials for this client, of which the name is null or that of a host in lower
   * case; null: `unrecognized_name`. Called for each full handshake: keep the objects.
   */
  readonly credentials: (
    serverName: string | null,
    offeredSchemes: readonly SignatureScheme[],
    offeredAlpn: readonly string[],
  ) => Credentials | null;
  /** Whether clients are asked for a certificate, and must have one. */
  readonly clientAuth: 'none' | 'optional' | 'required';
  /** Whom clients' certificates must come from; not null unless clientAuth is 'none'. */
  readonly clientAnchors: TrustAnchors | null;
  /** Null: no tickets, so no resumption. Clients with certificates aren't given tickets. */
  readonly tickets: TicketKeys | null;
  /** Sessions of clients of TLS 1.2 that take no tickets; null: none are kept. */
  readonly sessions: ServerSessions | null;
}

export interface TlsClientConfig extends CommonConfig {
  /**
   * The name that is sent, and that the server's certificate must be for: a DNS name, or an IP
   * address as text (never sent, RFC 6066 §3). Null: any name will do, only the chain is checked.
   */
  readonly serverName: string | null;
  readonly anchors: TrustAnchors;
  /** For servers that ask for a certificate; null: we send none. */
  readonly credentials: Credentials | null;
  /** Where sessions are kept for resumption; null: nowhere. */
  readonly sessions: SessionCache | null;
  /** Looks like TLS 1.2 to boxes on the way (RFC 8446 §D.4). */
  readonly middleboxCompatibility: boolean;
}

const COMMON: CommonConfig = {
  versions: ['TLS 1.3', 'TLS 1.2'],
  suites: CIPHER_SUITES.map(({ name }) => name),
  groups: ['x25519', 'secp256r1', 'secp384r1'],
  schemes: [
    'ecdsa_secp256r1_sha256',
    'ed25519',
    'ecdsa_secp384r1_sha384',
    'rsa_pss_rsae_sha256',
    'rsa_pss_rsae_sha384',
    'rsa_pss_rsae_sha512',
    'rsa_pss_pss_sha256',
    'rsa_pss_pss_sha384',
    'rsa_pss_pss_sha512',
    'rsa_pkcs1_sha256',
    'rsa_pkcs1_sha384',
    'rsa_pkcs1_sha512',
  ],
  alpn: [],
  recordSizeLimit: PLAINTEXT_BYTES_MAX + 1,
  paddingBytes: 1,
  revocationLists: null,
  limits: DEFAULT_LIMITS,
};

export function tlsServerConfig(
  given: Pick<TlsServerConfig, 'credentials'> & Partial<TlsServerConfig>,
): TlsServerConfig {
  const config: TlsServerConfig = {
    ...COMMON,
    clientAuth: 'none',
    clientAnchors: null,
    tickets: null,
    sessions: null,
    ...given,
  };
  check(config);
  assert(config.clientAuth === 'none' || config.clientAnchors !== null, 'clientAuth: of whom');
  return config;
}

export function tlsClientConfig(
  given: Pick<TlsClientConfig, 'serverName' | 'anchors'> & Partial<TlsClientConfig>,
): TlsClientConfig {
  const config: TlsClientConfig = {
    ...COMMON,
    credentials: null,
    sessions: null,
    middleboxCompatibility: true,
    ...given,
  };
  check(config);
  return config;
}

function check(config: CommonConfig): void {
  assert(config.versions.length > 0 && config.suites.length > 0 && config.groups.length > 0);
  assert(config.schemes.length > 0);
  const limit = config.recordSizeLimit;
  assert(limit >= RECORD_SIZE_LIMIT_MIN && limit <= PLAINTEXT_BYTES_MAX + 1, 'recordSizeLimit');
  assert(config.paddingBytes >= 1 && config.paddingBytes <= PLAINTEXT_BYTES_MAX, 'paddingBytes');
}
