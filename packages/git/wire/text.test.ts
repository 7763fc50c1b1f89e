import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareText, decodeText, encodeText, isCanonicalText } from './text.ts';

test('any bytes › decoded and encoded › the same; canonical', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      const text = decodeText(bytes, 0, bytes.length);
      assert.deepEqual(encodeText(text), bytes);
      assert.equal(isCanonicalText(text), true);
    }),
    { seed: 6 },
  );
});

test('UTF-8 › decoded › text; bytes that are none › lone surrogates', () => {
  const of = (...bytes: number[]): string => decodeText(Uint8Array.from(bytes), 0, bytes.length);
  assert.equal(of(0x61, 0xc3, 0xa4), 'aä');
  assert.equal(of(0x61, 0xff, 0xc3), 'a\udcff\udcc3');
  assert.equal(of(0xed, 0xb2, 0x80), '\udced\udcb2\udc80');
  assert.equal(of(0xf0, 0x9f, 0x8c, 0xb3, 0x80), '🌳\udc80');
});

test('text that stands for no bytes, or for those of another text › not canonical', () => {
  assert.equal(isCanonicalText('größe'), true);
  assert.equal(isCanonicalText('\ud800'), false);
  assert.equal(isCanonicalText('\udc00'), false);
  assert.equal(isCanonicalText('\udcc3\udca4'), false);
});

test('order › of bytes, not of code units', () => {
  assert.ok(compareText('\uffff', '🌳') < 0);
  assert.ok(compareText('a', 'b') < 0);
  assert.ok(compareText('ab', 'a') > 0);
  assert.equal(compareText('ä', 'ä'), 0);
  assert.ok(compareText('\udc80', 'ä') < 0);
});
