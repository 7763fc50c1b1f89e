/**
 * The cryptographic primitives from node:crypto, for programs on Node and for tests. A build for
 * the node target puts this module in the place of packages/crypto/platform.ts. Keys go to Node in
 * the one form that key-format.ts gives, so that OpenSSL's laxer readers never see a peer's bytes.
 *
 * Deviates: signing, and making RSA keys, takes its randomness from OpenSSL, which takes no other;
 * what a KeyObject or an ECDH holds is wiped when it is collected.
 */

import {
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type ECDH,
  generateKeyPairSync,
  type KeyObject,
  constants as nodeConstants,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto';
import { assert } from '#core';
import {
  type Aead,
  type AeadName,
  algorithmFor,
  asPlainRsa,
  type CryptoPrimitives,
  CURVES,
  type Curve,
  curveOf,
  drawPrivateKey,
  type Entropy,
  ecdsaFromDer,
  emitPkcs8,
  emitSpki,
  type GroupName,
  HASH_BYTES,
  type HashName,
  type HashState,
  isPointForm,
  isScalar,
  KEY_25519_BYTES,
  type KeyAgreement,
  type KeyInfo,
  type PrivateKey,
  type PrivateKeyType,
  type PrivateParts,
  type PublicKey,
  type PublicParts,
  parsePkcs8,
  parseSpki,
  type SignatureAlgorithm,
  type SignatureScheme,
} from '#device';

const HASHES: Readonly<Record<HashName, string>> = {
  'SHA-1': 'sha1',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

const CIPHERS = {
  'AES-128-GCM': { cipher: 'aes-128-gcm', keyBytes: 16 },
  'AES-256-GCM': { cipher: 'aes-256-gcm', keyBytes: 32 },
  'CHACHA20-POLY1305': { cipher: 'chacha20-poly1305', keyBytes: 32 },
} as const;

const TAG = { authTagLength: 16 } as const;
const TAG_BYTES = TAG.authTagLength;
const NONCE_BYTES = 12;
const EC_NAMES = { 'P-256': 'prime256v1', 'P-384': 'secp384r1' } as const;

/** A fresh array of its own, not a view of Node's pool. */
const own = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

class NodeHash implements HashState {
  readonly #hash;

  constructor(hash: ReturnType<typeof createHash>) {
    this.#hash = hash;
  }

  update(data: Uint8Array): void {
    this.#hash.update(data);
  }

  copy(): HashState {
    return new NodeHash(this.#hash.copy());
  }

  digest(): Uint8Array {
    return own(this.#hash.copy().digest());
  }
}

class NodeAead implements Aead {
  readonly #cipher: (typeof CIPHERS)[AeadName]['cipher'];
  #key: Uint8Array | null;

  constructor(name: AeadName, key: Uint8Array) {
    const { cipher, keyBytes } = CIPHERS[name];
    assert(key.length === keyBytes, `${name} has keys of ${keyBytes} bytes`);
    this.#cipher = cipher;
    this.#key = own(key);
  }

  seal(
    nonce: Uint8Array,
    additional: Uint8Array,
    input: Uint8Array,
    inAt: number,
    count: number,
    out: Uint8Array,
    outAt: number,
  ): void {
    checkAead(this.#key, nonce, input, inAt, count, out, outAt, count + TAG_BYTES);
    // The types tell GCM from ChaCha20-Poly1305, the calls are the same.
    const cipher = createCipheriv(this.#cipher as 'aes-128-gcm', this.#key, nonce, TAG);
    cipher.setAAD(additional, { plaintextLength: count });
    out.set(cipher.update(input.subarray(inAt, inAt + count)), outAt);
    cipher.final();
    out.set(cipher.getAuthTag(), outAt + count);
  }

  open(
    nonce: Uint8Array,
    additional: Uint8Array,
    input: Uint8Array,
    inAt: number,
    count: number,
    out: Uint8Array,
    outAt: number,
  ): boolean {
    if (count < TAG_BYTES) return false;
    const plainBytes = count - TAG_BYTES;
    checkAead(this.#key, nonce, input, inAt, count, out, outAt, plainBytes);
    const cipher = createDecipheriv(this.#cipher as 'aes-128-gcm', this.#key, nonce, TAG);
    cipher.setAAD(additional, { plaintextLength: plainBytes });
    cipher.setAuthTag(input.subarray(inAt + plainBytes, inAt + count));
    const plain = cipher.update(input.subarray(inAt, inAt + plainBytes));
    try {
      cipher.final();
      out.set(plain, outAt);
      return true;
    } catch {
      return false;
    } finally {
      plain.fill(0);
    }
  }

  destroy(): void {
    this.#key?.fill(0);
    this.#key = null;
  }
}

function checkAead(
  key: Uint8Array | null,
  nonce: Uint8Array,
  input: Uint8Array,
  inAt: number,
  count: number,
  out: Uint8Array,
  outAt: number,
  outBytes: number,
): asserts key is Uint8Array {
  assert(key !== null, 'a destroyed key');
  assert(nonce.length === NONCE_BYTES, 'a nonce has 12 bytes');
  assert(inAt >= 0 && count >= 0 && inAt + count <= input.length, 'input outside of its array');
  assert(outAt >= 0 && outAt + outBytes <= out.length, 'output outside of its array');
}

class NodeAgreement25519 implements KeyAgreement {
  readonly group = 'x25519';
  readonly publicKey: Uint8Array;
  #key: KeyObject | null;

  constructor(secret: Uint8Array) {
    this.#key = privateKeyObject({ type: 'X25519', secret });
    this.publicKey = rawPublic(this.#key);
  }

  agree(peerPublicKey: Uint8Array): Uint8Array | null {
    assert(this.#key !== null, 'a destroyed key');
    if (peerPublicKey.length !== KEY_25519_BYTES) return null;
    const publicKey = publicKeyObject({ type: 'X25519', point: peerPublicKey });
    try {
      const secret = own(diffieHellman({ privateKey: this.#key, publicKey: publicKey! }));
      return secret.every((byte) => byte === 0) ? null : secret;
    } catch {
      // OpenSSL's word for an all-zero secret.
      return null;
    }
  }

  destroy(): void {
    this.#key = null;
  }
}

class NodeAgreement implements KeyAgreement {
  readonly group: GroupName;
  readonly publicKey: Uint8Array;
  readonly #curve: Curve;
  #ecdh: ECDH | null;

  constructor(curve: Curve, scalar: Uint8Array) {
    this.group = curve.group;
    this.#curve = curve;
    this.#ecdh = createECDH(EC_NAMES[curve.name]);
    this.#ecdh.setPrivateKey(scalar);
    this.publicKey = own(this.#ecdh.getPublicKey());
  }

  agree(peerPublicKey: Uint8Array): Uint8Array | null {
    assert(this.#ecdh !== null, 'a destroyed key');
    if (!isPointForm(this.#curve, peerPublicKey)) return null;
    try {
      return own(this.#ecdh.computeSecret(peerPublicKey));
    } catch {
      // The point isn't on the curve.
      return null;
    }
  }

  destroy(): void {
    this.#ecdh = null;
  }
}

const signaturePadding = (algorithm: SignatureAlgorithm) =>
  algorithm.kind === 'RSA-PSS'
    ? {
        padding: nodeConstants.RSA_PKCS1_PSS_PADDING,
        saltLength: algorithm.saltBytes,
      }
    : {};

const hashOf = (algorithm: SignatureAlgorithm): string | null =>
  algorithm.kind === 'Ed25519' ? null : HASHES[algorithm.hash];

function infoOf(parts: PublicParts): KeyInfo | null {
  const spki = emitSpki(parts);
  switch (parts.type) {
    case 'RSA':
    case 'RSA-PSS':
      return { type: parts.type, curve: null, bits: parts.bits, pss: parts.pss, spki };
    case 'EC':
      return { type: 'EC', curve: parts.curve.name, bits: parts.curve.bits, pss: null, spki };
    case 'Ed25519':
      return { type: 'Ed25519', curve: null, bits: 256, pss: null, spki };
    case 'X25519':
      return null;
  }
}

class NodePublicKey implements PublicKey {
  readonly type: KeyInfo['type'];
  readonly curve: KeyInfo['curve'];
  readonly bits: number;
  readonly pss: KeyInfo['pss'];
  readonly spki: Uint8Array;
  readonly #key: KeyObject;

  constructor(info: KeyInfo, key: KeyObject) {
    this.type = info.type;
    this.curve = info.curve;
    this.bits = info.bits;
    this.pss = info.pss;
    this.spki = info.spki;
    this.#key = key;
  }

  verify(
    scheme: SignatureScheme | SignatureAlgorithm,
    data: Uint8Array,
    signature: Uint8Array,
  ): boolean {
    const algorithm = algorithmFor(scheme, this);
    if (algorithm === null) return false;
    const strict = this.curve === null ? signature : ecdsaFromDer(CURVES[this.curve], signature);
    if (strict === null) return false;
    if (algorithm.kind !== 'ECDSA' && strict.length !== signatureBytes(this)) return false;
    const options = { dsaEncoding: 'ieee-p1363', ...signaturePadding(algorithm) } as const;
    return nodeVerify(hashOf(algorithm), data, { key: this.#key, ...options }, strict);
  }
}

/** Of RSA, as long as the modulus (RFC 8017 §8.1.2 step 1), and of Ed25519. */
const signatureBytes = ({ type, bits }: KeyInfo): number =>
  type === 'Ed25519' ? 64 : Math.ceil(bits / 8);

class NodePrivateKey implements PrivateKey {
  readonly type: KeyInfo['type'];
  readonly curve: KeyInfo['curve'];
  readonly bits: number;
  readonly pss: KeyInfo['pss'];
  readonly spki: Uint8Array;
  #key: KeyObject | null;
  readonly #pkcs8: Uint8Array;

  /** Keeps `pkcs8`. */
  constructor(info: KeyInfo, key: KeyObject, pkcs8: Uint8Array) {
    this.type = info.type;
    this.curve = info.curve;
    this.bits = info.bits;
    this.pss = info.pss;
    this.spki = info.spki;
    this.#key = key;
    this.#pkcs8 = pkcs8;
  }

  sign(scheme: SignatureScheme | SignatureAlgorithm, data: Uint8Array): Uint8Array {
    assert(this.#key !== null, 'a destroyed key');
    const algorithm = algorithmFor(scheme, this);
    assert(algorithm !== null, 'the key is none for this scheme');
    const options = { dsaEncoding: 'der', ...signaturePadding(algorithm) } as const;
    return own(nodeSign(hashOf(algorithm), data, { key: this.#key, ...options }));
  }

  pkcs8(): Uint8Array {
    assert(this.#key !== null, 'a destroyed key');
    return this.#pkcs8.slice();
  }

  destroy(): void {
    this.#pkcs8.fill(0);
    this.#key = null;
  }
}

/** Null when OpenSSL finds that the point isn't on its curve. */
function publicKeyObject(parts: PublicParts): KeyObject | null {
  const plain = parts.type === 'RSA-PSS' ? asPlainRsa(parts) : parts;
  try {
    const key = Buffer.from(emitSpki(plain));
    return createPublicKey({ key, format: 'der', type: 'spki' });
  } catch {
    return null;
  }
}

function privateKeyObject(parts: PrivateParts): KeyObject {
  const der = emitPkcs8(parts.type === 'RSA-PSS' ? asPlainRsa(parts) : parts);
  try {
    return createPrivateKey({ key: Buffer.from(der.buffer), format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}

const rawPublic = (key: KeyObject): Uint8Array =>
  own(createPublicKey(key).export({ format: 'der', type: 'spki' })).slice(-KEY_25519_BYTES);

/** The public half; null for X25519, and when the key names another one. */
function publicHalf(parts: PrivateParts, key: KeyObject): PublicParts | null {
  switch (parts.type) {
    case 'RSA':
    case 'RSA-PSS':
      return parts;
    case 'Ed25519':
      return { type: 'Ed25519', point: rawPublic(key) };
    case 'X25519':
      return null;
    case 'EC': {
      const { curve } = parts;
      const ecdh = createECDH(EC_NAMES[curve.name]);
      ecdh.setPrivateKey(parts.scalar);
      const point = own(ecdh.getPublicKey());
      const named = parts.point;
      if (named?.some((byte, i) => byte !== point[i])) return null;
      return { type: 'EC', curve, point };
    }
  }
}

function importPrivateKey(pkcs8: Uint8Array): PrivateKey | null {
  const parts = parsePkcs8(pkcs8);
  if (parts === null || parts.type === 'X25519') return null;
  const key = privateKeyObject(parts);
  const half = publicHalf(parts, key);
  const info = half === null ? null : infoOf(half);
  const whole =
    half?.type === 'EC' && parts.type === 'EC' ? { ...parts, point: half.point } : parts;
  return info === null ? null : new NodePrivateKey(info, key, emitPkcs8(whole));
}

function importAgreement(group: GroupName, privateKey: Uint8Array): KeyAgreement | null {
  const curve = curveOf(group);
  if (curve !== null) {
    return isScalar(curve, privateKey) ? new NodeAgreement(curve, privateKey) : null;
  }
  return privateKey.length === KEY_25519_BYTES ? new NodeAgreement25519(privateKey) : null;
}

function generatePrivateKey(type: PrivateKeyType, entropy: Entropy): PrivateKey {
  if (type !== 'P-256' && type !== 'P-384' && type !== 'Ed25519') {
    const modulusLength = Number(type.slice(4));
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength });
    return importPrivateKey(privateKey.export({ format: 'der', type: 'pkcs8' }))!;
  }
  const curve = type === 'Ed25519' ? null : CURVES[type];
  const secret = drawPrivateKey(curve?.group ?? 'x25519', entropy);
  const pkcs8 = emitPkcs8(
    curve === null
      ? { type: 'Ed25519', secret }
      : { type: 'EC', curve, scalar: secret, point: null },
  );
  const key = importPrivateKey(pkcs8)!;
  secret.fill(0);
  pkcs8.fill(0);
  return key;
}

const hmac = (hash: HashName, key: Uint8Array, data: Uint8Array): Uint8Array =>
  own(createHmac(HASHES[hash], key).update(data).digest());

function hkdfExpand(
  hash: HashName,
  pseudoRandomKey: Uint8Array,
  info: Uint8Array,
  lengthBytes: number,
): Uint8Array {
  const hashBytes = HASH_BYTES[hash];
  assert(lengthBytes >= 0 && lengthBytes <= 255 * hashBytes, 'HKDF gives 255 hashes at most');
  const out = new Uint8Array(lengthBytes);
  let block: Uint8Array = new Uint8Array(0);
  for (let at = 0, count = 1; at < lengthBytes; at += hashBytes, count++) {
    const mac = createHmac(HASHES[hash], pseudoRandomKey).update(block).update(info);
    block = mac.update(Uint8Array.of(count)).digest();
    out.set(block.subarray(0, lengthBytes - at), at);
  }
  block.fill(0);
  return out;
}

export const nodeCrypto: CryptoPrimitives = {
  name: 'node',
  ed25519: true,
  createHash: (hash) => new NodeHash(createHash(HASHES[hash])),
  digest: (hash, data) => own(createHash(HASHES[hash]).update(data).digest()),
  hmac,
  hkdfExpand,
  aead: (name, key) => new NodeAead(name, key),
  generateKeyAgreement(group, entropy) {
    const secret = drawPrivateKey(group, entropy);
    const key = importAgreement(group, secret)!;
    secret.fill(0);
    return key;
  },
  importKeyAgreement: importAgreement,
  importPublicKey(spki) {
    const parts = parseSpki(spki);
    const info = parts === null ? null : infoOf(parts);
    const key = parts === null || info === null ? null : publicKeyObject(parts);
    return info === null || key === null ? null : new NodePublicKey(info, key);
  },
  importPrivateKey,
  generatePrivateKey,
};

/** What `#crypto/platform` exports. */
export const primitives: CryptoPrimitives = nodeCrypto;
