/**
 * Certificate, RFC 8446 §4.4.2 (13) and RFC 5246 §7.4.2 (12); CertificateStatus of TLS 1.2, RFC
 * 6066 §8. Certificates are views of the parsed bytes, leaf first. Not here: what is in them.
 */

import type { Result } from '#core';
import type { TlsFault } from './alert.ts';
import { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { ocspResponse } from './extension-values.ts';
import { type CertificateExtensions, certificateExtensions } from './extensions.ts';

export interface CertificateEntry {
  readonly der: Uint8Array;
  readonly extensions: CertificateExtensions;
}

export interface Certificate13 {
  /** Of the request that it answers; empty within a handshake's. */
  readonly context: Uint8Array;
  readonly entries: readonly CertificateEntry[];
}

export function parseCertificate13(body: Uint8Array): Result<Certificate13, TlsFault> {
  const from = new ByteReader(body);
  const context = from.vector(1);
  const entries = from.list(3, 0, () => ({
    der: from.vector(3, 1),
    extensions: certificateExtensions.read(from),
  }));
  return from.finish({ context, entries });
}

export function emitCertificate13(to: ByteWriter, { context, entries }: Certificate13): void {
  to.vector(1, context);
  to.list(3, entries, ({ der, extensions }) => {
    to.vector(3, der);
    certificateExtensions.write(to, extensions);
  });
}

export const formatCertificate13 = ({ entries }: Certificate13): string =>
  `certificate: ${entries.map(({ der }) => `${der.length} bytes`).join(', ') || 'none'}`;

export interface Certificate12 {
  readonly chain: readonly Uint8Array[];
}

export function parseCertificate12(body: Uint8Array): Result<Certificate12, TlsFault> {
  const from = new ByteReader(body);
  return from.finish({ chain: from.list(3, 0, () => from.vector(3, 1)) });
}

export const emitCertificate12 = (to: ByteWriter, { chain }: Certificate12): void =>
  to.list(3, chain, (der) => to.vector(3, der));

export const formatCertificate12 = ({ chain }: Certificate12): string =>
  `certificate: ${chain.map((der) => `${der.length} bytes`).join(', ') || 'none'}`;

export interface CertificateStatus {
  /** In DER. */
  readonly ocsp: Uint8Array;
}

export function parseCertificateStatus(body: Uint8Array): Result<CertificateStatus, TlsFault> {
  const from = new ByteReader(body);
  return from.finish({ ocsp: ocspResponse.read(from) });
}

export const emitCertificateStatus = (to: ByteWriter, { ocsp }: CertificateStatus): void =>
  ocspResponse.write(to, ocsp);

export const formatCertificateStatus = ({ ocsp }: CertificateStatus): string =>
  `certificate_status, ${ocsp.length} bytes`;
