/** Entity tags and lists of them, RFC 9110 §8.8.3, §13.1.1, §13.1.2. */

export interface EntityTag {
  readonly isWeak: boolean;
  /** With its quotes. */
  readonly opaque: string;
}

/** Tags looked at; a longer list counts as malformed. */
export const TAGS_MAX = 64;
const QUOTE = 34;

/** Offset after the opaque-tag that begins at `at`, or -1. */
function opaqueEnd(text: string, at: number): number {
  if (text.charCodeAt(at) !== QUOTE) return -1;
  for (let i = at + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) return i + 1;
    // etagc: %x21, %x23-7E, obs-text.
    if (code < 33 || code === 127 || code > 255) return -1;
  }
  return -1;
}

const isSpace = (code: number): boolean => code === 32 || code === 9;

/** A list of tags; '*' for the asterisk; null when it is malformed. An empty list is malformed. */
export function parseEntityTags(text: string): readonly EntityTag[] | '*' | null {
  if (text === '*') return '*';
  const tags: EntityTag[] = [];
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (isSpace(code) || code === 44) {
      at++;
      continue;
    }
    // "W/" is case-sensitive.
    const isWeak = text.startsWith('W/', at);
    const from = isWeak ? at + 2 : at;
    const end = opaqueEnd(text, from);
    if (end < 0 || tags.length === TAGS_MAX) return null;
    tags.push({ isWeak, opaque: text.slice(from, end) });
    at = end;
    while (at < text.length && isSpace(text.charCodeAt(at))) at++;
    if (at < text.length && text.charCodeAt(at) !== 44) return null;
  }
  return tags.length === 0 ? null : tags;
}

/** The field value that `parseEntityTags` reads back to the same. */
export const formatEntityTags = (tags: readonly EntityTag[] | '*'): string =>
  tags === '*' ? tags : tags.map((tag) => (tag.isWeak ? 'W/' : '') + tag.opaque).join(', ');

/**
 * Strong comparison with the strong tag `opaque` (RFC 9110 §8.8.3.2). A malformed list matches
 * nothing.
 */
export function matchesStrongly(text: string, opaque: string): boolean {
  if (text === opaque) return true;
  const tags = parseEntityTags(text);
  if (tags === '*') return true;
  return tags?.some((tag) => !tag.isWeak && tag.opaque === opaque) ?? false;
}

/** Weak comparison. */
export function matchesWeakly(text: string, opaque: string): boolean {
  if (text === opaque) return true;
  const tags = parseEntityTags(text);
  if (tags === '*') return true;
  return tags?.some((tag) => tag.opaque === opaque) ?? false;
}
