/**
 * Names that some file system takes for ".git", "." or "..": a tree with one is refused, because
 * checking it out there would write into a repository's own files (Git: fsck.c, is_hfs_dotgit in
 * utf8.c, is_ntfs_dotgit in path.c; CVE-2014-9390). And ".gitmodules" as a symbolic link.
 */

import { hot } from '#core';

const DOT = 0x2e;

/** Code points that HFS+ leaves out of names. */
const IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;
/** What NTFS may call it, and what it leaves out at the end. A stream's name may follow. */
const NTFS_GIT = /^(?:\.git|git~1)[ .]*(?:$|[:\\])/i;
const NTFS_MODULES = /^(?:\.gitmodules|gitmod~[1-4]|gi7eba~[1-9])[ .]*(?:$|:)/i;
/** The short name when others took "gitmod~1" to "~4": a part of it, and a hash. */
const NTFS_MODULES_HASHED = /^(?:g|gi|gi7|gi7e|gi7eb|gi7eba)~\d+[ .]*(?:$|:)/i;

/** Git's name for what is wrong with the name in b[at..end), or null. */
export function dotGitFault(
  b: Uint8Array,
  at: number,
  end: number,
  isLink: boolean,
): string | null {
  if (b[at] === DOT && end - at <= 2) {
    if (end - at === 1) return 'hasDot';
    if (b[at + 1] === DOT) return 'hasDotdot';
  }
  if (!mayBe(b, at, end)) return null;
  const text = hot.utf8Decode(b, at, end, false) ?? '';
  const plain = text.replace(IGNORED, '').toLowerCase();
  const parts = text.split('\\');
  if (plain === '.git' || parts.some((_, i) => NTFS_GIT.test(parts.slice(i).join('\\')))) {
    return 'hasDotgit';
  }
  if (!isLink) return null;
  const isModules = (part: string) => NTFS_MODULES.test(part) || NTFS_MODULES_HASHED.test(part);
  return plain === '.gitmodules' || parts.some((part) => isModules(part))
    ? 'gitmodulesSymlink'
    : null;
}

/**
 * Most names are none of them: only those that begin so, after what is left out (U+200C.., U+FEFF),
 * or have a backslash.
 */
function mayBe(b: Uint8Array, at: number, end: number): boolean {
  const first = b[at]!;
  if (first === 0xe2 || first === 0xef || hot.indexOf(b, 0x5c, at, end) >= 0) return true;
  if (first !== DOT && first !== 0x67 && first !== 0x47) return false;
  const second = b[at + 1]!;
  if (first !== DOT) return hot.indexOf(b, 0x7e, at, end) >= 0;
  return second === 0x67 || second === 0x47 || second === 0xe2 || second === 0xef;
}
