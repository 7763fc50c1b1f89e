/**
 * Reads a directory of files, or a tar, for a key-value pack: digests, and compressed variants
 * where they help. Runs on Node. Deterministic: paths in byte order, times from the files, fixed
 * compression settings.
 */

import { createHash } from 'node:crypto';
import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, gzipSync, constants as zlib } from 'node:zlib';
import {
  comparePaths,
  formatKvTarFault,
  isShownPath,
  type KvEntry,
  type KvPackInput,
  kvFilesOfTar,
} from '#device';

export type ContentFile = KvPackInput;

export interface ContentOptions {
  /** Whether to make gzip and br variants of compressible types; true unless set. */
  readonly compress?: boolean;
}

/** A variant is kept when it saves at least this share of the bytes. */
const SAVING_MIN = 0.05;
/** Under this a compressed response is one packet either way. */
const COMPRESS_BYTES_MIN = 256;
const COMPRESSIBLE = new Set(
  (
    '.html .htm .css .js .mjs .json .map .svg .xml .txt .md .csv .wasm .webmanifest .ico .ttf .otf ' +
    '.atom .rss .xhtml .yaml .yml .eot .bmp'
  ).split(' '),
);

/**
 * All regular files under a directory, or of a tar; names beginning with '.' are left out, except
 * `.well-known`.
 */
export function readContent(place: string, options: ContentOptions = {}): ContentFile[] {
  const compress = options.compress ?? true;
  if (!statSync(place).isDirectory()) return readTar(place, compress);
  const files: ContentFile[] = [];
  collect(place, '', compress, files);
  return files;
}

/** Throws of what is no tar. */
function readTar(place: string, compress: boolean): ContentFile[] {
  const found = kvFilesOfTar(new Uint8Array(readFileSync(place)));
  if (!found.ok) throw new Error(`${place} ${formatKvTarFault(found.error)}`);
  const files = [...found.value].map(([path, { bytes, modifiedSeconds }]) =>
    contentFile(path, bytes, modifiedSeconds, compress),
  );
  return files.sort((a, b) => comparePaths(a.path, b.path));
}

function collect(directory: string, prefix: string, compress: boolean, files: ContentFile[]): void {
  const entries = readdirSync(directory, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (!isShownPath(entry.name)) continue;
    const full = join(directory, entry.name);
    const path = prefix + entry.name;
    if (isDirectory(entry, full)) collect(full, `${path}/`, compress, files);
    else files.push(readFile(full, path, compress));
  }
}

const isDirectory = (entry: Dirent, full: string): boolean =>
  entry.isSymbolicLink() ? statSync(full).isDirectory() : entry.isDirectory();

function readFile(full: string, path: string, compress: boolean): ContentFile {
  const bytes = readFileSync(full);
  const modifiedSeconds = Math.max(0, Math.floor(statSync(full).mtimeMs / 1000));
  return contentFile(path, bytes, modifiedSeconds, compress);
}

function contentFile(
  path: string,
  bytes: Uint8Array,
  modifiedSeconds: number,
  compress: boolean,
): ContentFile {
  const wanted = compress && COMPRESSIBLE.has(extname(path).toLowerCase());
  return { path, ...makeEntry(bytes, modifiedSeconds, wanted) };
}

/** An entry with its digest and, when `compress`, the variants that are worth keeping. */
export function makeEntry(bytes: Uint8Array, modifiedSeconds: number, compress: boolean): KvEntry {
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  const variants: { encoding: 'gzip' | 'br'; bytes: Uint8Array }[] = [];
  if (compress && bytes.length >= COMPRESS_BYTES_MIN) {
    const limit = bytes.length * (1 - SAVING_MIN);
    const gzip = gzipSync(bytes, { level: 9 });
    gzip[9] = 255; // RFC 1952 §2.3.1: the field for the host's system says "unknown" on every host.
    const br = brotliCompressSync(bytes, {
      params: {
        [zlib.BROTLI_PARAM_QUALITY]: 11,
        [zlib.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    });
    if (gzip.length <= limit) variants.push({ encoding: 'gzip', bytes: gzip });
    if (br.length <= limit) variants.push({ encoding: 'br', bytes: br });
  }
  return { bytes, modifiedSeconds, digest, variants };
}
