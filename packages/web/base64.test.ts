import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atob, btoa } from './base64.ts';

test('btoa, atob › RFC 4648 §10', () => {
  const vectors = ['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar'];
  const encoded = ['', 'Zg==', 'Zm8=', 'Zm9v', 'Zm9vYg==', 'Zm9vYmE=', 'Zm9vYmFy'];
  assert.deepEqual(vectors.map(btoa), encoded);
  assert.deepEqual(encoded.map(atob), vectors);
  let all = '';
  for (let i = 0; i < 256; i++) all += String.fromCharCode(i);
  assert.equal(atob(btoa(all)), all);
});

test('atob › white space and absent padding › allowed', () => {
  assert.equal(atob(' Z g\n=\t= '), 'f');
  assert.equal(atob('Zm8'), 'fo');
  assert.equal(atob('/+8='), '\xff\xef');
});

test('atob › anything else › InvalidCharacterError', () => {
  for (const text of [
    'Z',
    'Zm9vY',
    '=',
    '====',
    'Zg=',
    'Zm9v=',
    'Zg===',
    'Z-==',
    'Zm_v',
    'Z\0==',
    '=Zm9',
  ]) {
    assert.throws(() => atob(text), { name: 'InvalidCharacterError' });
  }
});

test('btoa › a character above U+00FF › InvalidCharacterError', () => {
  for (const text of ['\u0100', 'ab\u20ac', 'a\u{1f642}']) {
    assert.throws(() => btoa(text), { name: 'InvalidCharacterError', code: 5 });
  }
});
