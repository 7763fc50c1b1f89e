/** The table of base/engine/profile.c, as it may look; a real one is in tests/process/. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROFILE_TABLE_BYTES, Profiler, readNodes } from './profile.ts';

const SCRIPT = 1;
const NATIVE = 2;
const CODE = 3;

/** Puts a node at a place of a table. */
function put(
  table: Uint32Array,
  place: number,
  [kind, address, parent, samples]: readonly [number, number, number, number],
): void {
  const key = address * 4 + kind;
  table.set([key % 2 ** 32, Math.floor(key / 2 ** 32), parent, samples], 4 * (1 + place));
}

const names: Record<number, string> = {
  4096: 'outer main.js:3:5',
  4294967280: 'get size with spaces in it.js:1:1',
  12288: '<gone>',
};
const nameOf = (address: number): string => names[address]!;

test('a tree › callers come first, wherever they are in the table', () => {
  const table = new Uint32Array(PROFILE_TABLE_BYTES / 4);
  put(table, 4_095, [SCRIPT, 0x1000, 0, 0]);
  put(table, 9, [SCRIPT, 0xffff_fff0, 4_095, 2]);
  put(table, 7, [NATIVE, 0x40_2000, 9, 0]);
  put(table, 3, [CODE, 0x40_2040, 7, 5]);
  put(table, 2, [SCRIPT, 0x3000, 0, 1]);
  const nodes = readNodes(table, nameOf);
  assert.deepEqual(
    nodes.map(({ parent, samples, kind, name }) => [parent, samples, kind, name]),
    [
      [-1, 1, 'script', '<gone>'],
      [-1, 0, 'script', 'outer'],
      [1, 2, 'script', 'get size with spaces in'],
      [2, 0, 'native', '0x402000'],
      [3, 5, 'code', '0x402040'],
    ],
  );
  const [gone, outer, size] = nodes;
  assert.deepEqual([gone!.file, gone!.line], ['', 0]);
  assert.deepEqual([outer!.file, outer!.line, outer!.column], ['main.js', 3, 5]);
  assert.equal(size!.file, 'it.js');
});

test('a function at two places of the tree › is asked for its name once', () => {
  const table = new Uint32Array(PROFILE_TABLE_BYTES / 4);
  put(table, 1, [SCRIPT, 0x1000, 0, 1]);
  put(table, 2, [SCRIPT, 0x1000, 1, 1]);
  let asked = 0;
  readNodes(table, (address) => {
    asked++;
    return nameOf(address);
  });
  assert.equal(asked, 1);
});

test('a full table › every node', () => {
  const table = new Uint32Array(PROFILE_TABLE_BYTES / 4);
  for (let place = 1; place < 4_096; place++) put(table, place, [CODE, place * 64, place - 1, 1]);
  const nodes = readNodes(table, nameOf);
  assert.equal(nodes.length, 4_095);
  assert.ok(nodes.every(({ parent }, index) => parent === index - 1));
});

test('Profiler › one at a time; a base that can not › false, and nothing to stop', () => {
  const calls: [number, boolean][] = [];
  let can = true;
  const base = {
    clockMonotonic: () => calls.length * 1_000,
    functionName: nameOf,
    profile(hz: number, table: Uint8Array | null) {
      calls.push([hz, table !== null]);
      if (table !== null) new Uint32Array(table.buffer).set([10, 4, 1]);
      return can;
    },
  };
  const profiler = new Profiler(base, null);
  assert.equal(profiler.stop(), null);
  assert.ok(profiler.start(100) && !profiler.start(100));
  assert.deepEqual(profiler.stop(), {
    hz: 100,
    micros: 2_000,
    samples: 10,
    idle: 4,
    lost: 1,
    nodes: [],
  });
  for (const hz of [20.5, 19, 20_001, Number.NaN, -20, Number.POSITIVE_INFINITY]) {
    assert.ok(!profiler.start(hz));
  }
  can = false;
  assert.ok(!profiler.start(100));
  assert.equal(profiler.stop(), null);
  assert.deepEqual(calls, [
    [100, true],
    [0, false],
    [100, true],
    [0, false],
  ]);
  assert.ok(!new Profiler({ clockMonotonic: () => 0 }, null).start(100));
});

for (const [what, asked, samples, idle, busyMicros, expected] of [
  ['a machine, as asked', 1_000, 3_000, 2_000, null, { hz: 1_000, samples: 3_000, idle: 2_000 }],
  ['a machine that lost some', 1_000, 1_500, 500, null, { hz: 500, samples: 1_500, idle: 500 }],
  ['a process at Linux 250 Hz', 1_000, 150, 0, 600_000, { hz: 250, samples: 750, idle: 600 }],
  ['a process that was busy', 100, 310, 0, 3_000_000, { hz: 100, samples: 310, idle: 0 }],
  ['nothing was sampled', 100, 0, 0, 900, { hz: 100, samples: 300, idle: 300 }],
] as const) {
  test(`rate › ${what} › what the samples stand for`, () => {
    let now = 0;
    let busy = 0;
    const base = {
      clockMonotonic: () => now,
      functionName: nameOf,
      profile(_: number, table: Uint8Array | null) {
        if (table !== null) new Uint32Array(table.buffer).set([samples, idle, 0]);
        return true;
      },
    };
    const profiler = new Profiler(base, busyMicros === null ? null : () => busy);
    assert.ok(profiler.start(asked));
    now = 3_000_000;
    busy = busyMicros ?? 0;
    const profile = profiler.stop()!;
    assert.deepEqual({ hz: profile.hz, samples: profile.samples, idle: profile.idle }, expected);
  });
}
