/** What `git fsck --strict` calls an error in a tree. Read first: check-object.ts, ../wire/tree.ts. */

import { hot } from '#core';
import { dotGitFault } from './dot-git.ts';
import { DIRECTORY_TYPE, LINK_TYPE, type RawEntry, readRawEntry, TYPE_MASK } from './raw-tree.ts';

const ZERO = 0x30;
const SLASH = 0x2f;
export function checkTree(b: Uint8Array, idBytes: number): string | null {
  const entry: RawEntry = { mode: 0, nameAt: 0, nameEnd: 0, idAt: 0 };
  const before: RawEntry = { mode: 0, nameAt: 0, nameEnd: 0, idAt: 0 };
  const files = new OpenFiles(b);
  for (let at = 0; at < b.length; ) {
    if (!readRawEntry(b, at, idBytes, entry)) return 'badTree';
    const fault = checkEntry(b, at, idBytes, entry);
    if (fault !== null) return fault;
    if (at > 0) {
      const order = compareEntries(b, before, entry);
      if (order > 0) return 'treeNotSorted';
      if (order === 0) return 'duplicateEntries';
    }
    if (files.isDouble(entry)) return 'duplicateEntries';
    Object.assign(before, entry);
    at = entry.idAt + idBytes;
  }
  return null;
}

function checkEntry(b: Uint8Array, at: number, idBytes: number, entry: RawEntry): string | null {
  const { nameAt, nameEnd, idAt } = entry;
  let isNull = true;
  for (let i = idAt; i < idAt + idBytes && isNull; i++) isNull = b[i] === 0;
  if (isNull) return 'nullSha1';
  if (hot.indexOf(b, SLASH, nameAt, nameEnd) >= 0) return 'fullPathname';
  if (b[at] === ZERO) return 'zeroPaddedFilemode';
  return dotGitFault(b, nameAt, nameEnd, (entry.mode & TYPE_MASK) === LINK_TYPE);
}

const isDirectory = (entry: RawEntry): boolean => (entry.mode & TYPE_MASK) === DIRECTORY_TYPE;

/** By name, where a directory's ends in "/"; 0 also for a file and a directory of one name. */
function compareEntries(b: Uint8Array, first: RawEntry, second: RawEntry): number {
  const firstCount = first.nameEnd - first.nameAt;
  const secondCount = second.nameEnd - second.nameAt;
  const common = Math.min(firstCount, secondCount);
  for (let i = 0; i < common; i++) {
    const difference = b[first.nameAt + i]! - b[second.nameAt + i]!;
    if (difference !== 0) return difference;
  }
  if (firstCount === secondCount) return 0;
  return tail(b, first, common) - tail(b, second, common);
}

function tail(b: Uint8Array, entry: RawEntry, i: number): number {
  if (entry.nameAt + i < entry.nameEnd) return b[entry.nameAt + i]!;
  return isDirectory(entry) ? SLASH : 0;
}

/**
 * Files that a directory of the same name may still follow: "x" and "x/" stand apart, with only
 * names that begin with "x" between them, so those that matter begin one another.
 */
class OpenFiles {
  private readonly b: Uint8Array;
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];

  constructor(b: Uint8Array) {
    this.b = b;
  }

  isDouble(entry: RawEntry): boolean {
    const { b, starts, ends } = this;
    const count = entry.nameEnd - entry.nameAt;
    while (starts.length > 0) {
      const start = starts.at(-1)!;
      const length = ends.at(-1)! - start;
      if (length <= count && hot.equal(b, start, b, entry.nameAt, length)) {
        if (length === count) return true;
        break;
      }
      starts.pop();
      ends.pop();
    }
    if (!isDirectory(entry)) {
      starts.push(entry.nameAt);
      ends.push(entry.nameEnd);
    }
    return false;
  }
}
