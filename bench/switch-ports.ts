/**
 * Bare ports of a switch, for bench/switch.ts: `node bench/switch-ports.ts send|count PLACE BYTES`.
 * One sends frames as fast as they are taken, the other says what came, twice a second.
 */

import net from 'node:net';

const FRAMES = 256;
const SAY_MS = 500;
const [, , role = '', place = '', bytesText = ''] = process.argv;
const bytes = Number(bytesText);
const socket = net.connect(place);
socket.on('error', () => process.exit(0));

function frames(to: number, from: number, count: number): Buffer {
  const all = Buffer.alloc(count * (4 + bytes));
  for (let i = 0; i < count; i++) {
    const at = i * (4 + bytes);
    all.writeUInt32BE(bytes, at);
    all.set([2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 0x88, 0xb5], at + 4);
  }
  return all;
}

if (role === 'send') {
  const chunk = frames(2, 1, FRAMES);
  const fill = (): void => {
    while (socket.write(chunk));
  };
  socket.on('drain', fill);
  socket.on('data', () => {});
  fill();
} else {
  let got = 0;
  let since = performance.now();
  socket.write(frames(1, 2, 1));
  socket.on('data', (chunk: Buffer) => {
    got += chunk.length;
  });
  setInterval(() => {
    const now = performance.now();
    const micros = Math.round((now - since) * 1_000);
    process.stdout.write(`got ${got} bytes in ${Math.floor(got / (4 + bytes))} in ${micros} us\n`);
    got = 0;
    since = now;
  }, SAY_MS);
}
