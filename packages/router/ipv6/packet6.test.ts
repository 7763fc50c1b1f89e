/** What a device says is left to do of a received frame: believed only where it fits the packet. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChecksumRequest, NetDevice } from '#device';
import { Ipv6Address } from '#net';
import { Packet6 } from './packet6.ts';
import { HOST6, packet6, REMOTE6, tcp6, udp6 } from './test-network6.ts';

const ACK = 0x10;
const TCP_REQUEST = { startAt: 54, fieldAt: 16, segmentBytes: 0, headerBytes: 0 };

function read(repr: Parameters<typeof packet6>[0], request: ChecksumRequest | null) {
  const bytes = packet6(repr);
  const frame = new Uint8Array(14 + bytes.length);
  frame.set([0x86, 0xdd], 12);
  frame.set(bytes, 14);
  const packet = new Packet6({ of: (...words) => new Ipv6Address(...words, 0) });
  const device = { receivedRequest: () => request } as unknown as NetDevice;
  return { result: packet.read(frame, true, device), request: packet.request };
}

const segment = (words = 5) => {
  const repr = tcp6(HOST6, 1, REMOTE6, 2, ACK);
  const payload = new Uint8Array(120);
  payload.set(repr.payload!);
  payload[12] = words << 4;
  return { ...repr, payload };
};

test('sums and segments left to do › as the next device is asked', () => {
  assert.deepEqual(read(segment(), null), { result: 'ok', request: null });
  assert.deepEqual(read(segment(), TCP_REQUEST).request, { ...TCP_REQUEST, headerBytes: 74 });
  const cut = { ...TCP_REQUEST, segmentBytes: 50 };
  assert.deepEqual(read(segment(6), cut).request, { ...cut, headerBytes: 78 });
  const sum = { ...TCP_REQUEST, fieldAt: 6 };
  assert.equal(read(udp6(HOST6, 1, REMOTE6, 2), sum).result, 'ok');
});

test('a request that fits no header › refused', () => {
  const cut = { ...TCP_REQUEST, segmentBytes: 50 };
  const wrong: [Parameters<typeof packet6>[0], ChecksumRequest][] = [
    [segment(), { ...TCP_REQUEST, startAt: 55 }],
    [segment(), { ...TCP_REQUEST, startAt: 0 }],
    [segment(), { ...TCP_REQUEST, fieldAt: 6 }],
    [segment(4), cut],
    [segment(0), cut],
    [{ ...segment(15), payload: segment(15).payload.slice(0, 59) }, cut],
    [udp6(HOST6, 1, REMOTE6, 2), { ...cut, fieldAt: 6 }],
    [{ ...segment(), nextHeader: 47 }, TCP_REQUEST],
  ];
  for (const [repr, request] of wrong) {
    assert.deepEqual(read(repr, request), { result: 'bad offload', request: null });
  }
});
