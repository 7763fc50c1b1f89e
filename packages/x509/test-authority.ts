/** Certificates for tests, made with one source of chance at one moment. */

import { type WallTime, wallTimeOfMillis } from '#core';
import type { PrivateKey } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import { SimRandom } from '#targets/sim/index';
import { TrustAnchors } from './anchors.ts';
import { type AuthorityOptions, CertificateAuthority, type LeafOptions } from './authority.ts';

const DAY_MS = 86_400_000;
export const NOW = wallTimeOfMillis(Date.UTC(2026, 10, 26, 12));
export const daysFrom = (time: WallTime, days: number): WallTime =>
  wallTimeOfMillis(time + days * DAY_MS);

export const entropy = new SimRandom(5_280);
export const tools = { crypto: nodeCrypto, entropy };

export const validity = { notBefore: daysFrom(NOW, -1), notAfter: daysFrom(NOW, 30) };

/** One key of each leaf: making keys is not what the tests are about. */
export const leafKey: PrivateKey = nodeCrypto.generatePrivateKey('P-256', entropy);

export const makeRoot = (options: Partial<AuthorityOptions> = {}): CertificateAuthority =>
  CertificateAuthority.create(tools, { name: 'Root', pathLength: null, ...validity, ...options });

export const below = (
  authority: CertificateAuthority,
  options: Partial<AuthorityOptions> = {},
): CertificateAuthority =>
  authority.createIntermediate({ name: 'Middle', ...validity, ...options });

export const leafOf = (
  authority: CertificateAuthority,
  options: Partial<LeafOptions> = {},
): Uint8Array =>
  authority.issue({
    names: ['example.com'],
    spki: leafKey.spki,
    purposes: ['serverAuth'],
    ...validity,
    ...options,
  });

export const anchorsOf = (...authorities: readonly CertificateAuthority[]): TrustAnchors =>
  new TrustAnchors(authorities.map(({ certificate }) => certificate.raw));
