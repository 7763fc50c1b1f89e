/** console, inspect, crypto, performance: what stands on the machine. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { console } from './console.ts';
import { crypto } from './crypto.ts';
import { Headers } from './headers.ts';
import { inspect } from './inspect.ts';
import { performance, self } from './performance.ts';
import { installTestPlatform } from './testing/platform.ts';

// A bundler leaves names out that nothing refers to: hence no class expression in the table.
class Thing {}

test('inspect › values', () => {
  // size-exempt: table
  const cases: readonly (readonly [unknown, string])[] = [
    ['a', "'a'"],
    ["it's", '"it\'s"'],
    [-0, '-0'],
    [9n, '9n'],
    [undefined, 'undefined'],
    [null, 'null'],
    [Symbol('s'), 'Symbol(s)'],
    [[], '[]'],
    [{}, '{}'],
    [[1, 'a', [2]], "[ 1, 'a', [ 2 ] ]"],
    [{ a: 1, 'b-c': { d: null } }, "{ a: 1, 'b-c': { d: null } }"],
    [new Map([['k', 1]]), "Map(1) { 'k' => 1 }"],
    [new Set([1]), 'Set(1) { 1 }'],
    [new Uint8Array([1, 2]), 'Uint8Array(2) [ 1, 2 ]'],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Date(Number.NaN), 'Invalid Date'],
    [/x/g, '/x/g'],
    [installTestPlatform, '[Function: installTestPlatform]'],
    [Thing, '[class: Thing]'],
    [new Headers({ a: 'b' }), "Headers { 'a' => 'b' }"],
    [Object.create(null), 'Object: null prototype {}'],
  ];
  for (const [value, text] of cases) assert.equal(inspect(value), text);
});

test('inspect › cycles, depth, getters, hostile objects › ends, without a throw', () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  assert.equal(inspect(cycle), '{ self: [Circular] }');
  assert.equal(
    inspect({ a: { b: { c: { d: { e: 1 } } } } }),
    '{ a: { b: { c: { d: [Object] } } } }',
  );
  const getter = {
    get x(): never {
      throw new Error('boom');
    },
  };
  assert.equal(inspect(getter), '{ x: [Getter] }');
  const hostile = new Proxy(
    {},
    {
      ownKeys() {
        throw new Error('boom');
      },
    },
  );
  assert.match(inspect(hostile), /boom/);
  const trap = (thrown: unknown): never => {
    throw thrown;
  };
  for (const thrown of [Symbol('odd'), Object.create(null), new Error('boom')]) {
    const handler = { get: () => trap(thrown), getPrototypeOf: () => trap(thrown) };
    for (const target of [{}, new Error('e'), () => {}]) {
      assert.match(inspect(new Proxy(target, handler)), /throws when it is looked at/);
    }
  }
  const own = Object.assign(new Error('own'), { self: {} });
  own.self = own;
  assert.match(inspect(own), /\{ self: \[Circular\] \}$/);
  assert.match(inspect(new Array(200).fill(7)), /100 more/);
});

test('inspect › errors › name, message, cause', () => {
  const text = inspect(new TypeError('bad', { cause: new Error('why') }));
  assert.match(text, /^TypeError: bad/);
  assert.match(text, /cause: Error: why/);
  assert.match(inspect(Object.assign(new Error('x'), { code: 'E1' })), /code: 'E1'/);
});

test('console.log › directives', () => {
  const { lines } = installTestPlatform();
  console.log('%s is %d, %i, %f, %j %o %%', 'x', '4.5', '4.5', '4.5', { a: 1 }, [1], 'rest');
  console.log('%s');
  console.log('100%', 1);
  console.log({ a: 1 }, 'b');
  console.log('a\nb');
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  console.log('%d %i %f %d %j', Symbol('s'), Symbol('s'), {}, {}, cycle);
  console.log();
  assert.deepEqual(lines, [
    'x is 4.5, 4, 4.5, {"a":1} [ 1 ] % rest',
    '%s',
    '100% 1',
    '{ a: 1 } b',
    'a',
    'b',
    'NaN NaN NaN NaN [Circular]',
    '',
  ]);
});

test('console › group, count, assert, time, table', () => {
  const { lines, pass } = installTestPlatform();
  console.group('g');
  console.info('in');
  console.groupEnd();
  console.groupEnd();
  console.count();
  console.count();
  console.countReset();
  console.count();
  console.assert(true, 'no');
  console.assert(false, 'yes %d', 1);
  console.time('t');
  pass(5);
  console.timeEnd('t');
  console.timeEnd('t');
  console.table([{ a: 1 }, { b: 'x' }]);
  assert.deepEqual(lines, [
    'g',
    '  in',
    'default: 1',
    'default: 2',
    'default: 1',
    'Assertion failed: yes 1',
    't: 5.000 ms',
    'console.time("t") was not called',
    '(index)  a  b',
    '0        1',
    "1           'x'",
  ]);
});

test('crypto.randomUUID › version 4', () => {
  installTestPlatform();
  assert.equal(crypto.randomUUID(), '00010203-0405-4607-8809-0a0b0c0d0e0f');
});

test('crypto.getRandomValues › fills, returns, refuses', () => {
  installTestPlatform();
  const words = new Uint16Array(2);
  assert.equal(crypto.getRandomValues(words), words);
  assert.deepEqual([...new Uint8Array(words.buffer)], [0, 1, 2, 3]);
  assert.equal(crypto.getRandomValues(new Uint8Array(65_536)).length, 65_536);
  assert.throws(() => crypto.getRandomValues(new Uint8Array(65_537)), {
    name: 'QuotaExceededError',
  });
  const wrong: unknown[] = [new Float32Array(1), new DataView(new ArrayBuffer(1)), [1], null];
  for (const view of wrong) {
    assert.throws(() => crypto.getRandomValues(view as never), { name: 'TypeMismatchError' });
  }
});

test('performance › the time of the turn; self', () => {
  const { pass } = installTestPlatform();
  const start = performance.now();
  pass(5);
  assert.equal(performance.now() - start, 5);
  assert.equal(performance.timeOrigin, 1_767_225_600_000);
  assert.deepEqual(performance.toJSON(), { timeOrigin: 1_767_225_600_000 });
  assert.equal(self, globalThis);
});
