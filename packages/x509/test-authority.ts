/** Certificates for tests, made with one source of chance at one moment: also ones no CA makes. */

import { type WallTime, wallTimeOfMillis } from '#core';
import type { PrivateKey, PrivateKeyType } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import { SimRandom } from '#targets/sim/index';
import { TrustAnchors } from './anchors.ts';
import type { AuthorityTools } from './authority.ts';
import { createCertificate, randomSerial } from './create.ts';
import {
  alternativeNames,
  authorityConstraints,
  hostName,
  keyUsages,
  leafConstraints,
  type Purpose,
  purposes,
} from './extension-writer.ts';
import { type Extension, keyUsage } from './extensions.ts';
import { commonName, type NameDer } from './name.ts';

const DAY_MS = 86_400_000;
export const NOW = wallTimeOfMillis(Date.UTC(2026, 10, 26, 12));
export const daysFrom = (time: WallTime, days: number): WallTime =>
  wallTimeOfMillis(time + days * DAY_MS);
export const validity = { notBefore: daysFrom(NOW, -1), notAfter: daysFrom(NOW, 30) };

export const entropy = new SimRandom(5_280);
export const tools: AuthorityTools = { crypto: nodeCrypto, entropy };

const keys = new Map<string, PrivateKey>();

/** The key of that name; made when it is first asked for. */
export function keyOf(name: string, type: PrivateKeyType = 'P-256'): PrivateKey {
  const key = keys.get(name) ?? nodeCrypto.generatePrivateKey(type, entropy);
  keys.set(name, key);
  return key;
}

export interface Forged {
  /** Common names, and names of keys. */
  readonly subject: string;
  readonly issuer: string;
  readonly extensions: readonly Extension[];
  readonly key: string;
  readonly signer: string;
  readonly keyType: PrivateKeyType;
  readonly subjectName: NameDer;
  readonly issuerName: NameDer;
  readonly notBefore: WallTime;
  readonly notAfter: WallTime;
}

/** Any certificate; keys are named as who has them. */
export function forge(parts: Partial<Forged> & Pick<Forged, 'subject' | 'issuer'>): Uint8Array {
  const { subject, issuer, notBefore, notAfter } = { ...validity, ...parts };
  const contents = {
    serial: randomSerial(entropy),
    subject: parts.subjectName ?? commonName(subject),
    issuer: parts.issuerName ?? commonName(issuer),
    notBefore,
    notAfter,
    spki: keyOf(parts.key ?? subject, parts.keyType).spki,
    extensions: parts.extensions ?? [],
  };
  return createCertificate(contents, keyOf(parts.signer ?? issuer), entropy);
}

export const authorityExtensions = (pathLength: number | null = null): Extension[] => [
  authorityConstraints(pathLength),
  keyUsages(keyUsage.keyCertSign + keyUsage.crlSign),
];

export const leafExtensions = (
  names: readonly string[] = ['example.com'],
  purpose: Purpose = 'serverAuth',
): [Extension, Extension, Extension, Extension] => [
  leafConstraints(),
  keyUsages(keyUsage.digitalSignature),
  purposes([purpose]),
  alternativeNames(names.map((name) => hostName(name)!)),
];

/** A CA's certificate; "Root" signs itself. */
export const authority = (
  subject: string,
  issuer: string,
  parts: Partial<Forged> = {},
): Uint8Array => forge({ subject, issuer, extensions: authorityExtensions(), ...parts });

export const leaf = (issuer: string, parts: Partial<Forged> = {}): Uint8Array =>
  forge({ subject: 'leaf', issuer, extensions: leafExtensions(), ...parts });

export const anchorsOf = (...certificates: readonly Uint8Array[]): TrustAnchors =>
  new TrustAnchors(certificates);
