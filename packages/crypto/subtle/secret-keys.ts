/** AES-GCM and HMAC, Web Cryptography §27 and §29: keys that are bytes. */

import { AEAD_NONCE_BYTES, AEAD_TAG_BYTES, type Aead, type HashName } from '#device';
import { constantTimeEqual } from '../secrets.ts';
import type { Algorithm, KeyData, KeyFormat } from './algorithm.ts';
import {
  type Asked,
  blockBytes,
  bytesOf,
  type Dictionary,
  hashOf,
  integerOf,
  type SubtleContext,
} from './context.ts';
import {
  type CryptoKey,
  checkUsages,
  type KeyAlgorithm,
  type KeyUsage,
  makeKey,
  materialOf,
} from './crypto-key.ts';
import { base64url, checkJwk, type Jwk, jwkBytes } from './jwk.ts';

export function secretOf(key: CryptoKey): Uint8Array {
  const material = materialOf(key);
  if (material.type !== 'secret') throw new TypeError('a secret key is needed');
  return material.bytes;
}

/** A fresh copy of imported bytes; RFC 7518 §6.4 for a JSON Web Key. */
function importedSecret(
  context: SubtleContext,
  data: KeyData,
  wanted: { readonly use: 'sig' | 'enc'; alg(bytes: Uint8Array): string | null },
  extractable: boolean,
  usages: readonly KeyUsage[],
): Uint8Array {
  switch (data.format) {
    case 'raw':
      return data.bytes.slice();
    case 'jwk': {
      checkJwk(context, data.jwk, { kty: 'oct', use: wanted.use, alg: null }, extractable, usages);
      const bytes = jwkBytes(context, data.jwk, 'k');
      const rest = { kty: 'oct', use: wanted.use, alg: wanted.alg(bytes) };
      checkJwk(context, data.jwk, rest, extractable, usages);
      return bytes;
    }
    default:
      throw context.error(`the format ${data.format}`, 'NotSupportedError');
  }
}

function exportedSecret(key: CryptoKey, format: KeyFormat, alg: string): Uint8Array | Jwk | null {
  const bytes = secretOf(key);
  if (format === 'raw') return bytes.slice();
  if (format !== 'jwk') return null;
  const { extractable: ext, usages } = key;
  return { kty: 'oct', k: base64url(bytes), alg, key_ops: usages, ext };
}

function drawn(context: SubtleContext, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  context.entropy.fill(bytes);
  return bytes;
}

const AES_USAGES: readonly KeyUsage[] = ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'];
const AES_BITS: readonly number[] = [128, 256];

function aesBits(context: SubtleContext, bits: number, bad: 'DataError' | 'OperationError') {
  if (bits === 192) throw context.error('AES with keys of 192 bits', 'NotSupportedError');
  if (!AES_BITS.includes(bits)) throw context.error(`an AES key of ${bits} bits`, bad);
  return bits;
}

function aesKey(bytes: Uint8Array, extractable: boolean, usages: readonly KeyUsage[]): CryptoKey {
  const algorithm = { name: 'AES-GCM', length: bytes.length * 8 };
  return makeKey({ type: 'secret', bytes }, algorithm, extractable, usages);
}

const TAG_BITS: readonly number[] = [32, 64, 96, 104, 112, 120, 128];

interface GcmParameters {
  readonly nonce: Uint8Array;
  readonly additional: Uint8Array;
  readonly tagBytes: number;
}

function gcmParameters(context: SubtleContext, { members }: Asked): GcmParameters {
  const nonce = bytesOf(members.iv, 'iv');
  const given = members.additionalData;
  const additional = given === undefined ? new Uint8Array(0) : bytesOf(given, 'additionalData');
  const tagBits = members.tagLength === undefined ? 128 : integerOf(members, 'tagLength', 255);
  if (!TAG_BITS.includes(tagBits)) throw context.error('the tagLength', 'OperationError');
  if (nonce.length !== AEAD_NONCE_BYTES) {
    throw context.error('AES-GCM with an iv of other than 12 bytes', 'NotSupportedError');
  }
  return { nonce, additional, tagBytes: tagBits / 8 };
}

function withAead<T>(context: SubtleContext, key: CryptoKey, use: (aead: Aead) => T): T {
  const bytes = secretOf(key);
  const aead = context.crypto.aead(bytes.length === 16 ? 'AES-128-GCM' : 'AES-256-GCM', bytes);
  try {
    return use(aead);
  } finally {
    aead.destroy();
  }
}

function sealed(aead: Aead, { nonce, additional }: GcmParameters, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + AEAD_TAG_BYTES);
  aead.seal(nonce, additional, data, 0, data.length, out, 0);
  return out;
}

/** Null when the tag is wrong. */
function opened(aead: Aead, parameters: GcmParameters, data: Uint8Array): Uint8Array | null {
  const { nonce, additional, tagBytes } = parameters;
  const count = data.length - tagBytes;
  if (count < 0) return null;
  if (tagBytes === AEAD_TAG_BYTES) {
    const plain = new Uint8Array(count);
    return aead.open(nonce, additional, data, 0, data.length, plain, 0) ? plain : null;
  }
  // A stream cipher gives the text back when it is applied again; sealing that gives the whole tag.
  const plain = sealed(aead, parameters, data.subarray(0, count)).subarray(0, count);
  const again = sealed(aead, parameters, plain).subarray(0, data.length);
  if (constantTimeEqual(again, data)) return plain.slice();
  plain.fill(0);
  return null;
}

export const AES_GCM: Algorithm = {
  name: 'AES-GCM',
  generateKey(context, { members }, extractable, usages) {
    checkUsages(context, usages, AES_USAGES, true);
    const bits = aesBits(context, integerOf(members, 'length', 65_535), 'OperationError');
    return aesKey(drawn(context, bits / 8), extractable, usages);
  },
  importKey(context, _, data, extractable, usages) {
    checkUsages(context, usages, AES_USAGES, true);
    const alg = (bytes: Uint8Array) => `A${bytes.length * 8}GCM`;
    const bytes = importedSecret(context, data, { use: 'enc', alg }, extractable, usages);
    aesBits(context, bytes.length * 8, 'DataError');
    return aesKey(bytes, extractable, usages);
  },
  exportKey: (_, key, format) => exportedSecret(key, format, `A${secretOf(key).length * 8}GCM`),
  keyLength: (context, { members }) =>
    aesBits(context, integerOf(members, 'length', 65_535), 'OperationError'),
  encrypt(context, asked, key, data) {
    const parameters = gcmParameters(context, asked);
    const out = withAead(context, key, (aead) => sealed(aead, parameters, data));
    return out.slice(0, data.length + parameters.tagBytes);
  },
  decrypt(context, asked, key, data) {
    const parameters = gcmParameters(context, asked);
    const plain = withAead(context, key, (aead) => opened(aead, parameters, data));
    if (plain === null) throw context.error('the data was not sealed so', 'OperationError');
    return plain;
  },
};

const HMAC_USAGES: readonly KeyUsage[] = ['sign', 'verify'];

/** Bits of an HMAC key: as told, else a block of the hash. */
function hmacBits(context: SubtleContext, members: Dictionary, hash: HashName): number {
  if (members.length === undefined) return blockBytes(hash) * 8;
  const bits = integerOf(members, 'length', 0xffff_ffff);
  if (bits === 0) throw context.error('an HMAC key of no bits', 'OperationError');
  if (bits % 8 !== 0) throw context.error('keys of a part of a byte', 'NotSupportedError');
  return bits;
}

function hmacKey(
  bytes: Uint8Array,
  hash: HashName,
  extractable: boolean,
  usages: readonly KeyUsage[],
): CryptoKey {
  const algorithm: KeyAlgorithm = { name: 'HMAC', hash: { name: hash }, length: bytes.length * 8 };
  return makeKey({ type: 'secret', bytes }, algorithm, extractable, usages);
}

const hashOfKey = (key: CryptoKey): HashName => key.algorithm.hash!.name as HashName;
const jwkHmac = (hash: HashName): string => `HS${hash.slice(4)}`;

const HMAC_KEY_BYTES_MAX = 65_536;

export const HMAC: Algorithm = {
  name: 'HMAC',
  generateKey(context, { members }, extractable, usages) {
    checkUsages(context, usages, HMAC_USAGES, true);
    const hash = hashOf(context, members.hash);
    const count = hmacBits(context, members, hash) / 8;
    if (count > HMAC_KEY_BYTES_MAX) throw context.error('a key of this length', 'OperationError');
    return hmacKey(drawn(context, count), hash, extractable, usages);
  },
  importKey(context, { members }, data, extractable, usages) {
    checkUsages(context, usages, HMAC_USAGES, true);
    const hash = hashOf(context, members.hash);
    const wanted = { use: 'sig', alg: () => jwkHmac(hash) } as const;
    const bytes = importedSecret(context, data, wanted, extractable, usages);
    if (bytes.length === 0) throw context.error('an HMAC key of no bits', 'DataError');
    if (members.length !== undefined && hmacBits(context, members, hash) !== bytes.length * 8) {
      throw context.error('the length is not that of the key', 'DataError');
    }
    return hmacKey(bytes, hash, extractable, usages);
  },
  exportKey: (_, key, format) => exportedSecret(key, format, jwkHmac(hashOfKey(key))),
  keyLength: (context, { members }) => hmacBits(context, members, hashOf(context, members.hash)),
  sign: (context, _, key, data) => context.crypto.hmac(hashOfKey(key), secretOf(key), data),
  verify: (context, _, key, signature, data) =>
    constantTimeEqual(context.crypto.hmac(hashOfKey(key), secretOf(key), data), signature),
};
