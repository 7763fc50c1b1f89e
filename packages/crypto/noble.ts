/**
 * The primitives from @noble/curves, @noble/ciphers and @noble/hashes: pure TypeScript, with no
 * randomness but what is passed in, so that a simulated network has the same ciphertext from the
 * same seed; and a second opinion beside OpenSSL and Mbed TLS. Not for programs: it is slow, and
 * RSA (rsa.ts) isn't constant-time. Makes no RSA keys.
 */

import { gcm } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { p256, p384 } from '@noble/curves/nist.js';
import { expand } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { assert } from '#core';
import {
  type AeadName,
  CheckedAead,
  CheckedPrivateKey,
  CheckedPublicKey,
  type CryptoPrimitives,
  CURVES,
  type Curve,
  type CurveName,
  curveOf,
  drawPrivateKey,
  emitPkcs8,
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
  type PublicParts,
  parsePkcs8,
  parseSpki,
  type RawAead,
  type RawSigner,
  type RawVerifier,
  type SignatureAlgorithm,
} from '#device';
import { withEd25519 } from './ed25519.ts';
import { rsaSigner, rsaVerifier } from './rsa.ts';
import { constantTimeEqual, wipe } from './secrets.ts';

const HASHES = { 'SHA-1': sha1, 'SHA-256': sha256, 'SHA-384': sha384, 'SHA-512': sha512 } as const;
const NIST = { 'P-256': p256, 'P-384': p384 } as const;

const digest = (hash: HashName, data: Uint8Array): Uint8Array => HASHES[hash](data);

interface NobleState {
  update(data: Uint8Array): unknown;
  clone(): NobleState;
  digest(): Uint8Array;
}

class NobleHash implements HashState {
  readonly #state: NobleState;

  constructor(state: NobleState) {
    this.#state = state;
  }

  update(data: Uint8Array): void {
    this.#state.update(data);
  }

  copy(): HashState {
    return new NobleHash(this.#state.clone());
  }

  digest(): Uint8Array {
    return this.#state.clone().digest();
  }
}

const rawAead = (cipher: typeof gcm | typeof chacha20poly1305): RawAead => ({
  seal(key, nonce, additional, plain, out) {
    out.set(cipher(key, nonce, additional).encrypt(plain));
  },
  open(key, nonce, additional, sealed, out) {
    try {
      const plain = cipher(key, nonce, additional).decrypt(sealed);
      out.set(plain);
      wipe(plain);
      return true;
    } catch {
      // The tag is wrong: nothing else is left to be.
      return false;
    }
  },
});

const CIPHERS: Readonly<Record<AeadName, RawAead>> = {
  'AES-128-GCM': rawAead(gcm),
  'AES-256-GCM': rawAead(gcm),
  'CHACHA20-POLY1305': rawAead(chacha20poly1305),
};

class NobleAgreement implements KeyAgreement {
  readonly group: GroupName;
  readonly publicKey: Uint8Array;
  readonly #curve: Curve | null;
  #secret: Uint8Array | null;

  constructor(group: GroupName, curve: Curve | null, secret: Uint8Array) {
    this.group = group;
    this.#curve = curve;
    this.#secret = secret.slice();
    this.publicKey =
      curve === null ? x25519.getPublicKey(secret) : NIST[curve.name].getPublicKey(secret, false);
  }

  agree(peerPublicKey: Uint8Array): Uint8Array | null {
    const secret = this.#secret;
    const curve = this.#curve;
    assert(secret !== null, 'a destroyed key');
    if (curve === null && peerPublicKey.length !== KEY_25519_BYTES) return null;
    if (curve !== null && !isPointForm(curve, peerPublicKey)) return null;
    try {
      if (curve === null) return x25519.getSharedSecret(secret, peerPublicKey);
      return NIST[curve.name].getSharedSecret(secret, peerPublicKey, true).slice(1);
    } catch {
      // The point isn't on the curve, or the secret is zeros.
      return null;
    }
  }

  destroy(): void {
    if (this.#secret !== null) wipe(this.#secret);
    this.#secret = null;
  }
}

const ecdsaDigest = (algorithm: SignatureAlgorithm, data: Uint8Array): Uint8Array => {
  assert(algorithm.kind === 'ECDSA');
  return digest(algorithm.hash, data);
};

const AS_IT_IS = { prehash: false, lowS: false, format: 'compact' } as const;

const ecVerifier = (curve: CurveName, point: Uint8Array): RawVerifier => ({
  verify: (algorithm, data, signature) =>
    NIST[curve].verify(signature, ecdsaDigest(algorithm, data), point, AS_IT_IS),
});

/** RFC 6979 §3.6: the nonce is of key and digest, and of entropy. */
const ecSigner = (curve: CurveName, scalar: Uint8Array): RawSigner => ({
  sign(algorithm, data, entropy) {
    const extraEntropy = new Uint8Array(CURVES[curve].bytes);
    entropy.fill(extraEntropy);
    const sum = ecdsaDigest(algorithm, data);
    return NIST[curve].sign(sum, scalar, { ...AS_IT_IS, extraEntropy });
  },
  destroy: () => wipe(scalar),
});

function rawVerifier(parts: PublicParts): RawVerifier | null {
  switch (parts.type) {
    case 'RSA':
    case 'RSA-PSS':
      return rsaVerifier(parts, digest);
    case 'EC': {
      const curve = parts.curve.name;
      try {
        NIST[curve].Point.fromBytes(parts.point);
      } catch {
        // The point isn't on the curve.
        return null;
      }
      return ecVerifier(curve, parts.point);
    }
    case 'Ed25519':
    case 'X25519':
      return null;
  }
}

function importPrivateKey(pkcs8: Uint8Array): PrivateKey | null {
  const parts = parsePkcs8(pkcs8);
  if (parts === null) return null;
  if (parts.type === 'RSA' || parts.type === 'RSA-PSS') {
    return new CheckedPrivateKey(keyInfo(parts)!, rsaSigner(parts, digest), emitPkcs8(parts));
  }
  if (parts.type !== 'EC') return null;
  const { curve, scalar } = parts;
  const point = NIST[curve.name].getPublicKey(scalar, false);
  if (parts.point !== null && !constantTimeEqual(parts.point, point)) return null;
  const info = keyInfo({ type: 'EC', curve, point })!;
  const whole = emitPkcs8({ ...parts, point });
  return new CheckedPrivateKey(info, ecSigner(curve.name, scalar), whole);
}

function importAgreement(group: GroupName, privateKey: Uint8Array): KeyAgreement | null {
  const curve = curveOf(group);
  const fits = curve === null ? privateKey.length === KEY_25519_BYTES : isScalar(curve, privateKey);
  return fits ? new NobleAgreement(group, curve, privateKey) : null;
}

function isCurve(type: PrivateKeyType): type is CurveName {
  return type === 'P-256' || type === 'P-384';
}

const withoutEd25519: CryptoPrimitives = {
  name: 'noble',
  ed25519: false,
  createHash: (hash) => new NobleHash(HASHES[hash].create()),
  digest,
  hmac: (hash, key, data) => hmac(HASHES[hash], key, data),
  hkdfExpand(hash, pseudoRandomKey, info, lengthBytes) {
    assert(lengthBytes >= 0 && lengthBytes <= 255 * HASH_BYTES[hash]);
    if (lengthBytes === 0) return new Uint8Array(0);
    return expand(HASHES[hash], pseudoRandomKey, info, lengthBytes);
  },
  aead: (name, key) => new CheckedAead(name, key, CIPHERS[name]),
  generateKeyAgreement(group, entropy) {
    const secret = drawPrivateKey(group, entropy);
    const key = importAgreement(group, secret)!;
    wipe(secret);
    return key;
  },
  importKeyAgreement: importAgreement,
  importPublicKey(spki) {
    const parts = parseSpki(spki);
    const raw = parts === null ? null : rawVerifier(parts);
    return raw === null || parts === null ? null : new CheckedPublicKey(keyInfo(parts)!, raw);
  },
  importPrivateKey,
  generatePrivateKey(type, entropy) {
    assert(isCurve(type), 'this implementation makes no keys of RSA: import one');
    const curve = CURVES[type];
    const scalar = drawPrivateKey(curve.group, entropy);
    const pkcs8 = emitPkcs8({ type: 'EC', curve, scalar, point: null });
    const key = importPrivateKey(pkcs8)!;
    wipe(scalar);
    wipe(pkcs8);
    return key;
  },
};

export const nobleCrypto: CryptoPrimitives = withEd25519(withoutEd25519);
