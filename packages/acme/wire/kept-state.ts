/**
 * What survives a restart, as bytes: our account's key, the certificate and its key. Format 1:
 *
 *     0  "MrgAcme1"
 *     8  u32be generation: the greater of two counts
 *     12 u32be bytes of the body
 *     16 SHA-256 over bytes 0..15 and the body
 *     48 the body: JSON, arrays of bytes as base64url
 *
 * Keys are in it as they are: whoever reads it has them.
 */

import { err, hot, ok, type Result, readU32be, writeU32be } from '#core';
import type { CryptoPrimitives } from '#device';
import { LIST_MAX } from '../limits.ts';
import { base64url, fromBase64url } from './base64url.ts';
import { type Json, parseObject } from './document.ts';

export interface KeptState {
  /** The authority's URL: what is kept is of use with no other. */
  readonly directory: string;
  /** PKCS#8. */
  readonly accountKey: Uint8Array;
  /** Null: no certificate yet. */
  readonly certificate: {
    /** DER, leaf first. */
    readonly chain: readonly Uint8Array[];
    /** PKCS#8. */
    readonly key: Uint8Array;
  } | null;
}

export interface KeptSlot {
  readonly generation: number;
  readonly state: KeptState;
}

export type SlotFault =
  /** No slot at all: all zeros, or somebody else's. */
  | { readonly kind: 'blank' }
  | { readonly kind: 'foreign' }
  /** One of ours, but not as it was written. */
  | { readonly kind: 'damaged' };

const MAGIC = hot.utf8Encode('MrgAcme1');
const at = { generation: 8, length: 12, digest: 16, body: 48 } as const;
const DIGEST_BYTES = 32;
/** A slot with less is no slot. */
export const SLOT_HEAD_BYTES = at.body;

/** Keeps nothing of `bytes`. */
export function parseSlot(
  bytes: Uint8Array,
  crypto: Pick<CryptoPrimitives, 'digest'>,
): Result<KeptSlot, SlotFault> {
  const isOurs = bytes.length >= SLOT_HEAD_BYTES && hot.equal(bytes, 0, MAGIC, 0, MAGIC.length);
  if (!isOurs) return err({ kind: bytes.every((byte) => byte === 0) ? 'blank' : 'foreign' });
  const length = readU32be(bytes, at.length);
  const damaged = err<SlotFault>({ kind: 'damaged' });
  if (length > bytes.length - at.body) return damaged;
  const body = bytes.subarray(at.body, at.body + length);
  const digest = digestOf(bytes.subarray(0, at.digest), body, crypto);
  if (!hot.equal(digest, 0, bytes, at.digest, DIGEST_BYTES)) return damaged;
  const json = parseObject(body);
  const state = json.ok ? stateOf(json.value) : null;
  if (state === null) return damaged;
  return ok({ generation: readU32be(bytes, at.generation), state });
}

/** The slot's bytes, as many as it needs. */
export function emitSlot(
  { generation, state }: KeptSlot,
  crypto: Pick<CryptoPrimitives, 'digest'>,
): Uint8Array {
  const { directory, accountKey, certificate } = state;
  const json = {
    directory,
    accountKey: base64url(accountKey),
    chain: certificate?.chain.map(base64url) ?? null,
    key: certificate === null ? null : base64url(certificate.key),
  };
  const body = hot.utf8Encode(JSON.stringify(json));
  const bytes = new Uint8Array(at.body + body.length);
  hot.copy(bytes, 0, MAGIC, 0, MAGIC.length);
  writeU32be(bytes, at.generation, generation);
  writeU32be(bytes, at.length, body.length);
  const digest = digestOf(bytes.subarray(0, at.digest), body, crypto);
  hot.copy(bytes, at.digest, digest, 0, DIGEST_BYTES);
  hot.copy(bytes, at.body, body, 0, body.length);
  body.fill(0);
  return bytes;
}

function digestOf(
  head: Uint8Array,
  body: Uint8Array,
  crypto: Pick<CryptoPrimitives, 'digest'>,
): Uint8Array {
  const all = new Uint8Array(head.length + body.length);
  hot.copy(all, 0, head, 0, head.length);
  hot.copy(all, head.length, body, 0, body.length);
  const digest = crypto.digest('SHA-256', all);
  all.fill(0);
  return digest;
}

function stateOf({ directory, accountKey, chain, key }: Json): KeptState | null {
  const account = bytesOf(accountKey);
  if (typeof directory !== 'string' || account === null) return null;
  if (chain === null && key === null) return { directory, accountKey: account, certificate: null };
  const certificateKey = bytesOf(key);
  if (!Array.isArray(chain) || chain.length > LIST_MAX || certificateKey === null) return null;
  const ders: Uint8Array[] = [];
  for (const one of chain) {
    const der = bytesOf(one);
    if (der === null) return null;
    ders.push(der);
  }
  const certificate = { chain: ders, key: certificateKey };
  return { directory, accountKey: account, certificate };
}

const bytesOf = (value: unknown): Uint8Array | null =>
  typeof value === 'string' ? fromBase64url(value) : null;
