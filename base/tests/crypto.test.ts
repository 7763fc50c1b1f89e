/** The base's cryptography in an image that boots and in a process: the same answers. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { test } from 'node:test';
import { formatBuildFault, linkImage } from '#targets/base/build';
import { runProcess } from './linux-process.ts';
import { boot, built, here, work } from './vm.ts';

async function link(base: 'base' | 'process'): Promise<string> {
  const output = path.join(work, `crypto-${base}`);
  const linked = await linkImage({
    entry: { file: path.join(here, 'crypto-image.ts') },
    contents: [],
    baseElf: path.join(built, `${base}.elf`),
    bytecodeTool: path.join(built, 'bytecode'),
    output,
  });
  assert.ok(linked.ok, linked.ok ? '' : formatBuildFault(linked.error));
  assert.ok(linked.value.crypto);
  return output;
}

test('process › cryptography › known answers', async () => {
  const end = await runProcess(await link('process'), []);
  assert.equal(end.text, 'checked mbedtls\n');
  assert.equal(end.code, 0, end.complaint);
});

test('boot › a CPU without AES › known answers', async () => {
  const run = await boot(await link('base'), {});
  assert.equal(run.code, 0, run.text);
  assert.match(run.text, /^checked mbedtls\r?\n$/);
});
