/** CertificateVerify: RFC 8446 §4.4.3, and the same bytes in RFC 5246 §7.4.8. */

import type { Result } from '#core';
import type { TlsFault } from './alert.ts';
import { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { signatureSchemeNameOf } from './code-points.ts';

export interface CertificateVerify {
  readonly scheme: number;
  /** A view of the parsed bytes. */
  readonly signature: Uint8Array;
}

export function parseCertificateVerify(body: Uint8Array): Result<CertificateVerify, TlsFault> {
  const from = new ByteReader(body);
  return from.finish({ scheme: from.u16(), signature: from.vector(2) });
}

export function emitCertificateVerify(to: ByteWriter, verify: CertificateVerify): void {
  to.u16(verify.scheme);
  to.vector(2, verify.signature);
}

export const formatCertificateVerify = ({ scheme }: CertificateVerify): string =>
  `certificate_verify ${signatureSchemeNameOf(scheme) ?? `0x${scheme.toString(16)}`}`;
