/** Object identifiers: contents to dotted form and back (X.690 §8.19), and those that we know. */

import { assert } from '#core';

export const oid = {
  rsaEncryption: '1.2.840.113549.1.1.1',
  rsaPss: '1.2.840.113549.1.1.10',
  mgf1: '1.2.840.113549.1.1.8',
  ecPublicKey: '1.2.840.10045.2.1',
  ed25519: '1.3.101.112',
  commonName: '2.5.4.3',
  emailAddress: '1.2.840.113549.1.9.1',
  extensionRequest: '1.2.840.113549.1.9.14',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  crlNumber: '2.5.29.20',
  crlReason: '2.5.29.21',
  issuingDistributionPoint: '2.5.29.28',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  anyExtendedKeyUsage: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** An arc below it may get seven bits more and still be exact as a number. */
const NUMBER_ARC_MAX = 2 ** 46;

/** Whether [at, end) are an identifier's contents: each arc ends, and none begins with zeros. */
export function isOid(bytes: Uint8Array, at: number, end: number): boolean {
  if (at === end || bytes[end - 1]! >= 0x80) return false;
  for (let i = at; i < end; i++) {
    if (bytes[i] === 0x80 && (i === at || bytes[i - 1]! < 0x80)) return false;
  }
  return true;
}

/** The dotted form of an identifier's contents; null when they are none. */
export function oidText(contents: Uint8Array): string | null {
  if (!isOid(contents, 0, contents.length)) return null;
  // joint-iso-itu-t ds: most of those in certificates.
  if (contents.length === 3 && contents[0] === 0x55 && contents[1]! < 0x80) {
    return `2.5.${contents[1]}.${contents[2]}`;
  }
  let text = '';
  let arc: number | bigint = 0;
  for (let i = 0; i < contents.length; i++) {
    const byte = contents[i]!;
    const low = byte < 0x80 ? byte : byte - 0x80;
    if (typeof arc === 'number' && arc < NUMBER_ARC_MAX) arc = arc * 128 + low;
    else arc = BigInt(arc) * 128n + BigInt(low);
    if (byte >= 0x80) continue;
    if (text !== '') text += `.${arc}`;
    else if (arc < 40) text = `0.${arc}`;
    else if (arc < 80) text = `1.${Number(arc) - 40}`;
    else text = `2.${typeof arc === 'number' ? arc - 80 : arc - 80n}`;
    arc = 0;
  }
  return text;
}

/** The contents of an identifier in dotted form, which must be one. */
export function oidContents(text: string): Uint8Array {
  const arcs = text.split('.').map((arc) => BigInt(arc));
  const [root, second, ...rest] = arcs;
  assert(root !== undefined && second !== undefined && root <= 2n && (root === 2n || second < 40n));
  const bytes: number[] = [];
  for (const arc of [root * 40n + second, ...rest]) {
    const low = [Number(arc % 128n)];
    for (let left = arc / 128n; left > 0n; left /= 128n) low.unshift(0x80 + Number(left % 128n));
    bytes.push(...low);
  }
  return Uint8Array.from(bytes);
}
