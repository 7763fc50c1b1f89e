/**
 * NIST's Public Key Interoperability Test Suite (2011), as Debian's python3-cryptography-vectors
 * brings it: each test is an end entity's certificate whose file says what it must be. The
 * certificates and revocation lists that go with it are found by their names: all above it, so a
 * test has strangers of the same name in its way.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { wallTimeOfMillis } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import {
  type Certificate,
  formatName,
  type PathFaultKind,
  parseCertificate,
  parseRevocationList,
  type RevocationList,
  TrustAnchors,
  validatePath,
} from '#x509';

export const PKITS = '/usr/lib/python3/dist-packages/cryptography_vectors/x509/PKITS_data';
/** When its authors had it checked; all that isn't about time is valid then. */
const AT = wallTimeOfMillis(Date.UTC(2026, 0, 1));

export interface PkitsOutcome {
  /** "InvalidCASignatureTest2". */
  readonly name: string;
  readonly got: 'valid' | PathFaultKind;
}

const filesOf = (folder: string): { name: string; bytes: Uint8Array }[] =>
  readdirSync(join(PKITS, folder)).map((file) => ({
    name: file.replace(/(EE)?\.(crt|crl)$/, '$1'),
    bytes: new Uint8Array(readFileSync(join(PKITS, folder, file))),
  }));

/** As RFC 5280 §7.1 compares, and a little laxer. */
const keyOf = (name: Uint8Array): string => formatName(name).replace(/\s/g, '').toLowerCase();

interface Authority {
  readonly certificate: Certificate;
  readonly subject: string;
  readonly issuer: string;
}

export function runPkits(): PkitsOutcome[] {
  const files = filesOf('certs');
  const root = files.find(({ name }) => name === 'TrustAnchorRootCertificate')!;
  const anchors = new TrustAnchors([root.bytes]);
  const authorities: Authority[] = [];
  for (const { name, bytes } of files) {
    const parsed = parseCertificate(bytes);
    if (!parsed.ok || name.endsWith('EE') || bytes === root.bytes) continue;
    const certificate = parsed.value;
    const [subject, issuer] = [keyOf(certificate.subject), keyOf(certificate.issuer)];
    authorities.push({ certificate, subject, issuer });
  }
  const lists = filesOf('crls').flatMap(({ bytes }) => {
    const parsed = parseRevocationList(bytes);
    return parsed.ok ? [{ list: parsed.value, issuer: keyOf(parsed.value.issuer) }] : [];
  });
  return files
    .filter(({ name }) => name.endsWith('EE'))
    .map(({ name, bytes }) => {
      const { chain, revocationLists } = above(bytes, authorities, lists);
      const options = {
        anchors,
        chain,
        revocationLists,
        purpose: 'serverAuth',
        name: null,
      } as const;
      const found = validatePath({ ...options, crypto: nodeCrypto, at: AT });
      return { name: name.replace(/EE$/, ''), got: found.ok ? 'valid' : found.error.kind };
    });
}

function above(
  leaf: Uint8Array,
  authorities: readonly Authority[],
  lists: readonly { readonly list: RevocationList; readonly issuer: string }[],
): { chain: Uint8Array[]; revocationLists: RevocationList[] } {
  const parsed = parseCertificate(leaf);
  const wanted = new Set(parsed.ok ? [keyOf(parsed.value.issuer)] : []);
  const chain = new Set<Certificate>();
  for (let count = -1; count < wanted.size; ) {
    count = wanted.size;
    for (const { certificate, subject, issuer } of authorities) {
      if (!wanted.has(subject)) continue;
      chain.add(certificate);
      wanted.add(issuer);
    }
  }
  return {
    chain: [leaf, ...[...chain].map(({ raw }) => raw)],
    revocationLists: lists.filter(({ issuer }) => wanted.has(issuer)).map(({ list }) => list),
  };
}
