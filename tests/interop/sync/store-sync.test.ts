/**
 * Store-to-store sync over our WebSockets: two tabs of Chromium and a Node program edit while they
 * are cut off, and are the same when they are back. The page is bundled as an app would be.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
import { Log, wallTimeOfMillis } from '#core';
import { MemoryBackend } from '#git';
import { portableZlib as zlib } from '#git/zlib';
import { acceptWebSocket, HttpServer, type ServerWebSocket } from '#http';
import { SyncServer } from '#store/sync';
import { nodeCrypto as crypto } from '#targets/node/crypto';
import { HostStack } from '#targets/node/host-stack';
import { NodeLoop } from '#targets/node/loop';
import { SCHEMA_NAME, Tab } from './page.ts';
import { EXPECTED, talk, visit } from './visit.ts';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];
const loop = new NodeLoop();
const stack = new HostStack(loop);
const log = new Log((line) => console.error(line), 'warn').source('sync');
const clock = { wall: () => wallTimeOfMillis(Date.now()) };
const backend = new MemoryBackend();
const { timers } = loop;
const sync = new SyncServer({ backend, crypto, zlib, timers, log, schema: SCHEMA_NAME, push: {} });
const sockets = new Set<ServerWebSocket>();
let script = new Uint8Array(0);
let browser!: Browser;
let listener: { close(): void; readonly port: number } | null = null;
let port = 0;

/** Serves the page and the store; what was there before is as if it had never been off. */
async function goOnline(): Promise<void> {
  const server = new HttpServer({
    timers,
    clock,
    log,
    handler: {
      answer: () => null,
      request(exchange) {
        const { path } = exchange.head;
        const type = path === '/page.js' ? 'text/javascript' : 'text/html';
        if (path === '/chat') {
          const socket = acceptWebSocket(exchange, { timers, crypto, protocols: ['chat'] });
          if (socket !== null) talk(socket);
          return;
        }
        if (path !== '/sync') {
          const body =
            path === '/page.js' ? script : Buffer.from('<script src="page.js"></script>');
          exchange.respond(200, [['Content-Type', type]], body);
          return;
        }
        const socket = acceptWebSocket(exchange, { timers, crypto });
        if (socket === null) return;
        sockets.add(socket);
        sync.accept(socket, String(exchange.remote.port));
      },
    },
  });
  const listening = await stack.listen(port, (flow) => server.accept(flow));
  assert(listening.ok);
  listener = listening.value;
  port = listener.port;
}

function goOffline(): void {
  listener?.close();
  for (const socket of sockets) socket.abort();
  sockets.clear();
}

before(async () => {
  const entry = fileURLToPath(new URL('page.ts', import.meta.url));
  const bundle = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'page',
    platform: 'browser',
    target: 'es2022',
  });
  script = new Uint8Array(bundle.outputFiles[0]!.contents);
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  await goOnline();
});
after(async () => {
  goOffline();
  await browser.close();
});

async function openPage(name: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  const open = `page.openTab('ws://127.0.0.1:${port}/sync', '${name}')`;
  await page.evaluate(open);
  return page;
}

/** Runs `expression` of the tab in the page. */
const inTab = <T>(page: Page, expression: string): Promise<T> =>
  page.evaluate(`window.tab.${expression}`) as Promise<T>;

test('two tabs and Node edit, cut off and not › all the same', async () => {
  const [left, right] = [await openPage('left'), await openPage('right')];
  const node = new Tab(`ws://127.0.0.1:${port}/sync`, 'node');
  await inTab(left, "add('hello', 1)");
  await inTab(right, "reaches('in sync', 1)");
  await node.reaches('in sync', 1);

  goOffline();
  for (const page of [left, right]) await inTab(page, "reaches('offline')");
  for (let i = 0; i < 5; i++) {
    await inTab(left, "add('hello', 1)");
    await inTab(right, `add('right ${i}', 1)`);
    await node.add('hello', 10);
  }
  await goOnline();

  const sum = 1 + 5 + 5 + 50;
  for (const page of [left, right]) await inTab(page, `reaches('in sync', ${sum})`);
  await node.reaches('in sync', sum);
  const counts = {
    hello: 56,
    'right 0': 1,
    'right 1': 1,
    'right 2': 1,
    'right 3': 1,
    'right 4': 1,
  };
  assert.deepEqual(await inTab(left, 'counts()'), counts);
  assert.deepEqual(await inTab(right, 'counts()'), counts);
  const head = await node.head();
  assert.equal(await inTab(left, 'head()'), head);
  assert.equal(await inTab(right, 'head()'), head);
  node.client.stop();
  assert.equal(sync.counters.broken, 0);
});

test('a page › talks as RFC 6455 says; a page of another site may not connect', async () => {
  const page = await browser.newPage();
  const url = `http://127.0.0.1:${port}`;
  await page.goto(url);
  assert.deepEqual(await page.evaluate(visit, url), EXPECTED);
  await page.goto('about:blank');
  await assert.rejects(page.evaluate(visit, url), /no WebSocket/);
});
