/**
 * The formats of keys, strictly, for every implementation of CryptoPrimitives: SubjectPublicKeyInfo
 * (RFC 5280 §4.1.2.7; RFC 3279, 4055, 5480, 8410) and PrivateKeyInfo (RFC 5208, 5958; RFC 5915,
 * 8017 A.1.2). One encoding is right for each key: DER, named curves, uncompressed points. What an
 * implementation still has to check: that a point is on its curve, that a private key belongs to
 * its public one. Not here: PEM, certificates (packages/x509).
 */

import type { CurveName, GroupName, HashName } from './crypto.ts';
import {
  DerReader,
  derBits,
  derElement,
  derInteger,
  TAG_CONTEXT_0,
  TAG_CONTEXT_1,
  TAG_OCTET_STRING,
  TAG_OID,
  TAG_SEQUENCE,
} from './der.ts';
import type { Entropy } from './environment.ts';

export const RSA_BITS_MIN = 1_024;
export const RSA_BITS_MAX = 8_192;
/** A public exponent is odd, 3..2^32-1: a larger one costs whoever verifies. */
export const RSA_EXPONENT_BYTES_MAX = 4;
export const KEY_25519_BYTES = 32;

export interface Curve {
  readonly name: CurveName;
  readonly group: GroupName;
  /** Bytes of a coordinate and of a scalar. */
  readonly bytes: number;
  readonly bits: number;
  /** Of the base point, big-endian. */
  readonly order: Uint8Array;
  readonly oid: Uint8Array;
}

const fromHex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

export const CURVES: Readonly<Record<CurveName, Curve>> = {
  'P-256': {
    name: 'P-256',
    group: 'secp256r1',
    bytes: 32,
    bits: 256,
    order: fromHex('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'),
    oid: fromHex('06082a8648ce3d030107'),
  },
  'P-384': {
    name: 'P-384',
    group: 'secp384r1',
    bytes: 48,
    bits: 384,
    order: fromHex(
      'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
    ),
    oid: fromHex('06052b81040022'),
  },
};

/** The curve of a group; null for x25519. */
export const curveOf = (group: GroupName): Curve | null =>
  group === 'secp256r1' ? CURVES['P-256'] : group === 'secp384r1' ? CURVES['P-384'] : null;

/** What a key for RSA-PSS alone allows, RFC 4055 §3.1. */
export interface PssLimits {
  readonly hash: HashName;
  readonly saltBytesMin: number;
}

/** Numbers are big-endian without leading zeros. */
export interface RsaPublicParts {
  readonly type: 'RSA' | 'RSA-PSS';
  readonly bits: number;
  readonly modulus: Uint8Array;
  readonly exponent: Uint8Array;
  /** Null when every hash and salt may be used. */
  readonly pss: PssLimits | null;
  /** AlgorithmIdentifier, DER. */
  readonly algorithm: Uint8Array;
}

export interface EcPublicParts {
  readonly type: 'EC';
  readonly curve: Curve;
  /** Uncompressed: 4, x, y. Whether it is on the curve wasn't checked. */
  readonly point: Uint8Array;
}

export interface Public25519Parts {
  readonly type: 'Ed25519' | 'X25519';
  readonly point: Uint8Array;
}

export type PublicParts = RsaPublicParts | EcPublicParts | Public25519Parts;

export interface RsaPrivateParts extends RsaPublicParts {
  readonly privateExponent: Uint8Array;
  /** p, q, d mod p-1, d mod q-1, 1/q mod p. */
  readonly factors: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
}

export interface EcPrivateParts {
  readonly type: 'EC';
  readonly curve: Curve;
  /** 1..order-1, of the curve's size. */
  readonly scalar: Uint8Array;
  /** As the key says; null when it doesn't. */
  readonly point: Uint8Array | null;
}

export interface Private25519Parts {
  readonly type: 'Ed25519' | 'X25519';
  /** 32 bytes as RFC 8032 and RFC 7748 have them. */
  readonly secret: Uint8Array;
}

export type PrivateParts = RsaPrivateParts | EcPrivateParts | Private25519Parts;

const ALGORITHM_RSA = fromHex('300d06092a864886f70d0101010500');
const ALGORITHM_ED25519 = fromHex('300506032b6570');
const ALGORITHM_X25519 = fromHex('300506032b656e');
const OID_EC = fromHex('06072a8648ce3d0201');

const ecAlgorithm = (curve: Curve): Uint8Array => derElement(TAG_SEQUENCE, OID_EC, curve.oid);

/** RSASSA-PSS without parameters, or with one hash for everything: its digit, and the salt. */
const ALGORITHM_PSS = new RegExp(
  '^30..06092a864886f70d01010a(?:30..' +
    'a00f300d0609608648016503040(20[123])0500' +
    'a11c301a06092a864886f70d010108300d0609608648016503040\\1(?:0500)' +
    '(?:a2030201([0-7].))?)?$',
);

const PSS_HASHES: Readonly<Record<string, HashName>> = {
  201: 'SHA-256',
  202: 'SHA-384',
  203: 'SHA-512',
};

/** RFC 4055 §3.1: the salt's length when it isn't told. */
const PSS_SALT_BYTES = 20;

type Algorithm =
  | { readonly type: 'RSA' | 'RSA-PSS'; readonly pss: PssLimits | null; readonly der: Uint8Array }
  | { readonly type: 'EC'; readonly curve: Curve }
  | { readonly type: 'Ed25519' | 'X25519' };

function parseAlgorithm(from: DerReader): Algorithm | null {
  const element = from.element(TAG_SEQUENCE);
  if (element === null) return null;
  const hex = toHex(element);
  if (hex === toHex(ALGORITHM_RSA)) return { type: 'RSA', pss: null, der: element.slice() };
  if (hex === toHex(ALGORITHM_ED25519)) return { type: 'Ed25519' };
  if (hex === toHex(ALGORITHM_X25519)) return { type: 'X25519' };
  for (const curve of Object.values(CURVES)) {
    if (hex === toHex(ecAlgorithm(curve))) return { type: 'EC', curve };
  }
  const match = ALGORITHM_PSS.exec(hex);
  // The pattern has the lengths of what is inside, the reader those of what is around.
  if (match === null || !isNested(element)) return null;
  const [, digit, salt] = match;
  const hash = digit === undefined ? undefined : PSS_HASHES[digit];
  const saltBytesMin = salt === undefined ? PSS_SALT_BYTES : Number.parseInt(salt, 16);
  return {
    type: 'RSA-PSS',
    pss: hash === undefined ? null : { hash, saltBytesMin },
    der: element.slice(),
  };
}

/** Whether an algorithm and the sequence of its parameters end together. */
function isNested(element: Uint8Array): boolean {
  const outer = new DerReader(element).enter(TAG_SEQUENCE);
  if (outer === null || outer.contents(TAG_OID) === null) return false;
  return outer.done || (outer.contents(TAG_SEQUENCE) !== null && outer.done);
}

/** Null for anything but the one right encoding of a key of a known type. Copies. O(length). */
export function parseSpki(der: Uint8Array): PublicParts | null {
  const whole = new DerReader(der);
  const key = whole.enter(TAG_SEQUENCE);
  if (key === null || !whole.done) return null;
  const algorithm = parseAlgorithm(key);
  const bits = algorithm === null ? null : key.bits();
  if (algorithm === null || bits === null || !key.done) return null;
  switch (algorithm.type) {
    case 'RSA':
    case 'RSA-PSS':
      return parseRsaPublic(algorithm, bits);
    case 'EC': {
      const { curve } = algorithm;
      return isPointForm(curve, bits) ? { type: 'EC', curve, point: bits.slice() } : null;
    }
    case 'Ed25519':
    case 'X25519':
      if (bits.length !== KEY_25519_BYTES) return null;
      if (algorithm.type === 'Ed25519' && isWeakEd25519(bits)) return null;
      return { type: algorithm.type, point: bits.slice() };
  }
}

/** Little-endian y of the points whose order divides 8: with them anything has a signature. */
const ED25519_SMALL_ORDER: readonly string[] = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
];

/** Whether a key of Ed25519 is of small order, or has y above the prime (RFC 8032 §5.1.3). */
function isWeakEd25519(point: Uint8Array): boolean {
  const y = point.slice();
  y[31]! &= 0x7f;
  const above = y[31] === 0x7f && y[0]! >= 0xed && y.subarray(1, 31).every((byte) => byte === 255);
  return above || ED25519_SMALL_ORDER.includes(toHex(y));
}

/** Whether bytes look like an uncompressed point, SEC 1 §2.3.3. */
export const isPointForm = (curve: Curve, point: Uint8Array): boolean =>
  point.length === 1 + 2 * curve.bytes && point[0] === 4;

function parseRsaPublic(
  { type, pss, der: algorithm }: Algorithm & { readonly type: 'RSA' | 'RSA-PSS' },
  bytes: Uint8Array,
): RsaPublicParts | null {
  const whole = new DerReader(bytes);
  const key = whole.enter(TAG_SEQUENCE);
  if (key === null || !whole.done) return null;
  const modulus = key.positive()?.slice();
  const exponent = key.positive()?.slice();
  if (modulus === undefined || exponent === undefined || !key.done) return null;
  const bits = rsaBits(modulus, exponent);
  return bits === 0 ? null : { type, bits, modulus, exponent, pss, algorithm };
}

/** Size of a modulus without leading zeros; 0 when the pair isn't allowed. */
export function rsaBits(modulus: Uint8Array, exponent: Uint8Array): number {
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24;
  const odd = modulus.at(-1)! % 2 === 1 && exponent.at(-1)! % 2 === 1;
  const one = exponent.length === 1 && exponent[0] === 1;
  const fits = bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
  return fits && odd && !one && exponent.length <= RSA_EXPONENT_BYTES_MAX ? bits : 0;
}

export function emitSpki(parts: PublicParts): Uint8Array {
  switch (parts.type) {
    case 'RSA':
    case 'RSA-PSS':
      return derElement(TAG_SEQUENCE, parts.algorithm, derBits(emitRsaPublic(parts)));
    case 'EC':
      return derElement(TAG_SEQUENCE, ecAlgorithm(parts.curve), derBits(parts.point));
    case 'Ed25519':
      return derElement(TAG_SEQUENCE, ALGORITHM_ED25519, derBits(parts.point));
    case 'X25519':
      return derElement(TAG_SEQUENCE, ALGORITHM_X25519, derBits(parts.point));
  }
}

/** RSAPublicKey, RFC 8017 A.1.1. */
const emitRsaPublic = ({ modulus, exponent }: RsaPublicParts): Uint8Array =>
  derElement(TAG_SEQUENCE, derInteger(modulus), derInteger(exponent));

/** The same key for an implementation that needn't know the limits of RSA-PSS keys. */
export const asPlainRsa = <P extends RsaPublicParts>(parts: P): P => ({
  ...parts,
  type: 'RSA',
  pss: null,
  algorithm: ALGORITHM_RSA,
});

/**
 * As parseSpki, of a private key; attributes are skipped, and the public half of a key of
 * Ed25519 or X25519 (RFC 5958) as well. The copies are the caller's to wipe.
 */
export function parsePkcs8(der: Uint8Array): PrivateParts | null {
  const whole = new DerReader(der);
  const info = whole.enter(TAG_SEQUENCE);
  if (info === null || !whole.done) return null;
  const withPublic = info.tag === 2 && der.length > 0 ? parseVersion(info) : null;
  const algorithm = withPublic === null ? null : parseAlgorithm(info);
  const secret = algorithm === null ? null : info.contents(TAG_OCTET_STRING);
  if (algorithm === null || secret === null || !endsWell(info, withPublic === true)) return null;
  switch (algorithm.type) {
    case 'RSA':
    case 'RSA-PSS':
      return parseRsaPrivate(algorithm, secret);
    case 'EC':
      return parseEcPrivate(algorithm.curve, secret);
    case 'Ed25519':
    case 'X25519': {
      // CurvePrivateKey, RFC 8410 §7: an OCTET STRING in the OCTET STRING.
      const inner = new DerReader(secret);
      const bytes = inner.contents(TAG_OCTET_STRING);
      if (bytes === null || !inner.done || bytes.length !== KEY_25519_BYTES) return null;
      return { type: algorithm.type, secret: bytes.slice() };
    }
  }
}

/** Whether a public key may follow (RFC 5958 version 1); null for another version. */
function parseVersion(info: DerReader): boolean | null {
  const digits = info.contents(2);
  if (digits === null || digits.length !== 1 || digits[0]! > 1) return null;
  return digits[0] === 1;
}

/** Attributes and public key, RFC 5958 §2. */
function endsWell(info: DerReader, withPublic: boolean): boolean {
  if (info.tag === TAG_CONTEXT_0 && info.contents(TAG_CONTEXT_0) === null) return false;
  const implicitBits = 0x81;
  if (withPublic && info.tag === implicitBits && info.contents(implicitBits) === null) return false;
  return info.done;
}

function parseEcPrivate(curve: Curve, der: Uint8Array): EcPrivateParts | null {
  const whole = new DerReader(der);
  const key = whole.enter(TAG_SEQUENCE);
  if (key === null || !whole.done || !key.isSmall(1)) return null;
  const scalar = key.contents(TAG_OCTET_STRING);
  if (scalar === null || !isScalar(curve, scalar)) return null;
  if (key.tag === TAG_CONTEXT_0) {
    const named = key.contents(TAG_CONTEXT_0);
    if (named === null || toHex(named) !== toHex(curve.oid)) return null;
  }
  let point: Uint8Array | null = null;
  if (key.tag === TAG_CONTEXT_1) {
    const tagged = key.enter(TAG_CONTEXT_1);
    const bits = tagged?.bits() ?? null;
    if (bits === null || !tagged!.done || !isPointForm(curve, bits)) return null;
    point = bits.slice();
  }
  return key.done ? { type: 'EC', curve, scalar: scalar.slice(), point } : null;
}

function parseRsaPrivate(
  { type, pss, der: algorithm }: Algorithm & { readonly type: 'RSA' | 'RSA-PSS' },
  der: Uint8Array,
): RsaPrivateParts | null {
  const whole = new DerReader(der);
  const key = whole.enter(TAG_SEQUENCE);
  if (key === null || !whole.done || !key.isSmall(0)) return null;
  const numbers: Uint8Array[] = [];
  for (let i = 0; i < 8; i++) {
    const number = key.positive();
    if (number === null) return null;
    numbers.push(number.slice());
  }
  const [modulus, exponent, privateExponent, p, q, dp, dq, inverse] =
    numbers as unknown as FixedNumbers;
  const bits = rsaBits(modulus, exponent);
  if (bits === 0 || !key.done) return null;
  const parts = { type, bits, modulus, exponent, pss, algorithm };
  const factors = [p, q, dp, dq, inverse] as const;
  return isConsistent(numbers) ? { ...parts, privateExponent, factors } : null;
}

type Eight<T> = readonly [T, T, T, T, T, T, T, T];
type FixedNumbers = Eight<Uint8Array>;

/** Whether the numbers of an RSA private key are those of one key. Not that p and q are prime. */
function isConsistent(numbers: readonly Uint8Array[]): boolean {
  const [n, e, d, p, q, dp, dq, inverse] = numbers.map((one) =>
    BigInt(`0x${toHex(one)}`),
  ) as unknown as Eight<bigint>;
  if (p * q !== n || p === 1n || q === 1n || p === q) return false;
  const p1 = p - 1n;
  const q1 = q - 1n;
  if ((e * d) % p1 !== 1n || (e * d) % q1 !== 1n || d >= n) return false;
  return dp === d % p1 && dq === d % q1 && inverse < p && (inverse * q) % p === 1n;
}

/** PrivateKeyInfo, version 0. An elliptic key has its public half in it when `parts` has. */
export function emitPkcs8(parts: PrivateParts): Uint8Array {
  switch (parts.type) {
    case 'RSA':
    case 'RSA-PSS':
      return emitInfo(parts.algorithm, emitRsaPrivate(parts));
    case 'EC':
      return emitInfo(ecAlgorithm(parts.curve), emitEcPrivate(parts));
    case 'Ed25519':
      return emitInfo(ALGORITHM_ED25519, derElement(TAG_OCTET_STRING, parts.secret));
    case 'X25519':
      return emitInfo(ALGORITHM_X25519, derElement(TAG_OCTET_STRING, parts.secret));
  }
}

/** Wipes `secret`, which was made for this. */
function emitInfo(algorithm: Uint8Array, secret: Uint8Array): Uint8Array {
  const octets = derElement(TAG_OCTET_STRING, secret);
  const info = derElement(TAG_SEQUENCE, derInteger(Uint8Array.of(0)), algorithm, octets);
  secret.fill(0);
  octets.fill(0);
  return info;
}

function emitEcPrivate({ scalar, point }: EcPrivateParts): Uint8Array {
  const octets = derElement(TAG_OCTET_STRING, scalar);
  const tail = point === null ? [] : [derElement(TAG_CONTEXT_1, derBits(point))];
  const key = derElement(TAG_SEQUENCE, derInteger(Uint8Array.of(1)), octets, ...tail);
  octets.fill(0);
  return key;
}

/** RSAPrivateKey, RFC 8017 A.1.2. */
function emitRsaPrivate(parts: RsaPrivateParts): Uint8Array {
  const { modulus, exponent, privateExponent, factors } = parts;
  const secrets = [privateExponent, ...factors].map(derInteger);
  const open = [Uint8Array.of(0), modulus, exponent].map(derInteger);
  const key = derElement(TAG_SEQUENCE, ...open, ...secrets);
  for (const secret of secrets) secret.fill(0);
  return key;
}

/** Whether `scalar` has the curve's size and is in 1..order-1. Its time tells its length only. */
export function isScalar(curve: Curve, scalar: Uint8Array): boolean {
  if (scalar.length !== curve.bytes) return false;
  let borrow = 0;
  let any = 0;
  for (let i = curve.bytes - 1; i >= 0; i--) {
    borrow = scalar[i]! - curve.order[i]! - borrow < 0 ? 1 : 0;
    any |= scalar[i]!;
  }
  return borrow === 1 && any !== 0;
}

/**
 * A private key for a group, by the only rule that there is: 32 bytes for x25519, else the first
 * draw of the curve's size that is in 1..order-1 (one in 2^32 isn't, so that eight failures mean
 * a broken source, which throws). The caller wipes it.
 */
export function drawPrivateKey(group: GroupName, entropy: Entropy): Uint8Array {
  const curve = curveOf(group);
  const secret = new Uint8Array(curve?.bytes ?? KEY_25519_BYTES);
  for (let i = 0; i < DRAWS_MAX; i++) {
    entropy.fill(secret);
    if (curve === null || isScalar(curve, secret)) return secret;
  }
  throw new Error('the source of entropy repeats itself');
}

const DRAWS_MAX = 8;
