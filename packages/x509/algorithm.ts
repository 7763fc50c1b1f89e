/**
 * Signature algorithms of certificates: AlgorithmIdentifier (RFC 5280 §4.1.1.2) to and from the
 * names that primitives know. RSA: RFC 4055, RFC 8017; ECDSA: RFC 5758; Ed25519: RFC 8410.
 */

import { assert } from '#core';
import type { HashName, PrivateKey, SignatureAlgorithm } from '#device';
import { contextHolder, type DerReader, DerReader as Reader, tag } from './der.ts';
import { der, derNull, derOid, derSequence, derSmall } from './der-writer.ts';
import { oid } from './oid.ts';

/** 'weak' ones are known and refused: MD2, MD5, SHA-1, SHA-224. */
export type CertificateAlgorithm = SignatureAlgorithm | 'weak' | 'unknown';

interface Known {
  readonly algorithm: SignatureAlgorithm | 'weak';
  /** RFC 4055 §5: RSA's have NULL, or nothing; the others nothing. */
  readonly mayHaveNull: boolean;
}

const rsa = (hash: HashName): Known => ({
  algorithm: { kind: 'RSA-PKCS1', hash },
  mayHaveNull: true,
});
const ecdsa = (hash: HashName): Known => ({
  algorithm: { kind: 'ECDSA', hash },
  mayHaveNull: false,
});
const WEAK: Known = { algorithm: 'weak', mayHaveNull: true };

const KNOWN: Readonly<Record<string, Known>> = {
  '1.2.840.113549.1.1.2': WEAK,
  '1.2.840.113549.1.1.4': WEAK,
  '1.2.840.113549.1.1.5': WEAK,
  '1.3.14.3.2.29': WEAK,
  '1.2.840.113549.1.1.14': WEAK,
  '1.2.840.113549.1.1.11': rsa('SHA-256'),
  '1.2.840.113549.1.1.12': rsa('SHA-384'),
  '1.2.840.113549.1.1.13': rsa('SHA-512'),
  '1.2.840.10040.4.3': WEAK,
  '1.2.840.10045.4.1': WEAK,
  '1.2.840.10045.4.3.1': WEAK,
  '1.2.840.10045.4.3.2': ecdsa('SHA-256'),
  '1.2.840.10045.4.3.3': ecdsa('SHA-384'),
  '1.2.840.10045.4.3.4': ecdsa('SHA-512'),
  [oid.ed25519]: { algorithm: { kind: 'Ed25519' }, mayHaveNull: false },
};

const HASHES: Readonly<Record<string, HashName>> = {
  '1.3.14.3.2.26': 'SHA-1',
  '2.16.840.1.101.3.4.2.1': 'SHA-256',
  '2.16.840.1.101.3.4.2.2': 'SHA-384',
  '2.16.840.1.101.3.4.2.3': 'SHA-512',
};

/** An AlgorithmIdentifier with its header, whatever it names. */
export const readAlgorithm = (reader: DerReader): Uint8Array =>
  reader.spanOf(() => {
    const outer = reader.open(tag.sequence);
    reader.skipOid();
    if (reader.more) reader.skipElement();
    reader.close(outer);
  });

/** What an AlgorithmIdentifier that `readAlgorithm` gave names. */
export function signatureAlgorithm(identifier: Uint8Array): CertificateAlgorithm {
  const reader = new Reader(identifier);
  reader.open(tag.sequence);
  const name = reader.oid();
  if (name === oid.rsaPss) return pssAlgorithm(reader);
  const known = Object.hasOwn(KNOWN, name) ? KNOWN[name]! : null;
  if (known === null) return 'unknown';
  if (known.algorithm === 'weak') return 'weak';
  if (known.mayHaveNull && reader.more) reader.null();
  return reader.finish() === null ? known.algorithm : 'unknown';
}

/** RFC 4055 §3.1. Both hashes the same, as RFC 8446 §4.2.3 has it too; the default is SHA-1. */
function pssAlgorithm(reader: DerReader): CertificateAlgorithm {
  const outer = reader.open(tag.sequence);
  let hash: string | null = null;
  let maskHash: string | null = null;
  let saltBytes = 20;
  within(reader, 0, () => {
    hash = readHash(reader);
  });
  within(reader, 1, () => {
    const outerMask = reader.open(tag.sequence);
    if (reader.oid() !== oid.mgf1) reader.refuse();
    maskHash = readHash(reader);
    reader.close(outerMask);
  });
  within(reader, 2, () => {
    saltBytes = reader.small(255);
  });
  within(reader, 3, () => {
    if (reader.small(1) !== 1) reader.refuse();
  });
  reader.close(outer);
  if (reader.finish() !== null) return 'unknown';
  if (hash === null || maskHash === null) return 'weak';
  const name = HASHES[hash];
  if (name === undefined || hash !== maskHash) return 'unknown';
  return name === 'SHA-1' ? 'weak' : { kind: 'RSA-PSS', hash: name, saltBytes };
}

function within(reader: DerReader, number: number, read: () => void): void {
  if (!reader.isNext(contextHolder(number))) return;
  const outer = reader.open(contextHolder(number));
  read();
  reader.close(outer);
}

function readHash(reader: DerReader): string {
  const outer = reader.open(tag.sequence);
  const name = reader.oid();
  if (reader.more) reader.null();
  reader.close(outer);
  return name;
}

/** What a key signs certificates with: the hash that goes with its size. */
export function algorithmOf(key: PrivateKey): SignatureAlgorithm {
  switch (key.type) {
    case 'EC':
      return { kind: 'ECDSA', hash: key.curve === 'P-384' ? 'SHA-384' : 'SHA-256' };
    case 'Ed25519':
      return { kind: 'Ed25519' };
    case 'RSA':
      return { kind: 'RSA-PKCS1', hash: 'SHA-256' };
    case 'RSA-PSS':
      return { kind: 'RSA-PSS', hash: 'SHA-256', saltBytes: 32 };
  }
}

/** The AlgorithmIdentifier of what `algorithmOf` gives. */
export function emitAlgorithm(algorithm: SignatureAlgorithm): Uint8Array {
  if (algorithm.kind === 'RSA-PSS') return emitPss(algorithm.hash, algorithm.saltBytes);
  const same = (known: Known): boolean => {
    const other = known.algorithm;
    if (other === 'weak' || other.kind !== algorithm.kind) return false;
    return !('hash' in other) || !('hash' in algorithm) || other.hash === algorithm.hash;
  };
  const name = Object.keys(KNOWN).find((one) => same(KNOWN[one]!));
  assert(name !== undefined);
  return derSequence(derOid(name), ...(algorithm.kind === 'RSA-PKCS1' ? [derNull()] : []));
}

function emitPss(hash: HashName, saltBytes: number): Uint8Array {
  const name = Object.keys(HASHES).find((one) => HASHES[one] === hash)!;
  const hashId = derSequence(derOid(name), derNull());
  const holder = (number: number, part: Uint8Array) => der(contextHolder(number), part);
  const parameters = derSequence(
    holder(0, hashId),
    holder(1, derSequence(derOid(oid.mgf1), hashId)),
    holder(2, derSmall(saltBytes)),
  );
  return derSequence(derOid(oid.rsaPss), parameters);
}
