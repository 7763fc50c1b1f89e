/**
 * A program's certificates with their keys: made from PEM blocks, chosen by the name that a client
 * asks for (SNI, RFC 6066 §3). A key belongs to the certificate with its public key, wherever
 * either stands; a certificate with a key begins a chain, and those behind it in the same file are
 * its issuers. Not here: where the blocks come from (pem-source.ts).
 */

import { err, ok, type Result, type WallTime } from '#core';
import {
  type CertificateSnapshot,
  type CryptoPrimitives,
  formatIpv4Text,
  formatIpv6Text,
  keyFits,
  type PrivateKey,
  type SignatureScheme,
} from '#device';
import type { Credentials } from '#tls';
import {
  type Certificate,
  matchesHost,
  parseCertificate,
  privateKeyFromBlock,
  sameBytes,
} from '#x509';
import { CREDENTIALS_MAX } from './limits.ts';
import type { PemGroup } from './pem-source.ts';

/** One certificate with its key. */
export interface ShelvedCredentials extends Credentials {
  readonly leaf: Certificate;
  /** Where it came from. */
  readonly origin: string;
}

/** Names that a certificate is for, as text; addresses too. */
export function namesOf({ extensions }: Certificate): string[] {
  return (extensions.subjectAltNames ?? []).flatMap((name) => {
    if (name.kind === 'dns') return [name.text];
    return name.kind === 'ip' ? [formatAddress(name.bytes)] : [];
  });
}

export class CredentialShelf {
  readonly all: readonly ShelvedCredentials[];

  private constructor(all: readonly ShelvedCredentials[]) {
    this.all = all;
  }

  /**
   * All that `groups` have, in their order; one sentence when a block is wrong or a key or
   * certificate is missing, and then no key is left. Wipes the keys' bytes in `groups`.
   */
  static from(
    groups: readonly PemGroup[],
    crypto: CryptoPrimitives,
  ): Result<CredentialShelf, string> {
    const keys: PrivateKey[] = [];
    const all: ShelvedCredentials[] = [];
    const wrong =
      readKeys(groups, crypto, keys) ?? readChains(groups, keys, all) ?? complaint(keys, all);
    if (wrong === null) return ok(new CredentialShelf(all));
    for (const key of keys) key.destroy();
    return err(wrong);
  }

  /**
   * For a client that asks for `serverName` and can check `schemes`: first those that name it, then
   * the first of all, which is as good as any for a name that nobody has (RFC 6066 §3 lets a server
   * go on). Null: there is none at all.
   */
  choose(
    serverName: string | null,
    schemes: readonly SignatureScheme[],
  ): ShelvedCredentials | null {
    const usable = this.all.filter(({ key }) => schemes.some((scheme) => keyFits(scheme, key)));
    const first = usable[0] ?? this.all[0] ?? null;
    if (serverName === null) return first;
    const named = usable.find(({ leaf }) => {
      const names = leaf.extensions.subjectAltNames;
      return names !== null && matchesHost(names, serverName);
    });
    return named ?? first;
  }

  /** The first host name that is no wildcard; null: there is none. */
  get firstName(): string | null {
    const names = this.all.flatMap(({ leaf }) => namesOf(leaf));
    return names.find((name) => !name.startsWith('*')) ?? null;
  }

  snapshot(): CertificateSnapshot[] {
    return this.all.map(({ leaf, key, origin }) => ({
      names: namesOf(leaf),
      keyType: key.curve ?? (key.type === 'Ed25519' ? key.type : `${key.type}-${key.bits}`),
      notAfterMillis: leaf.notAfter,
      origin,
    }));
  }

  /** What an operator should know: certificates that aren't valid now. */
  warnings(now: WallTime): string[] {
    return this.all.flatMap(({ leaf, origin }) => {
      const what = `the certificate for ${namesOf(leaf).join(', ') || 'nobody'} (${origin})`;
      if (leaf.extensions.subjectAltNames === null) return [`${what} names no host`];
      if (now > leaf.notAfter) return [`${what} has expired`];
      return now < leaf.notBefore ? [`${what} is not valid yet`] : [];
    });
  }

  /** Wipes the keys. */
  destroy(): void {
    for (const { key } of this.all) key.destroy();
  }
}

/** Puts the private keys of `groups` into `keys`; one sentence when one is wrong. */
function readKeys(
  groups: readonly PemGroup[],
  crypto: CryptoPrimitives,
  keys: PrivateKey[],
): string | null {
  for (const { name, blocks } of groups) {
    for (const block of blocks) {
      if (!block.label.endsWith('PRIVATE KEY')) continue;
      const key = privateKeyFromBlock(crypto, block);
      if (!key.ok) return `${name} has a private key that can't be used: ${key.error}`;
      const { value } = key;
      // The same file may be named twice.
      if (keys.some(({ spki }) => sameBytes(spki, value.spki))) value.destroy();
      else keys.push(value);
    }
  }
  return null;
}

/** Puts the chains of `groups` into `all`, each with its key; one sentence when one is wrong. */
function readChains(
  groups: readonly PemGroup[],
  keys: readonly PrivateKey[],
  all: ShelvedCredentials[],
): string | null {
  for (const { name, blocks } of groups) {
    let chain: Uint8Array[] | null = null;
    for (const { label, bytes } of blocks) {
      if (label !== 'CERTIFICATE') continue;
      const parsed = parseCertificate(bytes);
      if (!parsed.ok) return `${name} has a malformed certificate`;
      const leaf = parsed.value;
      const key = keys.find(({ spki }) => sameBytes(spki, leaf.spki));
      if (key === undefined) {
        // An issuer of the chain before it; one before all chains is a CA that lies about.
        chain?.push(bytes);
        continue;
      }
      chain = [bytes];
      all.push({ chain, key, leaf, origin: name });
    }
  }
  return null;
}

function complaint(keys: readonly PrivateKey[], all: readonly ShelvedCredentials[]): string | null {
  if (all.length > CREDENTIALS_MAX) return `more than ${CREDENTIALS_MAX} certificates with keys`;
  if (keys.length === 0) return 'there is no private key';
  if (all.length === 0) return 'there is no certificate for the private key';
  const isUsed = (key: PrivateKey): boolean => all.some((one) => one.key === key);
  return keys.every(isUsed) ? null : 'there is a private key without its certificate';
}

const formatAddress = (bytes: Uint8Array): string =>
  bytes.length === 4 ? formatIpv4Text(bytes) : formatIpv6Text(bytes);
