/**
 * Making certificates and revocation lists. The caller says what is in them; serial numbers and
 * signatures take entropy, times are passed in. Read first: authority.ts, which knows what CAs and
 * leaves need.
 */

import { assert, type WallTime } from '#core';
import type { Entropy, PrivateKey } from '#device';
import { algorithmOf, emitAlgorithm } from './algorithm.ts';
import { contextHolder } from './der.ts';
import { der, derBits, derSequence, derSmall, derTime, derUnsigned } from './der-writer.ts';
import { emitExtensions } from './extension-writer.ts';
import type { Extension } from './extensions.ts';
import { SERIAL_BYTES_MAX } from './limits.ts';
import type { NameDer } from './name.ts';

export interface CertificateContents {
  /** A positive number, big-endian: `randomSerial`. */
  readonly serial: Uint8Array;
  readonly issuer: NameDer;
  readonly subject: NameDer;
  readonly notBefore: WallTime;
  readonly notAfter: WallTime;
  /** The subject's key. */
  readonly spki: Uint8Array;
  readonly extensions: readonly Extension[];
}

/** The DER of a certificate, signed with the issuer's key. */
export function createCertificate(
  contents: CertificateContents,
  key: PrivateKey,
  entropy: Entropy,
): Uint8Array {
  const { serial, issuer, subject, notBefore, notAfter, spki, extensions } = contents;
  assert(notBefore <= notAfter && serial.some((byte) => byte !== 0));
  const tbs = derSequence(
    der(contextHolder(0), derSmall(2)),
    derUnsigned(serial),
    emitAlgorithm(algorithmOf(key)),
    issuer,
    derSequence(derTime(notBefore), derTime(notAfter)),
    subject,
    spki,
    ...extensionPart(3, extensions),
  );
  return signed(tbs, key, entropy);
}

export interface RevocationContents {
  readonly issuer: NameDer;
  readonly thisUpdate: WallTime;
  readonly nextUpdate: WallTime;
  readonly revoked: readonly { readonly serial: Uint8Array; readonly at: WallTime }[];
  readonly extensions: readonly Extension[];
}

/** The DER of a list of revoked certificates, RFC 5280 §5.1. */
export function createRevocationList(
  contents: RevocationContents,
  key: PrivateKey,
  entropy: Entropy,
): Uint8Array {
  const { issuer, thisUpdate, nextUpdate, revoked, extensions } = contents;
  const entries = revoked.map(({ serial, at }) => derSequence(derUnsigned(serial), derTime(at)));
  const tbs = derSequence(
    derSmall(1),
    emitAlgorithm(algorithmOf(key)),
    issuer,
    derTime(thisUpdate),
    derTime(nextUpdate),
    // §5.1.2.6: absent when there are none.
    ...(entries.length === 0 ? [] : [derSequence(...entries)]),
    ...extensionPart(0, extensions),
  );
  return signed(tbs, key, entropy);
}

const extensionPart = (number: number, list: readonly Extension[]): Uint8Array[] =>
  list.length === 0 ? [] : [der(contextHolder(number), emitExtensions(list))];

/** SIGNED: what was signed, how, and the signature. */
export function signed(tbs: Uint8Array, key: PrivateKey, entropy: Entropy): Uint8Array {
  const algorithm = algorithmOf(key);
  return derSequence(tbs, emitAlgorithm(algorithm), derBits(key.sign(algorithm, tbs, entropy)));
}

/** 20 bytes, positive (RFC 5280 §4.1.2.2), 158 bits of them by chance. */
export function randomSerial(entropy: Entropy): Uint8Array {
  const serial = new Uint8Array(SERIAL_BYTES_MAX);
  entropy.fill(serial);
  serial[0] = (serial[0]! % 0x40) + 0x40;
  return serial;
}
