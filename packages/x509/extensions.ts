/** The extensions of certificates that path validation knows, RFC 5280 §4.2.1. */

import { contextHolder, contextTag, type DerReader, DerReader as Reader, tag } from './der.ts';
import { type GeneralName, readGeneralName, readGeneralNames } from './general-name.ts';
import { EXTENSION_ITEMS_MAX, EXTENSIONS_MAX } from './limits.ts';
import { oid } from './oid.ts';

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  /** The DER inside of the OCTET STRING. */
  readonly value: Uint8Array;
}

/** Bits of keyUsage (§4.2.1.3): bit n as 2^n. */
export const keyUsage = {
  digitalSignature: 1,
  contentCommitment: 2,
  keyEncipherment: 4,
  dataEncipherment: 8,
  keyAgreement: 16,
  keyCertSign: 32,
  crlSign: 64,
} as const;

export const hasUsage = (usage: number, bit: number): boolean => (usage & bit) !== 0;

export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** What extensions say; null: the extension isn't there. */
export interface Extensions {
  readonly all: readonly Extension[];
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength: number | null } | null;
  readonly keyUsage: number | null;
  /** Purposes as object identifiers. */
  readonly extendedKeyUsage: readonly string[] | null;
  readonly subjectAltNames: readonly GeneralName[] | null;
  readonly nameConstraints: NameConstraints | null;
  readonly authorityKeyId: Uint8Array | null;
  readonly subjectKeyId: Uint8Array | null;
  /** An extension that must be understood, and isn't. */
  readonly unhandledCritical: string | null;
}

type Typed = {
  -readonly [N in keyof Omit<Extensions, 'all' | 'unhandledCritical'>]: Extensions[N];
};

export const NO_EXTENSIONS: Extensions = {
  all: [],
  basicConstraints: null,
  keyUsage: null,
  extendedKeyUsage: null,
  subjectAltNames: null,
  nameConstraints: null,
  authorityKeyId: null,
  subjectKeyId: null,
  unhandledCritical: null,
};

/** `Extensions` (§4.1.2.9): at least one, each once. */
export function readExtensionList(reader: DerReader): Extension[] {
  const list: Extension[] = [];
  const outer = reader.open(tag.sequence);
  do {
    const outerOne = reader.open(tag.sequence);
    const name = reader.oid();
    const critical = reader.flag();
    const value = reader.contents(tag.octetString);
    reader.close(outerOne);
    if (list.some((one) => one.oid === name) || list.length === EXTENSIONS_MAX) reader.refuse();
    list.push({ oid: name, critical, value });
  } while (reader.more);
  reader.close(outer);
  return list;
}

/** Reads those that we know; a malformed one is refused at where `reader` is. */
export function readExtensions(reader: DerReader): Extensions {
  const all = readExtensionList(reader);
  const typed: Typed = { ...NO_EXTENSIONS };
  let unhandledCritical: string | null = null;
  for (const { oid: name, critical, value } of all) {
    if (reader.fault !== null) break;
    const read = Object.hasOwn(KNOWN, name) ? KNOWN[name] : undefined;
    if (read === undefined) {
      if (critical) unhandledCritical ??= name;
      continue;
    }
    const inner = new Reader(value);
    read(inner, typed);
    if (inner.finish() !== null) reader.refuse();
  }
  return { ...typed, all, unhandledCritical };
}

const KNOWN: Readonly<Record<string, (reader: DerReader, to: Typed) => void>> = {
  [oid.basicConstraints]: readBasicConstraints,
  [oid.keyUsage]: readKeyUsage,
  [oid.extendedKeyUsage]: readExtendedKeyUsage,
  [oid.subjectAltName](reader, to) {
    to.subjectAltNames = readGeneralNames(reader, tag.sequence);
  },
  [oid.nameConstraints]: readNameConstraints,
  [oid.authorityKeyIdentifier](reader, to) {
    to.authorityKeyId = readAuthorityKeyId(reader);
  },
  [oid.subjectKeyIdentifier](reader, to) {
    to.subjectKeyId = reader.contents(tag.octetString);
  },
  // Where to ask whether it is revoked, and under which rules it was issued: known, and nothing
  // that changes whether a path is valid here (revocation lists are given by the caller; all
  // policies are acceptable, §6.1.1 (c), and none is required).
  [oid.crlDistributionPoints]: readSequence,
  [oid.certificatePolicies]: readSequence,
};

/** A sequence of one or more values that we don't look into. */
function readSequence(reader: DerReader): void {
  const outer = reader.open(tag.sequence);
  do reader.skipElement();
  while (reader.more);
  reader.close(outer);
}

function readBasicConstraints(reader: DerReader, to: Typed): void {
  const outer = reader.open(tag.sequence);
  const ca = reader.flag();
  const pathLength = reader.more ? reader.small(2 ** 31 - 1) : null;
  reader.close(outer);
  to.basicConstraints = { ca, pathLength };
}

function readKeyUsage(reader: DerReader, to: Typed): void {
  to.keyUsage = reader.namedBits();
  // §4.2.1.3: at least one bit.
  if (to.keyUsage === 0) reader.refuse();
}

function readExtendedKeyUsage(reader: DerReader, to: Typed): void {
  const purposes: string[] = [];
  const outer = reader.open(tag.sequence);
  do {
    purposes.push(reader.oid());
    if (purposes.length > EXTENSION_ITEMS_MAX) reader.refuse();
  } while (reader.more);
  reader.close(outer);
  to.extendedKeyUsage = purposes;
}

/** AuthorityKeyIdentifier (§4.2.1.1); also of revocation lists. */
export function readAuthorityKeyId(reader: DerReader): Uint8Array | null {
  let keyId: Uint8Array | null = null;
  const outer = reader.open(tag.sequence);
  if (reader.isNext(contextTag(0))) keyId = reader.contents(contextTag(0));
  if (reader.isNext(contextHolder(1))) readGeneralNames(reader, contextHolder(1));
  if (reader.isNext(contextTag(2))) reader.integer(contextTag(2));
  reader.close(outer);
  return keyId;
}

function readNameConstraints(reader: DerReader, to: Typed): void {
  const outer = reader.open(tag.sequence);
  const permitted = readSubtrees(reader, contextHolder(0));
  const excluded = readSubtrees(reader, contextHolder(1));
  // §4.2.1.10: not an empty sequence.
  if (permitted.length + excluded.length === 0) reader.refuse();
  reader.close(outer);
  to.nameConstraints = { permitted, excluded };
}

function readSubtrees(reader: DerReader, expected: number): GeneralName[] {
  const bases: GeneralName[] = [];
  if (!reader.isNext(expected)) return bases;
  const outer = reader.open(expected);
  do {
    const outerOne = reader.open(tag.sequence);
    const base = readGeneralName(reader, [8, 32]);
    if (base.kind === 'ip' && !isPrefixMask(base.bytes)) reader.refuse();
    bases.push(base);
    // §4.2.1.10: minimum is zero, so not written, and maximum absent.
    reader.close(outerOne);
    if (bases.length > EXTENSION_ITEMS_MAX) reader.refuse();
  } while (reader.more);
  reader.close(outer);
  return bases;
}

/** RFC 4632: the second half is ones, then zeros. */
function isPrefixMask(bytes: Uint8Array): boolean {
  let bits = '';
  for (const byte of bytes.subarray(bytes.length / 2)) bits += byte.toString(2).padStart(8, '0');
  return !bits.includes('01');
}
