/**
 * Trust anchors: names and keys that are trusted because the caller says so (RFC 5280 §6.1.1 (d)).
 * They come as certificates, and what these say of themselves binds too (RFC 5937): validity, path
 * length, name constraints, key usage and purposes; an expired anchor is an anchor no more. Their
 * own signatures aren't checked.
 */

import { hot, ok, type Result, type WireFault } from '#core';
import { sameBytes } from './bytes.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { nameKey } from './name.ts';
import { pemDecode } from './pem.ts';

export class TrustAnchors {
  readonly certificates: readonly Certificate[];
  /** Certificates that were given, and are of no use: malformed. */
  readonly malformed: number;
  private readonly bySubject = new Map<string, Certificate[]>();
  /** By nameKey; made when it is first needed. */
  private byKey: Map<string, Certificate[]> | null = null;

  /** Keeps views of the certificates, which must not change. */
  constructor(certificates: readonly Uint8Array[]) {
    const parsed = certificates.map(parseCertificate).filter((one) => one.ok);
    this.certificates = parsed.map((one) => one.value);
    this.malformed = certificates.length - parsed.length;
    for (const one of this.certificates) add(this.bySubject, bytesKey(one.subject), one);
  }

  /** Of all CERTIFICATE blocks of a PEM text, as a CA bundle is. */
  static fromPem(text: string): Result<TrustAnchors, WireFault> {
    const blocks = pemDecode(text);
    if (!blocks.ok) return blocks;
    const certificates = blocks.value.filter(({ label }) => label === 'CERTIFICATE');
    return ok(new TrustAnchors(certificates.map(({ bytes }) => bytes)));
  }

  /** Those whose subject is `name`. */
  withSubject(name: Uint8Array): readonly Certificate[] {
    const found = this.bySubject.get(bytesKey(name));
    if (found !== undefined) return found;
    if (this.byKey === null) {
      this.byKey = new Map();
      for (const one of this.certificates) add(this.byKey, nameKey(one.subject), one);
    }
    return this.byKey.get(nameKey(name)) ?? [];
  }

  /** The anchor that is this very certificate, or null. */
  same({ subject, raw }: Certificate): Certificate | null {
    const found = this.bySubject.get(bytesKey(subject)) ?? [];
    return found.find((one) => sameBytes(one.raw, raw)) ?? null;
  }
}

const bytesKey = (bytes: Uint8Array): string => hot.latin1(bytes, 0, bytes.length);

function add(map: Map<string, Certificate[]>, key: string, certificate: Certificate): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [certificate]);
  else list.push(certificate);
}
