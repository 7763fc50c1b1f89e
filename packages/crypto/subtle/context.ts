/**
 * What every algorithm of SubtleCrypto stands on: primitives, entropy, and the errors of the
 * standard, whose class (DOMException) belongs to whoever makes a SubtleCrypto.
 */

import type { CryptoPrimitives, Entropy, HashName } from '#device';

/** Names of DOMExceptions, Web Cryptography §18.3 and where it says so. */
export type ErrorName =
  | 'DataError'
  | 'InvalidAccessError'
  | 'NotSupportedError'
  | 'OperationError'
  | 'SyntaxError';

export interface SubtleContext {
  readonly crypto: CryptoPrimitives;
  readonly entropy: Entropy;
  /** Makes a DOMException. */
  error(message: string, name: ErrorName): Error;
}

/** A dictionary of the caller's; its members are looked at one by one. */
export type Dictionary = Readonly<Record<string, unknown>>;

/** An algorithm that was asked for, by its right name, with its members as they came. */
export interface Asked {
  readonly name: string;
  readonly members: Dictionary;
}

/** The bytes of a BufferSource, borrowed. */
export function bytesOf(source: unknown, what: string): Uint8Array {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source)) {
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  }
  throw new TypeError(`${what} must be an ArrayBuffer or a view of one`);
}

/** Fresh bytes as an ArrayBuffer that has no others. */
export function bufferOf(bytes: Uint8Array): ArrayBuffer {
  const { buffer } = bytes;
  const whole = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length;
  return whole ? buffer : (bytes.slice().buffer as ArrayBuffer);
}

/** A member that WebIDL requires and turns into an unsigned integer of at most `max`. */
export function integerOf(members: Dictionary, name: string, max: number): number {
  const value = Number(members[name]);
  if (!Number.isFinite(value) || value < 0 || Math.trunc(value) > max) {
    throw new TypeError(`${name} must be an integer of 0 to ${max}`);
  }
  return Math.trunc(value);
}

const HASH_NAMES: readonly HashName[] = ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'];

/** A hash, by its name or in a dictionary. */
export function hashOf(context: SubtleContext, value: unknown): HashName {
  const name = nameOf(value, 'hash');
  const hash = HASH_NAMES.find((one) => one === name.toUpperCase());
  if (hash === undefined) throw context.error(`the hash ${name}`, 'NotSupportedError');
  return hash;
}

/** The name in an AlgorithmIdentifier. */
export function nameOf(value: unknown, what: string): string {
  const name = typeof value === 'object' && value !== null ? (value as Dictionary).name : value;
  if (name === undefined || name === null) throw new TypeError(`${what} has no name`);
  return String(name);
}

/** A hash's input block, RFC 2104: the length of a key for HMAC. */
export const blockBytes = (hash: HashName): number =>
  hash === 'SHA-1' || hash === 'SHA-256' ? 64 : 128;
