/**
 * A tar, as POSIX.1-1988 "ustar", POSIX.1-2001 "pax" and GNU tar write it: regular files with their
 * names, times and content, everything else passed over. Not here: sparse files, links, what pax
 * says about all files ("g"), numbers in GNU's base 256. Read first: POSIX.1-2024, pax, "ustar
 * Interchange Format" and "pax Extended Header".
 */

import { err, hot, ok, type Result, type WireFault } from '#core';

export interface TarFile {
  /** As it stands there: nothing says that it is a good one. */
  readonly path: string;
  /** A view of the archive. */
  readonly bytes: Uint8Array;
  /** Whole seconds since 1970; 0 where the archive has an earlier or no time. */
  readonly modifiedSeconds: number;
}

export const TAR_BLOCK_BYTES = 512;
/** Of an archive's long names and pax records, each: far more than a path that a host takes. */
export const TAR_EXTENSION_BYTES_MAX = 65_536;

const at = {
  ...{ name: 0, size: 124, modified: 136, checksum: 148, type: 156, magic: 257, prefix: 345 },
} as const;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
const NUMBER_BYTES = 12;
const CHECKSUM_BYTES = 8;
/** Of a pax record's length. */
const LENGTH_DIGITS_MAX = 7;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const TYPE = { file: 0x30, contiguous: 0x37, longName: 0x4c, pax: 0x78 } as const;
const MAGIC = hot.utf8Encode('ustar');

/** Whether `bytes` begin as a tar does. */
export const looksLikeTar = (bytes: Uint8Array): boolean =>
  bytes.length >= TAR_BLOCK_BYTES && hot.equal(bytes, at.magic, MAGIC, 0, MAGIC.length);

/** What stands before a file and is about it. */
interface Extension {
  path?: string;
  size?: number;
  modifiedSeconds?: number;
}

/**
 * The files of an archive, `filesMax` at most, which ends with a block of zeros or with `bytes`.
 * O(bytes); the files borrow them.
 */
export function parseTar(
  bytes: Uint8Array,
  filesMax: number,
): Result<readonly TarFile[], WireFault> {
  const files: TarFile[] = [];
  let about: Extension = {};
  for (let head = 0; head < bytes.length; ) {
    if (bytes.length - head < TAR_BLOCK_BYTES) {
      return err({ kind: 'short', needBytes: head + TAR_BLOCK_BYTES, haveBytes: bytes.length });
    }
    if (isZero(bytes, head)) break;
    const field = (offset: number): Result<never, WireFault> =>
      err({ kind: 'field', offset, value: bytes[offset]! });
    if (octal(bytes, head + at.checksum, CHECKSUM_BYTES) !== checksumOf(bytes, head)) {
      return field(head + at.checksum);
    }
    const type = bytes[head + at.type]!;
    const isExtension = type === TYPE.pax || type === TYPE.longName;
    const said = octal(bytes, head + at.size, NUMBER_BYTES);
    const size = isExtension ? said : (about.size ?? said);
    if (size === null) return field(head + at.size);
    const from = head + TAR_BLOCK_BYTES;
    if (size > bytes.length - from) {
      return err({ kind: 'short', needBytes: from + size, haveBytes: bytes.length });
    }
    if (isExtension) {
      if (size > TAR_EXTENSION_BYTES_MAX) return field(head + at.size);
      const isRead =
        type === TYPE.pax
          ? readPax(bytes, from, from + size, about)
          : readLongName(bytes, from, from + size, about);
      if (!isRead) return field(from);
    } else {
      if (type === TYPE.file || type === TYPE.contiguous || type === 0) {
        if (files.length === filesMax) return err({ kind: 'field', offset: head, value: filesMax });
        const path = about.path ?? pathOf(bytes, head);
        if (path === null) return field(head + at.name);
        const modifiedSeconds = about.modifiedSeconds ?? timeOf(bytes, head);
        files.push({ path, bytes: bytes.subarray(from, from + size), modifiedSeconds });
      }
      about = {};
    }
    head = from + Math.ceil(size / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
  }
  return ok(files);
}

/** Null when it isn't UTF-8. */
function pathOf(bytes: Uint8Array, head: number): string | null {
  const name = text(bytes, head + at.name, NAME_BYTES);
  const isUstar = hot.equal(bytes, head + at.magic, MAGIC, 0, MAGIC.length);
  // GNU's own format has other things there, after another version.
  const hasPrefix = isUstar && bytes[head + at.magic + MAGIC.length] === 0;
  const prefix = hasPrefix ? text(bytes, head + at.prefix, PREFIX_BYTES) : '';
  if (name === null || prefix === null) return null;
  return prefix === '' ? name : `${prefix}/${name}`;
}

const timeOf = (bytes: Uint8Array, head: number): number =>
  octal(bytes, head + at.modified, NUMBER_BYTES) ?? 0;

/** Records "LENGTH KEY=VALUE\n", LENGTH being the record's whole; false when one is not so. */
function readPax(bytes: Uint8Array, from: number, end: number, about: Extension): boolean {
  for (let record = from; record < end; ) {
    const space = hot.indexOf(bytes, SPACE, record, Math.min(end, record + LENGTH_DIGITS_MAX + 1));
    const digits = space < 0 ? '' : hot.latin1(bytes, record, space);
    const next = record + (/^[1-9]\d*$/.test(digits) ? Number(digits) : 0);
    if (next <= space || next > end || bytes[next - 1] !== NEWLINE) return false;
    const words = hot.utf8Decode(bytes, space + 1, next - 1, true);
    const equals = words?.indexOf('=') ?? -1;
    // A value that isn't UTF-8 matters where it is one that we read.
    if (words === null) {
      if (hot.latin1(bytes, space + 1, space + 6) === 'path=') return false;
    } else if (equals < 1 || !takePax(words.slice(0, equals), words.slice(equals + 1), about)) {
      return false;
    }
    record = next;
  }
  return true;
}

function takePax(key: string, value: string, about: Extension): boolean {
  if (key === 'path') {
    about.path = value;
    return !value.includes('\0');
  }
  if (key === 'size') {
    about.size = Number(value);
    return /^\d{1,15}$/.test(value);
  }
  if (key !== 'mtime') return true;
  const found = /^(-?)(\d{1,12})(?:\.\d*)?$/.exec(value);
  about.modifiedSeconds = found?.[1] === '' ? Number(found[2]) : 0;
  return found !== null;
}

/** GNU's way: the next file's name, and a zero. */
function readLongName(bytes: Uint8Array, from: number, end: number, about: Extension): boolean {
  const name = text(bytes, from, end - from);
  if (name === null) return false;
  about.path = name;
  return true;
}

/** Up to the first zero; null when it isn't UTF-8. */
function text(bytes: Uint8Array, from: number, count: number): string | null {
  const end = hot.indexOf(bytes, 0, from, from + count);
  return hot.utf8Decode(bytes, from, end < 0 ? from + count : end, true);
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
