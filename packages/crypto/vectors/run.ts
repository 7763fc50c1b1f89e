/**
 * Runs vectors on one implementation. Beside each right answer it asks what must be refused: the
 * same input with something changed (spoil.ts). No node: in here: images run it too.
 */

import { SeededRandom } from '#core';
import {
  AEAD_TAG_BYTES,
  type CryptoPrimitives,
  type Entropy,
  type GroupName,
  HASH_BYTES,
  keyFits,
} from '#device';
import { spoiledPeers, spoiledSignatures } from './spoil.ts';
import {
  type AeadVector,
  type AgreeVector,
  type DigestVector,
  fromHex,
  type GenerateVector,
  type HkdfVector,
  type PrivateKeyVector,
  type SignVector,
  toHex,
  type Vector,
  type VerifyVector,
} from './vector.ts';

export interface VectorsReport {
  readonly run: number;
  /** Of a kind of key that the implementation says it hasn't. */
  readonly skipped: number;
  /** One line each. */
  readonly failures: readonly string[];
}

/** Only for signatures of tests: it repeats itself. */
function repeatable(): Entropy {
  const random = new SeededRandom(1);
  return {
    fill(out) {
      for (let i = 0; i < out.length; i++) out[i] = random.below(256);
    },
  };
}

/** With `asked: 'as told'` nothing but the vectors themselves. */
export function runVectors(
  crypto: CryptoPrimitives,
  vectors: readonly Vector[],
  asked: 'as told' | 'spoiled too' = 'spoiled too',
): VectorsReport {
  const spoil = asked === 'spoiled too';
  const failures: string[] = [];
  const entropy = repeatable();
  let skipped = 0;
  for (const vector of vectors) {
    if (!crypto.ed25519 && isEd25519(vector)) {
      skipped++;
      continue;
    }
    let wrong: string | null;
    try {
      wrong = runVector(crypto, vector, entropy, spoil);
    } catch (error) {
      wrong = `threw ${error}`;
    }
    if (wrong !== null) failures.push(`${crypto.name}: ${vector.kind}: ${vector.name}: ${wrong}`);
  }
  return { run: vectors.length - skipped, skipped, failures };
}

const OID_ED25519 = '06032b6570';

function isEd25519(vector: Vector): boolean {
  switch (vector.kind) {
    case 'spki':
    case 'verify':
      return vector.spki.slice(0, 24).includes(OID_ED25519);
    case 'pkcs8':
    case 'sign':
      return vector.pkcs8.slice(0, 36).includes(OID_ED25519);
    case 'generate':
      return vector.type === 'Ed25519';
    default:
      return false;
  }
}

/** What is wrong with the answer; null when nothing is. */
function runVector(
  crypto: CryptoPrimitives,
  vector: Vector,
  entropy: Entropy,
  spoil: boolean,
): string | null {
  switch (vector.kind) {
    case 'digest':
      return runDigest(crypto, vector);
    case 'hmac': {
      const { hash, key, data, out } = vector;
      return differs(crypto.hmac(hash, fromHex(key), fromHex(data)), out);
    }
    case 'hkdf':
      return runHkdf(crypto, vector);
    case 'aead':
      return runAead(crypto, vector, spoil);
    case 'agree':
      return runAgree(crypto, vector, spoil);
    case 'secret': {
      const key = crypto.importKeyAgreement(vector.group, fromHex(vector.secret));
      return differs(key?.publicKey ?? null, vector.publicKey);
    }
    case 'generate':
      return runGenerate(crypto, vector);
    case 'spki': {
      const key = crypto.importPublicKey(fromHex(vector.spki));
      return differs(key?.spki ?? null, vector.valid ? vector.spki : null);
    }
    case 'pkcs8':
      return runPrivateKey(crypto, vector);
    case 'verify':
      return runVerify(crypto, vector, spoil);
    case 'sign':
      return runSign(crypto, vector, entropy);
  }
}

function differs(found: Uint8Array | null, wanted: string | null): string | null {
  const text = found === null ? null : toHex(found);
  return text === wanted ? null : `${text}, not ${wanted}`;
}

function runDigest(crypto: CryptoPrimitives, vector: DigestVector): string | null {
  const { hash, times = 1 } = vector;
  const data = fromHex(vector.data.repeat(times));
  const wrong = differs(crypto.digest(hash, data), vector.out);
  if (wrong !== null) return wrong;
  // In two parts, looked at between them, continued twice.
  const cut = data.length >> 1;
  const state = crypto.createHash(hash);
  state.update(data.subarray(0, cut));
  const before = state.digest();
  const copy = state.copy();
  state.update(data.subarray(cut));
  copy.update(data.subarray(cut));
  if (toHex(before) !== toHex(crypto.digest(hash, data.subarray(0, cut)))) return 'of a half';
  return differs(state.digest(), vector.out) ?? differs(copy.digest(), vector.out);
}

function runHkdf(crypto: CryptoPrimitives, vector: HkdfVector): string | null {
  const { hash, out } = vector;
  // RFC 5869 §2.2: no salt is one of zeros, which for HMAC is the empty key too.
  const key = crypto.hmac(hash, fromHex(vector.salt), fromHex(vector.material));
  if (key.length !== HASH_BYTES[hash]) return 'length of the key';
  return differs(crypto.hkdfExpand(hash, key, fromHex(vector.info), out.length / 2), out);
}

/** Room before and behind what is written, to see what is written there. */
const MARGIN = 5;
const UNTOUCHED = 0xa5;

function runAead(crypto: CryptoPrimitives, vector: AeadVector, spoil: boolean): string | null {
  const aead = crypto.aead(vector.aead, fromHex(vector.key));
  try {
    const nonce = fromHex(vector.nonce);
    const additional = fromHex(vector.additional);
    const sealed = fromHex(vector.sealed);
    if (vector.plain === null) return refuses(sealed, nonce, additional);
    const plain = fromHex(vector.plain);
    const room = new Uint8Array(sealed.length + 2 * MARGIN).fill(UNTOUCHED);
    aead.seal(nonce, additional, plain, 0, plain.length, room, MARGIN);
    const wrong = differs(room.subarray(MARGIN, MARGIN + sealed.length), vector.sealed);
    if (wrong !== null) return wrong;
    if (!marginsUntouched(room)) return 'seal wrote outside';
    // In place.
    if (!aead.open(nonce, additional, room, MARGIN, sealed.length, room, MARGIN)) return 'shut';
    if (toHex(room.subarray(MARGIN, MARGIN + plain.length)) !== vector.plain) return 'opened wrong';
    if (!marginsUntouched(room)) return 'open wrote outside';
    room.set(plain, MARGIN);
    aead.seal(nonce, additional, room, MARGIN, plain.length, room, MARGIN);
    const again = differs(room.subarray(MARGIN, MARGIN + sealed.length), vector.sealed);
    return again ?? (spoil ? refusesSpoiled(sealed, nonce, additional) : null);
  } finally {
    aead.destroy();
  }

  function refuses(sealed: Uint8Array, nonce: Uint8Array, additional: Uint8Array) {
    const room = new Uint8Array(sealed.length + 2 * MARGIN).fill(UNTOUCHED);
    if (aead.open(nonce, additional, sealed, 0, sealed.length, room, MARGIN)) return 'opened';
    const clean = room.every((byte) => byte === UNTOUCHED || byte === 0);
    return clean && marginsUntouched(room) ? null : 'left something of what it refused';
  }

  function refusesSpoiled(sealed: Uint8Array, nonce: Uint8Array, additional: Uint8Array) {
    const tagAt = sealed.length - AEAD_TAG_BYTES;
    for (let i = 0; i < AEAD_TAG_BYTES; i++) {
      if (refuses(flipped(sealed, tagAt + i, i & 7), nonce, additional) !== null) return `tag ${i}`;
    }
    for (const at of tagAt > 0 ? [0, tagAt >> 1, tagAt - 1] : []) {
      if (refuses(flipped(sealed, at, 7), nonce, additional) !== null) return `ciphertext ${at}`;
    }
    if (refuses(sealed, flipped(nonce, 11, 0), additional) !== null) return 'nonce';
    const longer = Uint8Array.of(...additional, 0);
    if (refuses(sealed, nonce, longer) !== null) return 'additional';
    for (const count of [0, 1, 15, sealed.length - 1]) {
      if (refuses(sealed.subarray(0, count), nonce, additional) !== null) return `cut at ${count}`;
    }
    return null;
  }
}

const marginsUntouched = (room: Uint8Array): boolean =>
  [...room.subarray(0, MARGIN), ...room.subarray(-MARGIN)].every((byte) => byte === UNTOUCHED);

function flipped(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[at]! ^= 1 << bit;
  return copy;
}

function runAgree(crypto: CryptoPrimitives, vector: AgreeVector, spoil: boolean): string | null {
  const key = crypto.importKeyAgreement(vector.group, fromHex(vector.secret));
  if (key === null) return 'the secret is refused';
  const peer = fromHex(vector.peer);
  const wrong = differs(key.agree(peer), vector.shared);
  if (wrong !== null || vector.shared === null) return wrong;
  for (const { name, bytes } of spoil ? spoiledPeers(vector.group, peer) : []) {
    if (key.agree(bytes) !== null) return `agreed with ${name}`;
  }
  key.destroy();
  key.destroy();
  return null;
}

function runGenerate(crypto: CryptoPrimitives, vector: GenerateVector): string | null {
  const bytes = fromHex(vector.entropy);
  let at = 0;
  const entropy: Entropy = {
    fill(out) {
      if (at + out.length > bytes.length) throw new RangeError('more was drawn than there is');
      out.set(bytes.subarray(at, at + out.length));
      at += out.length;
    },
  };
  const { type, publicKey } = vector;
  if (!isGroup(type)) return differs(crypto.generatePrivateKey(type, entropy).spki, publicKey);
  return differs(crypto.generateKeyAgreement(type, entropy).publicKey, publicKey);
}

const isGroup = (type: GenerateVector['type']): type is GroupName =>
  type === 'x25519' || type === 'secp256r1' || type === 'secp384r1';

function runPrivateKey(crypto: CryptoPrimitives, vector: PrivateKeyVector): string | null {
  const key = crypto.importPrivateKey(fromHex(vector.pkcs8));
  const wrong = differs(key?.spki ?? null, vector.spki);
  if (wrong !== null || key === null) return wrong;
  // What it gives is taken again, and then gives itself.
  const own = key.pkcs8();
  const again = crypto.importPrivateKey(own);
  key.destroy();
  return again === null ? 'its own form is refused' : differs(again.pkcs8(), toHex(own));
}

function runVerify(crypto: CryptoPrimitives, vector: VerifyVector, spoil: boolean): string | null {
  const key = crypto.importPublicKey(fromHex(vector.spki));
  const data = fromHex(vector.data);
  const signature = fromHex(vector.signature);
  const valid = key?.verify(vector.scheme, data, signature) ?? false;
  if (valid !== vector.valid) return valid ? 'verified' : 'not verified';
  if (key === null || !valid || !spoil) return null;
  if (key.verify(vector.scheme, Uint8Array.of(...data, 0), signature)) return 'with more data';
  for (const { name, bytes } of spoiledSignatures(key, signature)) {
    if (key.verify(vector.scheme, data, bytes)) return `verified ${name}`;
  }
  return null;
}

function runSign(crypto: CryptoPrimitives, vector: SignVector, entropy: Entropy): string | null {
  const key = crypto.importPrivateKey(fromHex(vector.pkcs8));
  if (key === null) return 'the key is refused';
  if (!keyFits(vector.scheme, key)) return 'the key does not fit';
  const data = fromHex(vector.data);
  const signature = key.sign(vector.scheme, data, entropy);
  if (vector.signature !== null) return differs(signature, vector.signature);
  const half = crypto.importPublicKey(key.spki);
  if (half?.verify(vector.scheme, data, signature) !== true) return 'its signature is wrong';
  for (const { name, bytes } of spoiledSignatures(half, signature)) {
    if (half.verify(vector.scheme, data, bytes)) return `verified ${name}`;
  }
  return null;
}
