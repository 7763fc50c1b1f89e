/**
 * packages/web's tests again, in a booted image: in QuickJS, where nothing of the web is built in,
 * on the base's own text and bytes.
 */

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { webDefines } from '../../packages/web/bundle.ts';
import { bootOnce, cannotBoot } from '../boot/vm.ts';

const WEB = path.join(import.meta.dirname, '../../packages/web');
const skip = cannotBoot;

/** Those that need Node: as the oracle, and for its garbage collector. */
const NODE_ONLY = ['url-oracle.test.ts', 'retention.test.ts'];

/** Dynamic imports: package.json says that modules have no effects, and tests are nothing else. */
const entryText = (files: readonly string[]): string => `
import { launch } from '#targets/pvh/index';
import { runTests } from './testing/node-test.ts';
launch(async (machine) => {
${files.map((file) => `  await import('./${file}');`).join('\n')}
  await runTests((line) => machine.console.writeLine(line));
  return 0;
});
`;

test('packages/web › in an image › as in Node', { skip }, async () => {
  const files = readdirSync(WEB).filter((file) => file.endsWith('.test.ts'));
  const wanted = files.filter((file) => !NODE_ONLY.includes(file));
  assert.ok(wanted.length > 0 && wanted.length < files.length);
  const options = {
    entry: { text: entryText(wanted), resolveDir: WEB, name: 'web-tests.ts' },
    contents: [],
    define: webDefines(),
    inject: [path.join(WEB, 'inject.ts')],
    alias: {
      'node:test': path.join(WEB, 'testing/node-test.ts'),
      'node:assert/strict': path.join(WEB, 'testing/node-assert.ts'),
    },
  };
  const end = await bootOnce('web', options, 64);
  assert.match(end.console, /^[1-9]\d+ tests, 0 failed\n$/);
  assert.equal(end.code, 0);
});
