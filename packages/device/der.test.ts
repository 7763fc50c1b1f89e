import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DerReader, derElement, derInteger, TAG_OCTET_STRING, TAG_SEQUENCE } from './der.ts';

const octets = (count: number) => new Uint8Array(count).fill(7);
const read = (...bytes: number[]) => new DerReader(Uint8Array.from(bytes));

for (const count of [0, 1, 127, 128, 255, 256, 65_535]) {
  test(`an element of ${count} bytes › written and read › is the same, and cut it is none`, () => {
    const der = derElement(TAG_OCTET_STRING, octets(count));
    const reader = new DerReader(der);
    assert.equal(reader.tag, TAG_OCTET_STRING);
    assert.equal(reader.contents(TAG_OCTET_STRING)?.length, count);
    assert.ok(reader.done);
    assert.equal(reader.tag, -1);
    for (const end of [0, 1, 2, der.length - 1].filter((one) => one < der.length)) {
      assert.equal(new DerReader(der, 0, end).contents(TAG_OCTET_STRING), null, `cut at ${end}`);
    }
  });
}

test('an element of 64 KiB › written › an assertion', () => {
  assert.throws(() => derElement(TAG_OCTET_STRING, octets(65_536)), /no key is as long/);
});

test('a length that isn’t minimal, definite or below 64 KiB › read › none', () => {
  assert.equal(read(4, 0x81, 5, 0, 0, 0, 0, 0).contents(4), null);
  assert.equal(read(4, 0x82, 0, 200, ...octets(200)).contents(4), null);
  assert.equal(read(4, 0x80, 0, 0).contents(4), null);
  assert.equal(read(4, 0x83, 1, 0, 0, ...octets(65_536)).contents(4), null);
  assert.equal(read(4, 0x81).contents(4), null);
  assert.equal(read(4, 0x82, 1).contents(4), null);
});

test('another tag › read › none, and the reader stays where it is', () => {
  const reader = read(4, 1, 9);
  assert.equal(reader.contents(TAG_SEQUENCE), null);
  assert.equal(reader.enter(TAG_SEQUENCE), null);
  assert.equal(reader.element(TAG_SEQUENCE), null);
  assert.deepEqual([...reader.element(4)!], [4, 1, 9]);
});

test('positive › what isn’t minimal or above zero › none', () => {
  assert.deepEqual([...read(2, 1, 5).positive()!], [5]);
  assert.deepEqual([...read(2, 2, 0, 0x80).positive()!], [0x80]);
  for (const bad of [
    [2, 0],
    [2, 1, 0],
    [2, 1, 0x80],
    [2, 2, 0, 5],
    [2, 2, 0, 0],
    [2, 2, 0xff, 0xff],
    [4, 1, 5],
  ]) {
    assert.equal(read(...bad).positive(), null, bad.join());
  }
});

test('derInteger › leading zeros and high bits › minimal', () => {
  assert.deepEqual([...derInteger(Uint8Array.of(0, 0, 5))], [2, 1, 5]);
  assert.deepEqual([...derInteger(Uint8Array.of(0x80))], [2, 2, 0, 0x80]);
  assert.deepEqual([...derInteger(Uint8Array.of(0, 0))], [2, 1, 0]);
});

test('isSmall, bits › other lengths and values › no', () => {
  assert.ok(read(2, 1, 1).isSmall(1));
  assert.ok(!read(2, 1, 2).isSmall(1));
  assert.ok(!read(2, 2, 0, 1).isSmall(1));
  assert.deepEqual([...read(3, 2, 0, 9).bits()!], [9]);
  assert.equal(read(3, 2, 1, 8).bits(), null);
  assert.equal(read(3, 0).bits(), null);
});
