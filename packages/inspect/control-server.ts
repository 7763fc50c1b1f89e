/**
 * The unikernel's end of its control channel: reads requests of several clients, runs commands,
 * sends answers and streams. What comes over it is from whoever runs the unikernel, so it is
 * trusted, but bounded and checked all the same. Read first: packages/device/control.ts,
 * wire/control-message.ts, limits.ts. Not here: what the commands do (inspector.ts and whoever
 * registers some).
 */

import { assert, type Logger } from '#core';
import {
  CONTROL_HEAD_BYTES,
  CONTROL_PAYLOAD_BYTES_MAX,
  type ControlChannel,
  type ControlFrames,
  ControlReader,
  controlFrame,
} from '#device';
import {
  answerBytesMax,
  clientsMax,
  deadClientsMax,
  outboxBytesMax,
  pieceBytesMax,
  pieceOverheadBytes,
  piecesBytesMax,
  requestBytesMax,
  requestsMax,
  streamQueuedBytesMax,
} from './limits.ts';
import { errorText } from './plain.ts';
import {
  type ControlAnswer,
  type ControlRequest,
  emitJson,
  emitPiece,
  parseControlMessage,
  requestOf,
} from './wire/control-message.ts';
import { LengthReader } from './wire/length-reader.ts';

/** The bytes that belong to one request, both ways. */
export interface ControlStream {
  /** What the client sent ahead of its request, in order. */
  readonly pieces: readonly Uint8Array[];
  /** False once the client is gone, or the request answered. */
  readonly isOpen: boolean;
  /**
   * Sends one piece of at most pieceBytesMax, copied before return. False, and counted, when the
   * client reads too slowly: then it was dropped.
   */
  write(bytes: Uint8Array): boolean;
  /**
   * `listener` is called, once, when the client is gone or asks for the stream's end before its
   * request is answered. In the latter case it still waits for the answer.
   */
  onEnd(listener: () => void): void;
}

/**
 * What a command does with a request: its value (anything that JSON can carry) is the answer, and
 * ends the stream. A thrown error or a rejection is an answer too: its message.
 */
export type Command = (request: ControlRequest, stream: ControlStream) => unknown;

/**
 * Runs a command: `done` is called with its value or `failed` with what it threw, before return
 * unless that is a promise.
 */
export function settle(
  command: () => unknown,
  done: (value: unknown) => void,
  failed: (error: unknown) => void,
): void {
  let result: unknown;
  try {
    result = command();
  } catch (error) {
    failed(error);
    return;
  }
  if (result instanceof Promise) result.then(done, failed);
  else done(result);
}

const NO_PIECES: readonly Uint8Array[] = [];
const NO_PAYLOAD = new Uint8Array(0);

class Stream implements ControlStream {
  readonly pieces: readonly Uint8Array[];
  readonly id: number;
  isOpen = true;
  private readonly client: Client;
  private listeners: (() => void)[] = [];

  constructor(client: Client, id: number, pieces: readonly Uint8Array[]) {
    this.client = client;
    this.id = id;
    this.pieces = pieces;
  }

  write(bytes: Uint8Array): boolean {
    return this.isOpen && this.client.server.sendPiece(this.client, this.id, bytes);
  }

  onEnd(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** The client wants no more of it. */
  end(): void {
    for (const listener of this.listeners.splice(0)) listener();
  }

  /** The client is gone. */
  lost(): void {
    this.isOpen = false;
    this.end();
  }
}

interface Client {
  readonly server: ControlServer;
  readonly number: number;
  readonly reader: LengthReader;
  /** Requests without an answer, by id. */
  readonly streams: Map<number, Stream>;
  /** What came ahead of requests, by id. */
  readonly pieces: Map<number, Uint8Array[]>;
}

export class ControlServer implements ControlFrames {
  readonly counters = {
    controlRequests: 0,
    controlMalformed: 0,
    controlClientsRefused: 0,
    controlClientsClosed: 0,
    controlPiecesDropped: 0,
  };
  private readonly channel: ControlChannel;
  private readonly log: Logger;
  private isBroken = false;
  private isFlushing = false;
  /** Clients that we closed, until the supervisor says that they are gone: what they still send. */
  private readonly dead = new Set<number>();
  private readonly commands = new Map<string, Command>();
  private readonly clients = new Map<number, Client>();
  private readonly reader: ControlReader;
  /** Frames that wait for room in the channel, in order, and their bytes. */
  private outbox: Uint8Array[] = [];
  private outboxBytes = 0;
  /** Of all clients' pieces. */
  private piecesBytes = 0;

  /** Takes `channel` over. */
  constructor(channel: ControlChannel, log: Logger) {
    this.channel = channel;
    this.log = log;
    this.reader = new ControlReader(this);
    channel.attach({
      data: (bytes) => this.data(bytes),
      drained: () => this.flush(),
      reopened: () => this.reset(),
    });
  }

  /** Makes `run` the answer to requests that ask for `name`; once a name. */
  command(name: string, run: Command): void {
    assert(!this.commands.has(name), 'a command with this name exists');
    this.commands.set(name, run);
  }

  /** For Stream: as ControlStream.write. */
  sendPiece(client: Client, id: number, bytes: Uint8Array): boolean {
    const queuedBytes = this.channel.queuedBytes + this.outboxBytes;
    if (bytes.length > pieceBytesMax || queuedBytes > streamQueuedBytesMax) {
      this.counters.controlPiecesDropped += 1;
      return false;
    }
    this.send(client.number, emitPiece(id, bytes));
    return true;
  }

  checkInvariants(): void {
    assert(this.clients.size <= clientsMax);
    let piecesBytes = 0;
    for (const [number, client] of this.clients) {
      assert(client.number === number && client.streams.size <= requestsMax);
      client.reader.checkInvariants();
      for (const [id, stream] of client.streams) assert(stream.id === id && stream.isOpen);
      for (const pieces of client.pieces.values()) piecesBytes += costOf(pieces);
    }
    assert(piecesBytes === this.piecesBytes && piecesBytes <= piecesBytesMax);
    assert(this.outboxBytes <= outboxBytesMax + clientsMax * CONTROL_HEAD_BYTES * 32);
    assert(this.dead.size <= deadClientsMax);
  }

  /** For ControlReader: some of a client's bytes. */
  piece(number: number, bytes: Uint8Array): void {
    const client = this.clients.get(number) ?? this.welcome(number);
    if (client === null || client.reader.push(bytes)) return;
    this.counters.controlMalformed += 1;
    this.close(client);
  }

  /** For ControlReader: a client is gone. */
  end(number: number): void {
    this.dead.delete(number);
    const client = this.clients.get(number);
    if (client !== undefined) this.forget(client);
  }

  private data(bytes: Uint8Array): void {
    if (this.reader.push(bytes) === null || this.isBroken) return;
    this.isBroken = true;
    this.log.error('the control channel sent what is no frame: it is not read any more');
    for (const client of [...this.clients.values()]) this.forget(client);
  }

  /** Another supervisor: nothing that was is any more. */
  private reset(): void {
    this.reader.restart();
    this.isBroken = false;
    this.outbox = [];
    this.outboxBytes = 0;
    this.dead.clear();
    for (const client of [...this.clients.values()]) this.forget(client);
  }

  private welcome(number: number): Client | null {
    if (this.dead.has(number)) return null;
    if (this.clients.size >= clientsMax) {
      this.counters.controlClientsRefused += 1;
      this.bury(number);
      return null;
    }
    const client: Client = {
      server: this,
      number,
      reader: new LengthReader(1, requestBytesMax, (b) => this.clientMessage(client, b)),
      streams: new Map(),
      pieces: new Map(),
    };
    this.clients.set(number, client);
    return client;
  }

  /** Has the supervisor close a client. */
  private bury(number: number): void {
    if (this.dead.size >= deadClientsMax) this.dead.clear();
    this.dead.add(number);
    this.send(number, NO_PAYLOAD);
  }

  private clientMessage(client: Client, b: Uint8Array): void {
    // What follows in the same bytes of one that was closed meanwhile.
    if (this.clients.get(client.number) !== client) return;
    const parsed = parseControlMessage(b);
    if (parsed.ok && parsed.value.kind === 'piece') {
      this.keep(client, parsed.value.id, parsed.value.bytes);
      return;
    }
    const request =
      parsed.ok && parsed.value.kind === 'json' ? requestOf(parsed.value.value) : null;
    if (request === null || client.streams.has(request.id) || client.streams.size >= requestsMax) {
      this.counters.controlMalformed += 1;
      this.close(client);
      return;
    }
    this.run(client, request);
  }

  private keep(client: Client, id: number, bytes: Uint8Array): void {
    const cost = bytes.length + pieceOverheadBytes;
    if (this.piecesBytes + cost > piecesBytesMax) {
      this.counters.controlMalformed += 1;
      this.close(client);
      return;
    }
    const pieces = client.pieces.get(id) ?? [];
    pieces.push(bytes.slice());
    client.pieces.set(id, pieces);
    this.piecesBytes += cost;
  }

  private run(client: Client, request: ControlRequest): void {
    this.counters.controlRequests += 1;
    const { id, ask } = request;
    const pieces = client.pieces.get(id) ?? NO_PIECES;
    client.pieces.delete(id);
    this.piecesBytes -= costOf(pieces);
    const stream = new Stream(client, id, pieces);
    client.streams.set(id, stream);
    // Asks another request's stream to end.
    if (ask === 'end') {
      client.streams.get(Number(request.of))?.end();
      this.answer(client, stream, { id, value: null });
      return;
    }
    const command = this.commands.get(ask);
    if (command === undefined) {
      const known = [...this.commands.keys()].join(', ');
      this.answer(client, stream, { id, error: `no command '${ask}' (${known})` });
      return;
    }
    settle(
      () => command(request, stream),
      (value) => this.answer(client, stream, { id, value: value ?? null }),
      (error) => this.answer(client, stream, { id, error: errorText(error) }),
    );
  }

  private answer(client: Client, stream: Stream, answer: ControlAnswer): void {
    if (!stream.isOpen) return;
    stream.isOpen = false;
    client.streams.delete(stream.id);
    let bytes = emitAnswer(answer);
    if (bytes.length > answerBytesMax) {
      bytes = emitJson({ id: stream.id, error: `an answer of ${bytes.length} bytes is too long` });
    }
    if (this.outboxBytes + bytes.length > outboxBytesMax) this.close(client);
    else this.send(client.number, bytes);
  }

  /** In frames; behind what waits already. No bytes: closes the client. */
  private send(number: number, bytes: Uint8Array): void {
    let at = 0;
    do {
      const end = at + CONTROL_PAYLOAD_BYTES_MAX;
      const frame = controlFrame(number, bytes.subarray(at, end));
      this.outbox.push(frame);
      this.outboxBytes += frame.length;
      at = end;
    } while (at < bytes.length);
    this.flush();
  }

  /** The channel has room. */
  private flush(): void {
    // A channel may say that it drained while we write.
    if (this.isFlushing) return;
    this.isFlushing = true;
    let sent = 0;
    while (sent < this.outbox.length && this.channel.write(this.outbox[sent]!)) {
      this.outboxBytes -= this.outbox[sent]!.length;
      sent += 1;
    }
    this.outbox.splice(0, sent);
    this.isFlushing = false;
  }

  /** Ends it from our side. */
  private close(client: Client): void {
    this.counters.controlClientsClosed += 1;
    this.forget(client);
    this.bury(client.number);
  }

  private forget(client: Client): void {
    this.clients.delete(client.number);
    for (const pieces of client.pieces.values()) this.piecesBytes -= costOf(pieces);
    client.pieces.clear();
    const open = [...client.streams.values()];
    client.streams.clear();
    for (const stream of open) stream.lost();
  }
}

/** What JSON can't carry, as a bigint or a cycle, is an error too: nobody is there to catch it. */
function emitAnswer(answer: ControlAnswer): Uint8Array {
  try {
    return emitJson(answer);
  } catch (error) {
    return emitJson({ id: answer.id, error: `no JSON: ${errorText(error)}` });
  }
}

function costOf(pieces: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length + pieceOverheadBytes;
  return bytes;
}
