/**
 * The bindings that stand in for web globals: pass this file to esbuild's `inject` (bundle.ts has
 * the options). A free reference to one of these names becomes an import of it; names that a
 * program doesn't use cost nothing.
 */

export { AbortController, AbortSignal } from './abort.ts';
export { atob, btoa } from './base64.ts';
export { Blob, File } from './blob.ts';
export { console } from './console.ts';
export { crypto } from './crypto.ts';
export { DOMException } from './dom-exception.ts';
export { TextDecoder, TextEncoder } from './encoding.ts';
export { CustomEvent, Event, EventTarget } from './event-target.ts';
export { FormData } from './form-data.ts';
export { Headers } from './headers.ts';
export { navigator, performance, self } from './performance.ts';
export { Request } from './request.ts';
export { Response } from './response.ts';
export {
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  ReadableByteStreamController,
  ReadableStream,
  ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest,
  ReadableStreamDefaultController,
  ReadableStreamDefaultReader,
  TextDecoderStream,
  TextEncoderStream,
  TransformStream,
  TransformStreamDefaultController,
  WritableStream,
  WritableStreamDefaultController,
  WritableStreamDefaultWriter,
} from './streams.ts';
export { structuredClone } from './structured-clone.ts';
export { CryptoKey, cryptoSubtle, SubtleCrypto } from './subtle.ts';
export { clearInterval, clearTimeout, queueMicrotask, setInterval, setTimeout } from './timers.ts';
export { URL } from './url.ts';
export { URLSearchParams } from './url-search-params.ts';
