/**
 * The walls of plat/process/sandbox.c, from inside: a real image, started as users start it, tries
 * every system call, and the allowed ones with each argument changed by itself.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { processImage, runProcess, silentPeer } from './linux-process.ts';
import { work } from './vm.ts';

/** Above the last number that any Linux has given. */
const CALLS_END = 512;
const KIB = 1024;
const WITH_FAULT = 'process-test.elf';
/** Beyond 4 GiB, so that offsets need both words; sparse. */
const LARGE_BYTES = 2 ** 32 + KIB;
const LARGE_END = 2n ** 32n + 1024n;
/** By the order of opening: disks while the arguments are read, then links. */
const DISK = 3;
const LARGE = 4;
const FROZEN = 5;
const LINK = 6;

const call = {
  read: 0,
  write: 1,
  pread64: 17,
  pwrite64: 18,
  writev: 20,
  fdatasync: 75,
  rt_sigreturn: 15,
  setitimer: 38,
  clock_gettime: 228,
  exit_group: 231,
  ppoll: 271,
  getrandom: 318,
} as const;
type Word = number | string;
type Call = keyof typeof call;

/** What is allowed, as it is; the result as a number, or a pattern for the errors that may be. */
const ALLOWED: readonly [Call, Word[], string][] = [
  ['read', [LINK, 'buffer', 262_144], '-11'],
  ['writev', [LINK, 'empty', 0], '0'],
  ['ppoll', ['waits', 1, 'empty', 0, 8], '0'],
  ['write', [1, 'buffer', 0], '0'],
  ['clock_gettime', [0, 'buffer'], '0'],
  ['clock_gettime', [1, 'buffer'], '0'],
  ['getrandom', ['buffer', 256, 0], '256'],
  ['pread64', [DISK, 'buffer', 8 * KIB, 0], '8192'],
  ['pread64', [DISK, 'buffer', 512, 8 * KIB - 512], '512'],
  ['pread64', [FROZEN, 'buffer', 512, 0], '512'],
  ['pread64', [LARGE, 'buffer', 1_048_576, 0], '1048576'],
  ['pread64', [LARGE, 'buffer', KIB, String(LARGE_END - 1536n)], '1024'],
  ['pread64', [LARGE, 'buffer', 512, String(LARGE_END - 512n)], '512'],
  ['pwrite64', [DISK, 'buffer', 512, 8 * KIB - 512], '512'],
  ['fdatasync', [DISK], '0'],
];

/** The same with one thing changed: each must kill. */
const FORBIDDEN: readonly [string, Call, Word[]][] = [
  ['another descriptor', 'read', [DISK, 'buffer', 16]],
  ['the console', 'read', [1, 'buffer', 16]],
  ['no descriptor', 'read', [7, 'buffer', 16]],
  ['upper half of the descriptor', 'read', [String(2n ** 32n + BigInt(LINK)), 'buffer', 16]],
  ['one byte too many', 'read', [LINK, 'buffer', 262_145]],
  ['upper half of the length', 'read', [LINK, 'buffer', String(2n ** 32n)]],
  ['the console', 'writev', [1, 'empty', 0]],
  ['a disk', 'writev', [DISK, 'empty', 0]],
  ['one part too many', 'writev', [LINK, 'empty', 18]],
  ['another array', 'ppoll', ['buffer', 1, 'empty', 0, 8]],
  ['more descriptors', 'ppoll', ['waits', 2, 'empty', 0, 8]],
  ['a signal mask', 'ppoll', ['waits', 1, 'empty', 'empty', 8]],
  ['another size of mask', 'ppoll', ['waits', 1, 'empty', 0, 16]],
  ['standard error', 'write', [2, 'buffer', 0]],
  ['a link', 'write', [LINK, 'buffer', 1]],
  ['a disk', 'write', [DISK, 'buffer', 1]],
  ['one byte too many', 'write', [1, 'buffer', 65_537]],
  ['another clock', 'clock_gettime', [2, 'buffer']],
  ['upper half of the clock', 'clock_gettime', [String(2n ** 32n), 'buffer']],
  ['flags', 'getrandom', ['buffer', 16, 1]],
  ['one byte too many', 'getrandom', ['buffer', 257, 0]],
  ['a link', 'pread64', [LINK, 'buffer', 512, 0]],
  ['one byte too many', 'pread64', [LARGE, 'buffer', 1_048_577, 0]],
  ['one byte behind the end', 'pread64', [DISK, 'buffer', 512, 8 * KIB - 511]],
  ['an offset behind the end', 'pread64', [DISK, 'buffer', 0, 8 * KIB + 1]],
  ['the end of another disk', 'pread64', [DISK, 'buffer', 512, String(LARGE_END - 512n)]],
  ['one byte behind a far end', 'pread64', [LARGE, 'buffer', 512, String(LARGE_END - 511n)]],
  ['a carry behind a far end', 'pread64', [LARGE, 'buffer', 1_048_576, 2 ** 32 - 512]],
  ['a sum that overflows', 'pread64', [LARGE, 'buffer', KIB, String(2n ** 64n - 512n)]],
  ['a negative offset', 'pread64', [DISK, 'buffer', 512, -1]],
  ['a disk that is read only', 'pwrite64', [FROZEN, 'buffer', 512, 0]],
  ['growth', 'pwrite64', [DISK, 'buffer', 512, 8 * KIB]],
  ['growth by a byte', 'pwrite64', [DISK, 'buffer', 512, 8 * KIB - 511]],
  ['a link', 'fdatasync', [LINK]],
  ['a disk that is read only', 'fdatasync', [FROZEN]],
  ['without --profile', 'rt_sigreturn', []],
  ['without --profile', 'setitimer', [2, 'profile timer', 0]],
];

/** With --profile or --control these two are allowed, and no others. */
const PROFILED: readonly [string, Call, Word[]][] = [
  ['another timer', 'setitimer', [0, 'profile timer', 0]],
  ['another period', 'setitimer', [2, 'buffer', 0]],
  ['the old period', 'setitimer', [2, 'profile timer', 'buffer']],
  ['upper half of the timer', 'setitimer', [String(2n ** 32n + 2n), 'profile timer', 0]],
];

let image = '';
let words: string[] = [];
let peer: { path: string; close(): void };

before(async () => {
  image = processImage('system-call', WITH_FAULT);
  peer = await silentPeer();
  const disks = ['disk', 'large', 'frozen'].map((name) => path.join(work, `${name}.img`));
  for (const [index, bytes] of [8 * KIB, LARGE_BYTES, 8 * KIB].entries()) {
    fs.writeFileSync(disks[index]!, '');
    fs.truncateSync(disks[index]!, bytes);
  }
  words = [
    ...[`--disk=disk=${disks[0]}`, `--disk=large=${disks[1]}`],
    `--disk=frozen=${disks[2]},readonly`,
    `--link=unix:${peer.path}`,
  ];
});
after(() => peer.close());

/** Makes one system call in a fresh process; what became of it. */
const attempt = (number: number, args: readonly Word[]) =>
  runProcess(image, [...words, '--', JSON.stringify([number, ...args])]);

for (const [name, args, result] of ALLOWED) {
  test(`${name}(${args.join(', ')}) › allowed › ${result}`, async () => {
    const end = await attempt(call[name], args);
    assert.deepEqual(end, {
      code: 0,
      signal: null,
      text: `calling\nsurvived ${result}\n`,
      complaint: '',
    });
  });
}

test('exit_group › any code › ends with it', async () => {
  assert.equal((await attempt(call.exit_group, [77])).code, 77);
});

for (const [what, name, args] of FORBIDDEN) {
  test(`${name}(${args.join(', ')}) › ${what} › killed`, async () => {
    const { signal, text } = await attempt(call[name], args);
    assert.equal(signal, 'SIGSYS');
    assert.equal(text, 'calling\n');
  });
}

for (const word of ['--profile=1000', '--control=']) {
  describe(word, () => {
    const withWord = (name: Call, args: readonly Word[]) => {
      const given = word === '--control=' ? `${word}unix:${peer.path}` : word;
      const asked = JSON.stringify([call[name], ...args]);
      return runProcess(image, [given, '--', asked]);
    };

    test('setitimer(2, profile timer, 0) › allowed › 0', async () => {
      const { code, text } = await withWord('setitimer', [2, 'profile timer', 0]);
      assert.deepEqual([code, text], [0, 'calling\nsurvived 0\n']);
    });

    for (const [what, name, args] of PROFILED) {
      test(`${name}(${args.join(', ')}) › ${what} › killed`, async () => {
        const { signal, text } = await withWord(name, args);
        assert.deepEqual([signal, text], ['SIGSYS', 'calling\n']);
      });
    }
  });
}

/** Its descriptor is the first behind the console's: there are no disks here. */
const CONTROL = 3;

for (const [name, args, result] of [
  ['read', [CONTROL, 'buffer', 262_144], 'survived -11'],
  ['writev', [CONTROL, 'empty', 0], 'survived 0'],
  ['read', [CONTROL, 'buffer', 262_145], null],
  ['write', [CONTROL, 'buffer', 1], null],
] as const) {
  test(`${name}(${args.join(', ')}) of a control channel › ${result ?? 'killed'}`, async () => {
    const words = [`--control=unix:${peer.path}`, '--', JSON.stringify([call[name], ...args])];
    const { signal, text } = await runProcess(image, words);
    assert.equal(text, `calling\n${result === null ? '' : `${result}\n`}`);
    assert.equal(signal, result === null ? 'SIGSYS' : null);
  });
}

/**
 * uretprobe and uprobe: Linux lets no filter see them, and refuses whoever isn't one of its probes,
 * with SIGILL or ENXIO.
 */
const PROBES = [335, 336];

async function expectKilled(number: number): Promise<void> {
  // Without disks, which one process at a time may have.
  const words = ['--', JSON.stringify([number, 0, 0, 0, 0, 0, 0])];
  const { code, signal, text } = await runProcess(image, words);
  if (PROBES.includes(number) && (code === 125 || text.endsWith('survived -6\n'))) return;
  assert.equal(signal, 'SIGSYS', `system call ${number}: ${text}`);
  assert.equal(text, 'calling\n');
}

describe('every system call that is not listed', () => {
  const listed = new Set<number>(Object.values(call));
  const numbers = Array.from({ length: CALLS_END }, (_, number) => number);
  const others = numbers.filter((number) => !listed.has(number));
  for (let from = 0; from < others.length; from += 32) {
    const some = others.slice(from, from + 32);
    test(`${some[0]} to ${some.at(-1)} › killed`, async () => {
      await Promise.all(some.map(expectKilled));
    });
  }

  test('the same numbers in the x32 table › killed', async () => {
    for (const number of listed) {
      const { signal } = await attempt(0x4000_0000 + number, [0, 0, 0, 0, 0, 0]);
      assert.equal(signal, 'SIGSYS', `system call ${number}`);
    }
  });

  test('the 32-bit table › killed', async () => {
    const { signal } = await runProcess(processImage('process-fault', WITH_FAULT), [
      '--',
      'call32',
    ]);
    assert.equal(signal, 'SIGSYS');
  });
});

describe('faults', () => {
  let faulty = '';
  before(() => {
    faulty = processImage('process-fault', WITH_FAULT);
  });

  const FAULTS: readonly [string, RegExp][] = [
    ['null', /CPU exception: page fault\naddress 0{16} /],
    ['write-text', /CPU exception: page fault/],
    ['write-constant', /CPU exception: page fault/],
    ['write-payload', /CPU exception: page fault/],
    ['execute-data', /CPU exception: page fault/],
    ['execute-heap', /CPU exception: page fault/],
    ['stack', /CPU exception: page fault: stack overflow/],
    ['invalid-opcode', /CPU exception: invalid opcode/],
  ];
  for (const [kind, message] of FAULTS) {
    test(`${kind} › a message, exit code 125`, async () => {
      const { code, signal, text } = await runProcess(faulty, ['--', kind]);
      assert.match(text, message);
      assert.ok(!text.includes('survived'));
      assert.deepEqual([code, signal], [125, null]);
    });
  }
});
