/**
 * Whether Git would let an object in: what `git fsck --strict` calls an error in one (Git: fsck.c,
 * git-fsck(1) "FSCK MESSAGES"), which are also its warnings, but not what it only informs of. Not
 * here: links (object-checker.ts), what a .gitmodules says (submodules are nothing to us).
 *
 * Deviates: ids in commits and tags are lower-case; Git reads upper-case ones, and never writes
 * them.
 */

import { hot } from '#core';
import { isObjectKind, type ObjectKind } from '../object.ts';
import { parseObjectId } from '../object-id.ts';
import { checkTree } from './check-tree.ts';

/** Git's name for what is wrong ('badTree', 'missingEmail'); null when nothing is. O(bytes). */
export function checkObject(kind: ObjectKind, bytes: Uint8Array, idBytes: number): string | null {
  switch (kind) {
    case 'blob':
      return null;
    case 'tree':
      return checkTree(bytes, idBytes);
    case 'commit':
      return checkCommit(bytes, idBytes);
    case 'tag':
      return checkTag(bytes, idBytes);
  }
}

const NUL = 0;
const LF = 0x0a;

/** Lines of a head, as one char code a byte. */
class Lines {
  readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** The rest of the next line when it begins so; else null, and the line stays. */
  take(start: string): string | null {
    if (!this.text.startsWith(start, this.at)) return null;
    const end = this.text.indexOf('\n', this.at);
    // A head that is terminated has an end of each line.
    const line = this.text.slice(this.at + start.length, end);
    this.at = end + 1;
    return line;
  }
}

/** Where the head ends, or what is wrong with it: it is lines, without NUL. */
function headOf(b: Uint8Array): Lines | string {
  const nul = hot.indexOf(b, NUL, 0, b.length);
  for (let at = 0; at < b.length; ) {
    const end = hot.indexOf(b, LF, at, b.length);
    if (nul >= 0 && (end < 0 || nul < end)) return 'nulInHeader';
    if (end < 0) return 'unterminatedHeader';
    at = end + 1;
    if (b[at] === LF) return new Lines(hot.latin1(b, 0, at));
  }
  return b.length > 0 ? new Lines(hot.latin1(b, 0, b.length)) : 'unterminatedHeader';
}

const isId = (text: string, idBytes: number): boolean =>
  text.length === 2 * idBytes && parseObjectId(text) !== null;

function checkCommit(b: Uint8Array, idBytes: number): string | null {
  const lines = headOf(b);
  if (typeof lines === 'string') return lines;
  const tree = lines.take('tree ');
  if (tree === null) return 'missingTree';
  if (!isId(tree, idBytes)) return 'badTreeSha1';
  for (let line = lines.take('parent '); line !== null; line = lines.take('parent ')) {
    if (!isId(line, idBytes)) return 'badParentSha1';
  }
  let authors = 0;
  for (let line = lines.take('author '); line !== null; line = lines.take('author ')) {
    const fault = checkIdentity(line);
    if (fault !== null) return fault;
    authors += 1;
  }
  if (authors !== 1) return authors === 0 ? 'missingAuthor' : 'multipleAuthors';
  const committer = lines.take('committer ');
  if (committer === null) return 'missingCommitter';
  return checkIdentity(committer) ?? (hot.indexOf(b, NUL, 0, b.length) < 0 ? null : 'nulInCommit');
}

function checkTag(b: Uint8Array, idBytes: number): string | null {
  const lines = headOf(b);
  if (typeof lines === 'string') return lines;
  const object = lines.take('object ');
  if (object === null) return 'missingObject';
  if (!isId(object, idBytes)) return 'badObjectSha1';
  const kind = lines.take('type ');
  if (kind === null) return 'missingTypeEntry';
  if (!isObjectKind(kind)) return 'badType';
  if (lines.take('tag ') === null) return 'missingTagEntry';
  const tagger = lines.take('tagger ');
  return tagger === null ? null : checkIdentity(tagger);
}

/** The largest time that Git keeps on every platform: beyond it, badDateOverflow. */
const SECONDS_MAX = 2n ** 63n - 1n;

/** "Name <email> seconds +hhmm", as fsck_ident. */
function checkIdentity(line: string): string | null {
  if (line.startsWith('<')) return 'missingNameBeforeEmail';
  const open = line.search(/[<>]/);
  if (open < 0) return 'missingEmail';
  if (line[open] === '>') return 'badName';
  if (line[open - 1] !== ' ') return 'missingSpaceBeforeEmail';
  const rest = line.slice(open + 1);
  const close = rest.search(/[<>]/);
  if (close < 0 || rest[close] === '<') return 'badEmail';
  if (rest[close + 1] !== ' ') return 'missingSpaceBeforeDate';
  const date = rest.slice(close + 2);
  if (date.startsWith('0') && date[1] !== ' ') return 'zeroPaddedDate';
  const digits = /^[ \t\v\f\r]*([+-]?)(\d+)/.exec(date);
  if (digits !== null && overflows(digits[1] === '-', digits[2]!)) return 'badDateOverflow';
  if (digits === null || date[digits[0].length] !== ' ') return 'badDate';
  return /^[+-]\d{4}$/.test(date.slice(digits[0].length + 1)) ? null : 'badTimezone';
}

/** A negative one is read as a very large one. */
function overflows(isNegative: boolean, digits: string): boolean {
  const seconds = BigInt(digits.slice(0, 60));
  return seconds > SECONDS_MAX || (isNegative && seconds > 0n);
}
