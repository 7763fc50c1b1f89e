/**
 * Boots one image per behaviour of the base, on both machine types, and judges its console and its
 * exit code. Needs `make -C base` and QEMU. Not here: drivers and protocols (tests/boot/).
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { buildSync } from 'esbuild';
import { payloadOf } from './pack.mjs';
import {
  BOTH,
  boot,
  built,
  type Expectation,
  here,
  imageFile,
  judge,
  markOf,
  type Section,
  source,
  work,
} from './vm.ts';

const content: Section = { kind: 'content', name: 'a/b.txt', bytes: Buffer.from('hello') };
const fault = (kind: string, code: number, ...text: (string | RegExp)[]): Expectation => ({
  behaviour: 'fault',
  cmdline: `fault=${kind}`,
  base: 'base-test.elf',
  code,
  text,
  never: code === 125 ? [/survived/] : [],
});

const expectations: readonly Expectation[] = [
  {
    behaviour: 'hello',
    code: 0,
    text: [/^hello from ABI 1: 1,4,9 é€\n$/],
    machines: ['microvm', 'q35', 'pc'],
  },
  { behaviour: 'hello', cpu: 'qemu64', code: 0, text: ['hello'], memory: '5G' },
  { behaviour: 'hello', cpu: 'max', code: 0, text: ['hello'], memory: '64' },
  { behaviour: 'exit-code', cmdline: 'code=0', code: 0, text: ['leaving with 0'] },
  { behaviour: 'exit-code', cmdline: 'code=1', code: 1, text: ['leaving with 1'] },
  { behaviour: 'exit-code', cmdline: 'code=126', code: 126, text: ['leaving with 126'] },
  {
    behaviour: 'exit-range',
    code: 0,
    text: [
      '-1 RangeError',
      '127 RangeError',
      '1.5 RangeError',
      '1 RangeError',
      'undefined RangeError',
    ],
    machines: ['microvm'],
  },
  fault('write-text', 125, 'page fault: write to a page of code', /rip [0-9a-f]{16} {2}rsp/),
  fault('write-rodata', 125, 'page fault: write to a read-only page'),
  fault('execute-data', 125, 'page fault: execution of a page that holds data'),
  fault('null', 125, 'page fault: null dereference', /cr2 0{15}8/),
  fault('unmapped', 125, 'page fault: access to an unmapped page'),
  fault('stack-overflow', 125, 'page fault: stack overflow (guard page)'),
  fault('divide', 125, 'divide error'),
  fault('invalid-opcode', 125, 'invalid opcode'),
  fault('nmi', 125, 'non-maskable interrupt'),
  fault('double-fault', 125, 'double fault'),
  fault('machine-check', 125, 'machine check'),
  fault('vector-high', 125, 'general protection'),
  fault('smashed-stack', 125, 'base: CPU exception: '),
  fault('abort', 125, 'base: the engine or the C library gave up'),
  fault('double-free', 125, "base: free of memory that is not the heap's"),
  fault('write-idt', 125, 'page fault: write to a read-only page'),
  fault('write-page-table', 125, 'page fault: write to a read-only page'),
  fault('syscall', 0, 'survived: -38001'),
  { behaviour: 'waits', monitor: 'nmi', code: 125, text: ['non-maskable'], machines: ['q35'] },
  {
    behaviour: 'waits',
    monitor: 'mce 0 1 0xbe00000000000000 0x5 0 0',
    code: 125,
    text: ['machine check', 'flg '],
  },
  {
    behaviour: 'waits',
    cmdline: 'sampled',
    monitor: 'nmi',
    code: 125,
    text: ['non-maskable interrupt'],
    machines: ['q35'],
  },
  { behaviour: 'turn-again', code: 0, text: [/^$/], machines: ['microvm'] },
  { behaviour: 'hello', memory: '2', code: 126, text: ['this machine has too little memory'] },
  { behaviour: 'hello', cpu: 'coreduo-v1', code: 126, text: ['this CPU lacks 64-bit mode'] },
  {
    behaviour: 'hello',
    cmdline: 'x'.repeat(4_096),
    code: 126,
    text: ['the command line is longer than 4,095 bytes'],
  },
  {
    behaviour: 'write-contents',
    contents: [content],
    code: 125,
    text: ['a/b.txt 5 104', "page fault: write to the image's read-only contents"],
  },
  {
    behaviour: 'js-stack-overflow',
    code: 0,
    text: [/(caught InternalError: stack overflow\n)(caught .*stack overflow\n){2}/],
  },
  { behaviour: 'entropy', code: 0, text: ['entropy: true'] },
  { behaviour: 'entropy', cpu: 'Nehalem-v1', code: 123, text: ['no entropy, untouched: true'] },
  { behaviour: 'entropy', cpu: 'max', code: 0, text: ['entropy: true'], machines: ['microvm'] },
  { behaviour: 'busy', code: 0, text: ['1000 turns'], machines: ['microvm'] },
  { behaviour: 'clock', code: 0, text: ['steps true drift true', 'date agrees true'] },
  {
    behaviour: 'clock',
    cmdline: 'wall_ms=86400000 tsc_khz=2000000 -- wall_ms=1',
    code: 0,
    text: [/wall 8640\d{7}\n/],
    machines: ['microvm'],
  },
  {
    // Years above 9999, and words for the program.
    behaviour: 'clock',
    cmdline: 'wall_ms=253402300800000 -- tsc_khz=1 wall_ms=86400000',
    code: 0,
    text: ['steps true drift true', 'date agrees true', /wall 1[67]\d{14}\n/],
    machines: ['microvm'],
  },
  {
    behaviour: 'clock',
    code: 125,
    text: ["base: the TSC's rate is unknown: give tsc_khz=N"],
    machines: ['bare'],
  },
  {
    behaviour: 'clock',
    cmdline: 'tsc_khz=1000000',
    code: 0,
    text: [/wall \d{1,7}\n/],
    machines: ['bare'],
  },
  {
    behaviour: 'memory',
    code: 0,
    text: ['heap for JavaScript: true', 'most of it in one buffer, again'],
  },
  {
    behaviour: 'out-of-memory',
    cmdline: 'size=65536',
    code: 124,
    text: ['Uncaught InternalError: out of memory'],
  },
  {
    behaviour: 'out-of-memory',
    cmdline: 'size=16',
    code: 124,
    text: ['Uncaught InternalError: out of memory'],
    machines: ['microvm'],
  },
  {
    behaviour: 'out-of-memory-caught',
    code: 0,
    text: ['round 2: InternalError out of memory'],
    machines: ['microvm'],
  },
  { behaviour: 'garbage', code: 0, text: ['40 MiB of cycles'], machines: ['microvm'] },
  {
    behaviour: 'uncaught',
    code: 124,
    text: ['Uncaught TypeError: thrown on purpose\n', /at thrower \(main\.js:3/],
  },
  {
    behaviour: 'uncaught',
    cmdline: 'in=turn',
    code: 124,
    text: ['Uncaught TypeError: thrown on purpose\n'],
    machines: ['microvm'],
  },
  {
    behaviour: 'unhandled-rejection',
    code: 124,
    text: [
      'handled\nhandled late\nsettled 300\n',
      'Unhandled rejection: RangeError: refused on purpose\n',
      'at refuses',
    ],
  },
  { behaviour: 'interrupt-line', code: 0, text: ['woken true after 2 turns'] },
  { behaviour: 'interrupt-line', cmdline: 'late', code: 0, text: ['woken true after'] },
  {
    behaviour: 'device-access',
    code: 0,
    text: [
      'virtio-mmio 74726976',
      'high number\nram RangeError\nnull RangeError\nodd RangeError\nwidth RangeError\nport RangeError\n',
      'dma 100 70000 0 0 true\noffset 5\nalign RangeError RangeError\n',
    ],
    machines: ['microvm'],
  },
  {
    behaviour: 'device-access',
    code: 0,
    text: ['pci 8086 8086\nhigh number\nram RangeError', 'dma 100 70000 0 0 true\noffset 5'],
    machines: ['q35'],
  },
  { behaviour: 'console-read', input: 'hello\n', code: 0, text: ['typed hello – ok'] },
  {
    behaviour: 'profile',
    code: 0,
    text: [
      /^idle true lost 0\nall counted true\nburns true true\nsilent true\nagain true true\n/,
      /\nrefused 5 gone <gone>\n$/,
    ],
  },
  { behaviour: 'builtins', code: 0, text: [/^checked 12\n$/], machines: ['microvm'] },
];

describe('base', { concurrency: 2 }, () => {
  for (const expected of expectations) {
    for (const machine of expected.machines ?? BOTH) {
      const options = [expected.cmdline?.slice(0, 60), expected.cpu, expected.memory]
        .filter(Boolean)
        .join(' ');
      test(`${expected.behaviour} › ${machine} ${options} › exit ${expected.code}`, async () => {
        const payload = payloadOf([source(expected.behaviour), ...(expected.contents ?? [])]);
        judge(await boot(imageFile(payload, expected.base), { ...expected, machine }), expected);
      });
    }
  }

  test('pages › none writable and executable, page zero absent, devices uncached', async () => {
    const image = imageFile(payloadOf([source('waits')]));
    const run = await boot(image, { monitor: 'info tlb\nquit' });
    // Flags as QEMU prints them: X is no-execute, C and T are uncached, W is writable.
    const pages = new Map<number, string>();
    for (const [, at, flags] of run.answer.matchAll(
      /^([0-9a-f]{16}): [0-9a-f]{16} (\S{9})\r?$/gm,
    )) {
      pages.set(Number.parseInt(at ?? '', 16), flags ?? '');
    }
    assert.ok(pages.size > 2_000, run.answer.slice(0, 400));
    for (const [at, flags] of pages) assert.match(flags, /^X|[^W]$/, at.toString(16));
    assert.equal(pages.get(0), undefined);
    assert.match(pages.get(0x10_0000) ?? '', /^-.*-$/);
    for (const at of [0xfee0_0000, 0xfec0_0000]) assert.match(pages.get(at) ?? '', /^X.*CT-W$/);
  });

  for (const machine of BOTH) {
    test(`idle › ${machine} › halts and wakes on time`, async () => {
      // A busy host wakes it late.
      let lateUs = Number.POSITIVE_INFINITY;
      for (let tries = 0; tries < 5 && !(lateUs < 20_000); tries++) {
        const run = await boot(imageFile(payloadOf([source('idle')])), { machine });
        assert.equal(run.code, 0, run.text);
        const usedMs = markOf(run, 'idle ends').cpuMs - markOf(run, 'idle begins').cpuMs;
        assert.ok(usedMs <= 200, `${usedMs} ms of CPU in 1 s idle`);
        lateUs = Number(/median late (\d+) us/.exec(run.text)?.[1]);
      }
      assert.ok(lateUs < 20_000, `median ${lateUs} us late`);
    });

    test(`clock rate › ${machine} › a second is a second`, async () => {
      // A busy host delays what it sees of either end, never the same way each time.
      let error = Number.POSITIVE_INFINITY;
      for (let tries = 0; tries < 5 && error >= 100; tries++) {
        const run = await boot(imageFile(payloadOf([source('clock-rate')])), { machine });
        const ends = markOf(run, 'second ends').atMs;
        error = Math.min(error, Math.abs(ends - markOf(run, 'second begins').atMs - 1000));
      }
      assert.ok(error < 100, `${error} ms off`);
    });
  }

  test('hot bytes › the shared vectors pass natively', async () => {
    const entry = path.join(work, 'vectors.ts');
    const vectors = path.join(here, '../../packages/core/hot-vectors.ts');
    fs.writeFileSync(
      entry,
      `import { hotVectors } from '${vectors}';
       const all = hotVectors(__base.hot);
       for (const { name, run } of all) {
         try { run(); } catch (error) { __base.consoleWrite(name + ': ' + error + '\\n'); }
       }
       __base.consoleWrite('ran ' + all.length + '\\n');`,
    );
    const script = path.join(work, 'vectors.js');
    buildSync({
      entryPoints: [entry],
      bundle: true,
      format: 'iife',
      outfile: script,
      logLevel: 'error',
    });
    const bytecode = path.join(work, 'vectors.bin');
    execFileSync(path.join(built, 'bytecode'), [script, bytecode]);
    const main: Section = { kind: 'bytecode', name: 'main', bytes: fs.readFileSync(bytecode) };
    const run = await boot(imageFile(payloadOf([main])), {});
    assert.match(run.text, /^ran [1-9]\d+\n$/);
    assert.equal(run.code, 0);
  });

  test('bytecode › line numbers of errors stay, source text goes', async () => {
    const bytecode = path.join(work, 'uncaught.bin');
    const script = path.join(here, 'uncaught/test.js');
    execFileSync(path.join(built, 'bytecode'), [script, bytecode, 'app.js']);
    assert.ok(!fs.readFileSync(bytecode, 'latin1').includes('cmdline.includes("in=turn")'));
    const main: Section = { kind: 'bytecode', name: 'main', bytes: fs.readFileSync(bytecode) };
    const run = await boot(imageFile(payloadOf([main])), {});
    assert.match(run.text, /at thrower \(app\.js:3/);
    assert.equal(run.code, 124);
  });
});
