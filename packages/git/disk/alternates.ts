/** The object directories that a repository reads from: its own, and those it borrows from. */

import type { FileSystem, Zlib } from '#device';
import type { ObjectHash } from '../object-id.ts';
import type { Elsewhere } from './layout.ts';
import { ALTERNATE_DEPTH_MAX, ALTERNATES_BYTES_MAX, ALTERNATES_MAX } from './limits.ts';
import { ObjectPlace } from './object-place.ts';
import { parseAlternates } from './ref-file.ts';

/** Its own first. As Git, what isn't there is passed over. */
export function openAlternates(
  own: FileSystem,
  zlib: Zlib,
  hash: ObjectHash,
  elsewhere: Elsewhere,
): ObjectPlace[] {
  const places = [new ObjectPlace(own, zlib, hash)];
  const names = new Set([own.name]);
  const add = (files: FileSystem, depth: number): void => {
    for (const path of alternatesOf(files)) {
      // Paths below an alternate that are relative to it aren't followed: git's own rule.
      if (depth > 1 && !path.startsWith('/')) continue;
      const other = elsewhere(path, files);
      if (other === null || names.has(other.name) || places.length > ALTERNATES_MAX) continue;
      names.add(other.name);
      places.push(new ObjectPlace(other, zlib, hash));
      if (depth < ALTERNATE_DEPTH_MAX) add(other, depth + 1);
    }
  };
  add(own, 1);
  return places;
}

function alternatesOf(files: FileSystem): readonly string[] {
  const bytes = files.readFile('info/alternates', ALTERNATES_BYTES_MAX);
  const parsed = bytes.ok ? parseAlternates(bytes.value) : null;
  return parsed?.ok ? parsed.value : [];
}
