/** Blob and File, File API §3, §4. The bytes are in memory. */

import { hot } from '#core';
import { type ByteStream, newStream, OneChunk } from './body-stream.ts';
import { bytesOf } from './encoding.ts';
import { platform } from './platform.ts';

export type BlobPart = string | ArrayBuffer | ArrayBufferView | Blob;

/** One array of all `parts`, in order. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let total = 0;
  for (const part of parts) total += part.length;
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A type is lower case, and empty when it has a character outside of ASCII's printable ones. */
const typeOf = (type: unknown): string =>
  /^[\x20-\x7e]*$/.test(String(type)) ? String(type).toLowerCase() : '';

function partBytes(part: BlobPart): Uint8Array {
  if (part instanceof Blob) return part._bytes;
  if (part instanceof ArrayBuffer || ArrayBuffer.isView(part)) return bytesOf(part);
  return hot.utf8Encode(String(part));
}

export class Blob {
  /** Never changed. Internal to packages/web. */
  readonly _bytes: Uint8Array;
  readonly type: string;

  constructor(parts: Iterable<BlobPart> = [], options?: { type?: string } | null) {
    if (typeof parts !== 'object' || parts === null) throw new TypeError('Blob: parts is no list');
    this._bytes = concatBytes(Array.from(parts, partBytes));
    this.type = typeOf(options?.type ?? '');
  }

  get size(): number {
    return this._bytes.length;
  }

  /** Bytes [start, end); negative counts from the end. */
  slice(start = 0, end = this.size, type = ''): Blob {
    return new Blob([this._bytes.subarray(start, end)], { type });
  }

  stream(): ByteStream {
    return newStream(new OneChunk(this._bytes), () => {});
  }

  async text(): Promise<string> {
    return hot.utf8Decode(this._bytes, 0, this._bytes.length, false)!;
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return concatBytes([this._bytes]);
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return concatBytes([this._bytes]).buffer;
  }

  get [Symbol.toStringTag](): string {
    return 'Blob';
  }
}

export class File extends Blob {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly lastModified: number;

  constructor(
    parts: Iterable<BlobPart>,
    name: string,
    options?: { type?: string; lastModified?: number } | null,
  ) {
    if (name === undefined) throw new TypeError('File needs parts and a name');
    super(parts, options);
    this.name = String(name);
    this.lastModified = options?.lastModified ?? platform().clock.wall();
  }

  override get [Symbol.toStringTag](): string {
    return 'File';
  }
}
