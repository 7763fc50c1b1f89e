/**
 * Signatures, and forgeries: blocks that a lax verifier takes for padding (RFC 8017 §9), made with
 * the private key, so that only the padding is wrong.
 */

import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  privateEncrypt,
  sign,
} from 'node:crypto';
import type { Vector } from '#crypto/vectors';
import {
  CURVES,
  drawPrivateKey,
  emitPkcs8,
  type HashName,
  type SignatureAlgorithm,
  type SignatureScheme,
} from '#device';
import { HASHES, hex } from './known.ts';

export interface RsaPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

type Scheme = SignatureScheme | SignatureAlgorithm;

const bytes = (text: string): Buffer => Buffer.from(text, 'hex');
const DATA = Buffer.from('what is signed');
const digest = (hash: string, data: Uint8Array = DATA): Buffer =>
  createHash(hash).update(data).digest();
const spkiOf = (key: KeyObject): string => hex(key.export({ format: 'der', type: 'spki' }));
const pkcs8Of = (key: KeyObject): string => hex(key.export({ format: 'der', type: 'pkcs8' }));

const asked = (
  name: string,
  spki: string,
  scheme: Scheme,
  signature: Uint8Array,
  valid = false,
): Vector => ({
  kind: 'verify',
  name,
  spki,
  scheme,
  data: hex(DATA),
  signature: hex(signature),
  valid,
});

/** What `block` becomes with the private key; it has the modulus's length. */
const raw = ({ privateKey }: RsaPair, block: Uint8Array): Buffer =>
  privateEncrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, block);

const BLOCK_BYTES = 256;
const SHA256_INFO = '3031300d060960864801650304020105000420';

/** 0, type, ones, 0, and what follows; ones fill the block. */
const pkcs1 = (tail: Uint8Array, type = 1, fill = 255): Buffer =>
  Buffer.concat([
    Uint8Array.of(0, type),
    new Uint8Array(BLOCK_BYTES - 3 - tail.length).fill(fill),
    Uint8Array.of(0),
    tail,
  ]);

function pkcs1Forgeries(pair: RsaPair): Vector[] {
  const spki = spkiOf(pair.publicKey);
  const sum = digest('sha256');
  const info = Buffer.concat([bytes(SHA256_INFO), sum]);
  const bad = (name: string, block: Uint8Array) =>
    asked(`PKCS #1, ${name}`, spki, 'rsa_pkcs1_sha256', raw(pair, block));
  const garbage = Buffer.alloc(BLOCK_BYTES - 3 - 8 - info.length, 0x5a);
  const eightOnes = new Uint8Array(8).fill(255);
  const lead = Buffer.concat([Uint8Array.of(0, 1), eightOnes, Uint8Array.of(0)]);
  const changed = (block: Buffer, at: number, to: number) => {
    const copy = Buffer.from(block);
    copy[at] = to;
    return copy;
  };
  const good = pkcs1(info);
  const inner = (text: string) => pkcs1(Buffer.concat([bytes(text), sum]));
  return [
    asked('PKCS #1', spki, 'rsa_pkcs1_sha256', raw(pair, good), true),
    bad('short padding, garbage behind', Buffer.concat([lead, info, garbage])),
    bad('short padding, garbage before', Buffer.concat([lead, garbage, info])),
    bad('no NULL', inner('302f300b0609608648016503040201' + '0420')),
    bad('a long length', inner('308131300d060960864801650304020105000420')),
    bad('a long length inside', inner('303230810d060960864801650304020105000420')),
    bad('garbage in the parameters', inner('3033300f0609608648016503040201050200000420')),
    bad('garbage behind the digest', pkcs1(Buffer.concat([info, Uint8Array.of(0)]))),
    bad('the digest alone', pkcs1(sum)),
    bad('the name of SHA-384', inner('3031300d060960864801650304020205000420')),
    bad(
      'the digest of SHA-384',
      pkcs1(Buffer.concat([bytes('3041300d060960864801650304020205000430'), digest('sha384')])),
    ),
    bad('another digest', pkcs1(Buffer.concat([bytes(SHA256_INFO), digest('sha256', sum)]))),
    bad('block type 0', pkcs1(info, 0, 0)),
    bad('block type 2', pkcs1(info, 2, 0x77)),
    bad('a one that is none', changed(good, 100, 254)),
    bad('a zero among the ones', changed(good, 100, 0)),
    bad('no end of the ones', changed(good, BLOCK_BYTES - 1 - info.length, 255)),
    bad('a first byte of one', changed(pkcs1(info), 0, 1)),
    bad('zeros', new Uint8Array(BLOCK_BYTES)),
  ];
}

/** Integer cube root, rounded up. */
function cubeRoot(value: bigint): bigint {
  let low = 0n;
  let high = 1n << BigInt(Math.ceil(value.toString(2).length / 3) + 1);
  while (low < high) {
    const middle = (low + high) >> 1n;
    if (middle ** 3n < value) low = middle + 1n;
    else high = middle;
  }
  return low;
}

/** Bleichenbacher's of 2006: a cube whose upper bytes look right. No private key is needed. */
function cubes(pair: RsaPair): Vector[] {
  const info = Buffer.concat([bytes(SHA256_INFO), digest('sha256')]);
  const begin = Buffer.concat([
    Uint8Array.of(0, 1, 255, 255, 255, 255, 255, 255, 255, 255, 0),
    info,
  ]);
  const wanted = BigInt(`0x${hex(begin)}`) << BigInt(8 * (BLOCK_BYTES - begin.length));
  const forged = cubeRoot(wanted)
    .toString(16)
    .padStart(2 * BLOCK_BYTES, '0');
  const spki = spkiOf(pair.publicKey);
  const right = sign('sha256', DATA, pair.privateKey);
  return [
    asked('exponent 3', spki, 'rsa_pkcs1_sha256', right, true),
    asked('exponent 3, a cube', spki, 'rsa_pkcs1_sha256', bytes(forged)),
    asked('exponent 3, one', spki, 'rsa_pkcs1_sha256', bytes('01'.padStart(2 * BLOCK_BYTES, '0'))),
  ];
}

function mask(hash: string, seed: Uint8Array, count: number): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; parts.length * 20 < count; i++) {
    parts.push(digest(hash, Buffer.concat([seed, Uint8Array.of(0, 0, 0, i)])));
  }
  return Buffer.concat(parts).subarray(0, count);
}

interface PssChanges {
  readonly saltBytes?: number;
  readonly separator?: number;
  readonly padding?: number;
  readonly trailer?: number;
  readonly maskHash?: string;
  readonly prefixBytes?: number;
  readonly keepTopBit?: boolean;
}

/** EMSA-PSS, RFC 8017 §9.1.1, with one thing changed. */
function pss(changes: PssChanges): Buffer {
  const {
    saltBytes = 32,
    separator = 1,
    padding = 0,
    trailer = 0xbc,
    maskHash = 'sha256',
  } = changes;
  const salt = Buffer.alloc(saltBytes, 0x3c);
  const prefix = new Uint8Array(changes.prefixBytes ?? 8);
  const sum = digest('sha256', Buffer.concat([prefix, digest('sha256'), salt]));
  const count = BLOCK_BYTES - sum.length - 1;
  const block = Buffer.alloc(count, 0);
  block[0] = padding;
  block[count - saltBytes - 1] = separator;
  salt.copy(block, count - saltBytes);
  const masked = mask(maskHash, sum, count).map((byte, i) => byte ^ block[i]!);
  masked[0]! &= 0x7f;
  if (changes.keepTopBit === true) masked[0]! |= 0x80;
  return Buffer.concat([masked, sum, Uint8Array.of(trailer)]);
}

function pssForgeries(pair: RsaPair): Vector[] {
  const spki = spkiOf(pair.publicKey);
  const scheme = 'rsa_pss_rsae_sha256';
  const bad = (name: string, changes: PssChanges) =>
    asked(`PSS, ${name}`, spki, scheme, raw(pair, pss(changes)));
  const long = raw(pair, pss({ saltBytes: 222 }));
  const none = raw(pair, pss({ saltBytes: 0 }));
  const salted = (saltBytes: number): SignatureAlgorithm => ({
    kind: 'RSA-PSS',
    hash: 'SHA-256',
    saltBytes,
  });
  return [
    asked('PSS', spki, scheme, raw(pair, pss({})), true),
    asked('PSS, no salt, which was asked for', spki, salted(0), none, true),
    asked('PSS, the longest salt', spki, salted(222), long, true),
    asked('PSS, a salt longer than there is room', spki, salted(223), long),
    asked('PSS, another hash', spki, 'rsa_pss_rsae_sha384', raw(pair, pss({}))),
    asked('PSS, for a key of PSS alone', spki, 'rsa_pss_pss_sha256', raw(pair, pss({}))),
    asked('PSS, taken for PKCS #1', spki, 'rsa_pkcs1_sha256', raw(pair, pss({}))),
    bad('no salt', { saltBytes: 0 }),
    bad('a salt of 20', { saltBytes: 20 }),
    bad('a salt of 31', { saltBytes: 31 }),
    bad('a salt of 33', { saltBytes: 33 }),
    bad('a wrong separator', { separator: 2 }),
    bad('no separator', { separator: 0 }),
    bad('padding that isn’t zero', { padding: 1 }),
    bad('a wrong trailer', { trailer: 0xcc }),
    bad('a mask of SHA-1', { maskHash: 'sha1' }),
    bad('a digest without its prefix', { prefixBytes: 0 }),
    bad('ones', { prefixBytes: 8, trailer: 0xff, padding: 0x7f }),
  ];
}

/** The number s + n, which means the same to who doesn't compare it with n. */
function oversized(pair: RsaPair): Vector[] {
  const { n } = pair.publicKey.export({ format: 'jwk' });
  const modulus = BigInt(`0x${hex(Buffer.from(n ?? '', 'base64url'))}`);
  const limit = 1n << BigInt(8 * BLOCK_BYTES);
  const spki = spkiOf(pair.publicKey);
  for (let i = 0; i < 200; i++) {
    const data = Buffer.from(`what is signed ${i}`);
    const right = sign('sha256', data, pair.privateKey);
    const more = BigInt(`0x${hex(right)}`) + modulus;
    if (more >= limit) continue;
    const signature = more.toString(16).padStart(2 * BLOCK_BYTES, '0');
    const scheme = 'rsa_pkcs1_sha256';
    const name = 'PKCS #1, a signature above the modulus';
    return [{ kind: 'verify', name, spki, scheme, data: hex(data), signature, valid: false }];
  }
  throw new Error('no signature is small enough: make other keys');
}

function schemes(pair: RsaPair): Vector[] {
  const spki = spkiOf(pair.publicKey);
  const pkcs8 = pkcs8Of(pair.privateKey);
  const data = hex(DATA);
  const hashes = ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'] as const;
  return hashes.flatMap((hash: HashName): Vector[] => {
    const signature = sign(HASHES[hash], DATA, pair.privateKey);
    const scheme = { kind: 'RSA-PKCS1', hash } as const;
    const saltBytes = digest(HASHES[hash]).length;
    const pssScheme = { kind: 'RSA-PSS', hash, saltBytes } as const;
    return [
      asked(`PKCS #1 with ${hash}`, spki, scheme, signature, true),
      { kind: 'sign', name: hash, pkcs8, scheme, data, signature: hex(signature) },
      { kind: 'sign', name: `${hash}, PSS`, pkcs8, scheme: pssScheme, data, signature: null },
    ];
  });
}

export function rsaSignatures(pair: RsaPair, three: RsaPair): Vector[] {
  return [
    ...schemes(pair),
    ...pkcs1Forgeries(pair),
    ...cubes(three),
    ...pssForgeries(pair),
    ...oversized(pair),
  ];
}

const fixed = { fill: (out: Uint8Array) => void out.fill(0x5b) };

/** All hashes with all curves, as certificates have them; and keys for another scheme. */
export function ecSignatures(): Vector[] {
  const vectors: Vector[] = [];
  for (const name of ['P-256', 'P-384'] as const) {
    const curve = CURVES[name];
    const scalar = drawPrivateKey(curve.group, fixed);
    const pkcs8 = emitPkcs8({ type: 'EC', curve, scalar, point: null });
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
    const spki = spkiOf(createPublicKey(key));
    const data = hex(DATA);
    for (const hash of ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'] as const) {
      const scheme = { kind: 'ECDSA', hash } as const;
      const title = `${name} with ${hash}`;
      vectors.push(asked(title, spki, scheme, sign(HASHES[hash], DATA, key), true));
      vectors.push({
        kind: 'sign',
        name: title,
        pkcs8: hex(pkcs8),
        scheme,
        data,
        signature: null,
      });
    }
    const sha256 = sign('sha256', DATA, key);
    const other = name === 'P-256' ? 'ecdsa_secp384r1_sha384' : 'ecdsa_secp256r1_sha256';
    vectors.push(asked(`${name}, the other curve’s scheme`, spki, other, sha256));
    vectors.push(asked(`${name}, a scheme of RSA`, spki, 'rsa_pkcs1_sha256', sha256));
    vectors.push(asked(`${name}, Ed25519`, spki, 'ed25519', sha256));
  }
  return vectors;
}

/** RFC 8032 §7.1: secret and message. */
const ED25519 = [
  ['9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', ''],
  ['4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', '72'],
  ['c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7', 'af82'],
] as const;

/** The order of the group, little-endian. */
const ED25519_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

const littleEndian = (value: bigint): string =>
  Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse().toString('hex');

export function ed25519Signatures(): Vector[] {
  return ED25519.flatMap(([secret, data], i): Vector[] => {
    const pkcs8 = emitPkcs8({ type: 'Ed25519', secret: bytes(secret) });
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
    const spki = spkiOf(createPublicKey(key));
    const signature = hex(sign(null, bytes(data), key));
    const half = BigInt(`0x${Buffer.from(signature.slice(64), 'hex').reverse().toString('hex')}`);
    const malleable = signature.slice(0, 64) + littleEndian(half + ED25519_ORDER);
    const name = `RFC 8032 §7.1, ${i + 1}`;
    const scheme = 'ed25519' as const;
    return [
      { kind: 'sign', name, pkcs8: hex(pkcs8), scheme, data, signature },
      { kind: 'verify', name, spki, scheme, data, signature, valid: true },
      {
        kind: 'verify',
        name: `${name}, s + order`,
        spki,
        scheme,
        data,
        signature: malleable,
        valid: false,
      },
    ];
  });
}
