/** Requests for certificates: PKCS #10, RFC 2986, with the extensions that are asked for. */

import { err, ok, type Result, type WireFault } from '#core';
import type { CryptoPrimitives, Entropy, PrivateKey } from '#device';
import { type CertificateAlgorithm, signatureAlgorithm } from './algorithm.ts';
import { readPublicKeyInfo, readSigned } from './certificate.ts';
import { signed } from './create.ts';
import { contextHolder, DerReader, tag } from './der.ts';
import { der, derOid, derSequence, derSet, derSmall } from './der-writer.ts';
import { emitExtensions } from './extension-writer.ts';
import { type Extension, type Extensions, NO_EXTENSIONS, readExtensions } from './extensions.ts';
import { CERTIFICATE_BYTES_MAX } from './limits.ts';
import { type NameDer, readName } from './name.ts';
import { oid } from './oid.ts';

/** All arrays are views of `raw`. */
export interface CertificateRequest {
  readonly raw: Uint8Array;
  readonly tbs: Uint8Array;
  readonly algorithm: CertificateAlgorithm;
  readonly signature: Uint8Array;
  readonly subject: NameDer;
  readonly spki: Uint8Array;
  /** Those asked for (RFC 2985 §5.4.2). */
  readonly extensions: Extensions;
}

/** Keeps views of `raw`, which must not change. Its signature isn't checked: `verifyRequest`. */
export function parseCertificateRequest(raw: Uint8Array): Result<CertificateRequest, WireFault> {
  const outside = readSigned(raw, CERTIFICATE_BYTES_MAX);
  if (!outside.ok) return outside;
  const { tbs, algorithm, signature } = outside.value;
  const reader = new DerReader(tbs);
  reader.open(tag.sequence);
  reader.small(0);
  const subject = readName(reader);
  const spki = readPublicKeyInfo(reader);
  let extensions: Extensions | null = null;
  const outer = reader.open(contextHolder(0));
  while (reader.more) {
    const outerAttribute = reader.open(tag.sequence);
    const name = reader.oid();
    const outerValues = reader.open(tag.set);
    if (name === oid.extensionRequest) {
      if (extensions !== null) reader.refuse();
      extensions = readExtensions(reader);
    } else {
      do reader.skipElement();
      while (reader.more);
    }
    reader.close(outerValues);
    reader.close(outerAttribute);
  }
  reader.close(outer);
  const fault = reader.finish();
  if (fault !== null) return err(fault);
  const asked = { subject, spki, extensions: extensions ?? NO_EXTENSIONS };
  return ok({ raw, tbs, signature, algorithm: signatureAlgorithm(algorithm), ...asked });
}

/** Whether who asks holds the key: the request is signed with it (RFC 2986 §3). */
export function verifyRequest(crypto: CryptoPrimitives, request: CertificateRequest): boolean {
  const { algorithm, tbs, signature, spki } = request;
  if (typeof algorithm === 'string') return false;
  return crypto.importPublicKey(spki)?.verify(algorithm, tbs, signature) ?? false;
}

/** The DER of a request for a certificate of `key`. */
export function createCertificateRequest(
  { subject, extensions }: { subject: NameDer; extensions: readonly Extension[] },
  key: PrivateKey,
  entropy: Entropy,
): Uint8Array {
  const asked =
    extensions.length === 0
      ? []
      : [derSequence(derOid(oid.extensionRequest), derSet(emitExtensions(extensions)))];
  const info = derSequence(derSmall(0), subject, key.spki, der(contextHolder(0), ...asked));
  return signed(info, key, entropy);
}
