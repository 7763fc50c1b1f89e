/** A repository in Chromium's IndexedDB: the backends' suite, two tabs at once, a reload. */

import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { backendCases } from '#git/conformance';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];
const TIMES = 25;

interface Tab {
  conformance(): Promise<string[]>;
  watch(): Promise<void>;
  count(times: number): Promise<void>;
  read(): Promise<{ readonly count: string; readonly told: number }>;
  versions(): Promise<readonly string[]>;
  full(): Promise<readonly string[]>;
}
declare const tab: Tab;

let server!: Server;
let browser!: Browser;
let context!: BrowserContext;

before(async () => {
  const entry = fileURLToPath(new URL('page.ts', import.meta.url));
  const bundle = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    logLevel: 'silent',
  });
  const script = bundle.outputFiles[0]!.contents;
  server = createServer((request, response) => {
    const isScript = request.url === '/page.js';
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : '<script src="page.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  context = await browser.newContext();
});

after(async () => {
  await browser?.close();
  server?.close();
});

async function openTab(): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return page;
}

test('IndexedDB › the backends’ suite › passes', async () => {
  const page = await openTab();
  const passed = await page.evaluate(() => tab.conformance());
  assert.deepEqual(
    passed,
    backendCases.map(({ name }) => name),
  );
  await page.close();
});

test('two tabs that count at once, and a reload › the sum, told to both; kept', async () => {
  const pages = [await openTab(), await openTab()];
  for (const page of pages) await page.evaluate(() => tab.watch());
  await Promise.all(pages.map((page) => page.evaluate((times) => tab.count(times), TIMES)));
  for (const page of pages) {
    const { count, told } = await page.evaluate(() => tab.read());
    assert.equal(count, String(2 * TIMES));
    assert.ok(told > TIMES, `told ${told} times: of the other tab's changes too`);
  }
  await pages[0]!.reload();
  await pages[0]!.evaluate(() => tab.watch());
  assert.equal((await pages[0]!.evaluate(() => tab.read())).count, String(2 * TIMES));
  assert.deepEqual(await pages[0]!.evaluate(() => tab.versions()), ['closed', 'future', 'hash']);
});

test('a quota that is used up › full, and everything is as it was', async () => {
  const page = context.pages().at(-1)!;
  const seen = await page.evaluate(() => tab.full());
  assert.deepEqual(seen, ['full', 'full', 'false', String(2 * TIMES)]);
});
