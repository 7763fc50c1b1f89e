import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hot } from './hot-bytes.ts';
import { hotVectors } from './hot-vectors.ts';

for (const { name, run } of hotVectors(hot)) test(`vector › ${name}`, run);

/** RFC 1071 §1 by its definition: a plain sum of 16-bit words, carries folded at the very end. */
function naiveChecksum(bytes: Uint8Array, sum: number): number {
  let total = BigInt(sum);
  for (let i = 0; i < bytes.length; i += 2) {
    total += BigInt(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  }
  while (total > 0xffffn) total = (total & 0xffffn) + (total >> 16n);
  return Number(total);
}

test('checksum › any bytes › equals the naive model', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(0xffff), (bytes, sum) => {
      assert.equal(hot.checksum(bytes, 0, bytes.length, sum), naiveChecksum(bytes, sum));
    }),
  );
});

test('checksum › a packet with its own checksum › sums to 0xffff', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 60 }), (bytes) => {
      bytes[2] = 0;
      bytes[3] = 0;
      const field = 0xffff - hot.checksum(bytes, 0, bytes.length, 0);
      bytes[2] = field >> 8;
      bytes[3] = field;
      assert.equal(hot.checksum(bytes, 0, bytes.length, 0), 0xffff);
    }),
  );
});

test('pack › unpack › gives the values back', () => {
  fc.assert(
    fc.property(fc.nat(255), fc.nat(65535), fc.integer(), (b, h, w) => {
      const bytes = new Uint8Array(10).fill(0xa5);
      assert.equal(hot.pack('bxhwx', bytes, 1, Int32Array.of(b, h, w)), 10);
      const out = new Int32Array(3);
      assert.equal(hot.unpack('bxhwx', bytes, 1, out), 10);
      assert.deepEqual([...out], [b, h, w]);
      assert.deepEqual([bytes[0], bytes[2], bytes[9]], [0xa5, 0, 0]);
    }),
  );
});
