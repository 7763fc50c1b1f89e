/**
 * Lists of revoked certificates, RFC 5280 §5, §6.3: those that the issuer itself signs. Deviates:
 * no indirect and no delta lists (they tell nothing here). A list for a part of the issuer's
 * certificates (issuingDistributionPoint) revokes what is on it.
 */

import { err, ok, type Result, type WallTime, type WireFault } from '#core';
import { type CertificateAlgorithm, readAlgorithm, signatureAlgorithm } from './algorithm.ts';
import { hexOf, sameBytes } from './bytes.ts';
import { type Certificate, readSigned } from './certificate.ts';
import { contextHolder, contextTag, DerReader, tag } from './der.ts';
import { hasUsage, keyUsage, readAuthorityKeyId, readExtensionList } from './extensions.ts';
import { CRL_BYTES_MAX, SERIAL_BYTES_MAX } from './limits.ts';
import { type NameDer, nameKey, readName } from './name.ts';
import { oid } from './oid.ts';

/** All arrays are views of `raw`. */
export interface RevocationList {
  readonly raw: Uint8Array;
  readonly tbs: Uint8Array;
  readonly algorithm: CertificateAlgorithm;
  readonly signature: Uint8Array;
  readonly issuer: NameDer;
  readonly thisUpdate: WallTime;
  readonly nextUpdate: WallTime | null;
  /** Serial numbers, as hexadecimal of their contents. */
  readonly revoked: ReadonlySet<string>;
  readonly authorityKeyId: Uint8Array | null;
  /** False: it has an extension that must be understood and isn't. */
  readonly isUsable: boolean;
}

/** Keeps views of `raw`, which must not change. O(bytes). */
export function parseRevocationList(raw: Uint8Array): Result<RevocationList, WireFault> {
  const signed = readSigned(raw, CRL_BYTES_MAX);
  if (!signed.ok) return signed;
  const { tbs, algorithm, signature } = signed.value;
  const reader = new DerReader(tbs);
  reader.open(tag.sequence);
  // §5.1.2.1: version 2 when there are extensions.
  const isVersion2 = reader.isNext(tag.integer);
  if (isVersion2 && reader.small(1) !== 1) reader.refuse();
  if (!sameBytes(readAlgorithm(reader), algorithm)) reader.refuse();
  const issuer = readName(reader);
  const thisUpdate = reader.time();
  const isTime = reader.isNext(tag.utcTime) || reader.isNext(tag.generalizedTime);
  const nextUpdate = isTime ? reader.time() : null;
  const revoked = new Set<string>();
  let isUsable = true;
  if (reader.isNext(tag.sequence)) isUsable = readRevoked(reader, revoked, isVersion2);
  let authorityKeyId: Uint8Array | null = null;
  if (isVersion2 && reader.isNext(contextHolder(0))) {
    const outer = reader.open(contextHolder(0));
    for (const { oid: name, critical, value } of readExtensionList(reader)) {
      const inner = new DerReader(value);
      if (name === oid.authorityKeyIdentifier) authorityKeyId = readAuthorityKeyId(inner);
      else if (name === oid.issuingDistributionPoint) isUsable &&= readScope(inner);
      else if (name === oid.crlNumber) inner.integer();
      else {
        isUsable &&= !critical;
        continue;
      }
      if (inner.finish() !== null) reader.refuse();
    }
    reader.close(outer);
  }
  const fault = reader.finish();
  if (fault !== null) return err(fault);
  const times = { issuer, thisUpdate, nextUpdate, revoked, authorityKeyId, isUsable };
  return ok({ raw, tbs, signature, algorithm: signatureAlgorithm(algorithm), ...times });
}

/** §5.1.2.6, §5.3; false when an entry has an extension that must be understood and isn't. */
function readRevoked(reader: DerReader, revoked: Set<string>, mayExtend: boolean): boolean {
  let isUsable = true;
  const outer = reader.open(tag.sequence);
  do {
    const outerOne = reader.open(tag.sequence);
    const serial = reader.integer();
    if (serial.length > SERIAL_BYTES_MAX) reader.refuse();
    reader.time();
    if (mayExtend && reader.more) {
      isUsable &&= readExtensionList(reader).every((one) => !one.critical);
    }
    reader.close(outerOne);
    revoked.add(hexOf(serial));
  } while (reader.more);
  reader.close(outer);
  return isUsable;
}

/** IssuingDistributionPoint (§5.2.5); false for a list about other issuers' certificates. */
function readScope(reader: DerReader): boolean {
  let isOwn = true;
  const outer = reader.open(tag.sequence);
  if (reader.isNext(contextHolder(0))) reader.element();
  for (const number of [1, 2]) reader.flag(contextTag(number));
  if (reader.isNext(contextTag(3))) reader.contents(contextTag(3));
  if (reader.flag(contextTag(4))) isOwn = false;
  reader.flag(contextTag(5));
  reader.close(outer);
  return isOwn;
}

/**
 * What the lists of `issuer` say of `certificate`: null when it isn't on them, or there are none.
 * A list that is there must be usable: someone who can spoil it must gain nothing.
 */
export function revocationOf(
  certificate: Certificate,
  issuer: Certificate,
  lists: readonly RevocationList[],
  at: WallTime,
  verify: (list: RevocationList) => boolean,
): 'revoked' | 'revocation unknown' | null {
  const key = nameKey(issuer.subject);
  const usage = issuer.extensions.keyUsage;
  const maySign = usage === null || hasUsage(usage, keyUsage.crlSign);
  for (const list of lists) {
    if (!sameBytes(list.issuer, issuer.subject) && nameKey(list.issuer) !== key) continue;
    // Another key of the same name signs its own.
    if (isOtherKey(list, issuer)) continue;
    const isCurrent =
      list.thisUpdate <= at && (list.nextUpdate === null || at <= list.nextUpdate + 999);
    if (!list.isUsable || !isCurrent || !maySign || !verify(list)) return 'revocation unknown';
    if (list.revoked.has(hexOf(certificate.serial))) return 'revoked';
  }
  return null;
}

function isOtherKey(list: RevocationList, issuer: Certificate): boolean {
  const id = issuer.extensions.subjectKeyId;
  return list.authorityKeyId !== null && id !== null && !sameBytes(list.authorityKeyId, id);
}
