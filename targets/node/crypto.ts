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
  AEAD_TAG_BYTES,
  type AeadName,
  asPlainRsa,
  CheckedAead,
  CheckedPrivateKey,
  CheckedPublicKey,
  type CryptoPrimitives,
  CURVES,
  type Curve,
  curveOf,
  drawPrivateKey,
  type Entropy,
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
  keyInfo,
  type PrivateKey,
  type PrivateKeyType,
  type PrivateParts,
  type PublicParts,
  parsePkcs8,
  parseSpki,
  type RawAead,
  type RawSigner,
  type RawVerifier,
  type SignatureAlgorithm,
} from '#device';

const HASHES: Readonly<Record<HashName, string>> = {
  'SHA-1': 'sha1',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

const TAG = { authTagLength: AEAD_TAG_BYTES } as const;
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

/** The types tell GCM from ChaCha20-Poly1305, the calls are the same. */
const rawAead = (name: string): RawAead => ({
  seal(key, nonce, additional, plain, out) {
    const cipher = createCipheriv(name as 'aes-128-gcm', key, nonce, TAG);
    cipher.setAAD(additional, { plaintextLength: plain.length });
    out.set(cipher.update(plain));
    cipher.final();
    out.set(cipher.getAuthTag(), plain.length);
  },
  open(key, nonce, additional, sealed, out) {
    const cipher = createDecipheriv(name as 'aes-128-gcm', key, nonce, TAG);
    cipher.setAAD(additional, { plaintextLength: out.length });
    cipher.setAuthTag(sealed.subarray(out.length));
    const plain = cipher.update(sealed.subarray(0, out.length));
    try {
      cipher.final();
      out.set(plain);
      return true;
    } catch {
      return false;
    } finally {
      plain.fill(0);
    }
  },
});

const CIPHERS: Readonly<Record<AeadName, RawAead>> = {
  'AES-128-GCM': rawAead('aes-128-gcm'),
  'AES-256-GCM': rawAead('aes-256-gcm'),
  'CHACHA20-POLY1305': rawAead('chacha20-poly1305'),
};

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

const verifier = (key: KeyObject): RawVerifier => ({
  verify(algorithm, data, signature) {
    const options = { dsaEncoding: 'ieee-p1363', ...signaturePadding(algorithm) } as const;
    return nodeVerify(hashOf(algorithm), data, { key, ...options }, signature);
  },
});

const signer = (key: KeyObject): RawSigner => ({
  sign(algorithm, data) {
    const options = { dsaEncoding: 'ieee-p1363', ...signaturePadding(algorithm) } as const;
    return own(nodeSign(hashOf(algorithm), data, { key, ...options }));
  },
  destroy() {},
});

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
  // Without its public half, which OpenSSL would believe.
  const key = privateKeyObject(parts.type === 'EC' ? { ...parts, point: null } : parts);
  const half = publicHalf(parts, key);
  const info = half === null ? null : keyInfo(half);
  const whole =
    half?.type === 'EC' && parts.type === 'EC' ? { ...parts, point: half.point } : parts;
  return info === null ? null : new CheckedPrivateKey(info, signer(key), emitPkcs8(whole));
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
  aead: (name, key) => new CheckedAead(name, key, CIPHERS[name]),
  generateKeyAgreement(group, entropy) {
    const secret = drawPrivateKey(group, entropy);
    const key = importAgreement(group, secret)!;
    secret.fill(0);
    return key;
  },
  importKeyAgreement: importAgreement,
  importPublicKey(spki) {
    const parts = parseSpki(spki);
    const info = parts === null ? null : keyInfo(parts);
    const key = parts === null || info === null ? null : publicKeyObject(parts);
    return info === null || key === null ? null : new CheckedPublicKey(info, verifier(key));
  },
  importPrivateKey,
  generatePrivateKey,
};

/** What `#crypto/platform` exports. */
export const primitives: CryptoPrimitives = nodeCrypto;
