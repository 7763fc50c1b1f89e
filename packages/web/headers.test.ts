import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from './headers.ts';

test('Headers › names in any case › one entry, values joined', () => {
  const headers = new Headers({ 'X-A': '1' });
  headers.append('x-a', '2');
  assert.equal(headers.get('X-a'), '1, 2');
  assert.equal(headers.has('X-A'), true);
  assert.deepEqual([...headers], [['x-a', '1, 2']]);
});

test('Headers › from pairs, a record, another Headers', () => {
  const pairs = new Headers([
    ['b', '2'],
    ['a', '1'],
    ['B', '3'],
  ]);
  assert.deepEqual([...pairs.keys()], ['a', 'b']);
  assert.deepEqual([...pairs.values()], ['1', '2, 3']);
  const copy = new Headers(pairs);
  copy.set('a', 'x');
  assert.equal(pairs.get('a'), '1');
  assert.equal(new Headers().get('a'), null);
});

test('Headers › Set-Cookie › never joined', () => {
  const headers = new Headers();
  headers.append('Set-Cookie', 'a=1');
  headers.append('set-cookie', 'b=2');
  headers.append('accept', '*/*');
  assert.deepEqual(headers.getSetCookie(), ['a=1', 'b=2']);
  assert.equal(headers.get('set-cookie'), 'a=1, b=2');
  assert.deepEqual(
    [...headers].map(([name]) => name),
    ['accept', 'set-cookie', 'set-cookie'],
  );
  assert.deepEqual(new Headers(headers).getSetCookie(), ['a=1', 'b=2']);
  headers.set('set-cookie', 'c=3');
  assert.deepEqual(headers.getSetCookie(), ['c=3']);
  headers.delete('SET-COOKIE');
  assert.equal(headers.has('set-cookie'), false);
  assert.deepEqual(headers.getSetCookie(), []);
});

test('Headers › outer white space › trimmed', () => {
  const headers = new Headers({ a: ' \t x y \r\n ', b: '   ' });
  assert.equal(headers.get('a'), 'x y');
  assert.equal(headers.get('b'), '');
});

test('Headers › names that are no tokens › TypeError', () => {
  for (const name of ['', ' a', 'a b', 'a:', 'é', 'a\n', '(a)', 'a\0']) {
    const headers = new Headers();
    assert.throws(() => headers.set(name, ''), TypeError);
    assert.throws(() => headers.append(name, ''), TypeError);
    assert.throws(() => headers.get(name), TypeError);
    assert.throws(() => headers.has(name), TypeError);
    assert.throws(() => headers.delete(name), TypeError);
  }
});

test('Headers › values that could split a response › TypeError', () => {
  for (const value of ['a\r\nb: c', 'a\nb', 'a\0b', 'snow\u2603']) {
    assert.throws(() => new Headers({ a: value }), TypeError);
    assert.throws(() => new Headers().append('set-cookie', value), TypeError);
  }
  assert.equal(new Headers({ a: 'caf\u00e9' }).get('a'), 'caf\u00e9');
});

test('Headers › malformed init › TypeError', () => {
  const bad: unknown[] = [null, 1, 'a: b', [['a']], [['a', 'b', 'c']]];
  for (const init of bad) assert.throws(() => new Headers(init as never), TypeError);
});

test('Headers › immutable guard › TypeError on every change, reads go on', () => {
  const headers = new Headers({ a: '1' });
  headers._guard = 'immutable';
  assert.throws(() => headers.set('a', '2'), TypeError);
  assert.throws(() => headers.append('a', '2'), TypeError);
  assert.throws(() => headers.delete('a'), TypeError);
  assert.equal(headers.get('a'), '1');
  assert.equal(new Headers(headers)._guard, 'none');
});

test('Headers › forEach › sorted, with this', () => {
  const seen: string[] = [];
  const that = {};
  new Headers({ b: '2', a: '1' }).forEach(function (this: unknown, value, name) {
    assert.equal(this, that);
    seen.push(name + value);
  }, that);
  assert.deepEqual(seen, ['a1', 'b2']);
  assert.throws(() => new Headers().forEach(null as never), TypeError);
});
