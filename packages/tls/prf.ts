/**
 * The secrets of TLS 1.2: its pseudorandom function (RFC 5246 §5), the master secret (§8.1, and RFC
 * 7627 §4), the keys of a connection (§6.3), and what Finished says (§7.4.9).
 */

import { hot } from '#core';
import { wipe } from '#crypto';
import type { CryptoPrimitives } from '#device';
import { Protection12 } from './record/protection-12.ts';
import type { CipherSuite } from './suites.ts';
import { VERIFY_DATA_BYTES_12 } from './wire/small-messages.ts';

export const MASTER_SECRET_BYTES = 48;

type Label =
  | 'master secret'
  | 'extended master secret'
  | 'key expansion'
  | 'client finished'
  | 'server finished'
  | 'test label';

/** PRF(secret, label, seed): `bytes` of it, in a fresh array. */
export function prf(
  crypto: CryptoPrimitives,
  { hash, hashBytes }: Pick<CipherSuite, 'hash' | 'hashBytes'>,
  secret: Uint8Array,
  label: Label,
  seed: Uint8Array,
  bytes: number,
): Uint8Array {
  const labelled = new Uint8Array(label.length + seed.length);
  hot.writeLatin1(labelled, 0, label);
  hot.copy(labelled, label.length, seed, 0, seed.length);
  const input = new Uint8Array(hashBytes + labelled.length);
  hot.copy(input, hashBytes, labelled, 0, labelled.length);
  const out = new Uint8Array(bytes);
  let a: Uint8Array = labelled;
  for (let at = 0; at < bytes; at += hashBytes) {
    a = crypto.hmac(hash, secret, a);
    hot.copy(input, 0, a, 0, hashBytes);
    const block = crypto.hmac(hash, secret, input);
    hot.copy(out, at, block, 0, Math.min(hashBytes, bytes - at));
    wipe(block);
  }
  wipe(a);
  wipe(input);
  return out;
}

/**
 * From the key agreement's secret, which is wiped; `seed` is the session's hash where both sides
 * have extended_master_secret, else both randoms, the client's first.
 */
export function masterSecret(
  crypto: CryptoPrimitives,
  suite: CipherSuite,
  premaster: Uint8Array,
  isExtended: boolean,
  seed: Uint8Array,
): Uint8Array {
  const label = isExtended ? 'extended master secret' : 'master secret';
  const master = prf(crypto, suite, premaster, label, seed, MASTER_SECRET_BYTES);
  wipe(premaster);
  return master;
}

/** Both directions' protection. */
export interface Keys12 {
  readonly client: Protection12;
  readonly server: Protection12;
}

/** `randoms` are the server's, then the client's. */
export function connectionKeys(
  crypto: CryptoPrimitives,
  suite: CipherSuite,
  master: Uint8Array,
  randoms: Uint8Array,
): Keys12 {
  const { aead, keyBytes } = suite;
  const ivBytes = aead === 'CHACHA20-POLY1305' ? 12 : 4;
  const block = prf(crypto, suite, master, 'key expansion', randoms, 2 * (keyBytes + ivBytes));
  const protection = (index: 0 | 1): Protection12 => {
    const key = block.slice(index * keyBytes, (index + 1) * keyBytes);
    const ivAt = 2 * keyBytes + index * ivBytes;
    const made = new Protection12(crypto.aead(aead, key), block.slice(ivAt, ivAt + ivBytes));
    wipe(key);
    return made;
  };
  const keys = { client: protection(0), server: protection(1) };
  wipe(block);
  return keys;
}

export const verifyData = (
  crypto: CryptoPrimitives,
  suite: CipherSuite,
  master: Uint8Array,
  side: 'client' | 'server',
  transcriptHash: Uint8Array,
): Uint8Array =>
  prf(crypto, suite, master, `${side} finished`, transcriptHash, VERIFY_DATA_BYTES_12);
