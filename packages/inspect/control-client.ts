/**
 * A client's end of the control protocol, over any stream of bytes: for tools. Read first:
 * wire/control-message.ts. Not here: sockets.
 */

import { err, ok, type Result } from '#core';
import { answerBytesMax } from './limits.ts';
import { answerOf, emitJson, emitPiece, parseControlMessage } from './wire/control-message.ts';
import { LengthReader } from './wire/length-reader.ts';

/** Larger than a piece that the server sends, with its header. */
const MESSAGE_BYTES_MAX = answerBytesMax + 64;
/** Bytes of one piece that goes ahead of a request. */
const PIECE_BYTES = 32_768;

interface Asked {
  readonly piece: (bytes: Uint8Array) => void;
  readonly answered: (result: Result<unknown, string>) => void;
}

export interface OpenRequest {
  /** The answer, or one sentence that says why there is none. */
  readonly answer: Promise<Result<unknown, string>>;
  /** Asks for the end of the stream: its answer then comes soon. */
  end(): void;
}

export class ControlClient {
  private readonly send: (bytes: Uint8Array) => void;
  private readonly reader = new LengthReader(1, MESSAGE_BYTES_MAX, (b) => this.message(b));
  private readonly asked = new Map<number, Asked>();
  private lastId = 0;
  private over: string | null = null;

  /** `send` takes bytes for the unikernel over. */
  constructor(send: (bytes: Uint8Array) => void) {
    this.send = send;
  }

  /** As `open`, for what needs no end. */
  ask(
    ask: string,
    options: Readonly<Record<string, unknown>> = {},
    piece: (bytes: Uint8Array) => void = () => {},
    ahead: Uint8Array | null = null,
  ): Promise<Result<unknown, string>> {
    return this.open(ask, options, piece, ahead).answer;
  }

  /**
   * Sends a request. `piece` is given what its stream carries, borrowed for the call; `ahead` goes
   * before it.
   */
  open(
    ask: string,
    options: Readonly<Record<string, unknown>>,
    piece: (bytes: Uint8Array) => void,
    ahead: Uint8Array | null = null,
  ): OpenRequest {
    this.lastId += 1;
    const id = this.lastId;
    const end = () => void this.ask('end', { of: id });
    return { answer: this.request(id, ask, options, piece, ahead), end };
  }

  private request(
    id: number,
    ask: string,
    options: Readonly<Record<string, unknown>>,
    piece: (bytes: Uint8Array) => void,
    ahead: Uint8Array | null,
  ): Promise<Result<unknown, string>> {
    if (this.over !== null) return Promise.resolve(err(this.over));
    for (let at = 0; ahead !== null && at < ahead.length; at += PIECE_BYTES) {
      this.send(emitPiece(id, ahead.subarray(at, at + PIECE_BYTES)));
    }
    return new Promise((answered) => {
      this.asked.set(id, { piece, answered });
      this.send(emitJson({ ...options, id, ask }));
    });
  }

  /** Bytes from the unikernel, borrowed for the call. */
  receive(bytes: Uint8Array): void {
    if (!this.reader.push(bytes)) this.end('the unikernel sent what is no message');
  }

  /** There is nothing more to come: every open request fails with `why`. */
  end(why: string): void {
    this.over ??= why;
    const open = [...this.asked.values()];
    this.asked.clear();
    for (const { answered } of open) answered(err(why));
  }

  private message(b: Uint8Array): void {
    const parsed = parseControlMessage(b);
    if (!parsed.ok) {
      this.end('the unikernel sent what is no message');
      return;
    }
    const message = parsed.value;
    if (message.kind === 'piece') {
      this.asked.get(message.id)?.piece(message.bytes);
      return;
    }
    const answer = answerOf(message.value);
    if (answer === null) return;
    const asked = this.asked.get(answer.id);
    this.asked.delete(answer.id);
    asked?.answered('error' in answer ? err(answer.error) : ok(answer.value));
  }
}
