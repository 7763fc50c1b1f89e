/** Loose objects: one deflated file each, "kind size\0" and the bytes (gitrepository-layout(5)). */

import { err, hot, ok, type Result, type WireFault } from '#core';
import type { Zlib } from '#device';
import { type GitObject, isObjectKind, objectHeader } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import { joinBytes } from '../wire/text.ts';
import { OBJECT_BYTES_MAX } from './limits.ts';

/** As Git's core.looseCompression: fastest. Ids don't depend on it. */
const LEVEL = 1;
const HEADER_BYTES_MAX = 32;

export const loosePath = (id: ObjectId): string => `${id.slice(0, 2)}/${id.slice(2)}`;

export const emitLooseObject = (zlib: Zlib, { kind, bytes }: GitObject): Uint8Array =>
  zlib.deflate(joinBytes([objectHeader(kind, bytes.length), bytes]), LEVEL);

/** 'too long' is a `field` fault with the bound as its value. */
export function parseLooseObject(zlib: Zlib, b: Uint8Array): Result<GitObject, WireFault> {
  const inflated = zlib.inflate(b, 0, OBJECT_BYTES_MAX + HEADER_BYTES_MAX);
  if (!inflated.ok) {
    if (inflated.error === 'cut') {
      return err({ kind: 'short', needBytes: b.length + 1, haveBytes: b.length });
    }
    return err({
      kind: 'field',
      offset: 0,
      value: inflated.error === 'too long' ? OBJECT_BYTES_MAX : 0,
    });
  }
  const { bytes, usedBytes } = inflated.value;
  if (usedBytes !== b.length)
    return err({ kind: 'field', offset: usedBytes, value: b[usedBytes]! });
  const end = hot.indexOf(bytes, 0, 0, Math.min(bytes.length, HEADER_BYTES_MAX));
  if (end < 0) return err({ kind: 'field', offset: 0, value: bytes[0] ?? 0 });
  const header = hot.latin1(bytes, 0, end);
  const space = header.indexOf(' ');
  const kind = header.slice(0, Math.max(0, space));
  const size = header.slice(space + 1);
  const sizeBytes = bytes.length - end - 1;
  if (!isObjectKind(kind) || size !== String(sizeBytes)) {
    return err({ kind: 'field', offset: 0, value: sizeBytes });
  }
  return ok({ kind, bytes: bytes.subarray(end + 1) });
}
