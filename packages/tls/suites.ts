/** Cipher suites, RFC 8446 §B.4, RFC 5289, RFC 7905: AEADs with ephemeral keys, nothing else. */

import type { AeadName, HashName } from '#device';
import { type CipherSuiteName, cipherSuite } from './wire/code-points.ts';

export interface CipherSuite {
  readonly name: CipherSuiteName;
  readonly code: number;
  /** The server's key in TLS 1.2 (Ed25519 counts as ECDSA, RFC 8422 §5.4); null: a suite of 1.3. */
  readonly signature: 'ECDSA' | 'RSA' | null;
  readonly aead: AeadName;
  readonly keyBytes: number;
  /** Of the key schedule, or of the PRF. */
  readonly hash: HashName;
  readonly hashBytes: number;
}

function suite(
  name: CipherSuiteName,
  signature: 'ECDSA' | 'RSA' | null,
  aead: AeadName,
  hash: 'SHA-256' | 'SHA-384' = 'SHA-256',
): CipherSuite {
  const keyBytes = aead === 'AES-128-GCM' ? 16 : 32;
  const hashBytes = hash === 'SHA-256' ? 32 : 48;
  return { name, code: cipherSuite[name], signature, aead, keyBytes, hash, hashBytes };
}

/** In the order in which we prefer them, 1.3 first. */
export const CIPHER_SUITES: readonly CipherSuite[] = [
  suite('TLS_AES_128_GCM_SHA256', null, 'AES-128-GCM'),
  suite('TLS_AES_256_GCM_SHA384', null, 'AES-256-GCM', 'SHA-384'),
  suite('TLS_CHACHA20_POLY1305_SHA256', null, 'CHACHA20-POLY1305'),
  suite('TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'ECDSA', 'AES-128-GCM'),
  suite('TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'RSA', 'AES-128-GCM'),
  suite('TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'ECDSA', 'AES-256-GCM', 'SHA-384'),
  suite('TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'RSA', 'AES-256-GCM', 'SHA-384'),
  suite('TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDSA', 'CHACHA20-POLY1305'),
  suite('TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'RSA', 'CHACHA20-POLY1305'),
];

const BY_CODE = new Map(CIPHER_SUITES.map((known) => [known.code, known]));
const BY_NAME = new Map(CIPHER_SUITES.map((known) => [known.name, known]));

export const suiteOfCode = (code: number): CipherSuite | null => BY_CODE.get(code) ?? null;
export const suiteOfName = (name: CipherSuiteName): CipherSuite => BY_NAME.get(name)!;
