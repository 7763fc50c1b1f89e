/**
 * Certificates, RFC 5280 §4.1: strict DER in, typed fields out. What is wrong with the bytes is a
 * fault here; what is wrong with what they say is path validation's (path.ts).
 */

import { err, ok, type Result, type WallTime, type WireFault } from '#core';
import { type CertificateAlgorithm, readAlgorithm, signatureAlgorithm } from './algorithm.ts';
import { sameBytes } from './bytes.ts';
import { contextHolder, contextTag, DerReader, tag } from './der.ts';
import { type Extensions, NO_EXTENSIONS, readExtensions } from './extensions.ts';
import { CERTIFICATE_BYTES_MAX, SERIAL_BYTES_MAX } from './limits.ts';
import { isEmptyName, type NameDer, readName } from './name.ts';

/** All arrays are views of `raw`. */
export interface Certificate {
  readonly raw: Uint8Array;
  /** What the issuer signed. */
  readonly tbs: Uint8Array;
  readonly version: 1 | 2 | 3;
  /** Contents of the integer, 1 to 20 bytes. */
  readonly serial: Uint8Array;
  readonly algorithm: CertificateAlgorithm;
  readonly signature: Uint8Array;
  readonly issuer: NameDer;
  readonly subject: NameDer;
  /** Both are within the validity period (§4.1.2.5). */
  readonly notBefore: WallTime;
  readonly notAfter: WallTime;
  /** SubjectPublicKeyInfo: CryptoPrimitives.importPublicKey reads it. */
  readonly spki: Uint8Array;
  readonly extensions: Extensions;
}

/** Keeps views of `raw`, which must not change. O(bytes). */
export function parseCertificate(raw: Uint8Array): Result<Certificate, WireFault> {
  const signed = readSigned(raw, CERTIFICATE_BYTES_MAX);
  if (!signed.ok) return signed;
  const { tbs, algorithm, signature } = signed.value;
  const reader = new DerReader(tbs);
  reader.open(tag.sequence);
  const version = readVersion(reader);
  const serial = reader.integer();
  if (serial.length > SERIAL_BYTES_MAX) reader.refuse();
  // §4.1.1.2: the same as outside, where an attacker could change it.
  if (!sameBytes(readAlgorithm(reader), algorithm)) reader.refuse();
  const issuer = readName(reader);
  // §4.1.2.4.
  if (isEmptyName(issuer)) reader.refuse();
  const outerValidity = reader.open(tag.sequence);
  const notBefore = reader.time();
  const notAfter = reader.time();
  reader.close(outerValidity);
  const subject = readName(reader);
  const spki = readPublicKeyInfo(reader);
  // issuerUniqueID and subjectUniqueID, §4.1.2.8.
  for (const number of [1, 2]) {
    if (version >= 2 && reader.isNext(contextTag(number))) reader.contents(contextTag(number));
  }
  let extensions = NO_EXTENSIONS;
  if (version === 3 && reader.isNext(contextHolder(3))) {
    const outer = reader.open(contextHolder(3));
    extensions = readExtensions(reader);
    reader.close(outer);
  }
  const fault = reader.finish();
  if (fault !== null) return err(fault);
  const names = { version, serial, issuer, subject, notBefore, notAfter, spki, extensions };
  return ok({ raw, tbs, signature, algorithm: signatureAlgorithm(algorithm), ...names });
}

/**
 * The subject of what may be a certificate, found without looking at the rest: a CA bundle has
 * some 150, of which a path needs one. Null when there is none.
 */
export function subjectOf(raw: Uint8Array): NameDer | null {
  const reader = new DerReader(raw);
  reader.open(tag.sequence);
  reader.open(tag.sequence);
  if (reader.isNext(contextHolder(0))) reader.pass();
  // Serial number, algorithm, issuer, validity.
  for (let i = 0; i < 4; i++) reader.pass();
  const subject = reader.spanOf(() => reader.pass());
  return reader.fault === null ? subject : null;
}

export interface Signed {
  readonly tbs: Uint8Array;
  /** The AlgorithmIdentifier. */
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
}

/** SIGNED: what certificates, requests and revocation lists have around them. */
export function readSigned(raw: Uint8Array, bytesMax: number): Result<Signed, WireFault> {
  const reader = new DerReader(raw);
  if (raw.length > bytesMax) reader.refuse();
  const outer = reader.open(tag.sequence);
  const tbs = reader.spanOf(() => reader.contents(tag.sequence));
  const algorithm = readAlgorithm(reader);
  const signature = reader.bitString();
  reader.close(outer);
  const fault = reader.finish();
  return fault === null ? ok({ tbs, algorithm, signature }) : err(fault);
}

/** `[0] EXPLICIT Version DEFAULT v1`. */
function readVersion(reader: DerReader): 1 | 2 | 3 {
  if (!reader.isNext(contextHolder(0))) return 1;
  const outer = reader.open(contextHolder(0));
  const version = reader.small(2);
  // The default isn't written (X.690 §11.5).
  if (version === 0) reader.refuse();
  reader.close(outer);
  return version === 1 ? 2 : 3;
}

/** A SubjectPublicKeyInfo with its header; the key itself is for primitives to read. */
export const readPublicKeyInfo = (reader: DerReader): Uint8Array =>
  reader.spanOf(() => {
    const outer = reader.open(tag.sequence);
    readAlgorithm(reader);
    reader.bitString();
    reader.close(outer);
  });
