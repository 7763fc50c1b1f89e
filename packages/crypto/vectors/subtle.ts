/**
 * The vectors as questions to a SubtleCrypto, ours or a browser's. Vectors that it can't be asked
 * (other nonces and ciphers, what only DER can say wrong) are left out.
 */

import {
  algorithmFor,
  CURVES,
  type CurveName,
  ecdsaFromDer,
  keyInfo,
  parseSpki,
  type SignatureAlgorithm,
} from '#device';
import { fromHex, toHex, type Vector, type VerifyVector } from './vector.ts';

/** As much of the standard as is asked; lib.dom's SubtleCrypto is one too. */
export interface SubtleLike {
  digest(algorithm: string, data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>;
  importKey(
    format: 'raw' | 'spki' | 'pkcs8',
    data: Uint8Array<ArrayBuffer>,
    algorithm: object,
    extractable: boolean,
    usages: readonly string[],
  ): Promise<object>;
  sign(algorithm: object, key: object, data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>;
  verify(
    algorithm: object,
    key: object,
    signature: Uint8Array<ArrayBuffer>,
    data: Uint8Array<ArrayBuffer>,
  ): Promise<boolean>;
  encrypt(algorithm: object, key: object, data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>;
  decrypt(algorithm: object, key: object, data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>;
  deriveBits(algorithm: object, key: object, length: number | null): Promise<ArrayBuffer>;
}

type Answer = string | boolean | null;

const bytes = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(fromHex(text));
const hex = (buffer: ArrayBuffer): string => toHex(new Uint8Array(buffer));

/** Asks all; one line for each wrong answer. */
export async function runSubtleVectors(
  subtle: SubtleLike,
  vectors: readonly Vector[],
): Promise<{ readonly run: number; readonly failures: readonly string[] }> {
  const failures: string[] = [];
  let run = 0;
  for (const vector of vectors) {
    const asked = ask(subtle, vector);
    if (asked === null) continue;
    run++;
    const answer = await asked.answer().catch((error: unknown) => `threw ${error}`);
    if (answer !== asked.wanted) {
      failures.push(`${vector.kind}: ${vector.name}: ${answer}, not ${asked.wanted}`);
    }
  }
  return { run, failures };
}

interface Question {
  answer(): Promise<Answer>;
  readonly wanted: Answer;
}

function ask(subtle: SubtleLike, vector: Vector): Question | null {
  switch (vector.kind) {
    case 'digest':
      return {
        wanted: vector.out,
        answer: async () =>
          hex(await subtle.digest(vector.hash, bytes(vector.data.repeat(vector.times ?? 1)))),
      };
    case 'hmac':
      return vector.key === '' ? null : askHmac(subtle, vector);
    case 'hkdf':
      return vector.out === '' ? null : askHkdf(subtle, vector);
    case 'aead':
      return vector.aead === 'CHACHA20-POLY1305' ? null : askAead(subtle, vector);
    case 'agree':
      return askAgree(subtle, vector);
    case 'verify':
      return askVerify(subtle, vector);
    default:
      return null;
  }
}

function askHmac(subtle: SubtleLike, vector: Vector & { readonly kind: 'hmac' }): Question {
  const { hash, key, data, out } = vector;
  return {
    wanted: out,
    async answer() {
      const algorithm = { name: 'HMAC', hash };
      const own = await subtle.importKey('raw', bytes(key), algorithm, false, ['sign', 'verify']);
      const valid = await subtle.verify(algorithm, own, bytes(out), bytes(data));
      const tag = hex(await subtle.sign(algorithm, own, bytes(data)));
      return valid ? tag : `${tag}, which it does not verify`;
    },
  };
}

function askHkdf(subtle: SubtleLike, vector: Vector & { readonly kind: 'hkdf' }): Question {
  const { hash, material, salt, info, out } = vector;
  return {
    wanted: out,
    async answer() {
      const key = await subtle.importKey('raw', bytes(material), { name: 'HKDF' }, false, [
        'deriveBits',
      ]);
      const algorithm = { name: 'HKDF', hash, salt: bytes(salt), info: bytes(info) };
      return hex(await subtle.deriveBits(algorithm, key, out.length * 4));
    },
  };
}

const nothing = (): null => null;

function askAead(subtle: SubtleLike, vector: Vector & { readonly kind: 'aead' }): Question {
  return {
    wanted: vector.plain,
    async answer() {
      const usages = ['encrypt', 'decrypt'];
      const name = { name: 'AES-GCM' };
      const key = await subtle.importKey('raw', bytes(vector.key), name, false, usages);
      const additionalData = bytes(vector.additional);
      const algorithm = { ...name, iv: bytes(vector.nonce), additionalData };
      const plain = await subtle.decrypt(algorithm, key, bytes(vector.sealed)).then(hex, nothing);
      if (plain === null) return null;
      const sealed = hex(await subtle.encrypt(algorithm, key, bytes(plain)));
      return sealed === vector.sealed ? plain : `${plain}, which it seals as ${sealed}`;
    },
  };
}

/** PrivateKeyInfo around the bytes of a secret. */
const PKCS8_HEADS = {
  x25519: '302e020100300506032b656e04220420',
  secp256r1: '3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420',
  secp384r1: '304e020100301006072a8648ce3d020106052b81040022043730350201010430',
} as const;

function askAgree(
  subtle: SubtleLike,
  vector: Vector & { readonly kind: 'agree' },
): Question | null {
  const { group, secret, peer, shared } = vector;
  const algorithm =
    group === 'x25519'
      ? { name: 'X25519' }
      : { name: 'ECDH', namedCurve: group === 'secp256r1' ? 'P-256' : 'P-384' };
  // A browser may take a compressed point.
  if (shared === null && /^0[23]/.test(peer) && group !== 'x25519') return null;
  return {
    wanted: shared,
    async answer() {
      const pkcs8 = bytes(PKCS8_HEADS[group] + secret);
      const key = await subtle.importKey('pkcs8', pkcs8, algorithm, false, ['deriveBits']);
      const other = await subtle.importKey('raw', bytes(peer), algorithm, true, []).catch(nothing);
      if (other === null) return null;
      return subtle
        .deriveBits({ name: algorithm.name, public: other }, key, null)
        .then(hex, nothing);
    },
  };
}

/** The same schemes by WebCrypto's names; null for a key or signature that it can't be told. */
function askVerify(subtle: SubtleLike, vector: VerifyVector): Question | null {
  const parts = parseSpki(fromHex(vector.spki));
  const info = parts === null ? null : keyInfo(parts);
  const scheme = info === null ? null : algorithmFor(vector.scheme, info);
  if (info === null || scheme === null || info.type === 'RSA-PSS') return null;
  const { curve } = info;
  const algorithm = algorithmOf(scheme, curve);
  const signature = curve === null ? fromHex(vector.signature) : halves(curve, vector.signature);
  if (algorithm === null || signature === null) return null;
  return {
    wanted: vector.valid,
    async answer() {
      const spki = bytes(vector.spki);
      const key = await subtle.importKey('spki', spki, algorithm, true, ['verify']);
      return subtle.verify(algorithm, key, new Uint8Array(signature), bytes(vector.data));
    },
  };
}

const halves = (curve: CurveName, signature: string): Uint8Array | null =>
  ecdsaFromDer(CURVES[curve], fromHex(signature));

function algorithmOf(scheme: SignatureAlgorithm, namedCurve: CurveName | null): object | null {
  switch (scheme.kind) {
    case 'ECDSA':
      return { name: 'ECDSA', namedCurve, hash: scheme.hash };
    case 'RSA-PKCS1':
      return { name: 'RSASSA-PKCS1-v1_5', hash: scheme.hash };
    case 'RSA-PSS':
      return { name: 'RSA-PSS', hash: scheme.hash, saltLength: scheme.saltBytes };
    case 'Ed25519':
      return null;
  }
}
