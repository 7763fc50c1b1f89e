/**
 * Our WebSocket server on a host's sockets, against Node's client and one that breaks the rules.
 * Chromium's: sync/store-sync.test.ts, which has a browser.
 */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { acceptWebSocket } from '#http';
import { nodeCrypto } from '#targets/node/crypto';
import { type RunningServer, serveOnHost } from './http/host-server.ts';
import { EXPECTED, talk, visit } from './sync/visit.ts';

let running!: RunningServer;

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
      if (socket !== null) talk(socket);
    },
  });
});
after(() => running.stop());

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
