/**
 * packages/web's tests again, inside QuickJS, where nothing of the web is built in: bundled as an
 * app is, run by qjs. MORGANA_QJS names a qjs of the engine's release; without one on the PATH, the
 * tests are skipped.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { build, type Plugin } from 'esbuild';
import { webDefines } from '../../packages/web/bundle.ts';

const here = path.join(import.meta.dirname, '../../packages/web');
const qjs = process.env.MORGANA_QJS ?? 'qjs';
const skip = spawnSync(qjs, ['-e', '0']).error === undefined ? false : `there is no ${qjs} here`;

/** Those that need Node as the oracle. */
const NODE_ONLY = ['url-oracle.test.ts'];

/** Test files are there for their effects, whatever package.json says of modules. */
const keepTests: Plugin = {
  name: 'keep-tests',
  setup(esbuild) {
    esbuild.onResolve({ filter: /^\.\// }, ({ importer, path: file }) =>
      importer === '<stdin>' ? { path: path.join(here, file), sideEffects: true } : null,
    );
  },
};

async function runInEngine(files: readonly string[]): Promise<string> {
  const lines = [
    "import './testing/engine-text.ts';",
    ...files.map((file) => `import './${file}';`),
    "import { runTests } from './testing/node-test.ts';",
    'runTests(print);',
  ];
  const { outputFiles } = await build({
    stdin: { contents: lines.join('\n'), resolveDir: here },
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    inject: [path.join(here, 'inject.ts')],
    define: webDefines(),
    plugins: [keepTests],
    logLevel: 'error',
    alias: {
      'node:test': path.join(here, 'testing/node-test.ts'),
      'node:assert/strict': path.join(here, 'testing/node-assert.ts'),
    },
  });
  const directory = mkdtempSync(path.join(tmpdir(), 'morgana-web-'));
  const file = path.join(directory, 'tests.js');
  writeFileSync(file, outputFiles[0]!.text);
  const { stdout, stderr } = spawnSync(
    qjs,
    ['--std', '--no-unhandled-rejection', '--script', file],
    {
      encoding: 'utf8',
    },
  );
  rmSync(directory, { recursive: true });
  return stdout + stderr;
}

const all = readdirSync(here).filter(
  (file) => file.endsWith('.test.ts') && !NODE_ONLY.includes(file),
);

test('packages/web › in QuickJS › as in Node', { skip }, async () => {
  const output = await runInEngine(all.filter((file) => file !== 'streams.test.ts'));
  assert.match(output, /^\d+ tests, 0 failed\n$/);
});

test('packages/web › in QuickJS with streams › as in Node', { skip }, async () => {
  const output = await runInEngine(['streams.test.ts', 'body.test.ts']);
  assert.match(output, /^\d+ tests, 0 failed\n$/);
});
