import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DOMException } from './dom-exception.ts';
import { structuredClone } from './structured-clone.ts';

test('structuredClone › primitives and wrappers', () => {
  for (const value of [undefined, null, true, -0, Number.NaN, 'a', 9n]) {
    assert.ok(Object.is(structuredClone(value), value));
  }
  assert.equal(structuredClone(Object(true)).valueOf(), true);
  assert.equal(structuredClone(Object('a')).valueOf(), 'a');
});

test('structuredClone › containers, with cycles and shared parts', () => {
  const shared = { a: 1 };
  const value: Record<string, unknown> = {
    list: [shared, shared],
    map: new Map([[shared, 1]]),
    set: new Set([shared]),
  };
  value.self = value;
  const copy = structuredClone(value);
  const list = copy.list as object[];
  assert.equal(copy.self, copy);
  assert.equal(list[0], list[1]);
  assert.notEqual(list[0], shared);
  assert.equal((copy.map as Map<object, number>).get(list[0]!), 1);
  assert.equal((copy.set as Set<object>).has(list[0]!), true);
});

test('structuredClone › arrays keep holes and length; prototypes are lost', () => {
  // biome-ignore lint/suspicious/noSparseArray: holes are what is tested.
  const copy = structuredClone([1, , 3]);
  assert.equal(copy.length, 3);
  assert.equal(1 in copy, false);
  class Point {
    x = 1;
  }
  const point = structuredClone(new Point());
  assert.equal(point instanceof Point, false);
  assert.equal(point.x, 1);
  const proto = structuredClone(JSON.parse('{"__proto__": 1}'));
  assert.equal(Object.hasOwn(proto, '__proto__'), true);
});

test('structuredClone › Date, RegExp, buffers and views', () => {
  assert.equal(structuredClone(new Date(5)).getTime(), 5);
  assert.equal(String(structuredClone(/a/gi)), '/a/gi');
  const bytes = new Uint8Array([1, 2, 3]);
  const { view, words, data } = structuredClone({
    view: bytes.subarray(1),
    words: new Uint16Array([7]),
    data: new DataView(bytes.buffer, 2),
  });
  bytes[1] = 9;
  assert.deepEqual([...view], [2, 3]);
  assert.equal(words[0], 7);
  assert.equal(data.getUint8(0), 3);
  // Two views of one buffer are so afterwards.
  assert.equal(view.buffer, data.buffer);
});

test('structuredClone › errors', () => {
  const copy = structuredClone(new RangeError('m', { cause: { a: 1 } }));
  assert.ok(copy instanceof RangeError);
  assert.equal(copy.message, 'm');
  assert.deepEqual(copy.cause, { a: 1 });
  const named = structuredClone(new DOMException('m', 'AbortError'));
  assert.ok(named instanceof DOMException);
  assert.equal(named.name, 'AbortError');
});

test('structuredClone › what has no copy › DataCloneError', () => {
  const values = [
    () => {},
    Symbol('s'),
    new WeakMap(),
    new WeakSet(),
    Promise.resolve(),
    { f() {} },
    [Symbol('t')],
  ];
  for (const value of values) {
    assert.throws(() => structuredClone<unknown>(value), { name: 'DataCloneError', code: 25 });
  }
});

test('structuredClone › transfer › buffers only', () => {
  const buffer = new Uint8Array([1]).buffer;
  const copy = structuredClone(buffer, { transfer: [buffer] });
  assert.equal(new Uint8Array(copy)[0], 1);
  assert.throws(() => structuredClone(1, { transfer: [{}] }), { name: 'DataCloneError' });
});

test('structuredClone › null for no options', () => {
  assert.deepEqual(structuredClone([1], null), [1]);
});
