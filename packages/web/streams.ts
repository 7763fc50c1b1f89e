/** WHATWG Streams from web-streams-polyfill, and the text streams of WHATWG Encoding over them. */

import {
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  ReadableByteStreamController,
  ReadableStream,
  ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest,
  ReadableStreamDefaultController,
  ReadableStreamDefaultReader,
  TransformStream,
  TransformStreamDefaultController,
  WritableStream,
  WritableStreamDefaultController,
  WritableStreamDefaultWriter,
} from 'web-streams-polyfill';
import { type ByteSource, type ByteStream, installStreams } from './body-stream.ts';
import { TextDecoder, type TextDecoderOptions, TextEncoder } from './encoding.ts';

export {
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  ReadableByteStreamController,
  ReadableStream,
  ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest,
  ReadableStreamDefaultController,
  ReadableStreamDefaultReader,
  TransformStream,
  TransformStreamDefaultController,
  WritableStream,
  WritableStreamDefaultController,
  WritableStreamDefaultWriter,
};

/** Reads from `source` only when asked to, so that the peer is held back by a slow reader. */
function streamOf(source: ByteSource, started: () => void): ByteStream {
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    started();
    const chunk = await source.read();
    if (chunk === null) controller.close();
    else controller.enqueue(chunk);
  };
  const cancel = (reason: unknown): void => {
    started();
    source.cancel(reason);
  };
  return new ReadableStream<Uint8Array>({ pull, cancel }, { highWaterMark: 0 });
}

installStreams(streamOf);

export class TextEncoderStream {
  readonly encoding = 'utf-8';
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<string>;

  constructor() {
    const encoder = new TextEncoder();
    // A high surrogate at a chunk's end waits for its other half.
    let waiting = '';
    const { readable, writable } = new TransformStream<string, Uint8Array>({
      transform(chunk, controller) {
        const text = waiting + String(chunk);
        const cut = /[\ud800-\udbff]$/.test(text) ? text.length - 1 : text.length;
        waiting = text.slice(cut);
        if (cut > 0) controller.enqueue(encoder.encode(text.slice(0, cut)));
      },
      flush(controller) {
        if (waiting !== '') controller.enqueue(encoder.encode(waiting));
      },
    });
    this.readable = readable;
    this.writable = writable;
  }
}

export class TextDecoderStream {
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  readonly readable: ReadableStream<string>;
  readonly writable: WritableStream<ArrayBuffer | ArrayBufferView>;

  constructor(label = 'utf-8', options: TextDecoderOptions = {}) {
    const decoder = new TextDecoder(label, options);
    this.encoding = decoder.encoding;
    this.fatal = decoder.fatal;
    this.ignoreBOM = decoder.ignoreBOM;
    const { readable, writable } = new TransformStream<ArrayBuffer | ArrayBufferView, string>({
      transform(chunk, controller) {
        const text = decoder.decode(chunk, { stream: true });
        if (text !== '') controller.enqueue(text);
      },
      flush(controller) {
        const text = decoder.decode();
        if (text !== '') controller.enqueue(text);
      },
    });
    this.readable = readable;
    this.writable = writable;
  }
}
