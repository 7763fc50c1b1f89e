/** Answers on a network's control socket. What is said there: messages.ts. */

import { once } from 'node:events';
import { unlink } from 'node:fs/promises';
import net, { type Socket } from 'node:net';
import type { Result } from '#core';
import { Lines, type NetworkAsk, parseRequest } from './messages.ts';

/** More connections are refused. */
export const CLIENTS_MAX = 512;
/** Who lets more answers than this wait is disconnected. */
const ANSWERS_BYTES_MAX = 8 * 1_048_576;

/** One connection; what it asked for ends with it. */
export interface ControlClient {
  readonly number: number;
}

export interface ControlAnswers {
  /** The value, or one sentence. */
  answer(ask: NetworkAsk, client: ControlClient): Promise<Result<unknown, string>>;
  left(client: ControlClient): void;
}

export class NetworkControlServer {
  private readonly answers: ControlAnswers;
  private readonly server = net.createServer((socket) => this.join(socket));
  private readonly sockets = new Set<Socket>();
  private numbers = 0;

  constructor(answers: ControlAnswers) {
    this.answers = answers;
  }

  /** Listens at `place`, of which the caller has the lock: what is there was left behind. */
  async listen(place: string): Promise<void> {
    await unlink(place).catch(() => {});
    this.server.listen(place);
    await once(this.server, 'listening');
  }

  /** Disconnects all and removes the socket. */
  async close(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private join(socket: Socket): void {
    if (this.sockets.size >= CLIENTS_MAX) {
      socket.destroy();
      return;
    }
    this.sockets.add(socket);
    const client = { number: ++this.numbers };
    const lines = new Lines();
    socket.on('data', (chunk: Buffer) => {
      const isSound = lines.push(chunk, (line) => void this.hear(line, client, socket));
      if (!isSound) socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.answers.left(client);
    });
  }

  private async hear(line: string, client: ControlClient, socket: Socket): Promise<void> {
    const request = parseRequest(line);
    if (!request.ok) return say(socket, { id: request.error.id, error: request.error.message });
    const { id } = request.value;
    const answer = await this.answers.answer(request.value, client);
    say(socket, answer.ok ? { id, value: answer.value } : { id, error: answer.error });
  }
}

function say(socket: Socket, message: object): void {
  if (socket.destroyed) return;
  socket.write(`${JSON.stringify(message)}\n`);
  if (socket.writableLength > ANSWERS_BYTES_MAX) socket.destroy();
}
