import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADDRESSES_MAX, ADDRESSES_OF_PORT_MAX, AGEING, FRAME_BYTES_MAX } from './limits.ts';
import { BROADCAST, frameOf, macOf, type TestPort, testSwitch } from './test-ports.ts';

/** Three ports, of which the first two know each other: stations 1 and 2; 3 is silent. */
function three() {
  const set = testSwitch();
  const [a, b, c] = ['a', 'b', 'c'].map(set.plug) as [TestPort, TestPort, TestPort];
  a.send(frameOf(BROADCAST, macOf(1), 91));
  b.send(frameOf(macOf(1), macOf(2), 92));
  for (const { got } of [a, b, c]) got.length = 0;
  return { ...set, a, b, c };
}

test('a known station › its port and no other, the prefix before the frame', () => {
  const { a, b, c, network } = three();
  a.send(frameOf(macOf(2), macOf(1), 5));
  assert.deepEqual([a.got, b.got, c.got], [[], [5], []]);
  assert.deepEqual([...b.frames.at(-1)!.subarray(0, 6)], [0, 0, 0, 60, 2, 0]);
  assert.deepEqual(network.counters(), {
    ...network.counters(),
    forwarded: 2,
    flooded: 1,
    unknown: 0,
    learned: 2,
  });
  network.checkInvariants();
});

for (const [what, to] of [
  ['broadcast', BROADCAST],
  ['a multicast group', Uint8Array.of(1, 0, 0x5e, 0, 0, 251)],
  ['an unknown station', macOf(77)],
  ['a group beside the reserved ones', Uint8Array.of(1, 0x80, 0xc2, 0, 0, 0x10)],
  ['a station whose last bytes look reserved', Uint8Array.of(2, 0x80, 0xc2, 0, 0, 1)],
] as const) {
  test(`${what} › every port but the one it came from`, () => {
    const { a, b, c } = three();
    a.send(frameOf(to, macOf(1), 5));
    assert.deepEqual([a.got, b.got, c.got], [[], [5], [5]]);
  });
}

for (const [reason, frame] of [
  ['runt', new Uint8Array(13)],
  ['runt', new Uint8Array(0)],
  ['oversize', frameOf(BROADCAST, macOf(1), 0, FRAME_BYTES_MAX + 1)],
  ['badSource', frameOf(macOf(2), Uint8Array.of(3, 0, 0, 0, 0, 1))],
  ['badSource', frameOf(macOf(2), BROADCAST)],
  ['badSource', frameOf(macOf(2), new Uint8Array(6))],
  ['reserved', frameOf(Uint8Array.of(1, 0x80, 0xc2, 0, 0, 0), macOf(1))],
  ['reserved', frameOf(Uint8Array.of(1, 0x80, 0xc2, 0, 0, 15), macOf(1))],
  ['samePort', frameOf(macOf(1), macOf(9))],
] as const) {
  test(`${reason}, ${frame.length} bytes › dropped, counted, nobody learned from it but where it is sound`, () => {
    const { a, b, c, network } = three();
    const known = network.addresses().length;
    a.send(frame);
    assert.deepEqual([a.got, b.got, c.got], [[], [], []]);
    assert.equal(a.port.drops[reason], 1);
    assert.equal(
      Object.values(a.port.drops).reduce((sum, n) => sum + n),
      1,
    );
    assert.equal(network.addresses().length, known + (reason === 'samePort' ? 1 : 0));
  });
}

test('the shortest and the longest frame › carried', () => {
  const { a, b } = three();
  a.send(frameOf(macOf(2), macOf(1), 0, 14));
  a.send(frameOf(macOf(2), macOf(1), 0, FRAME_BYTES_MAX));
  assert.deepEqual(
    b.frames.slice(-2).map(({ length }) => length - 4),
    [14, FRAME_BYTES_MAX],
  );
});

test('a station moves › found at its new port at once', () => {
  const { a, b, c, network } = three();
  a.send(frameOf(macOf(2), macOf(1), 5));
  c.send(frameOf(BROADCAST, macOf(2), 6));
  a.send(frameOf(macOf(2), macOf(1), 7));
  assert.deepEqual([b.got, c.got], [[5, 6], [7]]);
  assert.equal(network.counters().moved, 1);
  network.checkInvariants();
});

test('an address › known for AGEING after it was heard, then flooded to', () => {
  const { a, b, c, pass, network } = three();
  pass(AGEING);
  a.send(frameOf(macOf(2), macOf(1), 5));
  assert.deepEqual(c.got, []);
  pass(1);
  a.send(frameOf(macOf(2), macOf(1), 6));
  assert.deepEqual([b.got, c.got], [[5, 6], [6]]);
  assert.equal(network.counters().aged, 1);
  assert.deepEqual(
    network.addresses().map(({ port }) => port.name),
    ['a'],
  );
  network.checkInvariants();
});

test('a port is unplugged › its stations are unknown, it hears and says nothing', () => {
  const { a, b, c, network } = three();
  b.port.unplug();
  b.port.unplug();
  a.send(frameOf(macOf(2), macOf(1), 5));
  b.send(frameOf(BROADCAST, macOf(2), 6));
  assert.deepEqual([a.got, b.got, c.got], [[], [], [5]]);
  assert.equal(network.plugged().length, 2);
  network.checkInvariants();
});

test('a pinned station › found before it spoke; another port that claims it is not believed', () => {
  const { a, b, c, network } = three();
  c.port.pin(macOf(3));
  a.send(frameOf(macOf(3), macOf(1), 5));
  b.send(frameOf(macOf(1), macOf(3), 6));
  a.send(frameOf(macOf(3), macOf(1), 7));
  c.send(frameOf(macOf(1), macOf(3), 8));
  assert.deepEqual([a.got, b.got, c.got], [[8], [], [5, 7]]);
  assert.equal(b.port.drops.forgedSource, 1);
  c.port.pin(macOf(1));
  a.send(frameOf(macOf(2), macOf(1), 9));
  assert.deepEqual(b.got, []);
  network.checkInvariants();
});

test('addresses of a port, at the bound and one past it › its own oldest leaves', () => {
  const { a, b, c, pass, network } = three();
  for (let n = 0; n < ADDRESSES_OF_PORT_MAX - 1; n++) {
    a.send(frameOf(macOf(2), macOf(1_000 + n)));
    pass(1);
  }
  assert.equal(network.counters().evicted, 0);
  b.got.length = 0;
  a.send(frameOf(macOf(2), macOf(2_000)));
  assert.equal(network.counters().evicted, 1);
  network.checkInvariants();
  // Station 1 was the oldest of port a; station 2 of port b is older than most, and stays.
  b.send(frameOf(macOf(1), macOf(2), 5));
  b.send(frameOf(macOf(1_000), macOf(2), 6));
  a.send(frameOf(macOf(2), macOf(1_000), 7));
  assert.deepEqual([c.got.slice(-1), a.got.slice(-2), b.got.slice(-1)], [[5], [5, 6], [7]]);
});

test('addresses of all, at the bound and one past it › the oldest leaves', () => {
  const { network, plug, pass } = testSwitch();
  const ports = Array.from({ length: ADDRESSES_MAX / ADDRESSES_OF_PORT_MAX + 1 }, (_, i) =>
    plug(`${i}`),
  );
  for (let n = 0; n < ADDRESSES_MAX; n++) {
    ports[n % ports.length]!.send(frameOf(macOf(9_999), macOf(n)));
    pass(1);
  }
  assert.deepEqual([network.addresses().length, network.counters().evicted], [ADDRESSES_MAX, 0]);
  ports[3]!.send(frameOf(macOf(9_999), macOf(ADDRESSES_MAX)));
  assert.deepEqual([network.addresses().length, network.counters().evicted], [ADDRESSES_MAX, 1]);
  assert.ok(!network.addresses().some(({ address }) => address === 0x0200_0000_0000));
  network.checkInvariants();
});

test('a station heard of all the time › is not the oldest', () => {
  const { network, plug, pass } = testSwitch({ addressesMax: 2 });
  const [a, b] = [plug('a'), plug('b')];
  a.send(frameOf(BROADCAST, macOf(1)));
  pass(1_000_000);
  b.send(frameOf(BROADCAST, macOf(2)));
  a.send(frameOf(BROADCAST, macOf(1)));
  b.send(frameOf(BROADCAST, macOf(3)));
  assert.deepEqual(
    network.addresses().map(({ address }) => address & 0xff),
    [1, 3],
  );
});

test('ports, at the bound and one past it › refused; free again after one leaves', () => {
  const { network, plug } = testSwitch({ portsMax: 2 });
  const first = plug('a');
  plug('b');
  const handler = { transmit: () => true };
  assert.equal(network.plug('c', handler), null);
  first.port.unplug();
  assert.ok(network.plug('c', handler) !== null);
});

test('a port without room › loses its own frames only, in a flood too', () => {
  const { a, b, c } = three();
  b.room = 1;
  for (let n = 0; n < 3; n++) a.send(frameOf(BROADCAST, macOf(1), n));
  assert.deepEqual([b.got, c.got], [[0], [0, 1, 2]]);
  assert.deepEqual([b.port.drops.queueFull, c.port.drops.queueFull], [2, 0]);
});

test('counters of a port › frames and bytes, both ways', () => {
  const { a, b } = three();
  const before = { ...b.port.counters };
  a.send(frameOf(macOf(2), macOf(1), 0, 100));
  a.send(new Uint8Array(3));
  assert.deepEqual(b.port.counters, {
    ...before,
    sent: before.sent + 1,
    sentBytes: before.sentBytes + 100,
  });
  assert.deepEqual(a.port.counters.received, 3);
  assert.deepEqual(a.port.counters.receivedBytes, 60 + 100 + 3);
});

test('the tap › sees what is forwarded, once, and nothing that is dropped', () => {
  const { a, b, network } = three();
  const seen: number[] = [];
  network.tap = (bytes, start) => seen.push(bytes[start + 14]!);
  a.send(frameOf(BROADCAST, macOf(1), 1));
  a.send(frameOf(macOf(2), macOf(1), 2));
  a.send(frameOf(macOf(1), macOf(1), 3));
  b.send(frameOf(macOf(1), BROADCAST, 4));
  assert.deepEqual(seen, [1, 2]);
});
