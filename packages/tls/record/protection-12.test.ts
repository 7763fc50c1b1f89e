import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AeadName } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import { Protection12 } from './protection-12.ts';

const CONTENT = Buffer.from('attack at dawn');

function make(aead: AeadName, ivBytes: number): Protection12 {
  const key = new Uint8Array(aead === 'AES-128-GCM' ? 16 : 32).fill(1);
  return new Protection12(nodeCrypto.aead(aead, key), new Uint8Array(ivBytes).fill(2));
}

function sealed(by: Protection12, type = 23): Uint8Array {
  const record = new Uint8Array(5 + by.prefixBytes + CONTENT.length + by.suffixBytes);
  record.set(CONTENT, 5 + by.prefixBytes);
  by.seal(record, 0, type, CONTENT.length);
  return record;
}

function opened(by: Protection12, record: Uint8Array): string | null {
  const out = new Uint8Array(record.length);
  const count = by.open(record, 0, record.length - 5, out, 0);
  return count < 0 ? null : Buffer.from(out.subarray(0, count)).toString();
}

const kinds = [
  ['AES-128-GCM', 4],
  ['AES-256-GCM', 4],
  ['CHACHA20-POLY1305', 12],
] as const;

for (const [aead, ivBytes] of kinds) {
  test(`${aead} › records in order › opened; dropped, repeated or swapped › not`, () => {
    const writer = make(aead, ivBytes);
    const records = [sealed(writer), sealed(writer), sealed(writer)];
    const reader = make(aead, ivBytes);
    assert.equal(opened(reader, records[0]!), CONTENT.toString());
    assert.equal(opened(reader, records[1]!), CONTENT.toString());
    assert.equal(opened(make(aead, ivBytes), records[1]!), null);
    const repeated = make(aead, ivBytes);
    opened(repeated, records[0]!);
    assert.equal(opened(repeated, records[0]!), null);
  });

  test(`${aead} › any bit of a record is another › not opened`, () => {
    const record = sealed(make(aead, ivBytes));
    for (let bit = 0; bit < 8 * record.length; bit++) {
      // The length isn't in what is opened: the reader cuts by it.
      if (bit >= 24 && bit < 40) continue;
      const changed = record.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(opened(make(aead, ivBytes), changed), null);
    }
  });

  test(`${aead} › shorter than a nonce and a tag › not opened`, () => {
    const { prefixBytes } = make(aead, ivBytes);
    for (let count = 0; count < prefixBytes + 16; count++) {
      assert.equal(opened(make(aead, ivBytes), new Uint8Array(5 + count)), null);
    }
  });
}

test('AES-GCM › explicit nonce › the sequence number (RFC 5288 §3)', () => {
  const writer = make('AES-128-GCM', 4);
  writer.records = 0x1_0002;
  assert.deepEqual([...sealed(writer).subarray(5, 13)], [0, 0, 0, 0, 0, 1, 0, 2]);
});

test('AES-GCM › a peer that counts its nonces from elsewhere › opened all the same', () => {
  const record = sealed(make('AES-128-GCM', 4));
  const other = make('AES-128-GCM', 4);
  other.records = 0;
  assert.equal(opened(other, record), CONTENT.toString());
});

test('sequence numbers › the last one is used up › nothing is opened', () => {
  const writer = make('CHACHA20-POLY1305', 12);
  const reader = make('CHACHA20-POLY1305', 12);
  writer.records = 0xffff_fffe;
  reader.records = 0xffff_fffe;
  assert.equal(opened(reader, sealed(writer)), CONTENT.toString());
  assert.equal(opened(reader, sealed(writer)), null);
});
