import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkTcp,
  emitTcp,
  emptyTcpOptions,
  formatTcp,
  parseTcp,
  readTcpOptions,
  TCP_ACK,
  TCP_SYN,
  type TcpRepr,
  tcpChecksum,
  writeTcpOptions,
} from './tcp.ts';

/** A SYN as Linux sends it, captured: 10.0.2.2 to 10.0.2.15, port 80. */
const SYN = Uint8Array.from(
  ('c35000501234567800000000a002faf0000000000204' + '05b40402080a00c0ffee000000000103' + '0307')
    .match(/../g)!
    .map((byte) => Number.parseInt(byte, 16)),
);

test('a SYN of Linux › parses; emitted again › the same fields', () => {
  const parsed = parseTcp(SYN, 'trusted');
  assert.ok(parsed.ok);
  const { options } = parsed.value;
  assert.deepEqual([options.mss, options.windowShift, options.sackPermitted], [1460, 7, true]);
  assert.deepEqual([options.hasTimestamps, options.timestamp], [true, 0x00c0ffee]);
  assert.equal(parsed.value.seq, 0x12345678);
  assert.equal(
    formatTcp(parsed.value),
    'tcp 50000 > 80 [S] seq 305419896 ack 0 win 64240, 0 bytes',
  );
  const out = new Uint8Array(80).fill(0xa5);
  const length = emitTcp(out, 4, parsed.value, 0);
  const again = parseTcp(out.subarray(4, 4 + length), 0);
  assert.ok(again.ok);
  assert.deepEqual(again.value.options, options);
  assert.deepEqual([...out.subarray(0, 4)], [0xa5, 0xa5, 0xa5, 0xa5]);
  assert.equal(out[4 + length], 0xa5);
});

test('every truncation › a fault or fewer options, never a throw', () => {
  for (let length = 0; length < SYN.length; length++) {
    const cut = SYN.subarray(0, length);
    const fault = checkTcp(cut);
    assert.equal(fault?.kind, 'short');
    assert.equal(parseTcp(cut, 'trusted').ok, false);
  }
});

test('data offset › under 20 bytes › a fault', () => {
  const b = SYN.slice();
  b[12] = 0x40;
  assert.deepEqual(checkTcp(b), { kind: 'field', offset: 12, value: 16 });
});

test('checksum › with the pseudo-header, odd payload › verified; one bit wrong › a fault', () => {
  const repr: TcpRepr = {
    sourcePort: 1,
    destinationPort: 2,
    seq: -1,
    ack: -2,
    flags: TCP_ACK | TCP_SYN,
    window: 3,
    urgent: 0,
    options: emptyTcpOptions(),
    payload: Uint8Array.of(1, 2, 3),
  };
  const b = new Uint8Array(23);
  assert.equal(emitTcp(b, 0, repr, 0x1234), 23);
  assert.ok(parseTcp(b, 0x1234).ok);
  assert.notEqual(tcpChecksum(b), 0);
  b[22]! ^= 1;
  assert.deepEqual(parseTcp(b, 0x1234), { ok: false, error: { kind: 'checksum', offset: 16 } });
});

const faultOf = (...bytes: number[]) =>
  readTcpOptions(Uint8Array.from(bytes), 0, bytes.length, emptyTcpOptions());

test('options › lengths that lie › faults; unknown kinds and what follows the end › skipped', () => {
  assert.deepEqual(faultOf(2), { kind: 'short', needBytes: 2, haveBytes: 1 });
  assert.deepEqual(faultOf(77, 0), { kind: 'field', offset: 1, value: 0 });
  assert.deepEqual(faultOf(77, 1), { kind: 'field', offset: 1, value: 1 });
  assert.deepEqual(faultOf(77, 5, 0, 0), { kind: 'short', needBytes: 5, haveBytes: 4 });
  for (const [kind, length] of [
    [2, 3],
    [3, 4],
    [4, 3],
    [5, 9],
    [8, 9],
  ] as const) {
    const bytes = [kind, length, ...new Array<number>(length - 2).fill(0)];
    assert.deepEqual(faultOf(...bytes), { kind: 'field', offset: 1, value: length });
  }
  assert.equal(faultOf(77, 4, 9, 9, 1, 1, 254, 2), null);
  assert.equal(faultOf(0, 2, 0), null);
});

test('options › twice › the first counts; a shift above 14 › 14; five SACK blocks › four', () => {
  const out = emptyTcpOptions();
  const b = Uint8Array.of(2, 4, 5, 0, 2, 4, 6, 0, 3, 3, 200, 3, 3, 1);
  assert.equal(readTcpOptions(b, 0, b.length, out), null);
  assert.deepEqual([out.mss, out.windowShift], [0x500, 14]);
  const sack = new Uint8Array(42).fill(1);
  sack[0] = 5;
  sack[1] = 42;
  assert.equal(readTcpOptions(sack, 0, 42, out), null);
  assert.equal(out.sackCount, 4);
  assert.equal(out.mss, 0);
});

test('options › more than 40 bytes › refused: a broken promise of ours', () => {
  const options = { ...emptyTcpOptions(), mss: 1, windowShift: 1, hasTimestamps: true };
  options.sackCount = 3;
  assert.throws(() => writeTcpOptions(new Uint8Array(80), 0, options));
});
