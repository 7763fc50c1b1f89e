/** Where things are: this package's own root, and the caches. */

import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from './failure.ts';

/** The root of the package "morgana": a checkout, or its installation in node_modules. */
export const packageRoot: string = findRoot(path.dirname(fileURLToPath(import.meta.url)));

function findRoot(from: string): string {
  const file = path.join(from, 'package.json');
  if (existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).name === 'morgana') return from;
  return findRoot(path.dirname(from));
}

/** A directory for what can be made again; made on demand. MORGANA_CACHE names another place. */
export function cacheDirectory(...parts: string[]): string {
  const home =
    process.env.MORGANA_CACHE ??
    path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'morgana');
  const directory = path.join(home, ...parts);
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    const what = `can't make the cache ${directory} (${(error as Error).message})`;
    throw new Failure({ what, mend: 'set MORGANA_CACHE to a directory that can be written' });
  }
  return directory;
}

/**
 * The cache directory of one application: its path's digest keeps two apart. It is its owner's
 * only, as images with private keys in them are made here.
 */
export function appCacheDirectory(app: string): string {
  const name = createHash('sha256').update(app).digest('hex').slice(0, 16);
  const directory = cacheDirectory('apps', name);
  chmodSync(directory, 0o700);
  return directory;
}

/** A path as a person would write it: relative when that is shorter to read. */
export function shown(file: string): string {
  const relative = path.relative(process.cwd(), file);
  if (relative === '') return '.';
  return relative.startsWith(path.join('..', '..')) ? file : relative;
}

/**
 * Writes a file in one step: what runs from a program of before, or reads, keeps it, where writing
 * over it is refused (ETXTBSY) or breaks it.
 */
export function writeProgram(file: string, bytes: Uint8Array | string, mode = 0o755): void {
  const fresh = `${file}.${process.pid}`;
  try {
    writeFileSync(fresh, bytes, { mode });
    renameSync(fresh, file);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}
