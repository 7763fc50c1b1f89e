/**
 * As much of JOSE as RFC 8555 §6.2 needs: ES256 in flattened JSON (RFC 7515 §7.2.2, RFC 7518 §3.4),
 * the JWK of a P-256 key and its thumbprint (RFC 7517, 7638), and the HS256 of an external account
 * binding. Not here: verification (the server's work), other algorithms.
 */

import { assert, hot } from '#core';
import {
  type CryptoPrimitives,
  CURVES,
  type Entropy,
  ecdsaFromDer,
  type KeyInfo,
  type PrivateKey,
  parseSpki,
} from '#device';
import { base64url } from './wire/base64url.ts';

/** A public key of P-256, RFC 7518 §6.2.1. */
export interface Jwk {
  readonly crv: 'P-256';
  readonly kty: 'EC';
  readonly x: string;
  readonly y: string;
}

const COORDINATE_BYTES = 32;

/** `key` must be one of P-256. */
export function jwkOf({ spki }: Pick<KeyInfo, 'spki'>): Jwk {
  const parts = parseSpki(spki);
  assert(parts?.type === 'EC' && parts.curve.name === 'P-256', 'an account key is one of P-256');
  // Uncompressed: 04, x, y (RFC 5480 §2.2).
  const { point } = parts;
  return {
    crv: 'P-256',
    kty: 'EC',
    x: base64url(point.subarray(1, 1 + COORDINATE_BYTES)),
    y: base64url(point.subarray(1 + COORDINATE_BYTES)),
  };
}

/** RFC 7638 §3: the members in this order, which is that of their names. */
export function thumbprint(crypto: CryptoPrimitives, { crv, kty, x, y }: Jwk): string {
  return base64url(crypto.digest('SHA-256', textBytes(JSON.stringify({ crv, kty, x, y }))));
}

/** What signs, and as whom (RFC 8555 §6.2): an account by its URL, or a key that shows itself. */
export interface Signer {
  readonly key: PrivateKey;
  readonly as: { readonly kid: string } | { readonly jwk: Jwk };
}

/** A flattened JWS. `payload` null: POST-as-GET (§6.3). A rollover's inner one has no nonce. */
export interface Jws {
  readonly protected: string;
  readonly payload: string;
  readonly signature: string;
}

export function signJws(
  entropy: Entropy,
  signer: Signer,
  url: string,
  nonce: string | null,
  payload: object | null,
): Jws {
  const head = { alg: 'ES256', ...(nonce === null ? {} : { nonce }), url, ...signer.as };
  const protectedText = base64url(textBytes(JSON.stringify(head)));
  const payloadText = payload === null ? '' : base64url(textBytes(JSON.stringify(payload)));
  const input = textBytes(`${protectedText}.${payloadText}`);
  const der = signer.key.sign('ecdsa_secp256r1_sha256', input, entropy);
  // RFC 7518 §3.4: r and s as they are.
  const halves = ecdsaFromDer(CURVES['P-256'], der);
  assert(halves !== null, 'a signature of our own');
  return { protected: protectedText, payload: payloadText, signature: base64url(halves) };
}

/** What an authority gave us outside of ACME to name an account there (RFC 8555 §7.3.4). */
export interface ExternalAccount {
  readonly kid: string;
  readonly hmacKey: Uint8Array;
}

/** The account key, signed with the key that the authority gave us. */
export function bindAccount(
  crypto: CryptoPrimitives,
  { kid, hmacKey }: ExternalAccount,
  url: string,
  jwk: Jwk,
): Jws {
  const protectedText = base64url(textBytes(JSON.stringify({ alg: 'HS256', kid, url })));
  const payload = base64url(textBytes(JSON.stringify(jwk)));
  const tag = crypto.hmac('SHA-256', hmacKey, textBytes(`${protectedText}.${payload}`));
  return { protected: protectedText, payload, signature: base64url(tag) };
}

/** RFC 8555 §8.1. */
export const keyAuthorization = (token: string, print: string): string => `${token}.${print}`;

export const textBytes = (text: string): Uint8Array => hot.utf8Encode(text);
