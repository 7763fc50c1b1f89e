import assert from 'node:assert/strict';
import { test } from 'node:test';
import { URLSearchParams } from './url-search-params.ts';

test('URLSearchParams › parse › as a form', () => {
  const params = new URLSearchParams('?a=1&a=2&b&=x&&c=%C3%A9+%zz%4&d=a=b');
  assert.deepEqual(
    [...params],
    [
      ['a', '1'],
      ['a', '2'],
      ['b', ''],
      ['', 'x'],
      ['c', '\u00e9 %zz%4'],
      ['d', 'a=b'],
    ],
  );
  assert.equal(params.size, 6);
  assert.equal(new URLSearchParams('a=%ff').get('a'), '\ufffd');
  assert.equal(new URLSearchParams('').size, 0);
});

test('URLSearchParams › serialize › everything but *-._ and alphanumerics', () => {
  const params = new URLSearchParams([['a b', '~!*-._\u00e9&=+']]);
  assert.equal(params.toString(), 'a+b=%7E%21*-._%C3%A9%26%3D%2B');
  assert.equal(new URLSearchParams({ a: '\ud800' }).toString(), 'a=%EF%BF%BD');
});

test('URLSearchParams › change', () => {
  const params = new URLSearchParams({ a: '1', b: '2' });
  params.append('a', '3');
  params.set('a', '4');
  assert.equal(params.toString(), 'a=4&b=2');
  params.set('c', '5');
  assert.deepEqual(params.getAll('c'), ['5']);
  params.append('c', '6');
  params.delete('c', '5');
  assert.equal(params.has('c', '5'), false);
  assert.equal(params.has('c', '6'), true);
  params.delete('c');
  assert.equal(params.has('c'), false);
  assert.equal(params.get('c'), null);
  assert.deepEqual(params.getAll('c'), []);
});

test('URLSearchParams › sort › by name, stable', () => {
  const params = new URLSearchParams('z=1&a=2&z=0&a=1');
  params.sort();
  assert.equal(params.toString(), 'a=2&a=1&z=1&z=0');
});

test('URLSearchParams › iteration › sees changes made meanwhile', () => {
  const params = new URLSearchParams('a=1&b=2');
  const seen: string[] = [];
  for (const name of params.keys()) {
    if (seen.length === 0) params.append('c', '3');
    seen.push(name);
  }
  assert.deepEqual(seen, ['a', 'b', 'c']);
  assert.deepEqual([...params.values()], ['1', '2', '3']);
});

test('URLSearchParams › malformed init › TypeError', () => {
  const bad: unknown[] = [[['a']], [['a', 'b', 'c']], [[]]];
  for (const init of bad) assert.throws(() => new URLSearchParams(init as never), TypeError);
  assert.throws(() => new URLSearchParams().forEach(null as never), TypeError);
});
