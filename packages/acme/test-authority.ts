/** What signs for test-server.ts: a root, an issuer, chains in PEM. */

import assert from 'node:assert/strict';
import { type WallTime, wallTimeOfMillis } from '#core';
import type { Entropy } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import {
  CertificateAuthority,
  parseCertificateRequest,
  pemDecode,
  pemEncode,
  verifyRequest,
} from '#x509';

const YEAR_MILLIS = 365 * 86_400_000;

export class TestAuthority {
  lifeMillis = 90 * 86_400_000;
  private readonly issuer: CertificateAuthority;
  private readonly now: () => WallTime;

  constructor(entropy: Entropy, now: () => WallTime) {
    this.now = now;
    const notBefore = wallTimeOfMillis(now() - YEAR_MILLIS);
    const notAfter = wallTimeOfMillis(now() + 10 * YEAR_MILLIS);
    const tools = { crypto: nodeCrypto, entropy };
    const life = { notBefore, notAfter };
    const root = CertificateAuthority.create(tools, { name: 'Root', pathLength: 1, ...life });
    this.issuer = root.createIntermediate({ name: 'Issuer', ...life });
  }

  /** The chain for a request, which must be signed with its key and have names. */
  issue(csr: Uint8Array): string {
    const request = parseCertificateRequest(csr);
    assert.ok(request.ok && verifyRequest(nodeCrypto, request.value));
    const { extensions, spki } = request.value;
    const names = (extensions.subjectAltNames ?? []).map((name) =>
      name.kind === 'ip' && name.bytes.length === 4
        ? name.bytes.join('.')
        : name.kind === 'dns'
          ? name.text
          : assert.fail(name.kind),
    );
    return this.chain(names, spki);
  }

  chain(names: readonly string[], spki: Uint8Array): string {
    const notBefore = wallTimeOfMillis(this.now() - 3_600_000);
    const notAfter = wallTimeOfMillis(notBefore + this.lifeMillis);
    const purposes = ['serverAuth'] as const;
    const leaf = this.issuer.issue({ names, notBefore, notAfter, spki, purposes });
    const chain = [leaf, this.issuer.certificate.raw];
    return chain.map((der) => pemEncode('CERTIFICATE', der)).join('');
  }
}

export const dersOf = (pem: string): readonly Uint8Array[] => {
  const blocks = pemDecode(pem);
  assert.ok(blocks.ok);
  return blocks.value.map(({ bytes }) => bytes);
};
