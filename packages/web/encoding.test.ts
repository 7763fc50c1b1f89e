import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TextDecoder, TextEncoder } from './encoding.ts';

const bytes = (...list: number[]) => new Uint8Array(list);

test('TextEncoder › UTF-8, lone surrogates as U+FFFD', () => {
  const encoder = new TextEncoder();
  assert.equal(encoder.encoding, 'utf-8');
  assert.deepEqual(
    [...encoder.encode('a\u00e9\u20ac\u{1f642}')],
    [97, 195, 169, 226, 130, 172, 240, 159, 153, 130],
  );
  assert.deepEqual([...encoder.encode('\ud800')], [239, 191, 189]);
  assert.equal(encoder.encode().length, 0);
});

test('TextEncoder › encodeInto › whole characters only', () => {
  const encoder = new TextEncoder();
  const to = new Uint8Array(4);
  assert.deepEqual(encoder.encodeInto('a\u20acb', new Uint8Array(9)), { read: 3, written: 5 });
  assert.deepEqual(encoder.encodeInto('a\u20acb', to), { read: 2, written: 4 });
  assert.deepEqual(encoder.encodeInto('\u{1f642}x', bytes(0, 0, 0)), { read: 0, written: 0 });
});

test('TextDecoder › labels', () => {
  for (const label of ['utf8', ' UTF-8\n', 'unicode-1-1-utf-8']) {
    assert.equal(new TextDecoder(label).encoding, 'utf-8');
  }
  assert.equal(new TextDecoder('latin1').encoding, 'windows-1252');
  assert.equal(new TextDecoder('UTF-16').encoding, 'utf-16le');
  for (const label of ['', 'utf-7', 'shift_jis', 'utf 8']) {
    assert.throws(() => new TextDecoder(label), RangeError);
  }
});

test('TextDecoder › malformed UTF-8 › U+FFFD, or TypeError when fatal', () => {
  const malformed = [
    bytes(0xff),
    bytes(0xc3),
    bytes(0xc0, 0x80),
    bytes(0xed, 0xa0, 0x80),
    bytes(0xf5, 0x80, 0x80, 0x80),
  ];
  for (const input of malformed) {
    assert.equal(new TextDecoder().decode(input).includes('\ufffd'), true);
    assert.throws(() => new TextDecoder('utf-8', { fatal: true }).decode(input), TypeError);
  }
  assert.equal(new TextDecoder().decode(bytes(0xe2, 0x82, 0x41)), '\ufffdA');
});

test('TextDecoder › byte order mark', () => {
  const marked = bytes(0xef, 0xbb, 0xbf, 65, 0xef, 0xbb, 0xbf);
  assert.equal(new TextDecoder().decode(marked), 'A\ufeff');
  assert.equal(new TextDecoder('utf-8', { ignoreBOM: true }).decode(marked), '\ufeffA\ufeff');
  const decoder = new TextDecoder();
  const text = [0xef, 0xbb, 0xbf, 65].map((one) => decoder.decode(bytes(one), { stream: true }));
  assert.equal(text.join('') + decoder.decode(), 'A');
});

test('TextDecoder › stream › any cut gives the same text', () => {
  const whole = new TextEncoder().encode('a\u00e9\u20ac\u{1f642}z');
  for (let cut = 0; cut <= whole.length; cut++) {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const first = decoder.decode(whole.subarray(0, cut), { stream: true });
    assert.equal(first + decoder.decode(whole.subarray(cut)), 'a\u00e9\u20ac\u{1f642}z');
  }
});

test('TextDecoder › stream that ends in half a character › U+FFFD or TypeError', () => {
  const decoder = new TextDecoder();
  assert.equal(decoder.decode(bytes(0xe2, 0x82), { stream: true }), '');
  assert.equal(decoder.decode(), '\ufffd');
  const fatal = new TextDecoder('utf-8', { fatal: true });
  fatal.decode(bytes(0xe2), { stream: true });
  assert.throws(() => fatal.decode(), TypeError);
  // The failure doesn't linger.
  assert.equal(fatal.decode(bytes(65)), 'A');
});

test('TextDecoder › utf-16le', () => {
  const decoder = new TextDecoder('utf-16le');
  assert.equal(decoder.decode(bytes(0xff, 0xfe, 65, 0, 0x3d, 0xd8, 0x42, 0xde)), 'A\u{1f642}');
  assert.equal(decoder.decode(bytes(65)), '\ufffd');
  assert.equal(decoder.decode(bytes(0x00, 0xdc)), '\ufffd');
  assert.throws(
    () => new TextDecoder('utf-16le', { fatal: true }).decode(bytes(0, 0xd8)),
    TypeError,
  );
  const stream = new TextDecoder('utf-16le');
  const parts = [0x3d, 0xd8, 0x42, 0xde].map((one) => stream.decode(bytes(one), { stream: true }));
  assert.equal(parts.join(''), '\u{1f642}');
});

test('TextDecoder › windows-1252, any view or buffer', () => {
  assert.equal(new TextDecoder('latin1').decode(bytes(0x80, 0xe9, 0x41)), '\u20ac\u00e9A');
  const buffer = bytes(65, 66, 67).buffer;
  assert.equal(new TextDecoder().decode(buffer), 'ABC');
  assert.equal(new TextDecoder().decode(new DataView(buffer, 1, 1)), 'B');
  assert.equal(new TextDecoder().decode(), '');
  assert.equal(new TextDecoder('utf-8', null).decode(buffer, null), 'ABC');
  assert.throws(() => new TextDecoder().decode('A' as never), TypeError);
});
