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

/** Bits of an arc that a number surely holds: seven bytes of seven. */
const NUMBER_BYTES_MAX = 7;

/** The dotted form of an identifier's contents; null when they are none. */
export function oidText(contents: Uint8Array): string | null {
  let text = '';
  let start = 0;
  for (let i = 0; i < contents.length; i++) {
    // As few bytes as possible: none begins with zeros.
    if (i === start && contents[i] === 0x80) return null;
    if (contents[i]! >= 0x80) continue;
    const arc = arcOf(contents, start, i + 1);
    if (start > 0) text += `.${arc}`;
    else if (Number(arc) < 80) text = Number(arc) < 40 ? `0.${arc}` : `1.${Number(arc) - 40}`;
    else text = `2.${typeof arc === 'number' ? arc - 80 : arc - 80n}`;
    start = i + 1;
  }
  return start === contents.length && start > 0 ? text : null;
}

function arcOf(contents: Uint8Array, start: number, end: number): number | bigint {
  if (end - start > NUMBER_BYTES_MAX) {
    let value = 0n;
    for (let i = start; i < end; i++) value = value * 128n + BigInt(contents[i]! & 0x7f);
    return value;
  }
  let value = 0;
  for (let i = start; i < end; i++) value = value * 128 + (contents[i]! & 0x7f);
  return value;
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
