/** A file in one coding, with the responses that can be made from it: RFC 9110 §8, §15. */

import { hot } from '#core';
import type { KvEncoding, KvEntry } from '#device';
import { contentTypeOf } from './content-type.ts';
import { isFingerprinted } from './fingerprint.ts';
import { PreparedResponse } from './prepared-response.ts';
import { parseAcceptEncoding } from './wire/accept-encoding.ts';
import { formatHttpDate } from './wire/http-date.ts';
import type { ByteRange } from './wire/range.ts';

const NONE: readonly Uint8Array[] = [];
/**
 * A fingerprinted name never gets other content (RFC 8246); what has no fingerprint is asked for
 * again, with its ETag.
 */
const CACHE_FOR_EVER = 'public, max-age=31536000, immutable';
const CACHE_AND_ASK = 'no-cache';

/** Fields of every answer: types are not to be guessed. */
export const SAFE_LINES = 'X-Content-Type-Options: nosniff\r\n';
/**
 * Fields of pages: who may frame them, and what a link tells the next site. Neither breaks an
 * ordinary site.
 */
export const PAGE_LINES =
  'Referrer-Policy: strict-origin-when-cross-origin\r\nX-Frame-Options: SAMEORIGIN\r\n';

/** Copies of short bodies kept beside their heads, of all files together. */
export interface JoinedTotal {
  bytes: number;
  readonly bytesMax: number;
}

/** A file, in all its codings. */
export class SiteFile {
  readonly entry: KvEntry;
  readonly type: string;
  readonly cacheControl: string;
  readonly lastModified: string;
  /** 404 for the page that stands for missing ones, else 200. */
  readonly status: 200 | 404;
  readonly joined: JoinedTotal;
  private readonly made = new Map<KvEncoding | 'identity', Representation>();

  constructor(path: string, entry: KvEntry, status: 200 | 404, joined: JoinedTotal) {
    this.entry = entry;
    this.type = contentTypeOf(path);
    this.cacheControl = status === 200 && isFingerprinted(path) ? CACHE_FOR_EVER : CACHE_AND_ASK;
    this.lastModified = formatHttpDate(entry.modifiedSeconds);
    this.status = status;
    this.joined = joined;
  }

  /**
   * The representation that an Accept-Encoding of `acceptEncoding` selects (RFC 9110 §12.5.3): the
   * heaviest, then the smallest.
   */
  select(acceptEncoding: string | null): Representation {
    let coding: KvEncoding | 'identity' = 'identity';
    let bytes = this.entry.bytes;
    if (acceptEncoding !== null && this.entry.variants.length > 0) {
      const weights = parseAcceptEncoding(acceptEncoding);
      let best = weights.identity;
      for (const variant of this.entry.variants) {
        const weight = weights[variant.encoding];
        if (weight === 0 || weight < best) continue;
        if (weight === best && variant.bytes.length >= bytes.length) continue;
        best = weight;
        coding = variant.encoding;
        bytes = variant.bytes;
      }
    }
    let representation = this.made.get(coding);
    if (representation === undefined) {
      representation = new Representation(this, coding, bytes);
      this.made.set(coding, representation);
    }
    return representation;
  }
}

export class Representation {
  readonly bytes: Uint8Array;
  readonly coding: KvEncoding | 'identity';
  /** A strong tag, with its quotes; another one for each coding. */
  readonly etag: string;
  private readonly file: SiteFile;
  /** What a 304 repeats (RFC 9110 §15.4.5). */
  private readonly validatorLines: string;
  /** What a 200 and a 206 say besides. */
  private readonly contentLines: string;
  private whole: PreparedResponse | null = null;
  private headOnly: PreparedResponse | null = null;
  private unchanged: PreparedResponse | null = null;

  constructor(file: SiteFile, coding: KvEncoding | 'identity', bytes: Uint8Array) {
    this.file = file;
    this.coding = coding;
    this.bytes = bytes;
    const { entry, type } = file;
    const suffix = coding === 'identity' ? '' : coding === 'gzip' ? '-gz' : '-br';
    this.etag = `"${entry.digest}${suffix}"`;
    const vary = entry.variants.length > 0 ? 'Vary: Accept-Encoding\r\n' : '';
    const isFound = file.status === 200;
    this.validatorLines = `Cache-Control: ${file.cacheControl}\r\n${
      isFound ? `ETag: ${this.etag}\r\n` : ''
    }${vary}`;
    this.contentLines = `${coding === 'identity' ? '' : `Content-Encoding: ${coding}\r\n`}${
      isFound ? `Last-Modified: ${file.lastModified}\r\nAccept-Ranges: bytes\r\n` : ''
    }${this.validatorLines}${SAFE_LINES}${type.startsWith('text/html') ? PAGE_LINES : ''}`;
  }

  /** The whole content, or only the head of it for HEAD. */
  full(isHead: boolean): PreparedResponse {
    if (isHead) {
      this.headOnly ??= this.make(true);
      return this.headOnly;
    }
    this.whole ??= this.make(false);
    return this.whole;
  }

  notModified(): PreparedResponse {
    this.unchanged ??= new PreparedResponse(304, this.validatorLines, NONE);
    return this.unchanged;
  }

  /** 206 with one part, or with several as multipart/byteranges (RFC 9110 §15.3.7). */
  partial(ranges: readonly ByteRange[]): PreparedResponse {
    const only = ranges.length === 1 ? ranges[0]! : null;
    if (only !== null) {
      const part = this.bytes.subarray(only.first, only.last + 1);
      const lines = `${this.partLines(only)}Content-Length: ${part.length}\r\n`;
      return new PreparedResponse(206, lines + this.contentLines, [part]);
    }
    // The content can't contain its own digest.
    const boundary = `morgana-${this.file.entry.digest}`;
    const parts: Uint8Array[] = [];
    let lengthBytes = 0;
    const push = (bytes: Uint8Array): void => {
      parts.push(bytes);
      lengthBytes += bytes.length;
    };
    for (const range of ranges) {
      push(hot.utf8Encode(`\r\n--${boundary}\r\n${this.partLines(range)}\r\n`));
      push(this.bytes.subarray(range.first, range.last + 1));
    }
    push(hot.utf8Encode(`\r\n--${boundary}--\r\n`));
    const type = `Content-Type: multipart/byteranges; boundary=${boundary}\r\n`;
    const length = `Content-Length: ${lengthBytes}\r\n`;
    return new PreparedResponse(206, type + length + this.contentLines, parts);
  }

  /** What is said of one range, in the head or in a part. */
  private partLines({ first, last }: ByteRange): string {
    const range = `Content-Range: bytes ${first}-${last}/${this.bytes.length}\r\n`;
    return `Content-Type: ${this.file.type}\r\n${range}`;
  }

  private make(isHead: boolean): PreparedResponse {
    const { status, type, joined } = this.file;
    const lines = `Content-Type: ${type}\r\nContent-Length: ${this.bytes.length}\r\n`;
    const parts = isHead || this.bytes.length === 0 ? NONE : [this.bytes];
    const mayJoin = joined.bytes + this.bytes.length <= joined.bytesMax;
    const response = new PreparedResponse(status, lines + this.contentLines, parts, mayJoin);
    if (response.isWhole) joined.bytes += this.bytes.length;
    return response;
  }
}
