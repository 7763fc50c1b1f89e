import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emitPcapRecord, PCAP_HEAD_BYTES, PCAP_RECORD_BYTES, pcapHead } from './index.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('head › pcap-savefile(5): version 2.4, microseconds, Ethernet', () => {
  assert.equal(hex(pcapHead()), 'd4c3b2a102000400000000000000000000000400' + '01000000');
  assert.equal(pcapHead().length, PCAP_HEAD_BYTES);
  assert.equal(hex(pcapHead(96).subarray(16)), '6000000001000000');
});

test('record › seconds, microseconds, kept and whole length; nothing beside it', () => {
  const to = new Uint8Array(PCAP_RECORD_BYTES + 2).fill(0xee);
  emitPcapRecord(to, 1, 1_767_225_600_000_001, 1_514, 96);
  assert.equal(hex(to), 'ee00b955690100000060000000ea050000ee');
});

test('record › after 2038, unsigned', () => {
  const to = new Uint8Array(PCAP_RECORD_BYTES);
  emitPcapRecord(to, 0, 0xfffffffe * 1_000_000 + 999_999, 60);
  assert.equal(hex(to), 'feffffff3f420f003c0000003c000000');
});
