/** The hot functions in an image against packages/core on Node: same calls, same results. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { buildSync } from 'esbuild';
import { hot } from '#core';
import { fuzz } from './hot_fuzz.ts';
import { payloadOf } from './pack.mjs';
import { boot, here, imageFile, work } from './vm.ts';

const ROUNDS = 120;
const SEED = 20_261_123;

async function runInImage(expression: string): Promise<string> {
  const entry = path.join(work, 'hot.ts');
  fs.writeFileSync(
    entry,
    `import { fuzz, misuse } from '${here}/hot_fuzz.ts';
     __base.consoleWrite(${expression});`,
  );
  const outfile = path.join(work, 'hot.js');
  buildSync({ entryPoints: [entry], bundle: true, format: 'iife', outfile, logLevel: 'error' });
  const image = imageFile(
    payloadOf([{ kind: 'source', name: 'main', bytes: fs.readFileSync(outfile) }]),
  );
  const run = await boot(image, {});
  assert.equal(run.code, 0, run.text);
  return run.text;
}

test('hot › random arguments › native and TypeScript agree', async () => {
  const native = await runInImage(`fuzz(__base.hot, ${SEED}, ${ROUNDS})`);
  const reference = fuzz(hot, SEED, ROUNDS);
  assert.equal(native, reference);
  for (const line of reference.trim().split('\n')) {
    assert.match(line, / [1-9]\d+ -?\d+$/, 'too few calls were in range');
  }
});

test('hot › arguments of other types, fractional › refused', async () => {
  assert.equal(await runInImage('misuse(__base.hot)'), '');
});
