/**
 * How a bundler puts the web API into a program: options for esbuild, beside inject.ts. Only tools
 * import this file.
 */

/** Names that inject.ts exports; tests/web/bundle.test.ts keeps the two equal. */
// size-exempt: table
export const WEB_GLOBALS: readonly string[] = [
  'AbortController',
  'AbortSignal',
  'Blob',
  'ByteLengthQueuingStrategy',
  'CountQueuingStrategy',
  'CryptoKey',
  'CustomEvent',
  'DOMException',
  'Event',
  'EventTarget',
  'File',
  'FormData',
  'Headers',
  'ReadableByteStreamController',
  'ReadableStream',
  'ReadableStreamBYOBReader',
  'ReadableStreamBYOBRequest',
  'ReadableStreamDefaultController',
  'ReadableStreamDefaultReader',
  'Request',
  'Response',
  'SubtleCrypto',
  'TextDecoder',
  'TextDecoderStream',
  'TextEncoder',
  'TextEncoderStream',
  'TransformStream',
  'TransformStreamDefaultController',
  'URL',
  'URLSearchParams',
  'WritableStream',
  'WritableStreamDefaultController',
  'WritableStreamDefaultWriter',
  'atob',
  'btoa',
  'clearInterval',
  'clearTimeout',
  'console',
  'crypto',
  'cryptoSubtle',
  'navigator',
  'performance',
  'queueMicrotask',
  'self',
  'setInterval',
  'setTimeout',
  'structuredClone',
];

/**
 * For esbuild's `define`: `globalThis.crypto` and `self.crypto` mean `crypto`, which `inject` then
 * finds. `crypto.subtle` is a name of its own, so that `crypto` alone doesn't link it.
 */
export function webDefines(): Record<string, string> {
  const defines: Record<string, string> = {};
  for (const name of WEB_GLOBALS) {
    defines[`globalThis.${name}`] = name;
    if (name !== 'self') defines[`self.${name}`] = name;
  }
  for (const owner of ['', 'globalThis.', 'self.']) {
    defines[`${owner}crypto.subtle`] = 'cryptoSubtle';
  }
  return defines;
}
