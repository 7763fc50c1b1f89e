/** Clients of a unikernel's control socket that speak to control-program.ts. */

import { once } from 'node:events';
import net from 'node:net';

/** Longest wait for an answer, on a busy machine. */
const ANSWER_MILLIS_MAX = 30_000;

async function connected(place: string): Promise<net.Socket> {
  const socket = net.connect(place);
  socket.setTimeout(ANSWER_MILLIS_MAX, () => socket.destroy(new Error('no answer')));
  await once(socket, 'connect');
  return socket;
}

/** What the program answers to a line. */
export async function ask<T>(place: string, line: string): Promise<T> {
  const socket = await connected(place);
  socket.write(`${line}\n`);
  const pieces: Buffer[] = [];
  for await (const piece of socket) pieces.push(piece as Buffer);
  socket.destroy();
  const text = Buffer.concat(pieces).toString();
  if (text === '') throw new Error(`'${line}' got no answer`);
  return JSON.parse(text) as T;
}

/** Sends `bytes` and returns as many as come back. */
export async function echo(place: string, bytes: Uint8Array): Promise<Buffer> {
  const socket = await connected(place);
  socket.write('echo\n');
  socket.write(bytes);
  const pieces: Buffer[] = [];
  let count = 0;
  while (count < bytes.length) {
    const [piece] = (await once(socket, 'data')) as [Buffer];
    pieces.push(piece);
    count += piece.length;
  }
  socket.destroy();
  return Buffer.concat(pieces);
}
