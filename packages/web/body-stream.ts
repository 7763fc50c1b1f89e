/**
 * Sources of bytes, and the small stream that `.body` gives in an app that names no class of the
 * Streams standard: it has readers, `tee`, `cancel` and `for await`. Naming ReadableStream, say,
 * links the whole standard (streams.ts) instead.
 */

import { hot } from '#core';

/** Bytes that come one chunk after the other: a request's body on the wire. */
export interface ByteSource {
  /**
   * The next chunk (the caller's from now on), or null after the last; rejects when broken. One
   * call at a time.
   */
  read(): Promise<Uint8Array | null>;
  /** No more will be read. */
  cancel(reason: unknown): void;
}

/** What is used of a stream, ours or another's. */
export interface ByteStream {
  readonly locked: boolean;
  getReader(): ByteStreamReader;
}

export interface ByteStreamReader {
  read(): Promise<{ done: boolean; value?: unknown }>;
  cancel(reason?: unknown): Promise<void>;
}

/** Makes a stream of a source; `started` is called at the first read. */
export type StreamMaker = (source: ByteSource, started: () => void) => ByteStream;

export class OneChunk implements ByteSource {
  private content: string | Uint8Array | null;

  constructor(content: string | Uint8Array) {
    this.content = content;
  }

  async read(): Promise<Uint8Array | null> {
    const content = this.content;
    this.content = null;
    if (content === null || content.length === 0) return null;
    return typeof content === 'string' ? hot.utf8Encode(content) : content.slice();
  }

  cancel(): void {
    this.content = null;
  }
}

export class StreamSource implements ByteSource {
  private readonly reader: ByteStreamReader;

  /** Locks `stream`. */
  constructor(stream: ByteStream) {
    this.reader = stream.getReader();
  }

  async read(): Promise<Uint8Array | null> {
    const { done, value } = await this.reader.read();
    if (done) return null;
    if (value instanceof Uint8Array) return value;
    const error = new TypeError('a body stream must give Uint8Array chunks');
    this.cancel(error);
    throw error;
  }

  cancel(reason: unknown): void {
    this.reader.cancel(reason).catch(() => {});
  }
}

/**
 * Two sources of the same bytes. What one side hasn't read yet waits for it, without bound, as
 * Streams §4.9 has it.
 */
export function teeSource(source: ByteSource): [ByteSource, ByteSource] {
  const tee = new Tee(source);
  return [tee.branch(), tee.branch()];
}

class Tee {
  private readonly source: ByteSource;
  private readonly queues: (Uint8Array | null)[][] = [];
  private reading: Promise<void> | null = null;
  private open = 0;

  constructor(source: ByteSource) {
    this.source = source;
  }

  branch(): ByteSource {
    const queue: (Uint8Array | null)[] = [];
    this.queues.push(queue);
    this.open++;
    let cancelled = false;
    return {
      read: async () => {
        while (queue.length === 0) await this.pull();
        // The end stays, for reads after it.
        return queue[0] === null ? null : queue.shift()!;
      },
      cancel: (reason) => {
        if (cancelled) return;
        cancelled = true;
        this.queues.splice(this.queues.indexOf(queue), 1);
        this.open--;
        if (this.open === 0) this.source.cancel(reason);
      },
    };
  }

  /** One chunk for all branches; those that ask meanwhile wait for the same one. */
  private pull(): Promise<void> {
    this.reading ??= this.source.read().then(
      (chunk) => {
        this.reading = null;
        for (const [i, queue] of this.queues.entries()) {
          queue.push(chunk === null || i === 0 ? chunk : chunk.slice());
        }
      },
      (error: unknown) => {
        this.reading = null;
        throw error;
      },
    );
    return this.reading;
  }
}

export class BodyStream implements ByteStream {
  private readonly source: ByteSource;
  private readonly started: () => void;
  private reader: BodyStreamReader | null = null;

  constructor(source: ByteSource, started: () => void) {
    this.source = source;
    this.started = started;
  }

  get locked(): boolean {
    return this.reader !== null;
  }

  getReader(options: { mode?: string } = {}): BodyStreamReader {
    if (options.mode !== undefined) throw new TypeError(`getReader: mode "${options.mode}"`);
    if (this.locked) throw new TypeError('the stream is locked by another reader');
    this.reader = new BodyStreamReader(this.source, this.started, () => {
      this.reader = null;
    });
    return this.reader;
  }

  async cancel(reason?: unknown): Promise<void> {
    const reader = this.getReader();
    await reader.cancel(reason);
    reader.releaseLock();
  }

  tee(): [BodyStream, BodyStream] {
    const reader = this.getReader();
    const [first, second] = teeSource(new StreamSource({ locked: false, getReader: () => reader }));
    return [new BodyStream(first, () => {}), new BodyStream(second, () => {})];
  }

  async *values(): AsyncGenerator<Uint8Array, void, undefined> {
    const reader = this.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        yield value!;
      }
    } finally {
      await reader.cancel();
      reader.releaseLock();
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    return this.values();
  }

  get pipeTo(): never {
    throw needsStreams('pipeTo');
  }

  get pipeThrough(): never {
    throw needsStreams('pipeThrough');
  }

  get [Symbol.toStringTag](): string {
    return 'ReadableStream';
  }
}

const needsStreams = (name: string): TypeError =>
  new TypeError(
    `${name}: name a class of the Streams standard in the app, to have all of it linked`,
  );

export class BodyStreamReader implements ByteStreamReader {
  /** Settles when the stream ends, or breaks. */
  readonly closed: Promise<void>;
  private source: ByteSource | null;
  private readonly started: () => void;
  private readonly released: () => void;
  private readonly end: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(source: ByteSource, started: () => void, released: () => void) {
    this.source = source;
    this.started = started;
    this.released = released;
    this.closed = this.end.promise;
    // Nobody has to ask for it.
    this.closed.catch(() => {});
  }

  async read(): Promise<{ done: boolean; value?: Uint8Array }> {
    const source = this.use();
    try {
      const value = await source.read();
      if (value !== null) return { done: false, value };
      this.end.resolve();
      return { done: true };
    } catch (error) {
      this.end.reject(error);
      throw error;
    }
  }

  async cancel(reason?: unknown): Promise<void> {
    this.use().cancel(reason);
    this.end.resolve();
  }

  releaseLock(): void {
    if (this.source === null) return;
    this.source = null;
    this.end.reject(new TypeError('the reader was released'));
    this.released();
  }

  private use(): ByteSource {
    if (this.source === null) throw new TypeError('the reader was released');
    this.started();
    return this.source;
  }
}

let makeStream: StreamMaker = (source, started) => new BodyStream(source, started);

/** streams.ts gives its constructor here, so that it is linked only where wanted. */
export function installStreams(maker: StreamMaker): void {
  makeStream = maker;
}

/** A stream of the class that the app has. */
export const newStream: StreamMaker = (source, started) => makeStream(source, started);
