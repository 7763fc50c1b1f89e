/** The path of a request target as the name of a resource: RFC 3986 §2.1, §5.2.4. */

import { hot } from '#core';

const PERCENT = 37;

/** Value of a hexadecimal digit's char code, or -1. */
function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 65 && code <= 70) return code - 55;
  return code >= 97 && code <= 102 ? code - 87 : -1;
}

/**
 * `segment` (ASCII) without percent-encoding; null when an escape is malformed, no UTF-8, a NUL or
 * a slash.
 */
function decodeSegment(segment: string): string | null {
  if (!segment.includes('%')) return segment;
  const bytes = new Uint8Array(segment.length);
  let length = 0;
  for (let i = 0; i < segment.length; i++) {
    let code = segment.charCodeAt(i);
    if (code === PERCENT) {
      const high = hexDigit(segment.charCodeAt(i + 1));
      const low = hexDigit(segment.charCodeAt(i + 2));
      if (high < 0 || low < 0) return null;
      code = high * 16 + low;
      i += 2;
      if (code === 0 || code === 47) return null;
    }
    bytes[length++] = code;
  }
  return hot.utf8Decode(bytes, 0, length, true);
}

/**
 * The name under the root that `path` (ASCII, begins with '/') means: percent-encoding undone, dot
 * segments resolved (above the root there is the root), no leading slash; a directory's ends with
 * '/' or is ''. Null when it is malformed.
 */
export function resolvePath(path: string): string | null {
  if (!path.includes('%') && !path.includes('/.')) return path.slice(1);
  const names: string[] = [];
  let isDirectory = false;
  for (const segment of path.slice(1).split('/')) {
    const name = decodeSegment(segment);
    if (name === null) return null;
    isDirectory = name === '.' || name === '..';
    if (name === '..') names.pop();
    else if (name !== '.') names.push(name);
  }
  if (isDirectory) names.push('');
  return names.join('/');
}
