/** HKDF (RFC 5869) and PBKDF2 (RFC 8018 §5.2), Web Cryptography §30 and §31. */

import { HASH_BYTES, type HashName } from '#device';
import type { Algorithm, KeyData } from './algorithm.ts';
import { type Asked, bytesOf, hashOf, integerOf, type SubtleContext } from './context.ts';
import { type CryptoKey, checkUsages, type KeyUsage, makeKey } from './crypto-key.ts';
import { secretOf } from './secret-keys.ts';

function importBase(
  context: SubtleContext,
  name: string,
  data: KeyData,
  extractable: boolean,
  usages: readonly KeyUsage[],
): CryptoKey {
  if (data.format !== 'raw') throw context.error(`the format ${data.format}`, 'NotSupportedError');
  checkUsages(context, usages, ['deriveKey', 'deriveBits'], true);
  if (extractable) throw context.error(`a key of ${name} is never extractable`, 'SyntaxError');
  return makeKey({ type: 'secret', bytes: data.bytes.slice() }, { name }, false, usages);
}

function byteCount(context: SubtleContext, lengthBits: number | null): number {
  if (lengthBits === null || lengthBits % 8 !== 0) {
    throw context.error('the length must be a multiple of 8', 'OperationError');
  }
  return lengthBits / 8;
}

export const HKDF: Algorithm = {
  name: 'HKDF',
  importKey: (context, _, data, extractable, usages) =>
    importBase(context, 'HKDF', data, extractable, usages),
  keyLength: () => null,
  deriveBits(context, { members }, key, lengthBits) {
    const hash = hashOf(context, members.hash);
    const salt = bytesOf(members.salt, 'salt');
    const info = bytesOf(members.info, 'info');
    const count = byteCount(context, lengthBits);
    if (count > 255 * HASH_BYTES[hash]) throw context.error('the length', 'OperationError');
    const pseudoRandomKey = context.crypto.hmac(hash, salt, secretOf(key));
    const out = context.crypto.hkdfExpand(hash, pseudoRandomKey, info, count);
    pseudoRandomKey.fill(0);
    return out;
  },
};

/** Nothing else runs meanwhile: an iteration is one native HMAC in an image. */
function pbkdf2(
  context: SubtleContext,
  hash: HashName,
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  count: number,
): Uint8Array {
  const out = new Uint8Array(count);
  const first = new Uint8Array(salt.length + 4);
  first.set(salt);
  for (let at = 0, index = 1; at < count; at += HASH_BYTES[hash], index++) {
    new DataView(first.buffer).setUint32(salt.length, index);
    let block = context.crypto.hmac(hash, password, first);
    const sum = block.slice();
    for (let i = 1; i < iterations; i++) {
      block = context.crypto.hmac(hash, password, block);
      for (let j = 0; j < sum.length; j++) sum[j]! ^= block[j]!;
    }
    out.set(sum.subarray(0, count - at), at);
  }
  return out;
}

function pbkdf2Bits(
  context: SubtleContext,
  { members }: Asked,
  key: CryptoKey,
  lengthBits: number | null,
): Uint8Array {
  const hash = hashOf(context, members.hash);
  const salt = bytesOf(members.salt, 'salt');
  const iterations = integerOf(members, 'iterations', 0xffff_ffff);
  const count = byteCount(context, lengthBits);
  if (iterations === 0) throw context.error('no iterations', 'OperationError');
  return pbkdf2(context, hash, secretOf(key), salt, iterations, count);
}

export const PBKDF2: Algorithm = {
  name: 'PBKDF2',
  importKey: (context, _, data, extractable, usages) =>
    importBase(context, 'PBKDF2', data, extractable, usages),
  keyLength: () => null,
  deriveBits: pbkdf2Bits,
};
