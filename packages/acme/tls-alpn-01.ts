/**
 * Answers the question of a tls-alpn-01 proof (RFC 8737) on port 443: whoever offers the protocol
 * "acme-tls/1" and a name gets a certificate that has the proof in it. Nothing is said after the
 * handshake: whoever accepted the connection ends it.
 */

import { assert, wallTimeOfMillis } from '#core';
import {
  type Clock,
  type CryptoPrimitives,
  type Entropy,
  type PrivateKey,
  parseIpv4Text,
  parseIpv6Text,
} from '#device';
import { alternativeNames, commonName, createCertificate, hostName, randomSerial } from '#x509';
import type { Proof, Proofs } from './challenge.ts';
import { textBytes } from './jose.ts';
import type { Identifier } from './wire/resources.ts';

/** RFC 8737 §4: to be in the server's list of protocols. */
export const ACME_TLS_ALPN = 'acme-tls/1';

/** id-pe-acmeIdentifier, RFC 8737 §6.1. */
const ACME_IDENTIFIER = '1.3.6.1.5.5.7.1.31';
const DAY_MILLIS = 86_400_000;

/** As packages/tls has its credentials. */
export interface Certified {
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly key: PrivateKey;
}

export interface AlpnTools {
  readonly crypto: CryptoPrimitives;
  readonly entropy: Entropy;
  readonly clock: Clock;
}

export class AlpnAnswers {
  private readonly proofs: Proofs;
  private readonly tools: AlpnTools;
  /** Made when first asked for: a key and a signature each. */
  private readonly made = new WeakMap<Proof, Certified>();

  constructor(proofs: Proofs, tools: AlpnTools) {
    this.proofs = proofs;
    this.tools = tools;
  }

  /** What proves `serverName`, for a client that offers `alpn`; null: it is no such client. */
  answer(serverName: string | null, alpn: readonly string[]): Certified | null {
    // RFC 8737 §3: exactly this one.
    if (serverName === null || alpn.length !== 1 || alpn[0] !== ACME_TLS_ALPN) return null;
    const name = serverName.toLowerCase();
    const proof = this.proofs.find(
      'tls-alpn-01',
      ({ identifier }) => serverNameOf(identifier) === name,
    );
    if (proof === null) return null;
    let certified = this.made.get(proof);
    if (certified === undefined) {
      certified = certificateOf(proof, this.tools);
      this.made.set(proof, certified);
    }
    return certified;
  }
}

/** Signed by itself; good for a week around now, whatever the authority's clock says. */
function certificateOf(
  { identifier, keyAuthorization }: Proof,
  { crypto, entropy, clock }: AlpnTools,
): Certified {
  const key = crypto.generatePrivateKey('P-256', entropy);
  const name = hostName(identifier.value);
  assert(name !== null);
  const digest = crypto.digest('SHA-256', textBytes(keyAuthorization));
  // An OCTET STRING of 32 bytes.
  const value = Uint8Array.of(0x04, digest.length, ...digest);
  const wall = clock.wall();
  const subject = commonName('ACME challenge');
  const contents = {
    serial: randomSerial(entropy),
    issuer: subject,
    subject,
    notBefore: wallTimeOfMillis(wall - 3 * DAY_MILLIS),
    notAfter: wallTimeOfMillis(wall + 4 * DAY_MILLIS),
    spki: key.spki,
    extensions: [alternativeNames([name]), { oid: ACME_IDENTIFIER, critical: true, value }],
  };
  return { chain: [createCertificate(contents, key, entropy)], key };
}

/** How the authority asks for it: an address by its name in the reverse tree (RFC 8738 §6). */
export function serverNameOf({ type, value }: Identifier): string {
  if (type === 'dns') return value;
  const ipv4 = parseIpv4Text(value);
  if (ipv4 !== null) return `${[...ipv4].reverse().join('.')}.in-addr.arpa`;
  const nibbles = [...(parseIpv6Text(value) ?? [])].flatMap((byte) => [byte >> 4, byte % 16]);
  return `${nibbles
    .reverse()
    .map((nibble) => nibble.toString(16))
    .join('.')}.ip6.arpa`;
}
