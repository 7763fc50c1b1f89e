/**
 * Paths: steps from the root of a tree. On a command line and in messages they are text, steps
 * with "/" between them. A step is a name that Git would check out everywhere: not ".", "..",
 * ".git" and what some file system takes for it.
 */

import { isCanonicalText, isEntryName } from '#git/wire';
import { PATH_STEPS_MAX } from './limits.ts';

export type Path = readonly string[];

/** What HFS+ ignores in names, as Git's utf8.c has it. */
const IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

/** Whether it is a name that Git checks out everywhere. */
export function isStep(step: string): boolean {
  if (!isEntryName(step) || step === '.' || step === '..') return false;
  if (!isCanonicalText(step)) return false;
  return !isDotGit(step);
}

/** Git's verify_path: what would be the repository's own directory where a tree is checked out. */
function isDotGit(step: string): boolean {
  const [first = ''] = step;
  if (first !== '.' && first !== 'g' && first !== 'G' && first < '\x80') return false;
  const plain = step.replace(IGNORED, '').toLowerCase();
  // NTFS drops dots and spaces at the end, and takes what follows ":" for a stream.
  const [name = ''] = plain.split(':', 1);
  const bare = name.replace(/[. ]+$/, '');
  return bare === '.git' || bare === 'git~1' || plain === '.git';
}

/** Null when every step is one, and they aren't too many; else what is wrong. */
export function checkPath(path: Path): string | null {
  if (path.length > PATH_STEPS_MAX) return `it has more than ${PATH_STEPS_MAX} steps`;
  for (const step of path) {
    if (!isStep(step)) return `${JSON.stringify(step)} can't be a step of a path`;
  }
  return null;
}

/** The steps of text: "/a/b", "a/b" and "a//b/" are ["a", "b"]. */
export const parsePath = (text: string): string[] => text.split('/').filter((step) => step !== '');

/** For people: a step may have no "/" in it, so parsePath gives the path again. */
export const formatPath = (path: Path): string => path.join('/');
