/** What `launch` promises a program, in a booted image. */

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { makeEntry } from '#targets/base/build-content';
import { quoteWord } from '#targets/pvh/cmdline';
import { boot, buildImage, cannotBoot, type VmEnd } from './vm.ts';

const skip = cannotBoot;
let image = '';

before(async () => {
  if (skip) return;
  const page = Buffer.from(`<title>A page</title>${'<p>words</p>'.repeat(200)}`);
  const files = [
    { path: 'page.html', ...makeEntry(page, 1_700_000_000, true) },
    { path: 'a/b.bin', ...makeEntry(Buffer.alloc(3), 0, true) },
  ];
  image = await buildImage('probe', [{ name: 'site', files }]);
});

after(() => {
  if (image !== '') rmSync(image);
});

const run = (bootArguments: string): Promise<VmEnd> =>
  boot({ image, machine: 'microvm', bootArguments });

test('boot arguments › quoted › arrive as given', { skip }, async () => {
  const given = ['--port=80', 'two words', '"quotes" \\', '--', 'virtio_mmio.device=x', ''];
  const end = await run(`arguments ${given.map(quoteWord).join(' ')}`);
  assert.equal(end.code, 0);
  assert.equal(end.console, `arguments|${given.join('|')}\n`);
});

test('exit code › of the program › is the image’s', { skip }, async () => {
  assert.equal((await run('exit 0')).code, 0);
  assert.equal((await run('exit 1')).code, 1);
  assert.equal((await run('exit 77')).code, 77);
});

test('rejected program › message and stack on the console, code 124', { skip }, async () => {
  const end = await run('reject');
  assert.equal(end.code, 124);
  assert.match(end.console, /error: TypeError: this program gives up\n\s+at /);
});

test('content › linked in › readable without devices', { skip }, async () => {
  const end = await run('content');
  assert.equal(end.code, 0, end.console);
  const [line, text] = end.console.split('\n');
  assert.match(line!, /^a\/b\.bin,page\.html 2421 [0-9a-f]{32} gzip,br$/);
  assert.equal(text, '<title>A page</title');
});
