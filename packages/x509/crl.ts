/**
 * Lists of revoked certificates, RFC 5280 §5, §6.3: those that the issuer signs with the key of its
 * certificates. Deviates: no indirect and no delta lists; a list for some reasons, or for one
 * distribution point, revokes what is on it, and says of nothing that it isn't revoked.
 */

import { err, ok, type Result, type WallTime, type WireFault } from '#core';
import { type CertificateAlgorithm, readAlgorithm, signatureAlgorithm } from './algorithm.ts';
import { hexOf, sameBytes } from './bytes.ts';
import { type Certificate, readSigned } from './certificate.ts';
import { contextHolder, contextTag, DerReader, tag } from './der.ts';
import { readAuthorityKeyId, readExtensionList } from './extensions.ts';
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
  /** The certificates that are good when they aren't on it. */
  readonly covers: 'all' | 'leaves' | 'authorities' | 'none';
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
  let covers: RevocationList['covers'] | null = 'all';
  if (isVersion2 && reader.isNext(contextHolder(0))) {
    const outer = reader.open(contextHolder(0));
    for (const { oid: name, critical, value } of readExtensionList(reader)) {
      const inner = new DerReader(value);
      if (name === oid.authorityKeyIdentifier) readAuthorityKeyId(inner);
      else if (name === oid.issuingDistributionPoint) covers = readScope(inner);
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
  const times = { issuer, thisUpdate, nextUpdate, revoked };
  const use = { covers: covers ?? 'none', isUsable: isUsable && covers !== null };
  return ok({ raw, tbs, signature, algorithm: signatureAlgorithm(algorithm), ...times, ...use });
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

/** IssuingDistributionPoint (§5.2.5); null for a list about other issuers' certificates. */
function readScope(reader: DerReader): RevocationList['covers'] | null {
  const outer = reader.open(tag.sequence);
  const isPartial = reader.isNext(contextHolder(0));
  if (isPartial) reader.skipElement();
  const isLeaves = reader.flag(contextTag(1));
  const isAuthorities = reader.flag(contextTag(2));
  const isForReasons = reader.isNext(contextTag(3));
  if (isForReasons) reader.contents(contextTag(3));
  const isIndirect = reader.flag(contextTag(4));
  const isAttributes = reader.flag(contextTag(5));
  reader.close(outer);
  if (isIndirect) return null;
  if (isPartial || isForReasons || isAttributes || (isLeaves && isAuthorities)) return 'none';
  return isLeaves ? 'leaves' : isAuthorities ? 'authorities' : 'all';
}

/**
 * What lists say of `certificate`; null: one covers it, and it is on none. `verify` tells whether
 * an authority of the issuer's name signed a list.
 */
export function revocationOf(
  certificate: Certificate,
  lists: readonly RevocationList[],
  at: WallTime,
  verify: (list: RevocationList) => boolean,
): 'revoked' | 'revocation unknown' | null {
  const key = nameKey(certificate.issuer);
  const kind = certificate.extensions.basicConstraints?.ca === true ? 'authorities' : 'leaves';
  let isCovered = false;
  for (const list of lists) {
    if (!sameBytes(list.issuer, certificate.issuer) && nameKey(list.issuer) !== key) continue;
    const { thisUpdate, nextUpdate } = list;
    // Whole seconds, of which the last one counts.
    const isCurrent = thisUpdate <= at && (nextUpdate === null || at <= nextUpdate + 999);
    if (!list.isUsable || !isCurrent || !verify(list)) continue;
    if (list.revoked.has(hexOf(certificate.serial))) return 'revoked';
    isCovered ||= list.covers === 'all' || list.covers === kind;
  }
  return isCovered ? null : 'revocation unknown';
}
