import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { Protection13 } from './protection-13.ts';

const make = (records: number): Protection13 => {
  const key = new Uint8Array(16).fill(1);
  const protection = new Protection13(nodeCrypto.aead('AES-128-GCM', key), new Uint8Array(12));
  protection.records = records;
  return protection;
};

test('sequence numbers › the last one is used up › nothing is opened or sealed', () => {
  const writer = make(0xffff_fffe);
  const reader = make(0xffff_fffe);
  const sealed = (): Uint8Array => {
    const record = new Uint8Array(5 + 1 + writer.suffixBytes);
    writer.seal(record, 0, 23, 1, 0);
    return record;
  };
  const opens = (record: Uint8Array): boolean =>
    reader.open(record, 0, record.length - 5, new Uint8Array(record.length), 0) >= 0;
  assert.ok(opens(sealed()));
  assert.ok(!opens(sealed()));
  assert.throws(sealed);
});
