/**
 * A small certificate authority: for development (`morgana cert`), tests, and programs that make
 * their own when they boot. Its key lives in it until `destroy`.
 */

import { assert, type WallTime } from '#core';
import type { CryptoPrimitives, Entropy, PrivateKey, PrivateKeyType } from '#device';
import { sameBytes } from './bytes.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { createCertificate, createRevocationList, randomSerial } from './create.ts';
import {
  alternativeNames,
  authorityConstraints,
  authorityKey,
  crlNumber,
  hostName,
  keyIdOf,
  keyUsages,
  leafConstraints,
  nameConstraints,
  type Purpose,
  purposes,
  subjectKey,
} from './extension-writer.ts';
import { type Extension, keyUsage, type NameConstraints } from './extensions.ts';
import { commonName, makeName, type NameDer } from './name.ts';

/** What makes keys and chance. */
export interface AuthorityTools {
  readonly crypto: CryptoPrimitives;
  readonly entropy: Entropy;
}

export interface AuthorityOptions {
  /** The common name. */
  readonly name: string;
  readonly notBefore: WallTime;
  readonly notAfter: WallTime;
  /** How many CAs may be between it and a leaf; null: any. Default 0. */
  readonly pathLength?: number | null;
  readonly constraints?: NameConstraints;
  /** Default P-256. */
  readonly keyType?: PrivateKeyType;
}

export interface LeafOptions {
  /** Host names (also "*.example.com") and IP addresses. Empty: `subject` must be given. */
  readonly names: readonly string[];
  /** Default: the first name that fits as common name, else empty. */
  readonly subject?: NameDer;
  readonly notBefore: WallTime;
  readonly notAfter: WallTime;
  /** The public key of the leaf. */
  readonly spki: Uint8Array;
  readonly purposes: readonly Purpose[];
  /** Beside those that every leaf has. */
  readonly extensions?: readonly Extension[];
}

/** RFC 5280, appendix A: ub-common-name. */
const COMMON_NAME_CHARACTERS_MAX = 64;

export class CertificateAuthority {
  readonly certificate: Certificate;
  private readonly tools: AuthorityTools;
  private readonly key: PrivateKey;
  private readonly keyId: Uint8Array;

  /** `key` is the certificate's, and the authority's to destroy. */
  constructor(tools: AuthorityTools, certificate: Certificate, key: PrivateKey) {
    assert(sameBytes(key.spki, certificate.spki), 'the key is not the certificate’s');
    assert(certificate.extensions.basicConstraints?.ca === true, 'not a CA certificate');
    this.tools = tools;
    this.certificate = certificate;
    this.key = key;
    this.keyId = certificate.extensions.subjectKeyId ?? keyIdOf(tools.crypto, certificate.spki);
  }

  /** A new one with a new key, signed by itself. */
  static create(tools: AuthorityTools, options: AuthorityOptions): CertificateAuthority {
    const key = tools.crypto.generatePrivateKey(options.keyType ?? 'P-256', tools.entropy);
    const issuer = { name: commonName(options.name), key, keyId: null };
    return authorityOf(tools, options, key, issuer);
  }

  /** Another one below this one, with a new key. */
  createIntermediate(options: AuthorityOptions): CertificateAuthority {
    const key = this.tools.crypto.generatePrivateKey(
      options.keyType ?? 'P-256',
      this.tools.entropy,
    );
    const issuer = { name: this.certificate.subject, key: this.key, keyId: this.keyId };
    return authorityOf(this.tools, options, key, issuer);
  }

  /** The DER of a certificate for others. */
  issue(options: LeafOptions): Uint8Array {
    const { crypto, entropy } = this.tools;
    const { names, notBefore, notAfter, spki } = options;
    const hosts = names.map((name) => {
      const host = hostName(name);
      assert(host !== null, `${name} is neither a host name nor an address`);
      return host;
    });
    const subject = options.subject ?? subjectOf(names);
    const isEmpty = subject.length === makeName([]).length;
    const extensions = [
      leafConstraints(),
      keyUsages(keyUsage.digitalSignature),
      purposes(options.purposes),
      ...(hosts.length === 0 ? [] : [alternativeNames(hosts, isEmpty)]),
      subjectKey(keyIdOf(crypto, spki)),
      authorityKey(this.keyId),
      ...(options.extensions ?? []),
    ];
    const issuer = this.certificate.subject;
    const serial = randomSerial(entropy);
    const contents = { serial, issuer, subject, notBefore, notAfter, spki, extensions };
    return createCertificate(contents, this.key, entropy);
  }

  /** The DER of a list of those that are revoked. */
  revoke(
    serials: readonly Uint8Array[],
    thisUpdate: WallTime,
    nextUpdate: WallTime,
    number: number,
  ): Uint8Array {
    const revoked = serials.map((serial) => ({ serial, at: thisUpdate }));
    const extensions = [authorityKey(this.keyId), crlNumber(number)];
    const issuer = this.certificate.subject;
    const contents = { issuer, thisUpdate, nextUpdate, revoked, extensions };
    return createRevocationList(contents, this.key, this.tools.entropy);
  }

  /** A copy of the secret, PKCS #8. */
  privateKey(): Uint8Array {
    return this.key.pkcs8();
  }

  /** Wipes the key: nothing more can be signed with it. */
  destroy(): void {
    this.key.destroy();
  }
}

interface Issuer {
  readonly name: NameDer;
  readonly key: PrivateKey;
  /** Null: it signs itself. */
  readonly keyId: Uint8Array | null;
}

function authorityOf(
  tools: AuthorityTools,
  options: AuthorityOptions,
  key: PrivateKey,
  issuer: Issuer,
): CertificateAuthority {
  const { crypto, entropy } = tools;
  const keyId = keyIdOf(crypto, key.spki);
  const pathLength = options.pathLength === undefined ? 0 : options.pathLength;
  const extensions = [
    authorityConstraints(pathLength),
    keyUsages(keyUsage.keyCertSign + keyUsage.crlSign),
    ...(options.constraints === undefined ? [] : [nameConstraints(options.constraints)]),
    subjectKey(keyId),
    ...(issuer.keyId === null ? [] : [authorityKey(issuer.keyId)]),
  ];
  const { notBefore, notAfter } = options;
  const subject = commonName(options.name);
  const rest = { subject, notBefore, notAfter, spki: key.spki, extensions };
  const contents = { serial: randomSerial(entropy), issuer: issuer.name, ...rest };
  const parsed = parseCertificate(createCertificate(contents, issuer.key, entropy));
  assert(parsed.ok, 'our own certificate is malformed');
  return new CertificateAuthority(tools, parsed.value, key);
}

function subjectOf(names: readonly string[]): NameDer {
  const first = names.find((name) => name.length <= COMMON_NAME_CHARACTERS_MAX);
  return first === undefined ? makeName([]) : commonName(first);
}
