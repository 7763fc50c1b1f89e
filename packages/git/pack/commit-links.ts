/**
 * What a walk over history needs of a commit, without the rest of it: each is read once, and there
 * are many. Not here: commits as they are (../wire/commit.ts).
 */

import { hot } from '#core';
import { type ObjectId, readIdText } from '../object-id.ts';

export interface CommitLinks {
  readonly tree: ObjectId;
  readonly parents: readonly ObjectId[];
  /** Of the committer, since 1970; 0 when the line has none. */
  readonly seconds: number;
}

const LF = 0x0a;
const ZERO = 0x30;
const CLOSE = 0x3e;
const TREE = 'tree ';
const PARENT = 'parent ';
const COMMITTER = 'committer ';

/** Null when `b` doesn't begin as a commit does. */
export function commitLinks(b: Uint8Array, idBytes: number): CommitLinks | null {
  const tree = lineId(b, 0, TREE, idBytes);
  if (tree === null) return null;
  let at = TREE.length + 2 * idBytes + 1;
  const parents: ObjectId[] = [];
  while (begins(b, at, PARENT)) {
    const parent = lineId(b, at, PARENT, idBytes);
    if (parent === null) return null;
    parents.push(parent);
    at += PARENT.length + 2 * idBytes + 1;
  }
  return { tree, parents, seconds: committerSeconds(b, at) };
}

function begins(b: Uint8Array, at: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) if (b[at + i] !== name.charCodeAt(i)) return false;
  return true;
}

function lineId(b: Uint8Array, at: number, name: string, idBytes: number): ObjectId | null {
  const end = at + name.length + 2 * idBytes;
  if (b[end] !== LF || !begins(b, at, name)) return null;
  return readIdText(b, at + name.length, 2 * idBytes);
}

function committerSeconds(b: Uint8Array, from: number): number {
  let at = from;
  while (at < b.length && b[at] !== LF && !begins(b, at, COMMITTER)) {
    at = hot.indexOf(b, LF, at, b.length) + 1;
    if (at === 0) return 0;
  }
  const end = hot.indexOf(b, LF, at, b.length);
  if (end < 0) return 0;
  let close = end;
  while (close > at && b[close] !== CLOSE) close -= 1;
  let seconds = 0;
  for (let i = close + 2; i < end; i++) {
    const digit = b[i]! - ZERO;
    if (digit < 0 || digit > 9) break;
    seconds = seconds * 10 + digit;
  }
  return Number.isSafeInteger(seconds) ? seconds : 0;
}
