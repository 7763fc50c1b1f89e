/**
 * What one object names, by its kind: one step from a commit down to contents. Not here: walks over
 * many trees, which read their bytes as they stand (pack/raw-tree.ts, pack/commit-links.ts).
 */

import { assertNever } from '#core';
import { type GitObject, kindOfMode, MODE_SUBMODULE, type ObjectKind } from './object.ts';
import type { ObjectId } from './object-id.ts';
import { parseCommit } from './wire/commit.ts';
import { parseTag } from './wire/tag.ts';
import { parseTree } from './wire/tree.ts';

export interface ObjectLink {
  readonly id: ObjectId;
  /** What whoever names it takes it for. */
  readonly kind: ObjectKind;
}

/** Null when it is malformed. A submodule's commit is another repository's, and isn't named. */
export function objectLinks({ kind, bytes }: GitObject, idBytes: number): ObjectLink[] | null {
  switch (kind) {
    case 'blob':
      return [];
    case 'commit': {
      const commit = parseCommit(bytes, idBytes);
      if (!commit.ok) return null;
      const { tree, parents } = commit.value;
      const links: ObjectLink[] = parents.map((id) => ({ id, kind: 'commit' }));
      links.push({ id: tree, kind: 'tree' });
      return links;
    }
    case 'tag': {
      const tag = parseTag(bytes, idBytes);
      return tag.ok ? [{ id: tag.value.object, kind: tag.value.kind }] : null;
    }
    case 'tree': {
      const tree = parseTree(bytes, idBytes);
      if (!tree.ok) return null;
      const own = tree.value.filter(({ mode }) => mode !== MODE_SUBMODULE);
      return own.map(({ mode, id }) => ({ id, kind: kindOfMode(mode) }));
    }
    default:
      return assertNever(kind);
  }
}
