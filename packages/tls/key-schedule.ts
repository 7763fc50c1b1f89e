/**
 * The key schedule of TLS 1.3, RFC 8446 §7.1 and §7.3: from a pre-shared key and a key agreement to
 * the secrets of each direction. What a step doesn't need any more is wiped in it.
 */

import { assert, hot, writeU16be } from '#core';
import { wipe } from '#crypto';
import type { CryptoPrimitives, HashName } from '#device';
import { AEAD_NONCE_BYTES, Protection13 } from './record/protection-13.ts';
import type { CipherSuite } from './suites.ts';

const NOTHING = new Uint8Array(0);

/** Labels that may appear here, without "tls13 ". */
type Label =
  | 'res binder'
  | 'derived'
  | 'c hs traffic'
  | 's hs traffic'
  | 'c ap traffic'
  | 's ap traffic'
  | 'res master'
  | 'resumption'
  | 'finished'
  | 'traffic upd'
  | 'key'
  | 'iv';

/** HKDF-Expand-Label, RFC 8446 §7.1. */
export function expandLabel(
  crypto: CryptoPrimitives,
  hash: HashName,
  secret: Uint8Array,
  label: Label,
  context: Uint8Array,
  bytes: number,
): Uint8Array {
  const head = labelHead(label, bytes);
  const count = context.length;
  const info = new Uint8Array(head.length + 1 + count);
  hot.copy(info, 0, head, 0, head.length);
  info[head.length] = count;
  hot.copy(info, head.length + 1, context, 0, count);
  return crypto.hkdfExpand(hash, secret, info, bytes);
}

/** Each label's HkdfLabel up to the context, by length; made once, for there are few. */
const heads = new Map<Label, Map<number, Uint8Array>>();

function labelHead(label: Label, bytes: number): Uint8Array {
  const byLength = heads.get(label) ?? new Map<number, Uint8Array>();
  const known = byLength.get(bytes);
  if (known !== undefined) return known;
  const name = `tls13 ${label}`;
  const head = new Uint8Array(3 + name.length);
  writeU16be(head, 0, bytes);
  head[2] = name.length;
  hot.writeLatin1(head, 3, name);
  byLength.set(bytes, head);
  heads.set(label, byLength);
  return head;
}

/** The keys of one direction from its traffic secret (RFC 8446 §7.3), which stays the caller's. */
export function protectionOf(
  crypto: CryptoPrimitives,
  { hash, aead, keyBytes }: CipherSuite,
  trafficSecret: Uint8Array,
): Protection13 {
  const key = expandLabel(crypto, hash, trafficSecret, 'key', NOTHING, keyBytes);
  const iv = expandLabel(crypto, hash, trafficSecret, 'iv', NOTHING, AEAD_NONCE_BYTES);
  const protection = new Protection13(crypto.aead(aead, key), iv);
  wipe(key);
  return protection;
}

/** The next secret of a direction, RFC 8446 §7.2; `trafficSecret` is wiped. */
export function updateSecret(
  crypto: CryptoPrimitives,
  { hash, hashBytes }: CipherSuite,
  trafficSecret: Uint8Array,
): Uint8Array {
  const next = expandLabel(crypto, hash, trafficSecret, 'traffic upd', NOTHING, hashBytes);
  wipe(trafficSecret);
  return next;
}

/** verify_data of a Finished, or a binder (RFC 8446 §4.4.4, §4.2.11.2). */
export function finishedMac(
  crypto: CryptoPrimitives,
  { hash, hashBytes }: CipherSuite,
  baseSecret: Uint8Array,
  transcriptHash: Uint8Array,
): Uint8Array {
  const key = expandLabel(crypto, hash, baseSecret, 'finished', NOTHING, hashBytes);
  const mac = crypto.hmac(hash, key, transcriptHash);
  wipe(key);
  return mac;
}

/** A ticket's key from the session's secret, RFC 8446 §4.6.1. */
export const ticketKey = (
  crypto: CryptoPrimitives,
  { hash, hashBytes }: CipherSuite,
  resumptionSecret: Uint8Array,
  ticketNonce: Uint8Array,
): Uint8Array => expandLabel(crypto, hash, resumptionSecret, 'resumption', ticketNonce, hashBytes);

export class KeySchedule {
  private readonly crypto: CryptoPrimitives;
  private readonly suite: CipherSuite;
  /** Early, handshake, then master secret. */
  private secret: Uint8Array;
  private stage: 'early' | 'handshake' | 'master' = 'early';

  /** Begins with a pre-shared key, which stays the caller's; null: none. */
  constructor(crypto: CryptoPrimitives, suite: CipherSuite, preSharedKey: Uint8Array | null) {
    this.crypto = crypto;
    this.suite = suite;
    const zeros = new Uint8Array(suite.hashBytes);
    this.secret = crypto.hmac(suite.hash, zeros, preSharedKey ?? zeros);
  }

  /** Key of the binder for a ticket's key; the caller wipes it. */
  binderSecret(): Uint8Array {
    assert(this.stage === 'early');
    return this.derive('res binder', this.crypto.digest(this.suite.hash, NOTHING));
  }

  /** To the handshake secret; `shared`, of the key agreement, is wiped. */
  mixShared(shared: Uint8Array): void {
    assert(this.stage === 'early');
    this.extract(shared);
    wipe(shared);
    this.stage = 'handshake';
  }

  mixNothing(): void {
    assert(this.stage === 'handshake');
    this.extract(new Uint8Array(this.suite.hashBytes));
    this.stage = 'master';
  }

  /** Traffic secrets of the present stage, and the resumption's. The caller wipes it. */
  derive(label: Label, transcriptHash: Uint8Array): Uint8Array {
    const { hash, hashBytes } = this.suite;
    return expandLabel(this.crypto, hash, this.secret, label, transcriptHash, hashBytes);
  }

  destroy(): void {
    wipe(this.secret);
  }

  private extract(keyingMaterial: Uint8Array): void {
    const { crypto } = this;
    const { hash } = this.suite;
    const salt = this.derive('derived', crypto.digest(hash, NOTHING));
    wipe(this.secret);
    this.secret = crypto.hmac(hash, salt, keyingMaterial);
    wipe(salt);
  }
}
