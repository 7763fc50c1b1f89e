/** What an object names: all that a walk over a repository needs of it. */

import { hot } from '#core';
import {
  commitLinks,
  type GitObject,
  kindOfRawMode,
  type ObjectId,
  type ObjectKind,
  type RawEntry,
  readId,
  readIdText,
  readRawEntry,
} from '#git';

/** FNV-1a, so that versions of one path have one number. */
const FNV_START = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const SLASH = 0x2f;
const COMPARED_BYTES = 1_024;

/** Of a root. */
export const NO_PATH = FNV_START;

function pathHash(parent: number, b: Uint8Array, at: number, end: number): number {
  let hash = Math.imul(parent ^ SLASH, FNV_PRIME);
  for (let i = at; i < end; i++) hash = Math.imul(hash ^ b[i]!, FNV_PRIME);
  return hash;
}

export interface Link {
  readonly id: ObjectId;
  /** Null: whoever names it doesn't say. */
  readonly kind: ObjectKind | null;
  readonly path: number;
}

/** What an object names, a tree as if it were a root; null when it is malformed. */
export function linksOf({ kind, bytes }: GitObject, idBytes: number): Link[] | null {
  if (kind === 'tree') return treeLinks(bytes, null, idBytes, NO_PATH);
  if (kind === 'commit') {
    const links = commitLinks(bytes, idBytes);
    if (links === null) return null;
    const tree: Link = { id: links.tree, kind: 'tree', path: NO_PATH };
    return [tree, ...links.parents.map((id): Link => ({ id, kind: 'commit', path: NO_PATH }))];
  }
  if (kind !== 'tag') return [];
  const prefix = 'object ';
  const begins = hot.latin1(bytes, 0, Math.min(bytes.length, prefix.length)) === prefix;
  const id = begins ? readIdText(bytes, prefix.length, 2 * idBytes) : null;
  return id === null ? null : [{ id, kind: null, path: NO_PATH }];
}

/**
 * What a tree at `path` names that `before`, another version of it, doesn't; all of it when there
 * is none. Null when it is malformed. A tree of thousands of entries changes in a few of them, and
 * is there once for each commit: what is the same isn't looked up again.
 */
export function treeLinks(
  bytes: Uint8Array,
  before: Uint8Array | null,
  idBytes: number,
  path: number,
): Link[] | null {
  const links: Link[] = [];
  const entry: RawEntry = { mode: 0, nameAt: 0, nameEnd: 0, idAt: 0 };
  const prefix = before === null ? 0 : commonPrefix(bytes, before);
  const suffix = before === null ? 0 : commonSuffix(bytes, before, prefix);
  let sameAt = 0;
  for (let at = 0; at < bytes.length; at = entry.idAt + idBytes) {
    if (before !== null && bytes.length - at <= suffix) {
      if (isBoundary(before, sameAt, before.length - (bytes.length - at), idBytes)) break;
    }
    if (!readRawEntry(bytes, at, idBytes, entry)) return null;
    const end = entry.idAt + idBytes;
    if (end <= prefix) {
      sameAt = end;
      continue;
    }
    const kind = kindOfRawMode(entry.mode);
    // A submodule's commit is another repository's.
    if (kind === null || kind === 'commit') continue;
    const hash = pathHash(path, bytes, entry.nameAt, entry.nameEnd);
    links.push({ id: readId(bytes, entry.idAt, idBytes), kind, path: hash });
  }
  return links;
}

/** Whether an entry of `b` begins at `at`, seen from `from`, where one does. */
function isBoundary(b: Uint8Array, from: number, at: number, idBytes: number): boolean {
  const entry: RawEntry = { mode: 0, nameAt: 0, nameEnd: 0, idAt: 0 };
  let place = from;
  while (place < at) {
    if (!readRawEntry(b, place, idBytes, entry)) return false;
    place = entry.idAt + idBytes;
  }
  return place === at;
}

function commonPrefix(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length);
  let at = 0;
  while (at + COMPARED_BYTES <= most && hot.equal(a, at, b, at, COMPARED_BYTES)) {
    at += COMPARED_BYTES;
  }
  while (at < most && a[at] === b[at]) at += 1;
  return at;
}

function commonSuffix(a: Uint8Array, b: Uint8Array, prefix: number): number {
  const most = Math.min(a.length, b.length) - prefix;
  let count = 0;
  for (;;) {
    const next = count + COMPARED_BYTES;
    if (next > most || !hot.equal(a, a.length - next, b, b.length - next, COMPARED_BYTES)) break;
    count = next;
  }
  while (count < most && a[a.length - count - 1] === b[b.length - count - 1]) count += 1;
  return count;
}
