/** The base's cryptography in a process and in an image that boots. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { VECTORS } from '#crypto/vectors';
import { formatBuildFault, linkImage } from '#targets/base/build';
import { nodeCrypto } from '#targets/node/crypto';
import { FUZZ_ROUNDS, FUZZ_SEED, fuzzAeads } from './crypto_fuzz.ts';
import { runProcess } from './linux-process.ts';
import { boot, built, here, work } from './vm.ts';

async function link(entry: string, base: 'base' | 'process'): Promise<string> {
  const output = path.join(work, `${entry}-${base}`);
  const linked = await linkImage({
    entry: { file: path.join(here, `${entry}.ts`) },
    contents: [],
    baseElf: path.join(built, `${base}.elf`),
    bytecodeTool: path.join(built, 'bytecode'),
    output,
  });
  assert.ok(linked.ok, linked.ok ? '' : formatBuildFault(linked.error));
  assert.ok(linked.value.crypto);
  return output;
}

const RIGHT = /^mbedtls: (\d+) run, (\d+) skipped\n$/;

function assertRight(text: string): void {
  const [, run, skipped] = RIGHT.exec(text) ?? assert.fail(text);
  assert.equal(Number(run) + Number(skipped), VECTORS.length);
  assert.ok(Number(run) > 300);
}

test('process › all vectors, every length › right', async () => {
  const end = await runProcess(await link('crypto-image', 'process'), []);
  assert.equal(end.code, 0, `${end.signal} ${end.complaint}`);
  assertRight(end.text);
});

test('boot › a CPU without AES › all vectors, every length › right', async () => {
  const run = await boot(await link('crypto-image', 'base'), { memory: '24' });
  assert.equal(run.code, 0, run.text);
  assertRight(run.text);
});

test('process › hostile calls › refused; random ones › as Node answers', async () => {
  const end = await runProcess(await link('crypto-fuzz-image', 'process'), []);
  assert.equal(end.code, 0, `${end.signal} ${end.complaint}`);
  assert.equal(end.text, `${fuzzAeads(nodeCrypto, FUZZ_SEED, FUZZ_ROUNDS)}\n`);
});

/** No clock, no entropy, no file, nothing printed: `snprintf` writes to memory (oid.c). */
const NEEDED = /^(__udivti3|calloc|free|mem(cmp|cpy|move|set)|snprintf|str(cmp|len))$/;

test('Mbed TLS’s objects › need nothing but memory of the C library', () => {
  const folder = path.join(built, 'o/m');
  const objects = readdirSync(folder).filter((name) => name.endsWith('.o'));
  const listed = execFileSync('nm', ['-u', ...objects], { cwd: folder, encoding: 'utf8' });
  const needed = [...listed.matchAll(/ U (\w+)$/gm)].map(([, name]) => name!);
  assert.ok(needed.length > 100);
  const foreign = needed.filter((name) => !name.startsWith('mbedtls_') && !NEEDED.test(name));
  assert.deepEqual(foreign, []);
});
