/** Runs core/heap.c on the host under the address and undefined-behaviour sanitizers. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as path from 'node:path';
import { test } from 'node:test';
import { here, work } from './vm.ts';

const ROUNDS = 20_000;

test('heap › random sizes and orders › no overlap, no leak, no undefined behaviour', () => {
  const program = path.join(work, 'heap_stress');
  const heap = path.join(work, 'heap.o');
  const flags = [
    '-O1',
    '-g',
    '-std=gnu11',
    '-fsanitize=address,undefined',
    '-fno-builtin',
    '-fno-pie',
  ];
  flags.push('-fno-sanitize-recover=all', `-I${here}/../core`, `-I${here}/../include`);
  const names = ['malloc', 'free', 'realloc', 'calloc'].map((name) => `-D${name}=${name}_of_base`);
  execFileSync('gcc', [...flags, ...names, '-c', '-o', heap, `${here}/../core/heap.c`]);
  const link = ['-no-pie', '-Wl,--defsym=base_text_start=0x10000000'];
  execFileSync('gcc', [...flags, ...link, '-o', program, `${here}/heap_stress.c`, heap]);
  for (const seed of ['1', '2', '3', '4']) {
    const output = execFileSync(program, [seed, `${ROUNDS}`], { encoding: 'utf8' });
    assert.equal(output, 'ok\n');
  }
});
