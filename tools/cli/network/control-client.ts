/** Asks on a network's control socket. What is said there: messages.ts. */

import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { Failure } from '../failure.ts';
import type { NetworkAsk } from './messages.ts';

/** A network that answers no sooner hangs. */
const PATIENCE_MS = 10_000;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Failure): void;
}

export class NetworkClient {
  /** Resolves when the network is gone, or `close` was called. */
  readonly closed: Promise<void>;
  private readonly socket: Socket;
  private readonly waiting = new Map<number, Waiting>();
  private numbers = 0;
  private text = '';

  /** Null when nobody listens at `place`. */
  static async connect(place: string): Promise<NetworkClient | null> {
    const socket = net.connect(place);
    try {
      await once(socket, 'connect');
      return new NetworkClient(socket);
    } catch {
      socket.destroy();
      return null;
    }
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.hear(text));
    socket.on('error', () => socket.destroy());
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        const gone = new Failure({ what: 'the network is gone', mend: 'start it again' });
        for (const { reject } of this.waiting.values()) reject(gone);
        this.waiting.clear();
        resolve();
      });
    });
  }

  /** The answer's value; a Failure with the network's own words when it has none. */
  async ask(question: NetworkAsk): Promise<unknown> {
    const id = ++this.numbers;
    const answer = new Promise<unknown>((resolve, reject) => {
      if (this.socket.destroyed) reject(new Failure({ what: 'the network is gone' }));
      this.waiting.set(id, { resolve, reject });
    });
    this.socket.write(`${JSON.stringify({ ...question, id })}\n`);
    const late = setTimeout(() => this.socket.destroy(), PATIENCE_MS);
    try {
      return await answer;
    } finally {
      clearTimeout(late);
      this.waiting.delete(id);
    }
  }

  get isOpen(): boolean {
    return !this.socket.destroyed;
  }

  close(): void {
    this.socket.destroy();
  }

  private hear(text: string): void {
    const lines = (this.text + text).split('\n');
    this.text = lines.pop() ?? '';
    for (const line of lines) {
      const { id, value, error } = JSON.parse(line);
      if (error === undefined) this.waiting.get(id)?.resolve(value);
      else this.waiting.get(id)?.reject(new Failure({ what: String(error) }));
    }
  }
}
