/** What an app links: that which it uses. And that a bundled app finds it. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { type BuildResult, build } from 'esbuild';
import { WEB_GLOBALS, webDefines } from '../../packages/web/bundle.ts';
import * as inject from '../../packages/web/inject.ts';

const root = path.join(import.meta.dirname, '../..');
const here = path.join(root, 'packages/web');

async function bundleOf(contents: string): Promise<BuildResult<{ metafile: true; write: false }>> {
  return build({
    stdin: { contents, resolveDir: here, loader: 'ts' },
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    outfile: 'main.js',
    format: 'iife',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    inject: [path.join(here, 'inject.ts')],
    define: webDefines(),
    logLevel: 'error',
  });
}

/** Paths of the modules that have bytes in the bundle. */
async function linkedBy(contents: string): Promise<string[]> {
  const { metafile } = await bundleOf(contents);
  const { inputs } = Object.values(metafile.outputs)[0]!;
  return Object.keys(inputs).filter((file) => inputs[file]!.bytesInOutput > 0);
}

const STREAMS = 'node_modules/web-streams-polyfill/dist/ponyfill.mjs';

test('WEB_GLOBALS › the names that inject.ts exports', () => {
  assert.deepEqual([...WEB_GLOBALS], Object.keys(inject).sort());
});

test('bundle › an app without globals › links none', async () => {
  const linked = await linkedBy('export default 1; globalThis.x = [1].map((one) => one + 1);');
  assert.deepEqual(
    linked.filter((file) => file.startsWith('packages/web/')),
    [],
  );
});

test('bundle › a handler › no streams, console, events or clones', async () => {
  const linked = await linkedBy(`globalThis.app = import('../../examples/handler/app.ts');`);
  assert.ok(linked.includes('packages/web/response.ts'));
  const unwanted = ['streams', 'console', 'inspect', 'structured-clone', 'crypto', 'timers'];
  for (const name of unwanted) assert.equal(linked.includes(`packages/web/${name}.ts`), false);
  assert.equal(linked.includes(STREAMS), false);
});

test('bundle › an app that names a stream › links them', async () => {
  const linked = await linkedBy('globalThis.x = () => new ReadableStream();');
  assert.ok(linked.includes(STREAMS));
});

test('bundle › hono, streaming › links what it uses', async () => {
  const linked = await linkedBy(`globalThis.app = import('../../examples/hono/app.ts');`);
  assert.ok(linked.includes(STREAMS));
  assert.ok(linked.includes('packages/web/crypto.ts'));
});

test('bundle › every way to name a global › ours', async () => {
  const { outputFiles } = await bundleOf(`
    globalThis.found = [
      btoa('a'), globalThis.btoa('a'), self.btoa('a'), globalThis.self === globalThis,
      typeof crypto.randomUUID, typeof Response, globalThis['atob']('YQ=='),
      'structuredClone' in globalThis,
    ].join();
  `);
  const context: { found?: string } = {};
  runInNewContext(outputFiles[0]!.text, context);
  // The last one is the known limit: the global object itself has no such properties.
  assert.equal(context.found, 'YQ==,YQ==,YQ==,true,function,function,a,false');
});

test('bundle › a global used before installWeb › a clear error; after it, an app works', async () => {
  const early = await bundleOf('console.log(1);');
  assert.throws(() => runInNewContext(early.outputFiles[0]!.text, {}), /before installWeb/);
  const late = await bundleOf(`
    import { installTestPlatform } from './testing/platform.ts';
    const { lines } = installTestPlatform();
    globalThis.done = import('data:text/javascript,console.log(crypto.randomUUID().length)');
    globalThis.lines = lines;
  `);
  const context: { lines?: string[]; done?: Promise<unknown> } = {};
  runInNewContext(late.outputFiles[0]!.text, context);
  await context.done;
  assert.equal(context.lines?.join(), '36');
});

test('bundle › an app that names crypto.subtle › links it, however it is named', async () => {
  for (const name of ['crypto', 'globalThis.crypto', 'self.crypto']) {
    const linked = await linkedBy(`globalThis.x = ${name}.subtle.digest('SHA-256', bytes);`);
    assert.ok(linked.includes('packages/crypto/subtle/subtle-crypto.ts'), name);
  }
});

test('bundle › an app that uses crypto for random bytes only › links nothing else', async () => {
  const linked = await linkedBy('globalThis.x = crypto.getRandomValues(new Uint8Array(4));');
  assert.ok(linked.includes('packages/web/crypto.ts'));
  assert.deepEqual(
    linked.filter((file) => file.startsWith('packages/crypto/') || file.includes('/subtle')),
    [],
  );
});
