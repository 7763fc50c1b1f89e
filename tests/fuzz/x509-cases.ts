/** What others write of certificates. Their own bytes stand for them when they are written. */

import { createPrivateKey } from 'node:crypto';
import { err, hot, ok, type Result, type WireFault, wallTimeOfMillis } from '#core';
import { parsePkcs8 } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import type { SimRandom } from '#targets/sim/index';
import {
  alternativeNames,
  type Certificate,
  CertificateAuthority,
  commonName,
  createCertificateRequest,
  formatName,
  hostName,
  type PemBlock,
  parseCertificate,
  parseCertificateRequest,
  parseRevocationList,
  pemDecode,
  pemEncode,
  privateKeyFromPem,
  privateKeyToPem,
  TrustAnchors,
  validatePath,
  verifyRequest,
} from '#x509';
import { type WireCase, wireCase } from './wire-case.ts';

const AT = wallTimeOfMillis(Date.UTC(2026, 10, 26));
const validity = { notBefore: AT, notAfter: wallTimeOfMillis(AT + 86_400_000) };

interface Made {
  readonly root: CertificateAuthority;
  readonly leaf: Uint8Array;
  readonly request: Uint8Array;
  readonly key: string;
}

let made: Made | null = null;

/** Made once: what is mutated is the same for all. */
function make(entropy: SimRandom): Made {
  if (made !== null) return made;
  const tools = { crypto: nodeCrypto, entropy };
  const constraints = {
    permitted: [hostName('example.com')!, { kind: 'directory', name: commonName('a') } as const],
    excluded: [
      { kind: 'ip', bytes: Uint8Array.of(10, 0, 0, 0, 255, 0, 0, 0) } as const,
      { kind: 'uri', text: 'https://example.com/' } as const,
    ],
  };
  const root = CertificateAuthority.create(tools, { name: 'Rööt', constraints, ...validity });
  const key = nodeCrypto.generatePrivateKey('P-256', entropy);
  const names = ['example.com', '*.example.com', '2001:db8::1'];
  const purposes = ['serverAuth', 'clientAuth'] as const;
  const leaf = root.issue({ names, spki: key.spki, purposes, ...validity });
  const extensions = [alternativeNames([hostName('example.com')!])];
  const request = createCertificateRequest({ subject: commonName('a'), extensions }, key, entropy);
  made = { root, leaf, request, key: privateKeyToPem(key) };
  return made;
}

function derCase<R extends { readonly raw: Uint8Array }>(
  name: string,
  parse: (b: Uint8Array) => Result<R, WireFault>,
  seeds: (parts: Made) => Uint8Array[],
  format: (repr: R) => string,
): WireCase {
  return wireCase({
    name,
    parse,
    emit(to, { raw }) {
      hot.copy(to, 0, raw, 0, raw.length);
      return raw.length;
    },
    seeds: (random) => seeds(make(random)),
    format,
  });
}

/** Also what is asked of a certificate that was read: whether it is believed. */
function formatCertificate({ raw, subject, issuer }: Certificate): string {
  const { root, leaf } = made!;
  const common = {
    crypto: nodeCrypto,
    at: AT,
    purpose: 'serverAuth',
    name: 'example.com',
  } as const;
  validatePath({
    ...common,
    chain: [raw, leaf],
    anchors: new TrustAnchors([root.certificate.raw]),
  });
  validatePath({ ...common, chain: [leaf, raw], anchors: new TrustAnchors([raw]) });
  return `${formatName(subject)} by ${formatName(issuer)}`;
}

const pem = wireCase<readonly PemBlock[]>({
  name: 'PEM',
  parse: (b) => pemDecode(hot.latin1(b, 0, b.length)),
  emit: (to, blocks) =>
    hot.writeLatin1(to, 0, blocks.map(({ label, bytes }) => pemEncode(label, bytes)).join('')),
  seeds: (random) => [hot.utf8Encode(`text\n${pemEncode('CERTIFICATE', make(random).leaf)}`)],
});

/** What is inside of "EC PRIVATE KEY". */
const sec1 = wireCase<{ readonly raw: Uint8Array; readonly spki: Uint8Array }>({
  name: 'SEC 1 private key',
  parse(b) {
    const found = privateKeyFromPem(nodeCrypto, pemEncode('EC PRIVATE KEY', b));
    if (!found.ok) return err({ kind: 'field', offset: 0, value: b[0] ?? 0 });
    return ok({ raw: b.slice(), spki: found.value.spki });
  },
  emit(to, { raw }) {
    hot.copy(to, 0, raw, 0, raw.length);
    return raw.length;
  },
  seeds(random) {
    const key = createPrivateKey(make(random).key).export({ type: 'sec1', format: 'der' });
    // And without the public half at its end, 70 bytes.
    const bare = Uint8Array.of(0x30, key.length - 72, ...key.subarray(2, -70));
    return [new Uint8Array(key), bare];
  },
});

const pkcs8 = wireCase<{ readonly raw: Uint8Array; readonly parts: unknown }>({
  name: 'PKCS #8',
  parse(b) {
    const parts = parsePkcs8(b);
    return parts === null
      ? err({ kind: 'field', offset: 0, value: 0 })
      : ok({ raw: b.slice(), parts });
  },
  emit(to, { raw }) {
    hot.copy(to, 0, raw, 0, raw.length);
    return raw.length;
  },
  seeds: (random) => {
    const blocks = pemDecode(make(random).key);
    return blocks.ok ? blocks.value.map(({ bytes }) => bytes) : [];
  },
});

export const x509Cases: readonly WireCase[] = [
  derCase(
    'certificate',
    parseCertificate,
    ({ root, leaf }) => [root.certificate.raw, leaf],
    formatCertificate,
  ),
  derCase(
    'revocation list',
    parseRevocationList,
    ({ root }) => [root.revoke([Uint8Array.of(1), Uint8Array.of(2)], AT, AT, 3)],
    ({ issuer }) => formatName(issuer),
  ),
  derCase(
    'certificate request',
    parseCertificateRequest,
    ({ request }) => [request],
    (request) => String(verifyRequest(nodeCrypto, request)),
  ),
  pem,
  sec1,
  pkcs8,
];
