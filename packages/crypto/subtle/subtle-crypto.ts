/**
 * SubtleCrypto, Web Cryptography §14, over CryptoPrimitives: the same in an image as in a browser.
 * The work is done within the call; its promise only tells. Not here: encryption with RSA, AES
 * other than GCM, curves other than P-256 and P-384.
 */

import { hot } from '#core';
import type { CryptoPrimitives, Entropy } from '#device';
import type { Algorithm, KeyData, KeyFormat } from './algorithm.ts';
import {
  type Asked,
  bufferOf,
  bytesOf,
  type Dictionary,
  type ErrorName,
  hashOf,
  nameOf,
  type SubtleContext,
} from './context.ts';
import { CryptoKey, type CryptoKeyPair, type KeyUsage, usagesOf } from './crypto-key.ts';
import { HKDF, PBKDF2 } from './derivation.ts';
import { ECDH, ECDSA, ED25519, X25519 } from './elliptic.ts';
import type { Jwk } from './jwk.ts';
import { RSA_PSS, RSASSA_PKCS1 } from './rsa-signatures.ts';
import { AES_GCM, HMAC } from './secret-keys.ts';

type Operation = Exclude<keyof Algorithm, 'name'>;

const ALGORITHMS: readonly Algorithm[] = [
  AES_GCM,
  HMAC,
  ECDSA,
  ECDH,
  X25519,
  ED25519,
  RSASSA_PKCS1,
  RSA_PSS,
  HKDF,
  PBKDF2,
];

const FORMATS: readonly KeyFormat[] = ['raw', 'pkcs8', 'spki', 'jwk'];

export interface SubtleOptions {
  readonly crypto: CryptoPrimitives;
  readonly entropy: Entropy;
  /** The class of errors that have names. */
  readonly DOMException: new (
    message: string,
    name: ErrorName,
  ) => Error;
}

export class SubtleCrypto {
  readonly #context: SubtleContext;

  constructor({ crypto, entropy, DOMException }: SubtleOptions) {
    this.#context = {
      crypto,
      entropy,
      error: (message, name) => new DOMException(message, name),
    };
  }

  async digest(algorithm: unknown, data: unknown): Promise<ArrayBuffer> {
    const hash = hashOf(this.#context, algorithm);
    return bufferOf(this.#context.crypto.digest(hash, bytesOf(data, 'data')));
  }

  async generateKey(
    algorithm: unknown,
    extractable: unknown,
    keyUsages: unknown,
  ): Promise<CryptoKey | CryptoKeyPair> {
    const { asked, run } = this.#ask('generateKey', algorithm);
    return run(this.#context, asked, Boolean(extractable), usagesOf(keyUsages));
  }

  async importKey(
    format: unknown,
    keyData: unknown,
    algorithm: unknown,
    extractable: unknown,
    keyUsages: unknown,
  ): Promise<CryptoKey> {
    const data = dataOf(formatOf(format), keyData);
    const { asked, run } = this.#ask('importKey', algorithm);
    return run(this.#context, asked, data, Boolean(extractable), usagesOf(keyUsages));
  }

  async exportKey(format: unknown, key: unknown): Promise<ArrayBuffer | Jwk> {
    const exported = this.#export(formatOf(format), keyOf(key));
    return exported instanceof Uint8Array ? bufferOf(exported) : exported;
  }

  async sign(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    const { asked, run } = this.#ask('sign', algorithm);
    return bufferOf(
      run(this.#context, asked, this.#use(key, asked, 'sign'), bytesOf(data, 'data')),
    );
  }

  async verify(
    algorithm: unknown,
    key: unknown,
    signature: unknown,
    data: unknown,
  ): Promise<boolean> {
    const { asked, run } = this.#ask('verify', algorithm);
    const own = this.#use(key, asked, 'verify');
    return run(this.#context, asked, own, bytesOf(signature, 'signature'), bytesOf(data, 'data'));
  }

  async encrypt(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    const { asked, run } = this.#ask('encrypt', algorithm);
    const own = this.#use(key, asked, 'encrypt');
    return bufferOf(run(this.#context, asked, own, bytesOf(data, 'data')));
  }

  async decrypt(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    const { asked, run } = this.#ask('decrypt', algorithm);
    const own = this.#use(key, asked, 'decrypt');
    return bufferOf(run(this.#context, asked, own, bytesOf(data, 'data')));
  }

  async deriveBits(
    algorithm: unknown,
    baseKey: unknown,
    length: unknown = null,
  ): Promise<ArrayBuffer> {
    const bits = length === null || length === undefined ? null : Number(length);
    const { asked, run } = this.#ask('deriveBits', algorithm);
    return bufferOf(run(this.#context, asked, this.#use(baseKey, asked, 'deriveBits'), bits));
  }

  async deriveKey(
    algorithm: unknown,
    baseKey: unknown,
    derivedKeyType: unknown,
    extractable: unknown,
    keyUsages: unknown,
  ): Promise<CryptoKey> {
    const usages = usagesOf(keyUsages);
    const { asked, run } = this.#ask('deriveBits', algorithm);
    const into = this.#ask('importKey', derivedKeyType);
    const sized = this.#ask('keyLength', derivedKeyType);
    const own = this.#use(baseKey, asked, 'deriveKey');
    const bits = run(this.#context, asked, own, sized.run(this.#context, into.asked));
    const data: KeyData = { format: 'raw', bytes: bits };
    // A length that was asked for is that of the bits, whatever else they could have been.
    const key = into.run(this.#context, into.asked, data, Boolean(extractable), usages);
    bits.fill(0);
    return key;
  }

  async wrapKey(
    format: unknown,
    key: unknown,
    wrappingKey: unknown,
    wrapAlgorithm: unknown,
  ): Promise<ArrayBuffer> {
    const { asked, run } = this.#ask('encrypt', wrapAlgorithm);
    const wrapping = this.#use(wrappingKey, asked, 'wrapKey');
    const exported = this.#export(formatOf(format), keyOf(key));
    const bytes =
      exported instanceof Uint8Array ? exported : hot.utf8Encode(JSON.stringify(exported));
    const wrapped = run(this.#context, asked, wrapping, bytes);
    bytes.fill(0);
    return bufferOf(wrapped);
  }

  async unwrapKey(
    format: unknown,
    wrappedKey: unknown,
    unwrappingKey: unknown,
    unwrapAlgorithm: unknown,
    unwrappedKeyAlgorithm: unknown,
    extractable: unknown,
    keyUsages: unknown,
  ): Promise<CryptoKey> {
    const wanted = formatOf(format);
    const usages = usagesOf(keyUsages);
    const wrapped = bytesOf(wrappedKey, 'wrappedKey');
    const { asked, run } = this.#ask('decrypt', unwrapAlgorithm);
    const into = this.#ask('importKey', unwrappedKeyAlgorithm);
    const unwrapping = this.#use(unwrappingKey, asked, 'unwrapKey');
    const bytes = run(this.#context, asked, unwrapping, wrapped);
    const data: KeyData =
      wanted === 'jwk' ? { format: wanted, jwk: this.#parse(bytes) } : { format: wanted, bytes };
    const key = into.run(this.#context, into.asked, data, Boolean(extractable), usages);
    bytes.fill(0);
    return key;
  }

  get [Symbol.toStringTag](): string {
    return 'SubtleCrypto';
  }

  /** The algorithm that was asked for, and what it does; NotSupportedError when it doesn't. */
  #ask<O extends Operation>(
    operation: O,
    identifier: unknown,
  ): { readonly asked: Asked; readonly run: NonNullable<Algorithm[O]> } {
    const name = nameOf(identifier, 'the algorithm');
    const found = ALGORITHMS.find((one) => one.name.toLowerCase() === name.toLowerCase());
    const run = found?.[operation];
    const lacking = found === ED25519 && !this.#context.crypto.ed25519;
    if (found === undefined || run === undefined || lacking) {
      throw this.#context.error(`${name} has no ${operation} here`, 'NotSupportedError');
    }
    const members = (typeof identifier === 'object' ? identifier : {}) as Dictionary;
    return { asked: { name: found.name, members }, run };
  }

  /** The key, when it is of this algorithm and for this use. */
  #use(key: unknown, { name }: Asked, usage: KeyUsage): CryptoKey {
    const own = keyOf(key);
    if (own.algorithm.name !== name) {
      throw this.#context.error(`the key is one of ${own.algorithm.name}`, 'InvalidAccessError');
    }
    if (own.usages.includes(usage)) return own;
    throw this.#context.error(`the key is not for ${usage}`, 'InvalidAccessError');
  }

  #export(format: KeyFormat, key: CryptoKey): Uint8Array | Jwk {
    const { name } = key.algorithm;
    const { run } = this.#ask('exportKey', name);
    if (!key.extractable) {
      throw this.#context.error('the key is not extractable', 'InvalidAccessError');
    }
    const exported = run(this.#context, key, format);
    if (exported !== null) return exported;
    throw this.#context.error(`${name} has no format ${format}`, 'NotSupportedError');
  }

  #parse(bytes: Uint8Array): Jwk {
    const text = hot.utf8Decode(bytes, 0, bytes.length, true);
    try {
      const value: unknown = JSON.parse(text ?? '');
      if (typeof value === 'object' && value !== null) return value as Jwk;
    } catch {
      // Not JSON: as little a key as any other value.
    }
    throw this.#context.error('what was wrapped is no JSON Web Key', 'DataError');
  }
}

function keyOf(value: unknown): CryptoKey {
  if (value instanceof CryptoKey) return value;
  throw new TypeError('a CryptoKey is needed');
}

function formatOf(value: unknown): KeyFormat {
  const format = FORMATS.find((one) => one === value);
  if (format === undefined) throw new TypeError(`${value} is not a format of keys`);
  return format;
}

function dataOf(format: KeyFormat, value: unknown): KeyData {
  if (format !== 'jwk') return { format, bytes: bytesOf(value, 'keyData') };
  const plain = typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
  if (!plain || value instanceof ArrayBuffer) throw new TypeError('keyData must be a dictionary');
  return { format, jwk: value as Jwk };
}
