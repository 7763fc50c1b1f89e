/**
 * Private keys in their files: PKCS #8 (RFC 5958), and what openssl writes as well, SEC 1 (RFC
 * 5915) and PKCS #1 (RFC 8017 §A.1.2), turned into it. Not here: encrypted keys.
 */

import { err, ok, type Result } from '#core';
import type { CryptoPrimitives, PrivateKey } from '#device';
import { sameBytes } from './bytes.ts';
import { parseCertificate } from './certificate.ts';
import { contextHolder, DerReader, tag } from './der.ts';
import { der, derBits, derNull, derOctets, derOid, derSequence, derSmall } from './der-writer.ts';
import { oid } from './oid.ts';
import { type PemBlock, pemDecode, pemEncode } from './pem.ts';

export type KeyFault =
  | 'not PEM'
  | 'no private key'
  | 'several private keys'
  | 'encrypted'
  | 'malformed'
  /** A type that the primitives haven't, or halves that don't match. */
  | 'unsupported';

/** The one private key of a PEM text; other blocks are passed over. */
export function privateKeyFromPem(
  crypto: CryptoPrimitives,
  text: string,
): Result<PrivateKey, KeyFault> {
  if (text.includes('Proc-Type: 4,ENCRYPTED')) return err('encrypted');
  const blocks = pemDecode(text);
  if (!blocks.ok) return err('not PEM');
  const [block, another] = blocks.value.filter(({ label }) => label.endsWith('PRIVATE KEY'));
  if (block === undefined) return err('no private key');
  if (another !== undefined) return err('several private keys');
  return privateKeyFromBlock(crypto, block);
}

/** The private key that a block of PEM is; wipes its bytes. */
export function privateKeyFromBlock(
  crypto: CryptoPrimitives,
  block: PemBlock,
): Result<PrivateKey, KeyFault> {
  const pkcs8 = pkcs8Of(block);
  const key = pkcs8.ok ? crypto.importPrivateKey(pkcs8.value) : null;
  if (pkcs8.ok) pkcs8.value.fill(0);
  block.bytes.fill(0);
  if (!pkcs8.ok) return pkcs8;
  return key === null ? err('unsupported') : ok(key);
}

/** The label that PEM has for a key in DER, by what stands behind its version. */
export function privateKeyLabel(bytes: Uint8Array): string {
  const reader = new DerReader(bytes);
  reader.open(tag.sequence);
  if (reader.isNext(tag.sequence)) return 'ENCRYPTED PRIVATE KEY';
  reader.integer();
  if (reader.isNext(tag.octetString)) return 'EC PRIVATE KEY';
  return reader.isNext(tag.integer) ? 'RSA PRIVATE KEY' : 'PRIVATE KEY';
}

function pkcs8Of({ label, bytes }: PemBlock): Result<Uint8Array, KeyFault> {
  switch (label) {
    case 'PRIVATE KEY':
      return ok(bytes);
    case 'EC PRIVATE KEY':
      return fromSec1(bytes);
    case 'RSA PRIVATE KEY':
      return ok(
        derSequence(
          derSmall(0),
          derSequence(derOid(oid.rsaEncryption), derNull()),
          derOctets(bytes),
        ),
      );
    case 'ENCRYPTED PRIVATE KEY':
      return err('encrypted');
    default:
      return err('unsupported');
  }
}

/** The curve moves from inside to outside (RFC 5915 §3, RFC 5480 §2.1.1). */
function fromSec1(bytes: Uint8Array): Result<Uint8Array, KeyFault> {
  const reader = new DerReader(bytes);
  const outer = reader.open(tag.sequence);
  if (reader.small(1) !== 1) reader.refuse();
  const scalar = reader.contents(tag.octetString);
  const outerCurve = reader.open(contextHolder(0));
  const curve = reader.oid();
  reader.close(outerCurve);
  let point: Uint8Array | null = null;
  if (reader.isNext(contextHolder(1))) {
    const outerPoint = reader.open(contextHolder(1));
    point = reader.bitString();
    reader.close(outerPoint);
  }
  reader.close(outer);
  if (reader.finish() !== null) return err('malformed');
  const inner = derSequence(
    derSmall(1),
    derOctets(scalar),
    ...(point === null ? [] : [der(contextHolder(1), derBits(point))]),
  );
  const algorithm = derSequence(derOid(oid.ecPublicKey), derOid(curve));
  return ok(derSequence(derSmall(0), algorithm, derOctets(inner)));
}

export type CredentialsFault =
  | { readonly of: 'key'; readonly fault: KeyFault }
  | { readonly of: 'certificates'; readonly fault: 'not PEM' | 'no certificate' | 'malformed' }
  | { readonly of: 'both'; readonly fault: 'the key is not the first certificate’s' };

export interface PemCredentials {
  /** As in the file: the leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly key: PrivateKey;
}

/** A chain and the leaf's key, from two PEM texts, which may be the same. */
export function credentialsFromPem(
  crypto: CryptoPrimitives,
  certificates: string,
  keyText: string,
): Result<PemCredentials, CredentialsFault> {
  const blocks = pemDecode(certificates);
  if (!blocks.ok) return err({ of: 'certificates', fault: 'not PEM' });
  const chain = blocks.value
    .filter(({ label }) => label === 'CERTIFICATE')
    .map(({ bytes }) => bytes);
  if (chain[0] === undefined) return err({ of: 'certificates', fault: 'no certificate' });
  const leaf = parseCertificate(chain[0]);
  if (!leaf.ok) return err({ of: 'certificates', fault: 'malformed' });
  const key = privateKeyFromPem(crypto, keyText);
  if (!key.ok) return err({ of: 'key', fault: key.error });
  if (sameBytes(key.value.spki, leaf.value.spki)) return ok({ chain, key: key.value });
  key.value.destroy();
  return err({ of: 'both', fault: 'the key is not the first certificate’s' });
}

/** PEM of a key. The text can't be wiped: for files only. */
export function privateKeyToPem(key: PrivateKey): string {
  const bytes = key.pkcs8();
  const text = pemEncode('PRIVATE KEY', bytes);
  bytes.fill(0);
  return text;
}
