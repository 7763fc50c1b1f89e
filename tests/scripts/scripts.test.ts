/** Every packet script of this folder, one test each. README.md says how to write one. */

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runScript } from './runner.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));

for (const path of globSync('**/*.pkt', { cwd: folder }).sort()) {
  test(path, () => {
    const { failure } = runScript(readFileSync(`${folder}/${path}`, 'utf8'));
    if (failure !== null) assert.fail(`tests/scripts/${path} ${failure}`);
  });
}
