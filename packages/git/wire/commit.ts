/**
 * Commits: a tree, the commits it came from, who made it, and why. Git signs the bytes, so what we
 * don't know (gpgsig, encoding, mergetag) is kept as it stands. Read first: signature.ts.
 */

import { assert, err, ok, type Result } from '#core';
import { PARENTS_MAX } from '../limits.ts';
import type { ObjectFault } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import { HeaderLines } from './header-lines.ts';
import { formatSignature, parseSignature, type Signature } from './signature.ts';
import { encodeText } from './text.ts';

export interface CommitObject {
  readonly tree: ObjectId;
  /** In their order: the first one is the commit that this one was made on. */
  readonly parents: readonly ObjectId[];
  readonly author: Signature;
  readonly committer: Signature;
  /** Further lines of the head, as they stand, each with its end; '' for most. */
  readonly extraHeaders: string;
  readonly message: string;
}

/** `idBytes` is 20 or 32. */
export function parseCommit(b: Uint8Array, idBytes: number): Result<CommitObject, ObjectFault> {
  const lines = new HeaderLines(b);
  const tree = lines.id('tree', idBytes);
  const parents: ObjectId[] = [];
  while (lines.has('parent')) {
    if (parents.length === PARENTS_MAX) {
      return err({ kind: 'field', offset: lines.at, value: PARENTS_MAX });
    }
    parents.push(lines.id('parent', idBytes));
  }
  const author = parseSignature(lines.text('author'));
  const committer = parseSignature(lines.text('committer'));
  const extraHeaders = lines.rest();
  const message = lines.message();
  if (lines.fault !== null) return err(lines.fault);
  return ok({ tree, parents, author, committer, extraHeaders, message });
}

/** The bytes. A message with NUL is Git's to refuse (fsck: nulInCommit). */
export function emitCommit(commit: CommitObject): Uint8Array {
  assert(commit.parents.length <= PARENTS_MAX, 'not too many parents');
  let text = `tree ${commit.tree}\n`;
  for (const parent of commit.parents) text += `parent ${parent}\n`;
  text += `author ${formatSignature(commit.author)}\n`;
  text += `committer ${formatSignature(commit.committer)}\n`;
  return encodeText(`${text}${commit.extraHeaders}\n${commit.message}`);
}

export function formatCommit(commit: CommitObject): string {
  const [subject = ''] = commit.message.split('\n', 1);
  return `${commit.tree} by ${formatSignature(commit.author)}: ${subject}`;
}
