/** Our WebSocket server on a host’s sockets, against clients of Node and Chromium. */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { acceptWebSocket } from '#http';
import { nodeCrypto } from '#targets/node/crypto';
import { type RunningServer, serveOnHost } from './http/host-server.ts';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];

let running!: RunningServer;
/** How each WebSocket ended, in order. */
const ends: string[] = [];

before(async () => {
  running = await serveOnHost({
    answer: () => null,
    request(exchange) {
      if (exchange.head.path === '/') {
        exchange.respond(200, [['Content-Type', 'text/html']], Buffer.from('<title>page</title>'));
        return;
      }
      const socket = acceptWebSocket(exchange, {
        timers: running.server.timers,
        crypto: nodeCrypto,
        ...(exchange.head.path === '/chat' ? { protocols: ['chat'] } : {}),
      });
      socket?.attach({
        message: (message) => {
          if (message === 'close') socket.close(4_321, 'as you wish');
          else socket.send(message);
        },
        drained() {},
        closed: (code, reason) => ends.push(`${code} ${reason}`),
      });
    },
  });
});
after(() => running.stop());

/** What a client does, in a browser as in Node; its own source is run in the page. */
async function visit(url: string): Promise<unknown[]> {
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

const EXPECTED = ['chat', '', 'grüße 🎈', true, true, 4_321, 'as you wish', true];

test('Node › handshake, text and bytes of all lengths, and a clean end', async () => {
  assert.deepEqual(await visit(running.url), EXPECTED);
});

test('Node › no subprotocol of ours › no WebSocket', async () => {
  const socket = new WebSocket(`${running.url.replace('http', 'ws')}/chat`);
  await new Promise((resolve) => {
    socket.onerror = resolve;
  });
  assert.equal(socket.readyState, WebSocket.CLOSED);
});

test('Chromium › the same; and a page of another site may not connect', async () => {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  try {
    const page = await browser.newPage();
    await page.goto(running.url);
    assert.deepEqual(await page.evaluate(visit, running.url), EXPECTED);
    await page.goto('about:blank');
    await assert.rejects(page.evaluate(visit, running.url), /no WebSocket/);
  } finally {
    await browser.close();
  }
});

test('a client that masks nothing › told so, and cut off', async () => {
  const { port } = new URL(running.url);
  const socket = connect(Number(port), '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  const key = Buffer.alloc(16, 7).toString('base64');
  socket.write(
    `GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n\x81\x02hi`,
    'latin1',
  );
  await new Promise((resolve) => socket.on('end', resolve));
  socket.destroy();
  const answer = Buffer.concat(chunks).toString('latin1');
  assert.match(answer, /^HTTP\/1\.1 101 /);
  assert.equal(answer.split('\r\n\r\n')[1], '\x88\x18\x03\xeaa frame without a mask');
});
