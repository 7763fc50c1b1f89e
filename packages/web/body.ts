/**
 * Bodies, Fetch §2.2.4, §5.3. A body stays what it was given as (text, bytes, a source of chunks);
 * a stream is made only when `.body` is touched: a ReadableStream where an app names any of the
 * streams, else a BodyStream.
 */

import { hot } from '#core';
import { Blob, concatBytes } from './blob.ts';
import {
  type ByteSource,
  type ByteStream,
  newStream,
  OneChunk,
  StreamSource,
  teeSource,
} from './body-stream.ts';
import { bytesOf } from './encoding.ts';
import { encodeMultipart, FormData, parseMultipart } from './form-data.ts';
import { URLSearchParams } from './url-search-params.ts';

export type BodyInit =
  | string
  | ArrayBuffer
  | ArrayBufferView
  | Blob
  | FormData
  | URLSearchParams
  | ByteStream;

/** A body as a reader takes it. */
export type BodyContent = string | Uint8Array | ByteSource;

/**
 * Where a stream made by `.body` keeps its payload, so that `new Response(request.body)` needs no
 * stream. No WeakMap: the payload knows its stream too, and QuickJS never frees such a pair from a
 * WeakMap.
 */
const PAYLOAD = Symbol('payload');
type OwnStream = ByteStream & { [PAYLOAD]?: Payload };

const unusable = () => new TypeError('the body was used already, or its stream is locked');

/**
 * A body that may be shared by several objects, and is read once. Internal to packages/web and
 * http.
 */
export class Payload {
  readonly content: BodyContent | ByteStream;
  used = false;
  private stream: ByteStream | null = null;

  constructor(content: BodyContent | ByteStream) {
    this.content = content;
    if (isStream(content)) this.stream = content;
  }

  get unusable(): boolean {
    return this.used || this.stream?.locked === true;
  }

  /** The stream of `.body`. */
  asStream(): ByteStream {
    if (this.stream !== null) return this.stream;
    const stream = newStream(sourceOf(this.content), () => {
      this.used = true;
    });
    this.stream = stream;
    // What was in it is gone: whoever asks now must not read it again.
    if (this.used) stream.getReader();
    Object.defineProperty(stream, PAYLOAD, { value: this });
    return stream;
  }

  /** The body, for its one reader; throws a TypeError when it had one. */
  take(): BodyContent {
    if (this.unusable) throw unusable();
    this.used = true;
    if (isStream(this.content)) return sourceOf(this.content);
    // The stream is empty now; whoever has it must not read from it.
    this.stream?.getReader();
    return this.content;
  }

  /** The same body for a second object. */
  clone(): [Payload, Payload] {
    if (this.unusable) throw unusable();
    if (typeof this.content === 'string' || this.content instanceof Uint8Array) {
      return [this, new Payload(this.content)];
    }
    const [first, second] = teeSource(sourceOf(this.content));
    return [new Payload(first), new Payload(second)];
  }
}

const isStream = (content: object | string): content is ByteStream =>
  typeof content === 'object' && 'getReader' in content;

function sourceOf(content: BodyContent | ByteStream): ByteSource {
  if (typeof content === 'string' || content instanceof Uint8Array) return new OneChunk(content);
  return isStream(content) ? new StreamSource(content) : content;
}

/** All of a body. The array may be shared: copy it before giving it away. */
export async function readAll(content: BodyContent): Promise<Uint8Array> {
  if (typeof content === 'string') return hot.utf8Encode(content);
  if (content instanceof Uint8Array) return content;
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = await content.read();
    if (chunk === null) break;
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : concatBytes(chunks);
}

/** Fetch "extract a body": the payload, and the Content-Type that it brings, or ''. */
export function extractBody(init: unknown): { payload: Payload; type: string } {
  if (typeof init === 'string') {
    return { payload: new Payload(init), type: 'text/plain;charset=UTF-8' };
  }
  if (init instanceof Uint8Array) {
    // Not slice(): that of Node's Buffer is no copy.
    return { payload: new Payload(new Uint8Array(init)), type: '' };
  }
  if (init instanceof ArrayBuffer || ArrayBuffer.isView(init)) {
    return { payload: new Payload(new Uint8Array(bytesOf(init))), type: '' };
  }
  if (init instanceof Blob) return { payload: new Payload(init._bytes), type: init.type };
  if (init instanceof URLSearchParams) {
    const type = 'application/x-www-form-urlencoded;charset=UTF-8';
    return { payload: new Payload(init.toString()), type };
  }
  if (init instanceof FormData) {
    const { bytes, type } = encodeMultipart(init);
    return { payload: new Payload(bytes), type };
  }
  if (typeof init === 'object' && init !== null && isStream(init)) {
    const payload = (init as OwnStream)[PAYLOAD] ?? new Payload(init);
    if (payload.unusable) throw unusable();
    return { payload, type: '' };
  }
  return { payload: new Payload(String(init)), type: 'text/plain;charset=UTF-8' };
}

/** The base of Request and Response: Fetch §5.3, the Body mixin. */
export abstract class Body {
  /** Internal to packages/web and http. */
  _payload: Payload | null = null;

  get body(): ByteStream | null {
    return this._payload === null ? null : this._payload.asStream();
  }

  get bodyUsed(): boolean {
    return this._payload?.used === true;
  }

  async text(): Promise<string> {
    const content = this._take();
    if (typeof content === 'string') return withoutMark(content.toWellFormed());
    const bytes = await readAll(content);
    return withoutMark(hot.utf8Decode(bytes, 0, bytes.length, false)!);
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return concatBytes([await readAll(this._take())]);
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }

  async blob(): Promise<Blob> {
    return new Blob([await readAll(this._take())], { type: this._contentType() });
  }

  async formData(): Promise<FormData> {
    const type = this._contentType();
    const essence = type.split(';', 1)[0]!.trim().toLowerCase();
    if (essence === 'multipart/form-data') return parseMultipart(await this.bytes(), type);
    if (essence !== 'application/x-www-form-urlencoded') {
      throw new TypeError(`formData: the body's type is "${type}"`);
    }
    const form = new FormData();
    for (const [name, value] of new URLSearchParams(`?${await this.text()}`)) {
      form.append(name, value);
    }
    return form;
  }

  abstract _contentType(): string;

  private _take(): BodyContent {
    return this._payload === null ? '' : this._payload.take();
  }

  /** A payload of the same bytes for a clone of this object. */
  protected _clonePayload(): Payload | null {
    if (this._payload === null) return null;
    const [mine, theirs] = this._payload.clone();
    this._payload = mine;
    return theirs;
  }
}

/** Without a byte order mark. */
const withoutMark = (text: string): string =>
  text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
