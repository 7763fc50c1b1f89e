/**
 * What the base promises on every platform, on Linux: the behaviours of boot.test.ts that need no
 * machine of their own. Needs `make -C base`.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { processImage, runProcess } from './linux-process.ts';
import { built } from './vm.ts';

/** Behaviour, arguments, exit code, what it says. */
const EXPECTED: readonly [string, string[], number, RegExp][] = [
  ['hello', [], 0, /^hello from ABI 1: 1,4,9 é€\n$/],
  ['hello', ['--mem=3'], 0, /^hello/],
  ['hello', ['--mem=4095'], 0, /^hello/],
  ['builtins', [], 0, /^checked 12\n$/],
  ['turn-again', [], 0, /^$/],
  ['busy', [], 0, /^1000 turns\n$/],
  ['entropy', [], 0, /^entropy: true\n$/],
  ['clock', [], 0, /steps true drift true[\s\S]*date agrees true/],
  ['idle', [], 0, /median late \d+ us/],
  ['garbage', ['--mem=8'], 0, /40 MiB of cycles/],
  ['memory', ['--mem=32'], 0, /heap for JavaScript: true\nmost of it in one buffer, again/],
  ['js-stack-overflow', [], 0, /(caught InternalError: stack overflow\n)(caught .*overflow\n){2}/],
  ['out-of-memory', ['--mem=8'], 124, /Uncaught InternalError: out of memory/],
  ['out-of-memory-caught', ['--mem=8'], 0, /round 2: InternalError out of memory/],
  ['uncaught', [], 124, /Uncaught TypeError: thrown on purpose\n +at thrower \(main\.js:3/],
  [
    'unhandled-rejection',
    [],
    124,
    /settled 300\nUnhandled rejection: RangeError: refused on purpose\n +at refuses/,
  ],
  ['profile', [], 2, /^$/],
  [
    'profile',
    ['--profile=1000'],
    0,
    /^idle false lost 0\nall counted true\nburns true true\nsilent true\nagain true true\n/,
  ],
];

describe('base as a process', { concurrency: 2 }, () => {
  for (const [behaviour, words, code, text] of EXPECTED) {
    test(`${[behaviour, ...words].join(' ')} › exit code ${code}`, async () => {
      const end = await runProcess(processImage(behaviour), words);
      assert.match(end.text, text);
      assert.deepEqual([end.code, end.signal, end.complaint], [code, null, '']);
    });
  }

  test('the base without a payload › says so, exit code 126', async () => {
    const { code, text } = await runProcess(`${built}/process.elf`, []);
    assert.match(text, /this image cannot start: there is no payload after the base/);
    assert.equal(code, 126);
  });
});
