/** JSON Web Keys (RFC 7517), and base64url (RFC 4648 §5) without padding. */

import type { Dictionary, SubtleContext } from './context.ts';
import type { KeyUsage } from './crypto-key.ts';

export type Jwk = Record<string, unknown>;

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

export function base64url(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const word = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const digits = Math.min(4, bytes.length - i + 1);
    for (let digit = 0; digit < digits; digit++) text += DIGITS[(word >> (18 - 6 * digit)) & 63];
  }
  return text;
}

/** Null for what isn't base64url, and for bits of the last digit that mean nothing. */
export function fromBase64url(text: string): Uint8Array | null {
  if (text.length % 4 === 1) return null;
  const out = new Uint8Array(Math.floor((text.length * 3) / 4));
  let word = 0;
  let bits = 0;
  let at = 0;
  for (const digit of text) {
    const value = DIGITS.indexOf(digit);
    if (value < 0) return null;
    word = ((word << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[at++] = word >> bits;
    }
  }
  return (word & ((1 << bits) - 1)) === 0 ? out : null;
}

/** A member of base64url; DataError when it is missing or isn't. */
export function jwkBytes(context: SubtleContext, jwk: Dictionary, name: string): Uint8Array {
  const value = jwk[name];
  const bytes = typeof value === 'string' ? fromBase64url(value) : null;
  if (bytes === null) throw context.error(`the key's member ${name}`, 'DataError');
  return bytes;
}

/** What the members that every key has must say. */
export function checkJwk(
  context: SubtleContext,
  jwk: Dictionary,
  wanted: { readonly kty: string; readonly use: 'sig' | 'enc'; readonly alg: string | null },
  extractable: boolean,
  usages: readonly KeyUsage[],
): void {
  const refuse = (member: string) => context.error(`the key's member ${member}`, 'DataError');
  if (jwk.kty !== wanted.kty) throw refuse('kty');
  const use = jwk.use;
  if (usages.length > 0 && use !== undefined && use !== wanted.use) throw refuse('use');
  const operations = jwk.key_ops;
  if (operations !== undefined) {
    if (!Array.isArray(operations)) throw refuse('key_ops');
    if (new Set(operations).size !== operations.length) throw refuse('key_ops');
    if (usages.some((usage) => !operations.includes(usage))) throw refuse('key_ops');
  }
  if (jwk.ext === false && extractable) throw refuse('ext');
  const { alg } = jwk;
  if (alg !== undefined && wanted.alg !== null && alg !== wanted.alg) throw refuse('alg');
}
