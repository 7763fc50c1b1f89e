/**
 * A TLS implementation as the tests see it: something that serves with some settings and something
 * that connects with some. Ours and the others are the same to a test, so that each expectation
 * can be shown true between two implementations that aren't ours (main.ts --between).
 */

import type { Credential } from './certificates.ts';

export type Version = '1.2' | '1.3';
export const VERSIONS: readonly Version[] = ['1.2', '1.3'];

// Names of RFC 8446 and RFC 5289.
export const SUITES_13 = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
] as const;
export const SUITES_12 = [
  'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
  'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256',
] as const;
export type Suite = (typeof SUITES_13)[number] | (typeof SUITES_12)[number];

export const GROUPS = ['x25519', 'secp256r1', 'secp384r1'] as const;
export type Group = (typeof GROUPS)[number];

/** What our side signs with, by the key that it fits; the last three in TLS 1.2 only. */
export const SCHEMES = [
  'ecdsa_secp256r1_sha256',
  'ecdsa_secp384r1_sha384',
  'rsa_pss_rsae_sha256',
  'rsa_pss_rsae_sha384',
  'rsa_pss_rsae_sha512',
  'rsa_pkcs1_sha256',
  'rsa_pkcs1_sha384',
  'rsa_pkcs1_sha512',
] as const;
export type Scheme = (typeof SCHEMES)[number];

/** Settings of both ends; null leaves it to the implementation. */
interface Settings {
  readonly versions: readonly Version[];
  readonly suites: readonly Suite[] | null;
  /** A client's first is the one that it sends a share of. */
  readonly groups: readonly Group[] | null;
  readonly alpn: readonly string[];
  /** PEM file with the roots to trust. */
  readonly anchors: string;
}

export interface ServerSettings extends Settings {
  /** The first that fits the client is used. */
  readonly credentials: readonly Credential[];
  readonly clientAuth: 'none' | 'optional' | 'required';
  readonly resumption: 'tickets' | 'session ids' | 'none';
  /** Record size limit, RFC 8449; null for the largest. */
  readonly recordBytes: number | null;
}

export interface ClientSettings extends Settings {
  /** Sent and checked; null for neither. */
  readonly serverName: string | null;
  readonly schemes: readonly Scheme[] | null;
  readonly credential: Credential | null;
  /** False: any certificate is good. */
  readonly verify: boolean;
  readonly recordBytes: number | null;
}

/** What one end knows of a connection once it is over; null where it can't tell. */
export interface Outcome {
  /** Its handshake was complete, as far as it could tell. */
  readonly established: boolean;
  readonly version: Version | null;
  readonly suite: Suite | null;
  readonly group: Group | null;
  readonly alpn: string | null;
  readonly resumed: boolean | null;
  /** Fatal alerts (RFC 8446 §6) that came in and went out, as far as it tells. */
  readonly alertIn: number | null;
  readonly alertOut: number | null;
  /** All that it said, for a failure's message. */
  readonly words: string;
}

export interface ClientOutcome extends Outcome {
  /** Application data that came in. */
  readonly received: Buffer;
}

export interface Serving {
  readonly port: number;
  /** What the server knows of its connections so far, and all application data that came in. */
  outcomes(): readonly Outcome[];
  received(): Buffer | null;
  /** Resolves once the server has told of `count` connections what there is to tell. */
  told(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** What a client does with its connection. */
export interface Talk {
  readonly send: Buffer;
  /** It ends the connection once it has so many bytes, or when the server ends it. */
  readonly untilBytes: number;
}

export interface Party {
  readonly name: string;
  /**
   * Serves one connection after another; each byte comes back. A connection that may not be gets
   * none.
   */
  serve(settings: ServerSettings): Promise<Serving>;
  /** Connects to a port of loopback and gives what it knows in the end, in bounded time. */
  connect(port: number, settings: ClientSettings, talk: Talk): Promise<ClientOutcome>;
}

const LINE = Buffer.from('a man, a plan, a canal: Panama\n');
export const ECHO: Talk = { send: LINE, untilBytes: LINE.length };
