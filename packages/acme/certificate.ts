/**
 * What is asked for and what comes: names as identifiers, the request for a certificate, the check
 * of the chain (RFC 8555 §7.4.2: the client doesn't believe it blindly), and the name that RFC 9773
 * gives a certificate.
 */

import { err, hot, ok, type Result, type WallTime } from '#core';
import {
  type Entropy,
  formatIpv6Text,
  isHostName,
  type PrivateKey,
  parseIpv4Text,
  parseIpv6Text,
} from '#device';
import {
  alternativeNames,
  type Certificate,
  createCertificateRequest,
  hostName,
  makeName,
  matchesHost,
  parseCertificate,
  pemDecode,
  sameBytes,
} from '#x509';
import type { CertificateFault } from './error.ts';
import { base64url } from './wire/base64url.ts';
import type { Identifier } from './wire/resources.ts';

/** A host's name, or an IP address (RFC 8738); null for other texts: wildcards too, see README. */
export function identifierOf(name: string): Identifier | null {
  if (parseIpv4Text(name) !== null) return { type: 'ip', value: name };
  const ipv6 = parseIpv6Text(name);
  // RFC 8738 §3: in the one form that RFC 5952 has for it.
  if (ipv6 !== null) return { type: 'ip', value: formatIpv6Text(ipv6) };
  const isName = isHostName(name) && !name.endsWith('.');
  return isName ? { type: 'dns', value: name.toLowerCase() } : null;
}

/** PKCS#10, DER, with all `names` as alternative names and no subject (RFC 8555 §7.4). */
export function requestFor(
  identifiers: readonly Identifier[],
  key: PrivateKey,
  entropy: Entropy,
): Uint8Array {
  const names = identifiers.map(({ value }) => hostName(value)!);
  const asked = { subject: makeName([]), extensions: [alternativeNames(names)] };
  return createCertificateRequest(asked, key, entropy);
}

/** What the chain must be. */
export interface ChainCheck {
  readonly identifiers: readonly Identifier[];
  /** Of the key that it was asked for with. */
  readonly spki: Uint8Array;
  readonly at: WallTime;
  readonly certificatesMax: number;
}

/** How much later than ours an authority's clock may be, in milliseconds: an hour. */
const CLOCK_SKEW_MILLIS = 3_600_000;

/** The certificates of a chain in PEM, DER, leaf first (RFC 8555 §9.1); or why it isn't taken. */
export function readChain(
  bytes: Uint8Array,
  check: ChainCheck,
): readonly Uint8Array[] | CertificateFault {
  const blocks = pemDecode(hot.latin1(bytes, 0, bytes.length));
  if (!blocks.ok) return 'malformed';
  const ders = blocks.value.map((block) => block.bytes);
  if (blocks.value.some(({ label }) => label !== 'CERTIFICATE')) return 'malformed';
  const chain = checkChain(ders, check);
  return chain.ok ? ders : chain.error;
}

/** The leaf of a chain, when it is what it must be. Signatures are the authority's business. */
export function checkChain(
  ders: readonly Uint8Array[],
  { identifiers, spki, at, certificatesMax }: ChainCheck,
): Result<Certificate, CertificateFault> {
  if (ders.length > certificatesMax) return err('too many');
  const chain: Certificate[] = [];
  for (const der of ders) {
    const parsed = parseCertificate(der);
    if (!parsed.ok) return err('malformed');
    chain.push(parsed.value);
  }
  const [leaf] = chain;
  if (leaf === undefined) return err('no certificate');
  if (!sameBytes(leaf.spki, spki)) return err('another key');
  const names = leaf.extensions.subjectAltNames ?? [];
  const covers = ({ value }: Identifier) => matchesHost(names, value);
  if (!identifiers.every(covers)) return err('other names');
  if (leaf.notBefore > at + CLOCK_SKEW_MILLIS || leaf.notAfter <= at) return err('not valid now');
  const isChain = chain.every((one, i) => i === 0 || sameBytes(chain[i - 1]!.issuer, one.subject));
  return isChain ? ok(leaf) : err('broken chain');
}

/** RFC 9773 §4.1: its issuer's key and its serial number; null where it doesn't name the key. */
export function renewalIdOf({ extensions, serial }: Certificate): string | null {
  const issuer = extensions.authorityKeyId;
  return issuer === null ? null : `${base64url(issuer)}.${base64url(serial)}`;
}
