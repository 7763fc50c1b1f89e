/** Refuses content that can't be published as it is, before anything else reads it. */

import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { formatKvTarFault, kvFilesOfTar } from '#device';
import type { App } from './app.ts';
import { Failure } from './failure.ts';
import { shown } from './places.ts';

export function checkContent(app: App): void {
  for (const [name, directory] of Object.entries(app.content)) {
    const kind = app.devices.find((node) => node.name === name)?.kind;
    if (kind === 'kv.tar') checkTar(directory);
    // What is read by the program only, certificates, may be linked from anywhere.
    if (kind !== 'kv.directory') continue;
    const root = realpathSync(directory);
    checkDirectory(directory, root, [root]);
  }
}

function checkTar(file: string): void {
  const found = kvFilesOfTar(new Uint8Array(readFileSync(file)));
  if (!found.ok) refuse(file, formatKvTarFault(found.error), 'make it with: tar -cf FILE.tar DIR');
}

/** `above`: the real paths of the directories that contain this one. */
function checkDirectory(directory: string, root: string, above: readonly string[]): void {
  for (const name of readdirSync(directory)) {
    if (name.startsWith('.') && name !== '.well-known') continue;
    const file = path.join(directory, name);
    if (name.includes('\uFFFD')) refuse(file, 'has a name that is not UTF-8', 'rename it');
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) refuse(file, 'is a link that leads nowhere', 'remove it');
    const real = realpathSync(file);
    if (!real.startsWith(root + path.sep)) {
      // Else a stray link would publish what nobody meant to.
      if (real !== root)
        refuse(file, `is a link out of the site, to ${real}`, 'copy the file there');
      refuse(file, 'is a link to a directory that contains it', 'remove it');
    }
    if (stat.isDirectory()) {
      if (above.includes(real)) {
        refuse(file, 'is a link to a directory that contains it', 'remove it');
      }
      checkDirectory(file, root, [...above, real]);
    } else if (!stat.isFile()) {
      refuse(file, 'is neither a file nor a directory', 'remove it');
    }
  }
}

function refuse(file: string, what: string, mend: string): never {
  throw new Failure({ what: `${shown(file)} ${what}`, mend });
}
