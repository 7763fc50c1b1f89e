/**
 * A static website from a read-only key-value device: every answer follows from the request head
 * alone. Content is never copied (but for short bodies, once, beside their head). Read first: RFC
 * 9110 §9.3, §13, §14.
 */

import type { Clock, KvReadOnly } from '#device';
import type { Exchange, HttpHandler } from './exchange.ts';
import { latin1Bytes } from './latin1-bytes.ts';
import { isKnownMethod } from './methods.ts';
import { evaluatePreconditions, usesRange } from './preconditions.ts';
import { PreparedResponse } from './prepared-response.ts';
import { type JoinedTotal, type Representation, SAFE_LINES, SiteFile } from './representation.ts';
import { statusText } from './status.ts';
import { resolvePath } from './wire/path.ts';
import { parseRange } from './wire/range.ts';
import type { Conditions, RequestHead } from './wire/request-head.ts';

const ALLOW = 'Allow: GET, HEAD, OPTIONS\r\n';
const JOINED_TOTAL_BYTES_MAX = 262_144;
/** Path of the page that is shown for what doesn't exist. */
const NOT_FOUND_PATH = '404.html';

export class StaticSite implements HttpHandler {
  private readonly content: KvReadOnly;
  private readonly clock: Clock;
  /** Files by request path as browsers send it: at most two entries a file. */
  private readonly files = new Map<string, SiteFile>();
  private readonly joined: JoinedTotal = { bytes: 0, bytesMax: JOINED_TOTAL_BYTES_MAX };
  private readonly notFound: SiteFile | null;
  private readonly options = new PreparedResponse(204, ALLOW + SAFE_LINES, []);

  /** `content` must not change while the site lives. */
  constructor(content: KvReadOnly, clock: Clock) {
    this.content = content;
    this.clock = clock;
    const page = content.get(NOT_FOUND_PATH);
    this.notFound = page === null ? null : new SiteFile(NOT_FOUND_PATH, page, 404, this.joined);
  }

  answer(head: RequestHead): PreparedResponse {
    const isHead = head.method === 'HEAD';
    if (!isHead && head.method !== 'GET') return this.otherMethod(head.method);
    let file = this.files.get(head.path);
    if (file === undefined) {
      const found = this.find(head.path);
      if (typeof found === 'number') return plain(found, '', isHead);
      if (found === null) return this.missing(head);
      if (typeof found === 'string') return this.redirect(found, head);
      file = found;
    }
    const representation = file.select(head.acceptEncoding);
    const conditions = head.conditions;
    if (conditions === null) return representation.full(isHead);
    return this.conditional(conditions, isHead, file, representation);
  }

  /** Never called: `answer` answers everything. */
  request(exchange: Exchange): void {
    exchange.abort();
  }

  private conditional(
    conditions: Conditions,
    isHead: boolean,
    file: SiteFile,
    representation: Representation,
  ): PreparedResponse {
    const nowSeconds = Math.floor(this.clock.wall() / 1_000);
    const validators = {
      etag: representation.etag,
      modifiedSeconds: file.entry.modifiedSeconds,
    };
    switch (evaluatePreconditions(conditions, validators, nowSeconds)) {
      case 304:
        return representation.notModified();
      case 412:
        return plain(412, '', isHead);
      case 200:
        break;
    }
    if (isHead || !usesRange(conditions, validators, nowSeconds)) {
      return representation.full(isHead);
    }
    const asked = parseRange(conditions.range ?? '', representation.bytes.length);
    switch (asked.kind) {
      case 'ignored':
        return representation.full(isHead);
      case 'unsatisfiable':
        return plain(416, `Content-Range: bytes */${representation.bytes.length}\r\n`, isHead);
      case 'ranges':
        // Content-Encoding would be read as that of the multipart, which isn't coded: the whole.
        if (asked.ranges.length > 1 && representation.coding !== 'identity') {
          return representation.full(false);
        }
        return representation.partial(asked.ranges);
    }
  }

  /**
   * The file at `path`; the Location of a directory named without its slash; null: none; 400: no
   * path.
   */
  private find(path: string): SiteFile | string | null | 400 {
    const name = resolvePath(path);
    if (name === null) return 400;
    if (isHidden(name)) return null;
    const isDirectory = name === '' || name.endsWith('/');
    const key = isDirectory ? `${name}index.html` : name;
    const canonical = `/${key}`;
    let file = this.files.get(canonical);
    if (file === undefined) {
      const entry = this.content.get(key);
      if (entry === null) {
        const isNamed = !isDirectory && this.content.get(`${key}/index.html`) !== null;
        return isNamed ? `./${path.slice(path.lastIndexOf('/') + 1)}/` : null;
      }
      file = new SiteFile(key, entry, 200, this.joined);
      this.files.set(canonical, file);
    }
    if (path === `/${name}`) this.files.set(path, file);
    return file;
  }

  private missing(head: RequestHead): PreparedResponse {
    const isHead = head.method === 'HEAD';
    if (this.notFound === null) return plain(404, '', isHead);
    return this.notFound.select(head.acceptEncoding).full(isHead);
  }

  /**
   * Relative, so it holds behind any proxy; of the last segment only, so it can't lead to another
   * host.
   */
  private redirect(location: string, head: RequestHead): PreparedResponse {
    const query = head.query === null ? '' : `?${head.query}`;
    return plain(301, `Location: ${location}${query}\r\n`, head.method === 'HEAD');
  }

  private otherMethod(method: string): PreparedResponse {
    if (method === 'OPTIONS') return this.options;
    return isKnownMethod(method) ? plain(405, ALLOW, false) : plain(501, '', false);
  }
}

/**
 * A path with a segment that begins with '.' isn't shown, but for /.well-known/ (RFC 8615); one
 * with an empty segment names nothing.
 */
function isHidden(name: string): boolean {
  const rest = name.startsWith('.well-known/') ? name.slice(12) : name;
  return rest.startsWith('.') || rest.startsWith('/') || rest.includes('/.') || rest.includes('//');
}

/** A text that names the status, with more field lines. */
function plain(status: number, lines: string, isHead: boolean): PreparedResponse {
  const body = latin1Bytes(`${status} ${statusText(status)}\n`);
  const type = `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\n`;
  return new PreparedResponse(status, lines + type + SAFE_LINES, isHead ? [] : [body]);
}
