/** Makes a repository, as `git init` does. */

import { err, ok, type Result } from '#core';
import { directoryOf, type FileError, type FileSystem, makeDirectories } from '#device';
import type { ObjectHash } from '../object-id.ts';
import { type ConfigEntry, emitConfig } from './config.ts';
import { emitRefFile } from './ref-file.ts';

export interface InitOptions {
  readonly hash: ObjectHash;
  /** Without a work tree: the repository is the root itself, else `.git` in it. */
  readonly isBare: boolean;
  /** What HEAD names: "refs/heads/main". */
  readonly head: string;
}

const DIRECTORIES = ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags'];

/** Ok when one is there already, which stays as it is. It lasts when it returns. */
export function initRepository(files: FileSystem, options: InitOptions): Result<void, FileError> {
  const prefix = options.isBare ? '' : '.git/';
  const made = new Set<string>();
  for (const directory of DIRECTORIES) {
    const path = prefix + directory;
    const done = makeDirectories(files, path);
    if (!done.ok) return done;
    for (let at = path; at !== ''; at = directoryOf(at)) made.add(at);
  }
  // HEAD makes it one: last.
  const parts: [string, Uint8Array][] = [
    ['config', emitConfig(configOf(options))],
    ['HEAD', emitRefFile({ symbolic: options.head })],
  ];
  for (const [name, bytes] of parts) {
    const done = writeOnce(files, prefix + name, bytes);
    if (!done.ok) return done;
  }
  for (const directory of [...made, '']) {
    const synced = files.syncDirectory(directory);
    if (!synced.ok) return synced;
  }
  return ok(undefined);
}

/** Whole or not at all; one that is there stays. */
function writeOnce(files: FileSystem, path: string, bytes: Uint8Array): Result<void, FileError> {
  const found = files.stat(path);
  if (!found.ok) return found;
  if (found.value !== null) return ok(undefined);
  const lock = `${path}.lock`;
  files.remove(lock);
  const opened = files.open(lock, 'new');
  if (!opened.ok) return opened;
  const written = opened.value.append(bytes);
  const synced = written.ok ? opened.value.sync() : written;
  opened.value.close();
  const done = synced.ok ? files.link(lock, path) : synced;
  files.remove(lock);
  return !done.ok && done.error.kind !== 'exists' ? err(done.error) : ok(undefined);
}

function configOf({ hash, isBare }: InitOptions): ConfigEntry[] {
  const core = { section: 'core', subsection: null };
  const entries: ConfigEntry[] = [
    { ...core, name: 'repositoryformatversion', value: hash === 'SHA-1' ? '0' : '1' },
    { ...core, name: 'filemode', value: 'true' },
    { ...core, name: 'bare', value: String(isBare) },
  ];
  if (!isBare) entries.push({ ...core, name: 'logallrefupdates', value: 'true' });
  if (hash === 'SHA-256') {
    entries.push({
      section: 'extensions',
      subsection: null,
      name: 'objectformat',
      value: 'sha256',
    });
  }
  return entries;
}
