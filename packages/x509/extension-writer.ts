/** Extensions of certificates that we make, RFC 5280 §4.2.1; critical where it says so. */

import { assert } from '#core';
import type { CryptoPrimitives } from '#device';
import { contextHolder, contextTag, DerReader, tag } from './der.ts';
import {
  der,
  derNamedBits,
  derOctets,
  derOid,
  derSequence,
  derSmall,
  derTrue,
} from './der-writer.ts';
import type { Extension, NameConstraints } from './extensions.ts';
import { emitGeneralName, type GeneralName } from './general-name.ts';
import { addressOf, presentedLabels } from './host-match.ts';
import { oid } from './oid.ts';

const extension = (name: string, critical: boolean, value: Uint8Array): Extension => ({
  oid: name,
  critical,
  value,
});

/** `pathLength`: null for any. */
export const authorityConstraints = (pathLength: number | null): Extension =>
  extension(
    oid.basicConstraints,
    true,
    derSequence(derTrue(), ...(pathLength === null ? [] : [derSmall(pathLength)])),
  );

export const leafConstraints = (): Extension =>
  extension(oid.basicConstraints, true, derSequence());

/** `bits`: sums of `keyUsage`. */
export const keyUsages = (bits: number): Extension =>
  extension(oid.keyUsage, true, derNamedBits(bits));

export type Purpose = 'serverAuth' | 'clientAuth';

export const purposes = (list: readonly Purpose[]): Extension =>
  extension(oid.extendedKeyUsage, false, derSequence(...list.map((one) => derOid(oid[one]))));

/** §4.2.1.6: critical when the subject is empty. */
export const alternativeNames = (names: readonly GeneralName[], critical = false): Extension => {
  assert(names.length > 0);
  return extension(oid.subjectAltName, critical, derSequence(...names.map(emitGeneralName)));
};

/** A host's name, perhaps with a wildcard, or an IP address; null when `text` is neither. */
export function hostName(text: string): GeneralName | null {
  const bytes = addressOf(text);
  if (bytes !== null) return { kind: 'ip', bytes };
  return presentedLabels(text) === null ? null : { kind: 'dns', text: text.toLowerCase() };
}

export const nameConstraints = ({ permitted, excluded }: NameConstraints): Extension => {
  const subtrees = (number: number, names: readonly GeneralName[]): Uint8Array[] =>
    names.length === 0
      ? []
      : [der(contextHolder(number), ...names.map((name) => derSequence(emitGeneralName(name))))];
  return extension(
    oid.nameConstraints,
    true,
    derSequence(...subtrees(0, permitted), ...subtrees(1, excluded)),
  );
};

export const subjectKey = (id: Uint8Array): Extension =>
  extension(oid.subjectKeyIdentifier, false, derOctets(id));

export const authorityKey = (id: Uint8Array): Extension =>
  extension(oid.authorityKeyIdentifier, false, derSequence(der(contextTag(0), id)));

export const crlNumber = (number: number): Extension =>
  extension(oid.crlNumber, false, derSmall(number));

/** RFC 7093 §2, method 1: 160 bits of SHA-256 over the key. */
export function keyIdOf(crypto: CryptoPrimitives, spki: Uint8Array): Uint8Array {
  const reader = new DerReader(spki);
  reader.open(tag.sequence);
  reader.element();
  return crypto.digest('SHA-256', reader.bitString()).slice(0, 20);
}

/** The list with its header, as certificates, requests and revocation lists have it. */
export const emitExtensions = (list: readonly Extension[]): Uint8Array =>
  derSequence(
    ...list.map((one) =>
      derSequence(derOid(one.oid), ...(one.critical ? [derTrue()] : []), derOctets(one.value)),
    ),
  );
