/**
 * Names of refs, by the rules of `git check-ref-format`: what one may be called so that it fits a
 * file system, a shell, and Git's own notations for ranges and pasts.
 */

import { REF_NAME_BYTES_MAX, REF_PART_BYTES_MAX } from './limits.ts';
import { byteString, isCanonicalText } from './wire/text.ts';

export const HEADS = 'refs/heads/';
export const TAGS = 'refs/tags/';
export const REMOTES = 'refs/remotes/';

const FORBIDDEN = ' ~^:?*[\\\x7f';

/** Whether `name` may be a ref: "refs/heads/main", with two parts at least, the first one "refs". */
export function isRefName(name: string): boolean {
  return name.startsWith('refs/') && isRefPath(name);
}

/** Whether `name` may be a branch: what stands behind "refs/heads/". As Git, not "HEAD" or "-x". */
export function isBranchName(name: string): boolean {
  return name !== 'HEAD' && !name.startsWith('-') && isRefPath(HEADS + name);
}

function isRefPath(name: string): boolean {
  if (name.length > REF_NAME_BYTES_MAX || !isCanonicalText(name)) return false;
  const bytes = byteString(name);
  if (bytes.length > REF_NAME_BYTES_MAX || bytes.endsWith('.')) return false;
  if (bytes.includes('..') || bytes.includes('@{')) return false;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes.charCodeAt(i) < 0x20 || FORBIDDEN.includes(bytes[i]!)) return false;
  }
  return bytes.split('/').every(isRefPart);
}

const isRefPart = (part: string): boolean =>
  part !== '' &&
  part.length <= REF_PART_BYTES_MAX &&
  !part.startsWith('.') &&
  !part.endsWith('.lock');

/** The names that `name` lies in: "refs" and "refs/heads" for "refs/heads/main". */
export function refParents(name: string): string[] {
  const parents: string[] = [];
  for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) {
    parents.push(name.slice(0, at));
  }
  return parents;
}
