/** Archives for tests, as pax writes them: with extended headers where ustar isn't enough. */

import { hot } from '#core';
import { TAR_BLOCK_BYTES } from './tar.ts';

interface File {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly modifiedSeconds?: number;
}

const NAME_BYTES = 100;
const OCTAL_MAX = 8 ** 11;

/** Writes to `to` from offset 0, and returns the length. */
export function emitTar(to: Uint8Array, files: readonly File[]): number {
  let at = 0;
  for (const { path, bytes, modifiedSeconds = 0 } of files) {
    const name = hot.utf8Encode(path);
    const records = [
      ...(name.length > NAME_BYTES ? [paxRecord('path', path)] : []),
      ...(modifiedSeconds >= OCTAL_MAX ? [paxRecord('mtime', String(modifiedSeconds))] : []),
    ];
    if (records.length > 0) {
      const extended = new Uint8Array(Buffer.concat(records));
      at = emitEntry(to, at, 'x', hot.utf8Encode('PaxHeader'), extended, 0);
    }
    const seconds = modifiedSeconds < OCTAL_MAX ? modifiedSeconds : 0;
    const short = name.length > NAME_BYTES ? hot.utf8Encode('long') : name;
    at = emitEntry(to, at, '0', short, bytes, seconds);
  }
  to.fill(0, at, at + 2 * TAR_BLOCK_BYTES);
  return at + 2 * TAR_BLOCK_BYTES;
}

/** "LENGTH KEY=VALUE\n", LENGTH counting itself. */
export function paxRecord(key: string, value: string): Uint8Array {
  const rest = hot.utf8Encode(` ${key}=${value}\n`);
  let length = rest.length;
  while (length !== rest.length + String(length).length) {
    length = rest.length + String(length).length;
  }
  return new Uint8Array(Buffer.concat([hot.utf8Encode(String(length)), rest]));
}

function emitEntry(
  to: Uint8Array,
  at: number,
  type: string,
  name: Uint8Array,
  bytes: Uint8Array,
  seconds: number,
): number {
  to.fill(0, at, at + TAR_BLOCK_BYTES);
  to.set(name, at);
  hot.writeLatin1(to, at + 100, '0000644\0');
  hot.writeLatin1(to, at + 124, `${bytes.length.toString(8).padStart(11, '0')}\0`);
  hot.writeLatin1(to, at + 136, `${seconds.toString(8).padStart(11, '0')}\0`);
  hot.writeLatin1(to, at + 156, type);
  hot.writeLatin1(to, at + 257, 'ustar\x0000');
  sign(to, at);
  const from = at + TAR_BLOCK_BYTES;
  to.set(bytes, from);
  const end = from + Math.ceil(bytes.length / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
  to.fill(0, from + bytes.length, end);
  return end;
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
