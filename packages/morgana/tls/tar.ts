/**
 * A tar of small files, as POSIX.1-1988 "ustar" and GNU tar write it: regular files with their
 * names, everything else passed over. Not here: long names of GNU and pax (such files keep their
 * short name), sparse files, links.
 */

import { err, hot, ok, type Result, type WireFault } from '#core';

export interface TarFile {
  readonly path: string;
  /** A view of the archive. */
  readonly bytes: Uint8Array;
}

export const TAR_BLOCK_BYTES = 512;
/** Files of an archive; one more is a fault. */
export const TAR_FILES_MAX = 256;

const at = { name: 0, size: 124, checksum: 148, type: 156, magic: 257, prefix: 345 } as const;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
const NUMBER_BYTES = 12;
const CHECKSUM_BYTES = 8;
const SPACE = 0x20;
const TYPE_FILE = 0x30;
const MAGIC = hot.utf8Encode('ustar');

/** Whether `bytes` begin as a tar does. */
export const looksLikeTar = (bytes: Uint8Array): boolean =>
  bytes.length >= TAR_BLOCK_BYTES && hot.equal(bytes, at.magic, MAGIC, 0, MAGIC.length);

/**
 * The files of an archive, which ends with a block of zeros or with `bytes`. O(bytes); the files
 * borrow them.
 */
export function parseTar(bytes: Uint8Array): Result<readonly TarFile[], WireFault> {
  const files: TarFile[] = [];
  for (let head = 0; head < bytes.length; ) {
    if (bytes.length - head < TAR_BLOCK_BYTES) {
      return err({ kind: 'short', needBytes: head + TAR_BLOCK_BYTES, haveBytes: bytes.length });
    }
    if (isZero(bytes, head)) break;
    const size = octal(bytes, head + at.size, NUMBER_BYTES);
    if (octal(bytes, head + at.checksum, CHECKSUM_BYTES) !== checksumOf(bytes, head)) {
      return err({ kind: 'field', offset: head + at.checksum, value: bytes[head + at.checksum]! });
    }
    if (size === null) {
      return err({ kind: 'field', offset: head + at.size, value: bytes[head + at.size]! });
    }
    const from = head + TAR_BLOCK_BYTES;
    if (size > bytes.length - from) {
      return err({ kind: 'short', needBytes: from + size, haveBytes: bytes.length });
    }
    const type = bytes[head + at.type]!;
    if (type === TYPE_FILE || type === 0) {
      if (files.length === TAR_FILES_MAX) {
        return err({ kind: 'field', offset: head, value: TAR_FILES_MAX });
      }
      files.push({ path: pathOf(bytes, head), bytes: bytes.subarray(from, from + size) });
    }
    head = from + Math.ceil(size / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
  }
  return ok(files);
}

function pathOf(bytes: Uint8Array, head: number): string {
  const name = text(bytes, head + at.name, NAME_BYTES);
  const isUstar = hot.equal(bytes, head + at.magic, MAGIC, 0, MAGIC.length);
  // GNU's own format has other things there, after another version.
  const hasPrefix = isUstar && bytes[head + at.magic + MAGIC.length] === 0;
  const prefix = hasPrefix ? text(bytes, head + at.prefix, PREFIX_BYTES) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Up to the first zero. */
function text(bytes: Uint8Array, from: number, count: number): string {
  let end = from;
  while (end < from + count && bytes[end] !== 0) end++;
  return hot.latin1(bytes, from, end);
}

/** Octal digits, which spaces may stand before, and a space or zero after; null for others. */
function octal(bytes: Uint8Array, from: number, count: number): number | null {
  const found = /^ *([0-7]{1,11})[ \0]*$/.exec(hot.latin1(bytes, from, from + count));
  return found === null ? null : Number.parseInt(found[1]!, 8);
}

/** The sum of the header's bytes, its own field counted as spaces. */
function checksumOf(bytes: Uint8Array, head: number): number {
  let sum = CHECKSUM_BYTES * SPACE;
  for (let i = 0; i < TAR_BLOCK_BYTES; i++) {
    const isOwn = i >= at.checksum && i < at.checksum + CHECKSUM_BYTES;
    if (!isOwn) sum += bytes[head + i]!;
  }
  return sum;
}

function isZero(bytes: Uint8Array, head: number): boolean {
  for (let i = head; i < head + TAR_BLOCK_BYTES; i++) if (bytes[i] !== 0) return false;
  return true;
}
