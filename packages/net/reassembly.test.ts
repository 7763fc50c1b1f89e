import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { after, instantOfMicros, millis, TimerQueue } from '#core';
import {
  fragmentOverheadBytes,
  fragmentsPerDatagramMax,
  memoryBytesDefault,
  memoryBytesMin,
  reassemblyDatagramsMax,
  reassemblyTimeout,
} from './limits.ts';
import { MemoryBudget } from './memory-budget.ts';
import { Reassembly } from './reassembly.ts';

const HEAD = Uint8Array.of(7, 7, 7);
const PAYLOAD_BYTES_MAX = 65_515;

class Bench {
  readonly timers = new TimerQueue(instantOfMicros(0));
  readonly expired: string[] = [];
  readonly memory: MemoryBudget;
  readonly reassembly: Reassembly;
  readonly owner = {
    payloadBytesMax: PAYLOAD_BYTES_MAX,
    reassemblyExpired: (head: Uint8Array, payload: Uint8Array) =>
      this.expired.push(`${head.join()} ${payload.join()}`),
  };

  constructor(memoryBytes = memoryBytesDefault) {
    this.memory = new MemoryBudget(memoryBytes);
    this.reassembly = new Reassembly(this.timers, this.memory.account('fragments'));
  }

  get heldBytes(): number {
    return this.memory.usedBytes;
  }

  take(key: string, at: number, payload: readonly number[] | Uint8Array, isMore = true) {
    const bytes = Uint8Array.from(payload);
    const fragment = { key, at, isMore, head: HEAD, payload: bytes };
    const whole = this.reassembly.take(fragment, this.owner);
    this.reassembly.checkInvariants();
    this.memory.checkInvariants();
    return whole === null ? null : whole.join();
  }

  counters(): Record<string, number> {
    return Object.fromEntries(
      Object.entries(this.reassembly.counters).filter(([, count]) => count !== 0),
    );
  }
}

const EIGHT = [1, 2, 3, 4, 5, 6, 7, 8];

test('two fragments › in order, or the last first › the whole, after the first one’s head', () => {
  const b = new Bench();
  assert.equal(b.take('a', 0, EIGHT), null);
  assert.equal(b.take('a', 8, [9], false), '7,7,7,1,2,3,4,5,6,7,8,9');
  assert.equal(b.take('a', 8, [9], false), null);
  assert.equal(b.take('a', 0, EIGHT), '7,7,7,1,2,3,4,5,6,7,8,9');
  assert.deepEqual([b.reassembly.size, b.heldBytes, b.timers.size], [0, 0, 0]);
});

test('two datagrams › at once › are not mixed', () => {
  const b = new Bench();
  b.take('a', 0, EIGHT);
  b.take('b', 0, new Array(8).fill(0));
  assert.equal(b.take('b', 8, [5], false), '7,7,7,0,0,0,0,0,0,0,0,5');
  assert.equal(b.take('a', 8, [6], false), '7,7,7,1,2,3,4,5,6,7,8,6');
});

test('a fragment twice › same bytes › ignored; other bytes › all of it is dropped', () => {
  const b = new Bench();
  b.take('a', 0, EIGHT);
  b.take('a', 0, EIGHT);
  assert.equal(b.take('a', 8, [9], false)?.length, '7,7,7,1,2,3,4,5,6,7,8,9'.length);
  b.take('a', 0, EIGHT);
  b.take('a', 0, new Array(8).fill(0));
  b.take('a', 8, [9], false);
  assert.deepEqual(b.counters(), {
    reassemblyDone: 1,
    reassemblyDuplicates: 1,
    reassemblyOverlaps: 2,
  });
});

test('overlaps and contradictions › the datagram is condemned, with what comes later', () => {
  const sixteen = [...EIGHT, ...EIGHT];
  const cases: [string, [number, readonly number[], boolean][]][] = [
    [
      'into the one before',
      [
        [0, sixteen, true],
        [8, EIGHT, true],
      ],
    ],
    [
      'into the one after',
      [
        [8, EIGHT, true],
        [0, sixteen, true],
      ],
    ],
    [
      'inside of one',
      [
        [0, [...sixteen, ...EIGHT], true],
        [8, EIGHT, true],
      ],
    ],
    [
      'around one',
      [
        [8, EIGHT, true],
        [0, [...sixteen, ...EIGHT], true],
      ],
    ],
    [
      'past the end',
      [
        [8, [1], false],
        [16, EIGHT, true],
      ],
    ],
    [
      'up to the end',
      [
        [8, EIGHT, false],
        [0, sixteen, true],
      ],
    ],
    [
      'two ends',
      [
        [8, [1], false],
        [16, [1], false],
      ],
    ],
    [
      'an end before what came',
      [
        [16, EIGHT, true],
        [8, [1], false],
      ],
    ],
    [
      'the last again, with more to come',
      [
        [8, EIGHT, false],
        [8, EIGHT, true],
      ],
    ],
  ];
  for (const [name, fragments] of cases) {
    const b = new Bench();
    for (const [at, payload, isMore] of fragments)
      assert.equal(b.take('a', at, payload, isMore), null);
    assert.deepEqual(b.counters(), { reassemblyOverlaps: 1 }, name);
    assert.equal(b.heldBytes, fragmentOverheadBytes, name);
    b.take('a', 0, EIGHT);
    b.take('a', 8, [9], false);
    assert.deepEqual(b.counters(), { reassemblyOverlaps: 3 }, name);
    b.timers.run(after(b.timers.now, reassemblyTimeout));
    assert.deepEqual([b.reassembly.size, b.expired], [0, []], 'no error about it either');
  }
});

test('no payload, an odd length before the last, past the largest packet › refused', () => {
  const b = new Bench();
  b.take('a', 0, []);
  b.take('a', 8, [], false);
  b.take('a', 0, [1, 2, 3]);
  b.take('a', 65_512, [1, 2, 3, 4], false);
  assert.deepEqual(b.counters(), { reassemblyMalformed: 4 });
  assert.equal(b.reassembly.size, 0);
  assert.equal(b.take('a', 65_512, [1, 2, 3], false), null);
  assert.equal(b.reassembly.size, 1);
});

test('the largest packet › in fragments of 1,480 › whole', () => {
  const b = new Bench();
  const payload = Uint8Array.from({ length: PAYLOAD_BYTES_MAX }, (_, i) => i * 7);
  let whole: string | null = null;
  for (let at = 0; at < payload.length; at += 1_480) {
    const piece = payload.subarray(at, at + 1_480);
    whole = b.take('a', at, piece, at + 1_480 < payload.length);
  }
  assert.equal(whole, [...HEAD, ...payload].join());
});

test('30 s › told when the first fragment came, silent else; the rest afterwards is no datagram', () => {
  const b = new Bench();
  b.take('a', 0, EIGHT);
  b.take('b', 8, EIGHT);
  b.timers.run(after(b.timers.now, millis(29_999)));
  b.take('c', 0, EIGHT);
  assert.deepEqual([b.expired, b.reassembly.size], [[], 3]);
  b.timers.run(after(b.timers.now, millis(1)));
  assert.deepEqual([b.expired, b.reassembly.size], [['7,7,7 1,2,3,4,5,6,7,8'], 1]);
  assert.equal(b.take('a', 8, [9], false), null);
  assert.equal(b.take('c', 8, [9], false)?.length, '7,7,7,1,2,3,4,5,6,7,8,9'.length);
  b.timers.run(after(b.timers.now, reassemblyTimeout));
  assert.deepEqual(b.counters(), { reassemblyDone: 1, reassemblyTimeouts: 3 });
});

test('as many datagrams as may wait, and one more › the oldest goes', () => {
  const b = new Bench();
  for (let i = 0; i < reassemblyDatagramsMax; i++) b.take(`${i}`, 0, EIGHT);
  assert.deepEqual(b.counters(), {});
  b.take('more', 0, EIGHT);
  assert.deepEqual(b.counters(), { reassemblyEvicted: 1 });
  assert.equal(b.take('0', 8, [9], false), null);
  assert.notEqual(b.take('2', 8, [9], false), null);
});

test('as many bytes as may wait, and more › the oldest goes', () => {
  const b = new Bench();
  const cost = 2 * fragmentOverheadBytes + 32_000 + HEAD.length;
  const fit = Math.floor(b.memory.account('fragments').bytesMax / cost);
  for (let i = 0; i < fit; i++) b.take(`${i}`, 0, new Uint8Array(32_000));
  assert.equal(b.heldBytes, fit * cost);
  assert.deepEqual(b.counters(), {});
  b.take('more', 0, new Uint8Array(32_000));
  assert.deepEqual([b.counters(), b.reassembly.size], [{ reassemblyEvicted: 1 }, fit]);
});

test('a datagram larger than all that may wait › is given up for itself', () => {
  const b = new Bench(memoryBytesMin);
  const bytes = b.memory.account('fragments').bytesMax;
  for (let at = 0; at < bytes; at += 1_024) b.take('a', at, new Uint8Array(1_024));
  assert.deepEqual(b.counters(), { reassemblyEvicted: 1 });
});

test('the budget is full of what is more important › nothing is kept', () => {
  const b = new Bench();
  assert.equal(b.memory.account('received').take(memoryBytesDefault), true);
  b.take('a', 0, EIGHT);
  assert.deepEqual([b.counters(), b.reassembly.size], [{ reassemblyNoRoom: 1 }, 0]);
});

test('memory is needed for what is more important › fragments go', () => {
  const b = new Bench();
  b.take('a', 0, EIGHT);
  assert.equal(b.memory.account('received').take(memoryBytesDefault), true);
  assert.deepEqual([b.counters(), b.reassembly.size], [{ reassemblyEvicted: 1 }, 0]);
});

test('as many fragments as a datagram may have, and one more › condemned', () => {
  for (const count of [fragmentsPerDatagramMax, fragmentsPerDatagramMax + 1]) {
    const b = new Bench();
    let whole: string | null = null;
    for (let i = 0; i < count; i++) whole = b.take('a', 8 * i, EIGHT, i + 1 < count);
    const isFit = count === fragmentsPerDatagramMax;
    assert.equal(whole !== null, isFit);
    assert.equal(b.reassembly.counters.reassemblyTooMany, isFit ? 0 : 1);
  }
});

test('any cut, any order, any duplicates › the datagram, or less than all of it came', () => {
  const shape = fc.record({
    bytes: fc.uint8Array({ minLength: 9, maxLength: 400 }),
    cuts: fc.array(fc.integer({ min: 1, max: 49 }), { maxLength: 8 }),
    order: fc.array(fc.nat(1_000), { minLength: 1, maxLength: 30 }),
  });
  fc.assert(
    fc.property(shape, ({ bytes, cuts, order }) => {
      const b = new Bench();
      const edges = [...new Set([0, ...cuts.map((cut) => cut * 8)])]
        .filter((edge) => edge < bytes.length)
        .sort((x, y) => x - y);
      const came = new Set<number>();
      for (const pick of order) {
        const i = pick % edges.length;
        const end = edges[i + 1] ?? bytes.length;
        came.add(i);
        const whole = b.take('a', edges[i]!, bytes.subarray(edges[i], end), end < bytes.length);
        assert.equal(whole !== null, came.size === edges.length);
        if (whole === null) continue;
        assert.equal(whole, [...HEAD, ...bytes].join());
        came.clear();
      }
      assert.equal(b.reassembly.counters.reassemblyOverlaps, 0);
    }),
    { seed: 1, numRuns: 300 },
  );
});
