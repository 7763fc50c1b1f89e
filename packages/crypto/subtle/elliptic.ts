/** ECDSA and ECDH over P-256 and P-384, X25519, Ed25519: Web Cryptography §23 to §26. */

import {
  CURVES,
  type Curve,
  type CurveName,
  drawPrivateKey,
  ecdsaFromDer,
  ecdsaToDer,
  isPointForm,
  isScalar,
  KEY_25519_BYTES,
  type PrivateParts,
  type PublicParts,
} from '#device';
import type { Algorithm, KeyData, KeyFormat } from './algorithm.ts';
import {
  AGREEING,
  checkHalf,
  exportedDer,
  type ImportedParts,
  keyOf,
  type PairUsages,
  pairOf,
  partsOf,
  SIGNING,
  signerOf,
  verifierOf,
} from './asymmetric.ts';
import { type Asked, type Dictionary, hashOf, type SubtleContext } from './context.ts';
import { CryptoKey, checkUsages, type KeyUsage, materialOf } from './crypto-key.ts';
import { base64url, checkJwk, type Jwk, jwkBytes } from './jwk.ts';

function curveAsked(context: SubtleContext, { members }: Asked): Curve {
  const name = members.namedCurve;
  if (name === undefined) throw new TypeError('namedCurve is missing');
  if (name !== 'P-256' && name !== 'P-384') {
    throw context.error(`the curve ${name}`, 'NotSupportedError');
  }
  return CURVES[name];
}

const curveOfKey = (key: CryptoKey): Curve => CURVES[key.algorithm.namedCurve as CurveName];

const both = ({ ofPublic, ofPrivate }: PairUsages): KeyUsage[] => [...ofPublic, ...ofPrivate];

function ecParts(
  context: SubtleContext,
  curve: Curve,
  data: KeyData,
  use: 'sig' | 'enc',
  extractable: boolean,
  usages: readonly KeyUsage[],
): ImportedParts {
  switch (data.format) {
    case 'raw': {
      if (!isPointForm(curve, data.bytes)) throw context.error('not a point', 'DataError');
      return { half: 'public', parts: { type: 'EC', curve, point: data.bytes.slice() } };
    }
    case 'spki':
    case 'pkcs8': {
      const imported = partsOf(context, data);
      const { parts } = imported;
      if (parts.type === 'EC' && parts.curve === curve) return imported;
      throw context.error('the key is of another curve or kind', 'DataError');
    }
    case 'jwk':
      return ecFromJwk(context, curve, data.jwk, use, extractable, usages);
  }
}

/** RFC 7518 §6.2. */
function ecFromJwk(
  context: SubtleContext,
  curve: Curve,
  jwk: Dictionary,
  use: 'sig' | 'enc',
  extractable: boolean,
  usages: readonly KeyUsage[],
): ImportedParts {
  const alg = use === 'sig' ? (curve.name === 'P-256' ? 'ES256' : 'ES384') : null;
  checkJwk(context, jwk, { kty: 'EC', use, alg }, extractable, usages);
  if (jwk.crv !== curve.name) throw context.error("the key's member crv", 'DataError');
  const x = jwkBytes(context, jwk, 'x');
  const y = jwkBytes(context, jwk, 'y');
  const point = Uint8Array.of(4, ...x, ...y);
  if (x.length !== curve.bytes || y.length !== curve.bytes) {
    throw context.error('a coordinate is too short or too long', 'DataError');
  }
  if (jwk.d === undefined) return { half: 'public', parts: { type: 'EC', curve, point } };
  const scalar = jwkBytes(context, jwk, 'd');
  if (!isScalar(curve, scalar)) throw context.error("the key's member d", 'DataError');
  return { half: 'private', parts: { type: 'EC', curve, scalar, point } };
}

function ecToJwk(key: CryptoKey): Jwk {
  const material = materialOf(key);
  const half = material.type === 'public' ? material.parts : publicHalf(material);
  if (half.type !== 'EC') throw new TypeError('unreachable');
  const { curve, point } = half;
  const jwk: Jwk = {
    kty: 'EC',
    crv: curve.name,
    x: base64url(point.subarray(1, 1 + curve.bytes)),
    y: base64url(point.subarray(1 + curve.bytes)),
    key_ops: key.usages,
    ext: key.extractable,
  };
  if (material.type === 'private' && material.parts.type === 'EC') {
    jwk.d = base64url(material.parts.scalar);
  }
  return jwk;
}

function publicHalf(material: ReturnType<typeof materialOf>): PublicParts {
  if (material.type !== 'private') throw new TypeError('unreachable');
  return material.half;
}

/** The four forms of an elliptic key: `raw` is of the public half only. */
function exported(
  context: SubtleContext,
  key: CryptoKey,
  format: KeyFormat,
  toJwk: (key: CryptoKey) => Jwk,
): Uint8Array | Jwk {
  if (format === 'jwk') return toJwk(key);
  if (format !== 'raw') return exportedDer(context, key, format);
  const material = materialOf(key);
  if (material.type === 'public' && 'point' in material.parts) return material.parts.point.slice();
  throw context.error('a private key has no form raw', 'InvalidAccessError');
}

const nist = (
  name: 'ECDSA' | 'ECDH',
  allowed: PairUsages,
  use: 'sig' | 'enc',
): Required<Pick<Algorithm, 'name' | 'generateKey' | 'importKey' | 'exportKey'>> => ({
  name,
  generateKey(context, asked, extractable, usages) {
    checkUsages(context, usages, both(allowed), true);
    const curve = curveAsked(context, asked);
    const scalar = drawPrivateKey(curve.group, context.entropy);
    const parts: PrivateParts = { type: 'EC', curve, scalar, point: null };
    const algorithm = { name, namedCurve: curve.name };
    return pairOf(context, parts, algorithm, extractable, usages, allowed);
  },
  importKey(context, asked, data, extractable, usages) {
    const curve = curveAsked(context, asked);
    const parts = ecParts(context, curve, data, use, extractable, usages);
    checkHalf(context, parts.half, usages, allowed);
    return keyOf(context, parts, { name, namedCurve: curve.name }, extractable, usages);
  },
  exportKey: (context, key, format) => exported(context, key, format, ecToJwk),
});

/** Signatures are two numbers of the curve's size, IEEE P1363. */
export const ECDSA: Algorithm = {
  ...nist('ECDSA', SIGNING, 'sig'),
  sign(context, { members }, key, data) {
    const hash = hashOf(context, members.hash);
    const signer = signerOf(context, key);
    const der = signer.sign({ kind: 'ECDSA', hash }, data, context.entropy);
    return ecdsaFromDer(curveOfKey(key), der)!;
  },
  verify(context, { members }, key, signature, data) {
    const hash = hashOf(context, members.hash);
    const verifier = verifierOf(context, key);
    const curve = curveOfKey(key);
    if (signature.length !== 2 * curve.bytes) return false;
    return verifier.verify({ kind: 'ECDSA', hash }, data, ecdsaToDer(curve, signature));
  },
};

/** The other side's key, checked to be a public one of the same algorithm and curve. */
function peerOf(context: SubtleContext, { members }: Asked, key: CryptoKey): Uint8Array {
  const peer = members.public;
  if (!(peer instanceof CryptoKey)) throw new TypeError('public must be a CryptoKey');
  const material = materialOf(peer);
  const same =
    peer.algorithm.name === key.algorithm.name &&
    peer.algorithm.namedCurve === key.algorithm.namedCurve;
  if (material.type !== 'public' || !same || !('point' in material.parts)) {
    throw context.error('the public key is not one for this', 'InvalidAccessError');
  }
  return material.parts.point;
}

function agreedBits(
  context: SubtleContext,
  asked: Asked,
  key: CryptoKey,
  lengthBits: number | null,
): Uint8Array {
  const material = materialOf(key);
  if (material.type !== 'private') {
    throw context.error('a private key is needed', 'InvalidAccessError');
  }
  const peer = peerOf(context, asked, key);
  const { parts } = material;
  const agreement =
    parts.type === 'EC'
      ? context.crypto.importKeyAgreement(parts.curve.group, parts.scalar)
      : parts.type === 'X25519'
        ? context.crypto.importKeyAgreement('x25519', parts.secret)
        : null;
  const secret = agreement?.agree(peer) ?? null;
  agreement?.destroy();
  if (secret === null) throw context.error('the secret would be zeros', 'OperationError');
  return cutBits(context, secret, lengthBits);
}

/** The first bits, in whole bytes whose last bits are zero. */
function cutBits(context: SubtleContext, secret: Uint8Array, lengthBits: number | null) {
  if (lengthBits === null) return secret;
  if (lengthBits > secret.length * 8) throw context.error('the length', 'OperationError');
  const out = secret.slice(0, Math.ceil(lengthBits / 8));
  const rest = lengthBits % 8;
  if (rest !== 0) out[out.length - 1]! &= 0xff << (8 - rest);
  secret.fill(0);
  return out;
}

export const ECDH: Algorithm = { ...nist('ECDH', AGREEING, 'enc'), deriveBits: agreedBits };

function octetParts(
  context: SubtleContext,
  type: 'X25519' | 'Ed25519',
  data: KeyData,
  extractable: boolean,
  usages: readonly KeyUsage[],
): ImportedParts {
  const sized = (bytes: Uint8Array): Uint8Array => {
    if (bytes.length === KEY_25519_BYTES) return bytes;
    throw context.error(`a key of ${type} has 32 bytes`, 'DataError');
  };
  if (data.format === 'raw') {
    return { half: 'public', parts: { type, point: sized(data.bytes).slice() } };
  }
  if (data.format !== 'jwk') {
    const imported = partsOf(context, data);
    if (imported.parts.type === type) return imported;
    throw context.error('the key is of another kind', 'DataError');
  }
  // RFC 8037 §2.
  const { jwk } = data;
  const wanted = { kty: 'OKP', use: type === 'X25519' ? 'enc' : 'sig', alg: null } as const;
  checkJwk(context, jwk, wanted, extractable, usages);
  if (jwk.crv !== type) throw context.error("the key's member crv", 'DataError');
  const point = sized(jwkBytes(context, jwk, 'x'));
  if (jwk.d === undefined) return { half: 'public', parts: { type, point } };
  return { half: 'private', parts: { type, secret: sized(jwkBytes(context, jwk, 'd')) } };
}

function octetToJwk(key: CryptoKey): Jwk {
  const material = materialOf(key);
  const half = material.type === 'public' ? material.parts : publicHalf(material);
  if (!('point' in half)) throw new TypeError('unreachable');
  const { name: crv } = key.algorithm;
  const { usages: key_ops, extractable: ext } = key;
  const jwk: Jwk = { kty: 'OKP', crv, x: base64url(half.point), key_ops, ext };
  if (material.type === 'private' && 'secret' in material.parts) {
    jwk.d = base64url(material.parts.secret);
  }
  return jwk;
}

/** A private JSON Web Key has both halves, which must match. */
function checkMatch(context: SubtleContext, data: KeyData, key: CryptoKey): CryptoKey {
  if (data.format !== 'jwk' || key.type === 'public') return key;
  if (octetToJwk(key).x === data.jwk.x) return key;
  throw context.error('the halves of the key do not match', 'DataError');
}

const octet = (
  name: 'X25519' | 'Ed25519',
  allowed: PairUsages,
): Required<Pick<Algorithm, 'name' | 'generateKey' | 'importKey' | 'exportKey'>> => ({
  name,
  generateKey(context, _, extractable, usages) {
    checkUsages(context, usages, both(allowed), true);
    const parts: PrivateParts = { type: name, secret: drawPrivateKey('x25519', context.entropy) };
    return pairOf(context, parts, { name }, extractable, usages, allowed);
  },
  importKey(context, _, data, extractable, usages) {
    const parts = octetParts(context, name, data, extractable, usages);
    checkHalf(context, parts.half, usages, allowed);
    return checkMatch(context, data, keyOf(context, parts, { name }, extractable, usages));
  },
  exportKey: (context, key, format) => exported(context, key, format, octetToJwk),
});

export const X25519: Algorithm = { ...octet('X25519', AGREEING), deriveBits: agreedBits };

export const ED25519: Algorithm = {
  ...octet('Ed25519', SIGNING),
  sign: (context, _, key, data) =>
    signerOf(context, key).sign({ kind: 'Ed25519' }, data, context.entropy),
  verify: (context, _, key, signature, data) =>
    verifierOf(context, key).verify({ kind: 'Ed25519' }, data, signature),
};
