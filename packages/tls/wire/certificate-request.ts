/** CertificateRequest, RFC 8446 §4.3.2 (13) and RFC 5246 §7.4.4 (12). */

import type { Result } from '#core';
import type { TlsFault } from './alert.ts';
import { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { signatureSchemeNameOf } from './code-points.ts';
import { type CertificateRequestExtensions, certificateRequestExtensions } from './extensions.ts';

export interface CertificateRequest13 {
  readonly context: Uint8Array;
  readonly extensions: CertificateRequestExtensions;
}

export function parseCertificateRequest13(
  body: Uint8Array,
): Result<CertificateRequest13, TlsFault> {
  const from = new ByteReader(body);
  const context = from.vector(1);
  return from.finish({ context, extensions: certificateRequestExtensions.read(from, 2) });
}

export function emitCertificateRequest13(to: ByteWriter, request: CertificateRequest13): void {
  to.vector(1, request.context);
  certificateRequestExtensions.write(to, request.extensions);
}

export const formatCertificateRequest13 = ({ extensions }: CertificateRequest13): string =>
  `certificate_request ${schemesText(extensions.signatureAlgorithms ?? [])}`;

/** ClientCertificateType, RFC 5246 §7.4.4, RFC 8422 §5.5. */
export const RSA_SIGN = 1;
export const ECDSA_SIGN = 64;

export interface CertificateRequest12 {
  readonly types: Uint8Array;
  readonly schemes: readonly number[];
  /** Distinguished names in DER; none: any will do. */
  readonly authorities: readonly Uint8Array[];
}

export function parseCertificateRequest12(
  body: Uint8Array,
): Result<CertificateRequest12, TlsFault> {
  const from = new ByteReader(body);
  return from.finish({
    types: from.vector(1, 1),
    schemes: from.u16s(2, 2),
    authorities: from.list(2, 0, () => from.vector(2, 1)),
  });
}

export function emitCertificateRequest12(to: ByteWriter, request: CertificateRequest12): void {
  to.vector(1, request.types);
  to.u16s(2, request.schemes);
  to.list(2, request.authorities, (name) => to.vector(2, name));
}

export const formatCertificateRequest12 = ({ schemes }: CertificateRequest12): string =>
  `certificate_request ${schemesText(schemes)}`;

const schemesText = (schemes: readonly number[]): string =>
  schemes.map((scheme) => signatureSchemeNameOf(scheme) ?? `0x${scheme.toString(16)}`).join(' ');
