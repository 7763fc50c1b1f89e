/**
 * Linux's end: a Node process in the namespace that opens and serves connections by the kernel's
 * TCP, as it is told over IPC. One message is one Task; the answer has its number.
 */

import dgram from 'node:dgram';
import net, { type Socket } from 'node:net';
import { BLOCK_BYTES, firstWrong, patternAt } from './pattern.ts';

export type Task =
  | { readonly op: 'echo' | 'sink' | 'source'; readonly port: number; readonly bytes: number }
  | { readonly op: 'many'; readonly port: number; readonly count: number; readonly at: number }
  | { readonly op: 'line'; readonly port: number; readonly text: string }
  | { readonly op: 'udp'; readonly port: number; readonly bytes: number }
  | { readonly op: 'serve' | 'tell'; readonly port: number }
  | { readonly op: 'reset'; readonly port: number };

export interface Request {
  readonly id: number;
  readonly host: string;
  readonly task: Task;
}

export interface Answer {
  readonly id: number;
  readonly ok: boolean;
  /** What came back, or what went wrong. */
  readonly text: string;
  readonly millis: number;
}

/** Bytes of one small exchange of `many`. */
const SMALL_BYTES = 100;
const UDP_PATIENCE_MILLIS = 30_000;

const connect = (host: string, port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, allowHalfOpen: true, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => resolve(socket));
  });

/** Writes the pattern as the kernel takes it, then FIN. */
function send(socket: Socket, count: number): void {
  let sent = 0;
  const more = (): void => {
    while (sent < count) {
      const bytes = patternAt(sent, Math.min(BLOCK_BYTES, count - sent));
      sent += bytes.length;
      if (!socket.write(bytes)) return;
    }
    socket.off('drain', more);
    socket.end();
  };
  socket.on('drain', more);
  more();
}

/** Everything up to the peer's FIN; checked as it comes when `pattern`, else kept. */
function receive(socket: Socket, pattern: boolean): Promise<{ bytes: number; text: string }> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      const wrong = pattern ? firstWrong(chunk, bytes) : -1;
      if (wrong >= 0) reject(new Error(`wrong at ${wrong}`));
      if (!pattern) text += chunk.toString();
      bytes += chunk.length;
    });
    socket.once('end', () => resolve({ bytes, text }));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`closed after ${bytes} bytes`)));
  });
}

async function echo(host: string, port: number, count: number): Promise<string> {
  const socket = await connect(host, port);
  const back = receive(socket, true);
  send(socket, count);
  const { bytes } = await back;
  socket.destroy();
  return bytes === count ? 'ok' : `${bytes} of ${count}`;
}

async function many(host: string, port: number, count: number, at: number): Promise<string> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const outcome = await echo(host, port, SMALL_BYTES);
      if (outcome !== 'ok') throw new Error(outcome);
    }
  };
  await Promise.all(Array.from({ length: at }, worker));
  return 'ok';
}

function serve(host: string, port: number, how: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      socket.on('error', () => {});
      how(socket);
    });
    server.once('error', reject);
    server.listen({ host, port }, () => resolve('ok'));
  });
}

/** One datagram to an echo server; 'ok' when it comes back as it was. */
function udp(host: string, port: number, count: number): Promise<string> {
  const sent = patternAt(0, count);
  const socket = dgram.createSocket(net.isIPv6(host.split('%')[0]!) ? 'udp6' : 'udp4');
  return new Promise<string>((resolve, reject) => {
    const patience = setTimeout(() => reject(new Error('no answer')), UDP_PATIENCE_MILLIS);
    socket.once('message', (bytes) => {
      clearTimeout(patience);
      resolve(bytes.equals(sent) ? 'ok' : `${bytes.length} other bytes`);
    });
    socket.once('error', (error) => {
      clearTimeout(patience);
      reject(error);
    });
    // Connected: then the kernel tells of ICMP errors.
    socket.connect(port, host, () => socket.send(sent));
  }).finally(() => socket.close());
}

async function perform(host: string, task: Task): Promise<string> {
  switch (task.op) {
    case 'serve':
      return serve(host, task.port, (socket) => socket.pipe(socket));
    case 'tell':
      return serve(host, task.port, (socket) => socket.end(`${socket.remoteAddress}\n`));
    case 'udp':
      return udp(host, task.port, task.bytes);
    case 'echo':
      return echo(host, task.port, task.bytes);
    case 'many':
      return many(host, task.port, task.count, task.at);
    case 'reset': {
      const socket = await connect(host, task.port);
      socket.write(patternAt(0, 1_000));
      socket.resetAndDestroy();
      return 'ok';
    }
    case 'sink': {
      const socket = await connect(host, task.port);
      const answer = receive(socket, false);
      send(socket, task.bytes);
      return (await answer).text.trim();
    }
    case 'source': {
      const socket = await connect(host, task.port);
      const answer = receive(socket, true);
      socket.write(`${task.bytes}\n`);
      const { bytes } = await answer;
      socket.end();
      return bytes === task.bytes ? 'ok' : `${bytes} of ${task.bytes}`;
    }
    case 'line': {
      const socket = await connect(host, task.port);
      const answer = receive(socket, false);
      socket.write(`${task.text}\n`);
      const { text } = await answer;
      socket.end();
      return text.trim();
    }
  }
}

process.on('message', async ({ id, host, task }: Request) => {
  const started = performance.now();
  const answer = await perform(host, task).then(
    (text) => ({ ok: true, text }),
    (error: Error) => ({ ok: false, text: error.message }),
  );
  process.send!({ id, ...answer, millis: performance.now() - started });
});
process.once('disconnect', () => process.exit(0));
