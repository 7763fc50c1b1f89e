/**
 * What devices leave to do, and do: partial checksums, large segments, queues that are full.
 * Devices are objects of the test, as no simulated one puts segments together.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hot, instantOfMicros, Log, readU16be, readU32be, writeU16be } from '#core';
import type { ChecksumRequest, NetDevice, NetHandler, NetOffload } from '#device';
import { NetStack } from '#net';
import { emitArp, pseudoHeaderSum } from '#net/wire';
import { SimWorld } from '#targets/sim/index';
import { Router } from './router.ts';
import { GATEWAY, HOST, INSIDE, OUTSIDE, packet, REMOTE, tcp, udp } from './test-network.ts';

interface Sent {
  readonly frame: Uint8Array;
  readonly request: ChecksumRequest | null;
}

class ObjectDevice implements NetDevice {
  readonly mtuBytes: number;
  readonly mac: Uint8Array;
  readonly offload: NetOffload;
  readonly sent: Sent[] = [];
  /** Frames that there is room for. */
  room = 1_000;
  private handler: NetHandler | null = null;
  private request: ChecksumRequest | null = null;
  private readonly memory: Uint8Array;

  constructor(last: number, offload: NetOffload, mtuBytes: number) {
    this.mac = Uint8Array.of(2, 0, 0, 0, 0, last);
    this.offload = offload;
    this.mtuBytes = mtuBytes;
    this.memory = new Uint8Array(14 + mtuBytes).fill(0xa5);
  }

  attach(handler: NetHandler): void {
    this.handler = handler;
  }

  reserve(): Uint8Array | null {
    return this.room > 0 ? this.memory : null;
  }

  commit(headBytes: number, parts: readonly Uint8Array[], request: ChecksumRequest | null): void {
    this.room -= 1;
    const pieces = [this.memory.subarray(0, headBytes), ...parts];
    const frame = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
    this.sent.push({ frame, request: request === null ? null : { ...request } });
  }

  receivedRequest(): ChecksumRequest | null {
    return this.request;
  }

  counters(): Readonly<Record<string, number>> {
    return {};
  }

  deliver(frame: Uint8Array, request: ChecksumRequest | null, good = request !== null): void {
    this.request = request;
    this.handler?.receive(frame, good);
    frame.fill(0xa5);
  }

  take(): Sent[] {
    return this.sent.splice(0);
  }
}

const NOTHING: NetOffload = { transmitChecksum: false, segmentBytesMax: 0 };
const SUMS: NetOffload = { transmitChecksum: true, segmentBytesMax: 0 };
const CUTS: NetOffload = { transmitChecksum: true, segmentBytesMax: 65_535 };

function routed(offload: NetOffload, mtuBytes = 1_500, knowsGateway = true) {
  const world = new SimWorld(3);
  const inside = new ObjectDevice(1, CUTS, 1_500);
  const outside = new ObjectDevice(2, offload, mtuBytes);
  const entropy = world.random.fork();
  const { timers } = world;
  const logger = new Log(() => {}, 'off').source('net');
  const [insideStack, outsideStack] = [inside, outside].map(
    (device) => new NetStack({ device, timers, entropy, logger }),
  );
  const router = new Router({
    inside: insideStack!,
    outside: outsideStack!,
    ...{ timers, entropy, nat: { forwards: [] } },
  });
  const none = { dnsServers: [], domain: null, mtuBytes: null };
  const of = (address: typeof HOST) => ({ addresses: [{ address, prefixBits: 24 }], ...none });
  insideStack!.configure({ ...of(INSIDE), gateway: null });
  outsideStack!.configure({ ...of(OUTSIDE), gateway: GATEWAY });
  const learn = (): void => {
    const arp = new Uint8Array(42);
    arp.set(outside.mac);
    arp.set([2, 0, 0, 0, 0, 9], 6);
    arp.set([8, 6], 12);
    emitArp(arp, 14, {
      operation: 2,
      senderMac: arp.slice(6, 12),
      senderAddress: GATEWAY,
      targetMac: outside.mac,
      targetAddress: OUTSIDE,
    });
    outside.deliver(arp, null);
  };
  if (knowsGateway) learn();
  world.run(instantOfMicros(5_000_000));
  outside.take();
  return { router, inside, outside, learn };
}

const framed = (device: NetDevice, repr: Parameters<typeof packet>[0]): Uint8Array => {
  const bytes = packet(repr);
  const frame = new Uint8Array(14 + bytes.length);
  frame.set(device.mac);
  frame.set([2, 0, 0, 0, 0, 7], 6);
  frame.set([8, 0], 12);
  frame.set(bytes, 14);
  return frame;
};

/** A frame whose transport's sum is left to do, with `segmentBytes` as a host puts it together. */
function partial(device: NetDevice, repr: Parameters<typeof packet>[0], segmentBytes = 0) {
  const frame = framed(device, repr);
  const fieldAt = repr.protocol === 6 ? 16 : 6;
  writeU16be(frame, 34 + fieldAt, pseudoHeaderSum(HOST, REMOTE, repr.protocol!, frame.length - 34));
  const headerBytes = segmentBytes === 0 ? 0 : 54;
  return { frame, request: { startAt: 34, fieldAt, segmentBytes, headerBytes } };
}

/** Whether the transport's sum over frame[34..) is right. */
const isSummed = (frame: Uint8Array): boolean => {
  const pseudo = hot.checksum(frame, 26, 8, 0);
  const sum = hot.checksum(Uint8Array.of(0, frame[23]!), 0, 2, pseudo);
  const length = Uint8Array.of((frame.length - 34) >> 8, (frame.length - 34) & 0xff);
  return hot.checksum(frame, 34, frame.length - 34, hot.checksum(length, 0, 2, sum)) === 0xffff;
};

/** The same, of a frame that a device is to sum. */
const isSummable = (frame: Uint8Array, { startAt, fieldAt }: ChecksumRequest): boolean => {
  const copy = frame.slice();
  const sum = hot.checksum(copy, startAt, copy.length - startAt, 0);
  writeU16be(copy, startAt + fieldAt, 0xffff - sum);
  return isSummed(copy);
};

const body = Uint8Array.from({ length: 5_000 }, (_, i) => i * 7);
const PSH_ACK = 0x18;

for (const repr of [
  tcp(HOST, 5000, REMOTE, 80, { body: body.subarray(0, 99) }),
  udp(HOST, 5000, REMOTE, 53, body.subarray(0, 98)),
]) {
  const name = repr.protocol === 6 ? 'TCP' : 'UDP';
  test(`${name} without a sum › a device that sums › is asked to`, () => {
    const { inside, outside } = routed(SUMS);
    const { frame, request } = partial(inside, repr);
    inside.deliver(frame, request);
    const [sent] = outside.take();
    assert.ok(sent?.request !== null && sent !== undefined);
    assert.equal(sent.request.segmentBytes, 0);
    assert.ok(isSummable(sent.frame, sent.request));
  });

  test(`${name} without a sum › a device that doesn't sum › summed in software`, () => {
    const { inside, outside } = routed(NOTHING);
    const { frame, request } = partial(inside, repr);
    inside.deliver(frame, request);
    const [sent] = outside.take();
    assert.ok(sent !== undefined && sent.request === null && isSummed(sent.frame));
  });
}

test('vouched for, and whole › goes on as it is', () => {
  const { inside, outside } = routed(SUMS);
  inside.deliver(framed(inside, udp(HOST, 5000, REMOTE, 53)), null, true);
  const [sent] = outside.take();
  assert.ok(sent !== undefined && sent.request === null && isSummed(sent.frame));
});

test('a large segment › a device that cuts › gets it whole', () => {
  const { inside, outside } = routed(CUTS);
  const repr = tcp(HOST, 5000, REMOTE, 80, { body, flags: PSH_ACK });
  const { frame, request } = partial(inside, repr, 1_460);
  inside.deliver(frame, request);
  const [sent, ...more] = outside.take();
  assert.ok(sent?.request !== null && sent !== undefined && more.length === 0);
  assert.deepEqual(sent.request, {
    startAt: 34,
    fieldAt: 16,
    segmentBytes: 1_460,
    headerBytes: 54,
  });
  assert.ok(isSummable(sent.frame, sent.request));
  assert.deepEqual(sent.frame.subarray(54), body);
});

test('a large segment whose sum was checked already › goes on with a request', () => {
  const { inside, outside } = routed(CUTS);
  const frame = framed(inside, tcp(HOST, 5000, REMOTE, 80, { body, flags: PSH_ACK }));
  inside.deliver(frame, { startAt: 0, fieldAt: 0, segmentBytes: 1_460, headerBytes: 0 });
  const [sent] = outside.take();
  assert.ok(sent?.request && isSummable(sent.frame, sent.request));
});

for (const offload of [NOTHING, SUMS]) {
  test(`a large segment › a device that ${offload === SUMS ? 'only sums' : 'does nothing'} › cut here`, () => {
    const { inside, outside, router } = routed(offload);
    const repr = tcp(HOST, 5000, REMOTE, 80, { body, flags: PSH_ACK | 0x80, seq: 0xfffffc00 });
    const { frame, request } = partial(inside, repr, 1_460);
    inside.deliver(frame, request);
    const sent = outside.take();
    assert.deepEqual(
      sent.map(({ frame: piece }) => piece.length - 54),
      [1_460, 1_460, 1_460, 620],
    );
    for (const [i, { frame: piece, request: left }] of sent.entries()) {
      assert.ok(left === null && isSummed(piece));
      assert.equal(hot.checksum(piece, 14, 20, 0), 0xffff);
      assert.equal(readU16be(piece, 16), piece.length - 14);
      assert.equal(readU32be(piece, 38), (0xfffffc00 + i * 1_460) % 2 ** 32);
      // PSH at the end, CWR at the beginning.
      assert.equal(piece[47]! & 0x08, i === 3 ? 0x08 : 0);
      assert.equal(piece[47]! & 0x80, i === 0 ? 0x80 : 0);
    }
    const joined = Uint8Array.from(sent.flatMap(({ frame: piece }) => [...piece.subarray(54)]));
    assert.deepEqual(joined, body);
    assert.equal(router.counters().segmented, 1);
  });
}

test('segments too large for the way › DF: an error; else cut, and in fragments', () => {
  const { inside, outside, router } = routed(CUTS, 1_000);
  const repr = tcp(HOST, 5000, REMOTE, 80, { body });
  const first = partial(inside, repr, 1_460);
  inside.deliver(first.frame, first.request);
  assert.deepEqual(outside.take(), []);
  assert.equal(router.counters().dropTooLarge, 1);
  const second = partial(inside, { ...repr, dontFragment: false }, 1_460);
  inside.deliver(second.frame, second.request);
  const sent = outside.take();
  assert.equal(sent.length, 7);
  for (const { frame } of sent) assert.ok(frame.length <= 1_014);
});

test('the next hop is not known yet › what waits leaves later, sums and segments as asked', () => {
  for (const offload of [CUTS, NOTHING]) {
    const { inside, outside, learn, router } = routed(offload, 1_500, false);
    const small = partial(inside, tcp(HOST, 5000, REMOTE, 80, { body: body.subarray(0, 100) }));
    inside.deliver(small.frame, small.request);
    const large = partial(inside, tcp(HOST, 5000, REMOTE, 80, { body }), 1_460);
    inside.deliver(large.frame, large.request);
    outside.take();
    learn();
    const sent = outside.take();
    assert.equal(sent.length, offload === CUTS ? 2 : 5);
    for (const { frame, request } of sent) {
      assert.deepEqual([...frame.subarray(0, 6)], [2, 0, 0, 0, 0, 9]);
      assert.ok(request === null ? isSummed(frame) : isSummable(frame, request));
    }
    assert.equal(router.counters().parked, sent.length);
  }
});

test('a request that fits no header of the packet › dropped, never believed', () => {
  const { inside, outside, router } = routed(CUTS);
  const wrong: [Parameters<typeof packet>[0], Partial<ChecksumRequest>][] = [
    [udp(HOST, 5000, REMOTE, 53), { startAt: 35 }],
    [udp(HOST, 5000, REMOTE, 53), { fieldAt: 16 }],
    [udp(HOST, 5000, REMOTE, 53), { startAt: 60_000 }],
    [udp(HOST, 5000, REMOTE, 53, body.subarray(0, 1_000)), { segmentBytes: 100 }],
    [{ ...tcp(HOST, 5000, REMOTE, 80, {}), protocol: 1 }, {}],
    [{ ...tcp(HOST, 5000, REMOTE, 80, {}), protocol: 47 }, {}],
  ];
  for (const [repr, change] of wrong) {
    const { frame, request } = partial(inside, repr);
    inside.deliver(frame, { ...request, ...change });
  }
  assert.deepEqual(outside.take(), []);
  assert.equal(router.counters().dropBadOffload, wrong.length);
});

test('the queue is full › dropped and counted; half of a cut segment, too', () => {
  const { inside, outside, router } = routed(NOTHING);
  outside.room = 2;
  const { frame, request } = partial(inside, tcp(HOST, 5000, REMOTE, 80, { body }), 1_460);
  inside.deliver(frame, request);
  assert.equal(outside.take().length, 2);
  inside.deliver(framed(inside, udp(HOST, 5000, REMOTE, 53)), null);
  assert.equal(router.counters().dropTransmitFull, 2);
});

for (const offload of [CUTS, SUMS, NOTHING]) {
  test(`small segments that a host put together, below the MTU › stay small (${JSON.stringify(offload)})`, () => {
    const { inside, outside } = routed(offload);
    const repr = tcp(HOST, 5000, REMOTE, 80, { body: body.subarray(0, 1_001) });
    const { frame, request } = partial(inside, repr, 500);
    inside.deliver(frame, request);
    const sent = outside.take();
    if (offload === CUTS) assert.deepEqual(sent[0]?.request?.segmentBytes, 500);
    else
      assert.deepEqual(
        sent.map((each) => each.frame.length - 54),
        [500, 500, 1],
      );
    const one = partial(inside, tcp(HOST, 5000, REMOTE, 80, { body: body.subarray(0, 500) }), 500);
    inside.deliver(one.frame, one.request);
    const [whole, ...more] = outside.take();
    assert.ok(whole !== undefined && more.length === 0);
    assert.equal(whole.request?.segmentBytes ?? 0, 0);
  });
}

test('segments put together whose header ends before it begins › dropped', () => {
  const { inside, outside, router } = routed(NOTHING);
  for (const words of [0, 1, 4]) {
    const repr = tcp(HOST, 5000, REMOTE, 80, { body });
    repr.payload![12] = words << 4;
    const { frame, request } = partial(inside, repr, 8);
    inside.deliver(frame, request);
  }
  assert.deepEqual(outside.take(), []);
  assert.equal(router.counters().dropBadOffload, 3);
});

test("padding of Ethernet › isn't carried on", () => {
  const { inside, outside } = routed(NOTHING);
  const frame = framed(inside, udp(HOST, 5000, REMOTE, 53, 'a'));
  const padded = new Uint8Array(60);
  padded.set(frame);
  inside.deliver(padded, null);
  assert.equal(outside.take()[0]?.frame.length, frame.length);
});
