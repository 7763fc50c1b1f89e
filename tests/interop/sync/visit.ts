/** A conversation with a WebSocket server: both ends, and what the client should have seen. */

import type { ServerWebSocket } from '#http';

/** The server's end: says back what it is told, and closes when asked to. */
export function talk(socket: ServerWebSocket): void {
  socket.attach({
    message: (message) => {
      if (message === 'close') socket.close(4_321, 'as you wish');
      else socket.send(message);
    },
    drained() {},
    closed() {},
  });
}

/** What a client does, in a browser as in Node; its own source is run in the page. */
export async function visit(url: string): Promise<unknown[]> {
  const seen: unknown[] = [];
  const socket = new WebSocket(`${url.replace('http', 'ws')}/chat`, ['other', 'chat']);
  socket.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error('no WebSocket'));
  });
  const next = () =>
    new Promise<unknown>((resolve) => {
      socket.onmessage = ({ data }) => resolve(data);
    });
  const echo = async (message: string | Uint8Array<ArrayBuffer>): Promise<unknown> => {
    const answer = next();
    socket.send(message);
    return answer;
  };
  seen.push(socket.protocol, await echo(''), await echo('grüße 🎈'));
  const bytes = new Uint8Array(1_000_000).map((_, i) => i * 7);
  const back = new Uint8Array((await echo(bytes)) as ArrayBuffer);
  seen.push(back.length === bytes.length && back.every((byte, i) => byte === bytes[i]));
  const long = 'ß'.repeat(200_000);
  seen.push((await echo(long)) === long);
  const end = new Promise<CloseEvent>((resolve) => {
    socket.onclose = resolve;
  });
  socket.send('close');
  const { code, reason, wasClean } = await end;
  seen.push(code, reason, wasClean);
  return seen;
}

export const EXPECTED = ['chat', '', 'grüße 🎈', true, true, 4_321, 'as you wish', true];
