/**
 * crypto.subtle of an image, of Chromium, of Node and ours on Node: the same cases, and the same
 * answers to the vectors.
 */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { nobleCrypto } from '#crypto/noble';
import { SubtleCrypto } from '#crypto/subtle';
import { runSubtleVectors, type SubtleLike, VECTORS } from '#crypto/vectors';
import type { Entropy } from '#device';
import { formatBuildFault, linkImage } from '#targets/base/build';
import { nodeCrypto } from '#targets/node/crypto';
import {
  FORM_OF_OTHER_HALF,
  runSubtleCases,
  SUBTLE_CASES,
} from '../../packages/crypto/testing/subtle-cases.ts';
import { webDefines } from '../../packages/web/bundle.ts';
import { BASE_ELF, cannotRun, Running } from '../process/process.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const CHROMIUM = '/usr/bin/chromium';
const entropy: Entropy = {
  fill: (out) => void crypto.getRandomValues(out as Uint8Array<ArrayBuffer>),
};
const oursOn = (primitives: typeof nodeCrypto) =>
  new SubtleCrypto({ crypto: primitives, entropy, DOMException });

const SUBTLES = [
  { name: 'Node’s own', subtle: crypto.subtle, except: [FORM_OF_OTHER_HALF] },
  { name: 'ours on node:crypto', subtle: oursOn(nodeCrypto), except: [] },
  { name: 'ours on noble', subtle: oursOn(nobleCrypto), except: [] },
] as const;

for (const { name, subtle, except } of SUBTLES) {
  test(`crypto.subtle › ${name} › behaves`, async () => {
    const asked = subtle as typeof crypto.subtle;
    assert.deepEqual(await runSubtleCases(asked, except), []);
    assert.ok(SUBTLE_CASES.length > 15);
  });

  test(`crypto.subtle › ${name} › answers the vectors right`, async () => {
    const { run, failures } = await runSubtleVectors(subtle as unknown as SubtleLike, VECTORS);
    assert.deepEqual(failures, []);
    assert.ok(run > 200);
  });
}

const entryText = `
import { launch } from '#targets/process/index';
import { installWeb } from '#web';
launch(async (machine) => {
  installWeb(machine);
  return (await import('./subtle.ts')).run(machine);
});
`;

test('crypto.subtle › in an image › behaves, and answers right', { skip: cannotRun }, async () => {
  const output = path.join(ROOT, `build/tests/subtle-${process.pid}.elf`);
  mkdirSync(path.dirname(output), { recursive: true });
  const linked = await linkImage({
    entry: {
      text: entryText,
      resolveDir: path.join(import.meta.dirname, 'images'),
      name: 'main.ts',
    },
    contents: [],
    define: webDefines(),
    inject: [path.join(ROOT, 'packages/web/inject.ts')],
    baseElf: BASE_ELF,
    bytecodeTool: path.join(ROOT, 'build/base/bytecode'),
    output,
  });
  if (!linked.ok) throw new Error(formatBuildFault(linked.error));
  const end = await new Running(output, []).ended;
  assert.match(end.console, /^2\d\d vectors, true\n$/);
  assert.equal(end.code, 0);
});

/** A page that Chromium takes for secure, with one script. */
async function withPage<T>(script: string, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<!doctype html><meta charset=utf-8><script>${script}</script>`);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const skip = existsSync(CHROMIUM) ? false : 'Chromium is missing: npm run setup';
test('crypto.subtle › Chromium’s own, and ours in it › the same', { skip }, async () => {
  const bundled = await build({
    entryPoints: [path.join(import.meta.dirname, 'images/subtle-page.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    charset: 'ascii',
  });
  const script = bundled.outputFiles[0]!.text.replaceAll('</script', '<\\/script');
  const answers = await withPage(script, async (url) => {
    const args = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run'];
    const browser = await chromium.launch({ executablePath: CHROMIUM, args });
    try {
      const page = await browser.newPage();
      await page.goto(url, { waitUntil: 'load' });
      return (await page.evaluate('askAll()')) as Record<
        string,
        { run: number; failures: string[] }
      >;
    } finally {
      await browser.close();
    }
  });
  assert.deepEqual(answers.ours!.failures, []);
  assert.deepEqual(answers.own!.failures, []);
  assert.ok(answers.own!.run > 200);
});
