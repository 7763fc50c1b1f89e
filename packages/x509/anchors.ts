/**
 * Trust anchors: names and keys that are trusted because the caller says so (RFC 5280 §6.1.1 (d)).
 * They come as certificates, and what these say of themselves binds too (RFC 5937): validity, path
 * length, name constraints, key usage and purposes; an expired anchor is an anchor no more. Their
 * own signatures aren't checked.
 */

import { hot, ok, type Result, type WireFault } from '#core';
import { sameBytes } from './bytes.ts';
import { type Certificate, parseCertificate, subjectOf } from './certificate.ts';
import { nameKey } from './name.ts';
import { pemDecode } from './pem.ts';

interface Entry {
  readonly raw: Uint8Array;
  /** Undefined until it is asked for; null when it is malformed. */
  certificate: Certificate | null | undefined;
}

export class TrustAnchors {
  private readonly entries: readonly Entry[];
  private readonly bySubject = new Map<string, Entry[]>();
  /** By nameKey; made when it is first needed. */
  private byKey: Map<string, Entry[]> | null = null;

  /** Keeps views of the certificates, which must not change. Each is parsed when it is needed. */
  constructor(certificates: readonly Uint8Array[]) {
    this.entries = certificates.map((raw) => ({ raw, certificate: undefined }));
    for (const entry of this.entries) {
      const subject = subjectOf(entry.raw);
      if (subject === null) entry.certificate = null;
      else add(this.bySubject, bytesKey(subject), entry);
    }
  }

  /** Of all CERTIFICATE blocks of a PEM text, as a CA bundle is. */
  static fromPem(text: string): Result<TrustAnchors, WireFault> {
    const blocks = pemDecode(text);
    if (!blocks.ok) return blocks;
    const certificates = blocks.value.filter(({ label }) => label === 'CERTIFICATE');
    return ok(new TrustAnchors(certificates.map(({ bytes }) => bytes)));
  }

  /** All but the malformed. Parses each. */
  get certificates(): readonly Certificate[] {
    return parsedOf(this.entries);
  }

  /** How many certificates that were given are of no use. Parses each. */
  get malformed(): number {
    return this.entries.length - this.certificates.length;
  }

  /** Those whose subject is `name`. */
  withSubject(name: Uint8Array): readonly Certificate[] {
    const found = this.bySubject.get(bytesKey(name));
    if (found !== undefined) return parsedOf(found);
    if (this.byKey === null) {
      this.byKey = new Map();
      for (const entry of this.entries) {
        const parsed = parsedEntry(entry);
        if (parsed !== null) add(this.byKey, nameKey(parsed.subject), entry);
      }
    }
    return parsedOf(this.byKey.get(nameKey(name)) ?? []);
  }

  /** The anchor that is this very certificate, or null. */
  same({ subject, raw }: Certificate): Certificate | null {
    const found = this.bySubject.get(bytesKey(subject))?.find((one) => sameBytes(one.raw, raw));
    return found === undefined ? null : parsedEntry(found);
  }
}

function parsedEntry(entry: Entry): Certificate | null {
  if (entry.certificate === undefined) {
    const parsed = parseCertificate(entry.raw);
    entry.certificate = parsed.ok ? parsed.value : null;
  }
  return entry.certificate;
}

const parsedOf = (entries: readonly Entry[]): readonly Certificate[] =>
  entries.map(parsedEntry).filter((one) => one !== null);

const bytesKey = (bytes: Uint8Array): string => hot.latin1(bytes, 0, bytes.length);

function add(map: Map<string, Entry[]>, key: string, entry: Entry): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [entry]);
  else list.push(entry);
}
