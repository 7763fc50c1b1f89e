/**
 * Branches that work trees have checked out: the main one, and those that `git worktree add` made
 * (gitrepository-layout(5), "worktrees"). Not here: branches that are rebased or bisected.
 */

import type { FileSystem } from '#device';
import { decodeText } from '../wire/text.ts';
import type { Layout } from './layout.ts';
import { REF_FILE_BYTES_MAX } from './limits.ts';
import { parseRefFile } from './ref-file.ts';

export interface CheckedOut {
  readonly branch: string;
  /** The work tree. */
  readonly where: string;
}

/** In a bare repository linked work trees only; what can't be read has nothing checked out. */
export function* checkedOut({ common, isBare, hash }: Layout): Generator<CheckedOut> {
  const branchAt = (path: string): string | undefined => {
    const bytes = common.readFile(path, REF_FILE_BYTES_MAX);
    const parsed = bytes.ok ? parseRefFile(bytes.value, hash) : null;
    return parsed?.ok === true ? parsed.value.symbolic : undefined;
  };
  const main = isBare ? undefined : branchAt('HEAD');
  if (main !== undefined) yield { branch: main, where: treeOf(common.name) };
  const linked = common.list('worktrees');
  for (const { name } of linked.ok ? linked.value : []) {
    const branch = branchAt(`worktrees/${name}/HEAD`);
    if (branch !== undefined) yield { branch, where: linkedAt(common, name) };
  }
}

/** What its `gitdir` says. */
function linkedAt(common: FileSystem, name: string): string {
  const path = `worktrees/${name}`;
  const bytes = common.readFile(`${path}/gitdir`, REF_FILE_BYTES_MAX);
  const text = bytes.ok ? decodeText(bytes.value, 0, bytes.value.length).trim() : '';
  return text === '' ? path : treeOf(text);
}

const treeOf = (gitDirectory: string): string => gitDirectory.replace(/(?<=.)\/\.git$/, '');
