/**
 * Entries of a tree's bytes as they stand, without strings: for walks that read each tree once. Not
 * here: the tree as a table (../wire/tree.ts), what is right (check-tree.ts).
 */

import { hot } from '#core';
import type { ObjectKind } from '../object.ts';

const SPACE = 0x20;
const ZERO = 0x30;
export const TYPE_MASK = 0o170000;
const FILE_TYPE = 0o100000;
export const LINK_TYPE = 0o120000;
export const DIRECTORY_TYPE = 0o40000;
const SUBMODULE_TYPE = 0o160000;
const MODE_MAX = 0xffff_ffff;

/** One entry of a tree's bytes; filled again for each. */
export interface RawEntry {
  mode: number;
  nameAt: number;
  nameEnd: number;
  /** Where the id is. */
  idAt: number;
}

/** Reads the entry at `at` into `entry`; false when there is none that is whole. */
export function readRawEntry(b: Uint8Array, at: number, idBytes: number, entry: RawEntry): boolean {
  let mode = 0;
  let i = at;
  while (i < b.length && b[i] !== SPACE) {
    const digit = b[i]! - ZERO;
    if (digit < 0 || digit > 7) return false;
    mode = mode * 8 + digit;
    if (mode > MODE_MAX) return false;
    i += 1;
  }
  if (i === at || i >= b.length) return false;
  const nameEnd = hot.indexOf(b, 0, i + 1, b.length);
  if (nameEnd <= i + 1 || nameEnd + 1 + idBytes > b.length) return false;
  entry.mode = mode;
  entry.nameAt = i + 1;
  entry.nameEnd = nameEnd;
  entry.idAt = nameEnd + 1;
  return true;
}

/** What an entry of this mode names: 'commit' for a submodule, null when it is no mode. */
export function kindOfRawMode(mode: number): ObjectKind | null {
  switch (mode & TYPE_MASK) {
    case DIRECTORY_TYPE:
      return 'tree';
    case FILE_TYPE:
    case LINK_TYPE:
      return 'blob';
    case SUBMODULE_TYPE:
      return 'commit';
    default:
      return null;
  }
}
