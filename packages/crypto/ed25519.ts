/**
 * Ed25519 (RFC 8032) from @noble/curves, for implementations that lack it: `withEd25519` adds it to
 * any. Linked only where it is imported.
 *
 * Deviates: @noble/curves verifies with the cofactor, as RFC 8032 §5.1.7 has it first, OpenSSL
 * without. They differ on signatures that the owner of a key made up to be such, and on no other.
 */

import { ed25519 } from '@noble/curves/ed25519.js';
import {
  CheckedPrivateKey,
  CheckedPublicKey,
  type CryptoPrimitives,
  drawPrivateKey,
  type Entropy,
  emitPkcs8,
  keyInfo,
  type PrivateKey,
  type PublicKey,
  parsePkcs8,
  parseSpki,
  type RawSigner,
  type RawVerifier,
} from '#device';
import { wipe } from './secrets.ts';

const verifier = (point: Uint8Array): RawVerifier => ({
  verify: (_, data, signature) => ed25519.verify(signature, data, point, { zip215: false }),
});

const signer = (secret: Uint8Array): RawSigner => ({
  sign: (_, data) => ed25519.sign(data, secret),
  destroy: () => wipe(secret),
});

function publicKey(point: Uint8Array): PublicKey | null {
  const info = keyInfo({ type: 'Ed25519', point });
  return info === null ? null : new CheckedPublicKey(info, verifier(point));
}

/** Keeps `secret`. */
function privateKey(secret: Uint8Array): PrivateKey | null {
  const info = keyInfo({ type: 'Ed25519', point: ed25519.getPublicKey(secret) });
  const pkcs8 = emitPkcs8({ type: 'Ed25519', secret });
  return info === null ? null : new CheckedPrivateKey(info, signer(secret), pkcs8);
}

/** The same primitives, and keys of Ed25519. */
export function withEd25519(crypto: CryptoPrimitives): CryptoPrimitives {
  if (crypto.ed25519) return crypto;
  return {
    name: crypto.name,
    ed25519: true,
    createHash: (hash) => crypto.createHash(hash),
    digest: (hash, data) => crypto.digest(hash, data),
    hmac: (hash, key, data) => crypto.hmac(hash, key, data),
    hkdfExpand: (hash, key, info, lengthBytes) => crypto.hkdfExpand(hash, key, info, lengthBytes),
    aead: (name, key) => crypto.aead(name, key),
    generateKeyAgreement: (group, entropy) => crypto.generateKeyAgreement(group, entropy),
    importKeyAgreement: (group, key) => crypto.importKeyAgreement(group, key),
    importPublicKey(spki) {
      const parts = parseSpki(spki);
      return parts?.type === 'Ed25519' ? publicKey(parts.point) : crypto.importPublicKey(spki);
    },
    importPrivateKey(pkcs8) {
      const parts = parsePkcs8(pkcs8);
      return parts?.type === 'Ed25519' ? privateKey(parts.secret) : crypto.importPrivateKey(pkcs8);
    },
    generatePrivateKey: (type, entropy) =>
      type === 'Ed25519' ? drawn(entropy) : crypto.generatePrivateKey(type, entropy),
  };
}

const drawn = (entropy: Entropy): PrivateKey => privateKey(drawPrivateKey('x25519', entropy))!;
