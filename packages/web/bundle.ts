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
 * finds.
 */
export function webDefines(): Record<string, string> {
  const defines: Record<string, string> = {};
  for (const name of WEB_GLOBALS) {
    defines[`globalThis.${name}`] = name;
    if (name !== 'self') defines[`self.${name}`] = name;
  }
  return defines;
}
