/** Why a repository can't be opened or made. */

import { assertNever, type WireFault } from '#core';
import { type FileError, formatFileError } from '#device';

export type OpenFault =
  /** Neither a repository nor a directory with a `.git` in it. */
  | { readonly kind: 'no repository'; readonly where: string }
  /** Made by a Git that is newer than what is known here. */
  | { readonly kind: 'version'; readonly value: string }
  /** `extensions.NAME`: something that must be known, and isn't. */
  | { readonly kind: 'extension'; readonly name: string; readonly value: string }
  | { readonly kind: 'malformed'; readonly path: string; readonly fault: WireFault }
  /** Part of it is in another directory, which can't be gone into from here. */
  | { readonly kind: 'elsewhere'; readonly path: string }
  | { readonly kind: 'file'; readonly error: FileError };

/** One sentence, without a dot. */
export function formatOpenFault(fault: OpenFault): string {
  switch (fault.kind) {
    case 'no repository':
      return `there is no Git repository in ${fault.where}`;
    case 'version':
      return `core.repositoryformatversion is ${fault.value}, and 0 and 1 are known`;
    case 'extension':
      return `the repository needs extensions.${fault.name}=${fault.value}, which isn't supported`;
    case 'malformed':
      return `${fault.path} is malformed`;
    case 'elsewhere':
      return `a part of the repository is in ${fault.path}, which can't be reached`;
    case 'file':
      return formatFileError(fault.error);
    default:
      return assertNever(fault);
  }
}
