/** Archives for tests, as GNU tar writes them with --format=ustar. */

import { hot } from '#core';
import { TAR_BLOCK_BYTES } from './tar.ts';

interface File {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Paths as they can be read. Writes to `to` from offset 0, and returns the length. */
export function emitTar(to: Uint8Array, files: readonly File[]): number {
  let at = 0;
  for (const { path, bytes } of files) {
    to.fill(0, at, at + TAR_BLOCK_BYTES);
    const slash = path.length <= 100 ? -1 : splitOf(path);
    hot.writeLatin1(to, at, path.slice(slash + 1));
    if (slash > 0) hot.writeLatin1(to, at + 345, path.slice(0, slash));
    hot.writeLatin1(to, at + 100, '0000644\0');
    hot.writeLatin1(to, at + 124, `${bytes.length.toString(8).padStart(11, '0')}\0`);
    hot.writeLatin1(to, at + 156, '0');
    hot.writeLatin1(to, at + 257, 'ustar\x0000');
    sign(to, at);
    at += TAR_BLOCK_BYTES;
    to.set(bytes, at);
    const end = at + Math.ceil(bytes.length / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
    to.fill(0, at + bytes.length, end);
    at = end;
  }
  to.fill(0, at, at + 2 * TAR_BLOCK_BYTES);
  return at + 2 * TAR_BLOCK_BYTES;
}

/** Where a long path's prefix ends. */
function splitOf(path: string): number {
  let slash = path.indexOf('/', Math.max(1, path.length - 101));
  while (slash > 155 || (slash >= 0 && path.length - slash - 1 > 100)) {
    slash = path.indexOf('/', slash + 1);
  }
  return slash;
}

/** The checksum of the header at `at`. */
function sign(to: Uint8Array, at: number): void {
  hot.writeLatin1(to, at + 148, ' '.repeat(8));
  const sum = to.subarray(at, at + TAR_BLOCK_BYTES).reduce((all, byte) => all + byte, 0);
  hot.writeLatin1(to, at + 148, `${sum.toString(8).padStart(6, '0')}\0 `);
}

/** Mends the checksums of all headers that stand at whole blocks. */
export function mendTar(bytes: Uint8Array): void {
  for (let at = 0; at + TAR_BLOCK_BYTES <= bytes.length; at += TAR_BLOCK_BYTES) {
    if (hot.latin1(bytes, at + 257, at + 262) === 'ustar') sign(bytes, at);
  }
}
