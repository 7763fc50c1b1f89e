/**
 * One question to an implementation of CryptoPrimitives, and its only right answer. Bytes are
 * hexadecimal, so that files of vectors are JSON and can be linked into an image.
 */

import type {
  AeadName,
  GroupName,
  HashName,
  PrivateKeyType,
  SignatureAlgorithm,
  SignatureScheme,
} from '#device';

interface Named {
  /** Where it is from, or what is wrong in it. */
  readonly name: string;
}

export interface DigestVector extends Named {
  readonly kind: 'digest';
  readonly hash: HashName;
  readonly data: string;
  /** `data` is repeated this often; 1 when it isn't said. */
  readonly times?: number;
  readonly out: string;
}

export interface HmacVector extends Named {
  readonly kind: 'hmac';
  readonly hash: HashName;
  readonly key: string;
  readonly data: string;
  readonly out: string;
}

export interface HkdfVector extends Named {
  readonly kind: 'hkdf';
  readonly hash: HashName;
  readonly material: string;
  readonly salt: string;
  readonly info: string;
  readonly out: string;
}

export interface AeadVector extends Named {
  readonly kind: 'aead';
  readonly aead: AeadName;
  readonly key: string;
  readonly nonce: string;
  readonly additional: string;
  /** Null when `sealed` must not open. */
  readonly plain: string | null;
  /** Ciphertext and tag. */
  readonly sealed: string;
}

export interface AgreeVector extends Named {
  readonly kind: 'agree';
  readonly group: GroupName;
  readonly secret: string;
  readonly peer: string;
  /** Null when there is none to be had. */
  readonly shared: string | null;
}

export interface SecretVector extends Named {
  readonly kind: 'secret';
  readonly group: GroupName;
  readonly secret: string;
  /** Null when the secret isn't one. */
  readonly publicKey: string | null;
}

/** A key drawn from this entropy has this public half: of an agreement, or SPKI of a key. */
export interface GenerateVector extends Named {
  readonly kind: 'generate';
  readonly type: GroupName | PrivateKeyType;
  readonly entropy: string;
  readonly publicKey: string;
}

export interface PublicKeyVector extends Named {
  readonly kind: 'spki';
  readonly spki: string;
  readonly valid: boolean;
}

export interface PrivateKeyVector extends Named {
  readonly kind: 'pkcs8';
  readonly pkcs8: string;
  /** The public half; null when the key is to be refused. */
  readonly spki: string | null;
}

export interface VerifyVector extends Named {
  readonly kind: 'verify';
  readonly spki: string;
  readonly scheme: SignatureScheme | SignatureAlgorithm;
  readonly data: string;
  readonly signature: string;
  readonly valid: boolean;
}

export interface SignVector extends Named {
  readonly kind: 'sign';
  readonly pkcs8: string;
  readonly scheme: SignatureScheme | SignatureAlgorithm;
  readonly data: string;
  /** Null where it isn't always the same. */
  readonly signature: string | null;
}

export type Vector =
  | DigestVector
  | HmacVector
  | HkdfVector
  | AeadVector
  | AgreeVector
  | SecretVector
  | GenerateVector
  | PublicKeyVector
  | PrivateKeyVector
  | VerifyVector
  | SignVector;

export function fromHex(text: string): Uint8Array {
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) {
    out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  }
  return out;
}

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += (byte + 0x100).toString(16).slice(1);
  return text;
}
