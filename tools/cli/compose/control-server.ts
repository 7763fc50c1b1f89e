/** Answers on a project's control socket. What is said there: messages.ts. */

import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { CLIENT_QUEUE_BYTES_MAX, CLIENTS_MAX, MESSAGE_CHARACTERS_MAX } from './limits.ts';
import { LineSplitter } from './line-splitter.ts';
import {
  type ComposeAnswer,
  type ComposeAsk,
  type LogsAsk,
  type NamedLine,
  parseComposeAsk,
} from './messages.ts';

export interface ComposeAnswers {
  ps(): Promise<unknown>;
  /** Resolves when all is down but this socket. */
  down(): Promise<unknown>;
  /** Lines that there are, oldest first; a string: why there are none. */
  logs(ask: LogsAsk): readonly NamedLine[] | string;
}

interface Follower {
  /** Of unikernels; none: all. */
  readonly names: readonly string[];
  /** With more than this waiting for him he is dropped. */
  readonly queueBytesMax: number;
}

export class ComposeControlServer {
  private readonly answers: ComposeAnswers;
  private readonly server = net.createServer((socket) => this.take(socket));
  private readonly sockets = new Set<Socket>();
  private readonly answering = new Set<Promise<void>>();
  /** Those who want to hear of new lines. */
  private readonly followers = new Map<Socket, Follower>();

  constructor(answers: ComposeAnswers) {
    this.answers = answers;
  }

  async listen(place: string): Promise<void> {
    this.server.listen(place);
    await once(this.server, 'listening');
  }

  /** Lets everybody have the rest of his answer, and takes the socket away. */
  async close(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    const late = setTimeout(() => {
      for (const socket of this.sockets) socket.destroy();
    }, LINGER_MILLIS);
    for (const socket of this.followers.keys()) say(socket, { value: null });
    await Promise.all(this.answering);
    for (const socket of this.sockets) socket.destroySoon();
    await closed;
    clearTimeout(late);
  }

  /** A unikernel said something. */
  line(line: NamedLine): void {
    for (const [socket, { names, queueBytesMax }] of this.followers) {
      if (names.length > 0 && !names.includes(line.name)) continue;
      if (socket.writableLength > queueBytesMax) socket.destroy();
      else say(socket, { line });
    }
  }

  private take(socket: Socket): void {
    if (this.sockets.size >= CLIENTS_MAX) {
      socket.destroy();
      return;
    }
    this.sockets.add(socket);
    let isAsked = false;
    const splitter = new LineSplitter(MESSAGE_CHARACTERS_MAX, (line) => {
      if (isAsked) return;
      isAsked = true;
      const answering = this.hear(line, socket);
      this.answering.add(answering);
      void answering.finally(() => this.answering.delete(answering));
    });
    socket.on('data', (chunk: Buffer) => splitter.push(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.followers.delete(socket);
    });
  }

  private async hear(line: string, socket: Socket): Promise<void> {
    const ask = parseComposeAsk(line);
    if (!ask.ok) {
      say(socket, { error: ask.error });
      socket.end();
      return;
    }
    await this.answer(ask.value, socket);
  }

  private async answer(ask: ComposeAsk, socket: Socket): Promise<void> {
    switch (ask.ask) {
      case 'ps':
        say(socket, { value: await this.answers.ps() });
        break;
      case 'down':
        say(socket, { value: await this.answers.down() });
        break;
      case 'logs': {
        const lines = this.answers.logs(ask);
        if (typeof lines === 'string') {
          say(socket, { error: lines });
          break;
        }
        const text = lines.map((line) => `${JSON.stringify({ line })}\n`);
        socket.write(text.join(''));
        if (ask.follow) {
          // The lines that there were are his to read, however slowly.
          const queueBytesMax = socket.writableLength + CLIENT_QUEUE_BYTES_MAX;
          this.followers.set(socket, { names: ask.names, queueBytesMax });
          return;
        }
        say(socket, { value: null });
      }
    }
    socket.end();
  }
}

/** Who doesn't read the rest of his answer within this is cut off. */
const LINGER_MILLIS = 2_000;

function say(socket: Socket, answer: ComposeAnswer): void {
  if (!socket.destroyed) socket.write(`${JSON.stringify(answer)}\n`);
}
