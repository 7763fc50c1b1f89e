import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as ints from './ints.ts';

test('integers › written and read › are the same, in both byte orders', () => {
  fc.assert(
    fc.property(fc.nat(0xffff), fc.integer({ min: 0, max: 0xffffffff }), (h, w) => {
      const bytes = new Uint8Array(8);
      const view = new DataView(bytes.buffer);
      ints.writeU16be(bytes, 1, h);
      ints.writeU32be(bytes, 3, w);
      assert.equal(ints.readU16be(bytes, 1), h);
      assert.equal(ints.readU32be(bytes, 3), w);
      assert.equal(view.getUint16(1), h);
      assert.equal(view.getUint32(3), w);
      assert.equal(ints.readI32be(bytes, 3), view.getInt32(3));
      ints.writeU16le(bytes, 1, h);
      ints.writeU32le(bytes, 3, w);
      assert.equal(ints.readU16le(bytes, 1), h);
      assert.equal(ints.readU32le(bytes, 3), w);
      assert.equal(view.getUint32(3, true), w);
    }),
  );
});

test('sequence numbers › either side of the wrap › compare as RFC 9293 §3.4 says', () => {
  const high = ints.seqOf(0xffffff00);
  const low = ints.seqAdd(high, 0x200);
  assert.equal(ints.toU32(low), 0x100);
  assert.equal(ints.seqLess(high, low), true);
  assert.equal(ints.seqLess(low, high), false);
  assert.equal(ints.seqLessOrEqual(low, low), true);
  assert.equal(ints.seqDistance(low, high), 0x200);
  assert.equal(ints.seqDistance(high, low), -0x200);
});
