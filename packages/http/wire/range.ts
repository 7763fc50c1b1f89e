/** The Range field, RFC 9110 §14.1.2 and §14.2. */

/** Bytes first..last, both included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

export type RangeRequest =
  /**
   * Not for us to follow: another unit, malformed, or abusive. The whole representation is the
   * answer.
   */
  | { readonly kind: 'ignored' }
  /** No range overlaps the content: 416. */
  | { readonly kind: 'unsatisfiable' }
  /** At least one and at most RANGES_MAX, in the order asked for, disjoint, inside the content. */
  | { readonly kind: 'ranges'; readonly ranges: readonly ByteRange[] };

export const RANGES_MAX = 16;
/** Fifteen digits are below 2^53; more name a place that no content has. */
const DIGITS_MAX = 15;

const IGNORED: RangeRequest = { kind: 'ignored' };
const UNSATISFIABLE: RangeRequest = { kind: 'unsatisfiable' };

/** A position: -1 when `text` isn't 1*DIGIT, infinite when it has too many. */
function position(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 48 || code > 57) return -1;
  }
  if (text.length === 0) return -1;
  return text.length > DIGITS_MAX ? Number.POSITIVE_INFINITY : Number(text);
}

/** One range-spec: null when it is malformed, 'beyond' when it can't be satisfied. */
function parseSpec(text: string, lengthBytes: number): ByteRange | 'beyond' | null {
  const dash = text.indexOf('-');
  if (dash < 0) return null;
  const lastText = text.slice(dash + 1);
  if (dash === 0) {
    const suffix = position(lastText);
    if (suffix < 0) return null;
    if (suffix === 0) return 'beyond';
    return { first: Math.max(0, lengthBytes - suffix), last: lengthBytes - 1 };
  }
  const first = position(text.slice(0, dash));
  const last = lastText === '' ? Number.POSITIVE_INFINITY : position(lastText);
  if (first < 0 || last < first) return null;
  if (first >= lengthBytes) return 'beyond';
  return { first, last: Math.min(last, lengthBytes - 1) };
}

/** What `text` asks of content of `lengthBytes`. O(text + ranges²), ranges at most RANGES_MAX. */
export function parseRange(text: string, lengthBytes: number): RangeRequest {
  if (text.slice(0, 6).toLowerCase() !== 'bytes=') return IGNORED;
  // 206 has no way to say "none of nothing".
  if (lengthBytes === 0) return IGNORED;
  const ranges: ByteRange[] = [];
  let specs = 0;
  for (let at = 6; at <= text.length; ) {
    const comma = text.indexOf(',', at);
    const end = comma < 0 ? text.length : comma;
    const spec = text.slice(at, end).trim();
    at = end + 1;
    if (spec === '') continue;
    if (++specs > RANGES_MAX) return IGNORED;
    const range = parseSpec(spec, lengthBytes);
    if (range === null) return IGNORED;
    if (range === 'beyond') continue;
    // RFC 9110 §14.2: overlapping ranges cost the server more than the whole.
    for (const other of ranges) {
      if (range.first <= other.last && other.first <= range.last) return IGNORED;
    }
    ranges.push(range);
  }
  if (specs === 0) return IGNORED;
  return ranges.length === 0 ? UNSATISFIABLE : { kind: 'ranges', ranges };
}

/** The field value that `parseRange` reads back to the same ranges. */
export const formatRange = (ranges: readonly ByteRange[]): string =>
  `bytes=${ranges.map(({ first, last }) => `${first}-${last}`).join(', ')}`;
