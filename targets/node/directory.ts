/**
 * A directory or a tar of the host as a key-value device, as it was when it was read. No variants:
 * those are made for images.
 */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import {
  comparePaths,
  formatKvTarFault,
  isShownPath,
  type KvEntry,
  type KvReadOnly,
  openKvTar,
} from '#device';

/**
 * Reads all regular files below `directory`, without names that begin with a dot (but for
 * `.well-known`), as an image has them; throws Node's error when it can't. O(bytes).
 */
export function readDirectory(directory: string): KvReadOnly {
  const entries = new Map<string, KvEntry>();
  for (const found of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    const file = path.join(found.parentPath, found.name);
    const name = path.relative(directory, file).split(path.sep).join('/');
    if (!isShownPath(name)) continue;
    const stats = statSync(file, { throwIfNoEntry: false });
    // A link that leads nowhere is as good as no file.
    if (stats?.isFile() !== true) continue;
    const bytes = new Uint8Array(readFileSync(file));
    entries.set(name, {
      bytes,
      modifiedSeconds: Math.floor(stats.mtimeMs / 1_000),
      digest: digestOf(bytes),
      variants: [],
    });
  }
  const paths = [...entries.keys()].sort(comparePaths);
  return { get: (name) => entries.get(name) ?? null, paths: () => paths };
}

const digestOf = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex').slice(0, 32);

/** What the CLI calls content: a directory, or a tar. Throws when it can't be read as either. */
export function readContent(place: string): KvReadOnly {
  if (statSync(place).isDirectory()) return readDirectory(place);
  const opened = openKvTar(new Uint8Array(readFileSync(place)), digestOf);
  if (opened.ok) return opened.value;
  throw new Error(`${place} ${formatKvTarFault(opened.error)}`);
}
