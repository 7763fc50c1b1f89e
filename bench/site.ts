/**
 * The site that every machine of the bench serves: the content of examples/static-site, a file of
 * 1 KiB and one of 1 MiB. Their bytes are fixed and don't compress, so that every server sends
 * them as they are.
 */
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CACHE } from './linux-vm.ts';

export const SMALL_PATH = '/bench/1KiB.bin';
export const LARGE_PATH = '/bench/1MiB.bin';
export const LARGE_BYTES = 1 << 20;
const SMALL_BYTES = 1 << 10;
const EXAMPLE = join(import.meta.dirname, '../examples/static-site');

export interface SiteFile {
  /** The path of the URL, with its leading slash. */
  path: string;
  bytes: Buffer;
}

export interface Site {
  directory: string;
  files: SiteFile[];
}

/** Assembles the site in .cache/bench/site, anew. */
export async function assembleSite(): Promise<Site> {
  const directory = join(CACHE, 'site');
  await rm(directory, { recursive: true, force: true });
  await cp(EXAMPLE, directory, { recursive: true });
  await mkdir(join(directory, 'bench'), { recursive: true });
  await writeFile(join(directory, SMALL_PATH), noise(SMALL_BYTES));
  await writeFile(join(directory, LARGE_PATH), noise(LARGE_BYTES));
  const files: SiteFile[] = [];
  for (const name of (await readdir(directory, { recursive: true })).sort()) {
    const path = join(directory, name);
    if ((await stat(path)).isFile()) files.push({ path: `/${name}`, bytes: await readFile(path) });
  }
  return { directory, files };
}

/** The same bytes on every call, from xorshift32. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 0x6d6f7267;
  for (let at = 0; at < length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state & 0xff;
  }
  return bytes;
}
