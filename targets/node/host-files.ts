/** Files of this host by path (Machine.hostFiles): what a person named in an argument. */

import { readdirSync, readFileSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import type { HostFile, HostFiles } from '#device';

/** Keys and certificates are far smaller; a longer file is none of them. */
export const HOST_FILE_BYTES_MAX = 1_048_576;
/** Files of a directory; more are left out. */
export const HOST_FILES_MAX = 256;

/** `content`: directories by the name of their device. */
export const hostFiles = (content: Readonly<Record<string, string>> = {}): HostFiles => ({
  contentDirectory: (name) => (Object.hasOwn(content, name) ? content[name]! : null),
  read(where) {
    const files: HostFile[] = [];
    for (const [file, stat] of filesAt(where) ?? []) {
      if (stat.size > HOST_FILE_BYTES_MAX) continue;
      try {
        files.push({ path: file, bytes: new Uint8Array(readFileSync(file)) });
      } catch {
        // Not for us, or gone meanwhile.
      }
    }
    return files.length === 0 ? null : files;
  },
  stamp(where) {
    const files = filesAt(where);
    // A file put in place of another may have its time and size, but not its number.
    const marks = files?.map(
      ([file, { mtimeMs, size, ino }]) => `${file} ${mtimeMs} ${size} ${ino}`,
    );
    return marks?.join('\n') ?? null;
  },
});

/** Regular files, by name; null when there is nothing that can be looked at. */
function filesAt(where: string): (readonly [string, Stats])[] | null {
  try {
    const stat = statSync(where);
    if (!stat.isDirectory()) return stat.isFile() ? [[where, stat]] : null;
    const names = readdirSync(where).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return names.slice(0, HOST_FILES_MAX).flatMap((name) => {
      const file = path.join(where, name);
      const found = statSync(file, { throwIfNoEntry: false });
      return found?.isFile() === true ? [[file, found] as const] : [];
    });
  } catch {
    return null;
  }
}
