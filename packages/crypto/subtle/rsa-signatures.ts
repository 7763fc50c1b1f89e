/** RSASSA-PKCS1-v1_5 and RSA-PSS, Web Cryptography §20 and §21. Not here: encryption with RSA. */

import {
  asPlainRsa,
  emitPkcs8,
  type HashName,
  keyFits,
  type PublicParts,
  parsePkcs8,
  rsaBits,
  type SignatureAlgorithm,
} from '#device';
import type { Algorithm, KeyData } from './algorithm.ts';
import {
  checkHalf,
  exportedDer,
  type ImportedParts,
  keyOf,
  pairOf,
  partsOf,
  SIGNING,
  signerOf,
  verifierOf,
} from './asymmetric.ts';
import { type Asked, type Dictionary, hashOf, integerOf, type SubtleContext } from './context.ts';
import {
  type CryptoKey,
  checkUsages,
  type KeyAlgorithm,
  type KeyUsage,
  materialOf,
} from './crypto-key.ts';
import { base64url, checkJwk, type Jwk, jwkBytes } from './jwk.ts';

type Name = 'RSASSA-PKCS1-v1_5' | 'RSA-PSS';
type RsaPublic = Extract<PublicParts, { readonly type: 'RSA' | 'RSA-PSS' }>;

const isRsa = (parts: ImportedParts['parts']): parts is RsaPublic & typeof parts =>
  parts.type === 'RSA';

function algorithmOf(name: Name, hash: HashName, parts: RsaPublic): KeyAlgorithm {
  const { bits: modulusLength, exponent } = parts;
  return { name, modulusLength, publicExponent: exponent.slice(), hash: { name: hash } };
}

const hashOfKey = (key: CryptoKey): HashName => key.algorithm.hash!.name as HashName;

/** RFC 7518 §3.1: RS1, RS256, PS256, ... */
const jwkAlg = (name: Name, hash: HashName): string =>
  `${name === 'RSA-PSS' ? 'PS' : 'RS'}${hash.slice(4)}`;

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const;

/** RFC 7518 §6.3. Not supported: more than two primes, private keys without their primes. */
function fromJwk(context: SubtleContext, jwk: Dictionary): ImportedParts {
  const number = (name: string) => stripped(jwkBytes(context, jwk, name));
  const modulus = number('n');
  const exponent = number('e');
  const bits = rsaBits(modulus, exponent);
  if (bits === 0) throw context.error('a modulus or exponent of this size', 'DataError');
  const algorithm = new Uint8Array(0);
  const parts = asPlainRsa({ type: 'RSA', bits, modulus, exponent, pss: null, algorithm });
  if (jwk.d === undefined) return { half: 'public', parts };
  if (jwk.oth !== undefined) throw context.error('more than two primes', 'NotSupportedError');
  const [privateExponent, ...factors] = PRIVATE_MEMBERS.map(number);
  const [p, q, dp, dq, inverse] = factors;
  const pkcs8 = emitPkcs8({
    ...parts,
    privateExponent: privateExponent!,
    factors: [p!, q!, dp!, dq!, inverse!],
  });
  const checked = parsePkcs8(pkcs8);
  pkcs8.fill(0);
  if (checked === null) throw context.error('the numbers are not of one key', 'DataError');
  return { half: 'private', parts: checked };
}

function stripped(bytes: Uint8Array): Uint8Array {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  return bytes.subarray(from);
}

function imported(
  context: SubtleContext,
  name: Name,
  hash: HashName,
  data: KeyData,
  extractable: boolean,
  usages: readonly KeyUsage[],
): ImportedParts {
  switch (data.format) {
    case 'raw':
      throw context.error('the format raw', 'NotSupportedError');
    case 'spki':
    case 'pkcs8':
      return partsOf(context, data);
    case 'jwk': {
      const wanted = { kty: 'RSA', use: 'sig', alg: jwkAlg(name, hash) } as const;
      checkJwk(context, data.jwk, wanted, extractable, usages);
      return fromJwk(context, data.jwk);
    }
  }
}

function toJwk(name: Name, key: CryptoKey): Jwk {
  const material = materialOf(key);
  if (material.type === 'secret') throw new TypeError('unreachable');
  const { parts } = material;
  if (parts.type !== 'RSA') throw new TypeError('unreachable');
  const jwk: Jwk = {
    kty: 'RSA',
    n: base64url(parts.modulus),
    e: base64url(parts.exponent),
    alg: jwkAlg(name, hashOfKey(key)),
    key_ops: key.usages,
    ext: key.extractable,
  };
  if ('privateExponent' in parts) {
    const numbers = [parts.privateExponent, ...parts.factors];
    PRIVATE_MEMBERS.forEach((member, i) => {
      jwk[member] = base64url(numbers[i]!);
    });
  }
  return jwk;
}

const GENERATED_BITS = { 2048: 'RSA-2048', 3072: 'RSA-3072', 4096: 'RSA-4096' } as const;

function generated(context: SubtleContext, name: Name, { members }: Asked) {
  const bits = integerOf(members, 'modulusLength', 0xffff_ffff);
  const exponent = members.publicExponent;
  if (!(exponent instanceof Uint8Array)) throw new TypeError('publicExponent must be a Uint8Array');
  const hash = hashOf(context, members.hash);
  const type = GENERATED_BITS[bits as keyof typeof GENERATED_BITS];
  const usual = stripped(exponent).join() === '1,0,1';
  if (type === undefined || !usual) {
    const what =
      'keys of RSA of other than 2048, 3072 or 4096 bits, or another exponent than 65537';
    throw context.error(what, 'OperationError');
  }
  const key = context.crypto.generatePrivateKey(type, context.entropy);
  const pkcs8 = key.pkcs8();
  key.destroy();
  const parts = parsePkcs8(pkcs8)!;
  pkcs8.fill(0);
  return { parts, algorithm: algorithmOf(name, hash, parts as RsaPublic & typeof parts) };
}

const rsa = (
  name: Name,
  signature: (context: SubtleContext, asked: Asked, hash: HashName) => SignatureAlgorithm,
): Algorithm => ({
  name,
  generateKey(context, asked, extractable, usages) {
    checkUsages(context, usages, ['sign', 'verify'], true);
    const { parts, algorithm } = generated(context, name, asked);
    return pairOf(context, parts, algorithm, extractable, usages, SIGNING);
  },
  importKey(context, { members }, data, extractable, usages) {
    const hash = hashOf(context, members.hash);
    const given = imported(context, name, hash, data, extractable, usages);
    checkHalf(context, given.half, usages, SIGNING);
    if (!isRsa(given.parts)) throw context.error('the key is of another kind', 'DataError');
    const algorithm = algorithmOf(name, hash, given.parts);
    return keyOf(context, given, algorithm, extractable, usages);
  },
  exportKey(context, key, format) {
    if (format === 'raw') return null;
    return format === 'jwk' ? toJwk(name, key) : exportedDer(context, key, format);
  },
  sign(context, asked, key, data) {
    const signer = signerOf(context, key);
    const algorithm = signature(context, asked, hashOfKey(key));
    if (!keyFits(algorithm, signer)) throw context.error('the salt is too long', 'OperationError');
    return signer.sign(algorithm, data, context.entropy);
  },
  verify(context, asked, key, given, data) {
    const verifier = verifierOf(context, key);
    return verifier.verify(signature(context, asked, hashOfKey(key)), data, given);
  },
});

export const RSASSA_PKCS1: Algorithm = rsa('RSASSA-PKCS1-v1_5', (_, __, hash) => ({
  kind: 'RSA-PKCS1',
  hash,
}));

export const RSA_PSS: Algorithm = rsa('RSA-PSS', (_, { members }, hash) => ({
  kind: 'RSA-PSS',
  hash,
  saltBytes: integerOf(members, 'saltLength', 0xffff_ffff),
}));
