/**
 * What clients write: the inverse of the parsers, for tests, the fuzz registry and clients to come.
 */

import { hot } from '#core';
import { ChunkedDecoder, type ChunkFault } from './chunked.ts';
import type { RequestHead } from './request-head.ts';

/** A head that parses to the same as `head`; field names in lower case. */
export function emitRequestHead(head: RequestHead): Uint8Array {
  let text = `${head.method} ${head.target} HTTP/1.${head.minorVersion}\r\n`;
  head.forEach((name, value) => {
    text += `${name}: ${value}\r\n`;
  });
  const bytes = new Uint8Array(text.length + 2);
  hot.writeLatin1(bytes, 0, `${text}\r\n`);
  return bytes;
}

/** `data` in chunks of `chunkBytes` (1 and above), with the last chunk and no trailers. */
export function emitChunked(data: Uint8Array, chunkBytes: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += chunkBytes) {
    const piece = data.subarray(at, Math.min(data.length, at + chunkBytes));
    const size = `${at === 0 ? '' : '\r\n'}${piece.length.toString(16)}\r\n`;
    parts.push(hot.utf8Encode(size), piece);
  }
  parts.push(hot.utf8Encode(data.length === 0 ? '0\r\n\r\n' : '\r\n0\r\n\r\n'));
  return concat(parts);
}

/** The data of a whole chunked body, with the offset after it; null when `bytes` ends too early. */
export function parseChunked(
  bytes: Uint8Array,
): { readonly data: Uint8Array; readonly endAt: number } | ChunkFault | null {
  const decoder = new ChunkedDecoder();
  const parts: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length && !decoder.isDone) {
    at = decoder.take(bytes, at, bytes.length);
    if (decoder.fault !== null) return decoder.fault;
    parts.push(bytes.subarray(decoder.dataAt, decoder.dataEnd));
  }
  return decoder.isDone ? { data: concat(parts), endAt: at } : null;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  let count = 0;
  for (const part of parts) count += part.length;
  const all = new Uint8Array(count);
  let at = 0;
  for (const part of parts) {
    hot.copy(all, at, part, 0, part.length);
    at += part.length;
  }
  return all;
}
