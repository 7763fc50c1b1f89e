import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DatagramSocket } from '#device';
import { IPV4_ANY } from '../ip-address.ts';
import { ephemeralPortMax, ephemeralPortMin, igmpGroupsMax, udpSocketsMax } from '../limits.ts';
import { ip, OURS, PEER, STATIC, TestLink } from '../test-link.ts';
import { emitUdp, MAC_BROADCAST, parseUdp, pseudoHeaderSum } from '../wire/index.ts';
import { Udp } from './udp.ts';

function introduced(): TestLink {
  const link = new TestLink();
  link.introduce();
  return link;
}

function datagram(destinationPort: number, payload: Uint8Array, to = OURS): Uint8Array {
  const bytes = new Uint8Array(8 + payload.length);
  const sum = pseudoHeaderSum(PEER, to, 17, bytes.length);
  emitUdp(bytes, 0, { sourcePort: 4000, destinationPort, payload }, sum);
  return bytes;
}

function listening(link: TestLink, port = 7): { got: string[]; socket: DatagramSocket } {
  const got: string[] = [];
  const bound = link.stack.udp.bind(port, {
    receive: (bytes, from) => got.push(`${from.address}:${from.port} ${bytes.join()}`),
  });
  assert(bound.ok);
  return { got, socket: bound.value };
}

test('received › for an open port › its payload and sender', () => {
  const link = introduced();
  const { got } = listening(link);
  link.sendIpv4({ payload: datagram(7, Uint8Array.of(1, 2)) });
  link.sendIpv4({ payload: datagram(7, new Uint8Array(0)) });
  assert.deepEqual(got, ['10.0.2.2:4000 1,2', '10.0.2.2:4000 ']);
});

test('received › to all on our link › delivered', () => {
  const link = introduced();
  const { got } = listening(link);
  for (const text of ['255.255.255.255', '10.0.2.255']) {
    const payload = datagram(7, Uint8Array.of(5), ip(text));
    link.sendIpv4({ payload, destination: ip(text) }, MAC_BROADCAST);
  }
  assert.equal(got.length, 2);
});

test('received › bad checksum, bad length, closed port › dropped by reason', () => {
  const link = introduced();
  const { got, socket } = listening(link);
  const wrong = datagram(7, Uint8Array.of(1, 2));
  wrong[8] = 9;
  link.sendIpv4({ payload: wrong });
  link.sendIpv4({ payload: wrong.subarray(0, 9) });
  link.sendIpv4({ payload: wrong.subarray(0, 7) });
  link.sendIpv4({ payload: datagram(8, Uint8Array.of(1)) });
  socket.close();
  link.sendIpv4({ payload: datagram(7, Uint8Array.of(1)) });
  assert.deepEqual(got, []);
  assert.equal(link.counter('udpBadChecksum'), 1);
  assert.equal(link.counter('udpMalformed'), 2);
  assert.equal(link.counter('udpNoPort'), 2);
});

test('received › checksum zero › taken (RFC 768)', () => {
  const link = introduced();
  const { got } = listening(link);
  const unsummed = datagram(7, Uint8Array.of(1));
  unsummed[6] = 0;
  unsummed[7] = 0;
  link.sendIpv4({ payload: unsummed });
  assert.equal(got.length, 1);
});

test('received › vouched for by the device › not verified', () => {
  const link = introduced();
  const { got } = listening(link);
  const unfilled = datagram(7, Uint8Array.of(1));
  unfilled[6] = unfilled[6]! ^ 1;
  const frame = Uint8Array.from([...new Array(34).fill(0), ...unfilled]);
  link.stack.udp.packet(frame, 34, frame.length, PEER, OURS, true);
  assert.deepEqual(got, ['10.0.2.2:4000 1']);
  link.stack.udp.packet(frame, 34, frame.length, PEER, OURS, false);
  assert.equal(link.counter('udpBadChecksum'), 1);
});

test('sent › a datagram › with ports, payload and a checksum that verifies', () => {
  const link = introduced();
  const { socket } = listening(link);
  assert.equal(socket.send(Uint8Array.of(1, 2, 3), { address: '10.0.2.2', port: 9 }), true);
  link.wait(1);
  const [packet] = link.takeIpv4();
  assert(packet !== undefined);
  const sum = pseudoHeaderSum(OURS, PEER, 17, packet.payload.length);
  const parsed = parseUdp(packet.payload, sum);
  assert(parsed.ok);
  assert.deepEqual(parsed.value, {
    sourcePort: 7,
    destinationPort: 9,
    payload: Uint8Array.of(1, 2, 3),
  });
  assert.deepEqual(socket.local, { address: '10.0.2.15', port: 7 });
});

test('two addresses › a datagram for each › told which, and answered from it', () => {
  const link = introduced();
  const second = ip('10.0.2.99');
  const addresses = [...STATIC.addresses, { address: second, prefixBits: 24 }];
  link.stack.configure({ ...STATIC, addresses });
  link.sendArp({});
  link.heard.length = 0;
  const asked: string[] = [];
  const bound = link.stack.udp.bind(7, {
    receive(bytes, from, to) {
      asked.push(to);
      assert(bound.ok && bound.value.send(bytes, from, to));
    },
  });
  const all = ip('10.0.2.255');
  for (const destination of [OURS, second, OURS, all]) {
    const payload = datagram(7, Uint8Array.of(1), destination);
    link.sendIpv4({ payload, destination }, destination === all ? MAC_BROADCAST : undefined);
  }
  assert.deepEqual(asked, ['10.0.2.15', '10.0.2.99', '10.0.2.15', '10.0.2.255']);
  const sources = link.takeIpv4().map((packet) => packet.source);
  assert.deepEqual(sources, [OURS, second, OURS, OURS], 'from the one that suits, if from all');
  const peer = { address: '10.0.2.2', port: 9 };
  for (const from of ['10.0.2.98', 'us', '0.0.0.0']) {
    assert(bound.ok && !bound.value.send(Uint8Array.of(1), peer, from), from);
  }
});

test('sent › no such address, port 0, no way, too large, closed › false', () => {
  const link = introduced();
  const { socket } = listening(link);
  const bytes = Uint8Array.of(1);
  assert.equal(socket.send(bytes, { address: 'localhost', port: 9 }), false);
  assert.equal(socket.send(bytes, { address: '10.0.2.2', port: 0 }), false);
  assert.equal(socket.send(bytes, { address: '127.0.0.1', port: 9 }), false);
  assert.equal(socket.send(new Uint8Array(65_508), { address: '10.0.2.2', port: 9 }), false);
  assert.equal(socket.send(new Uint8Array(65_507), { address: '10.0.2.2', port: 9 }), true);
  socket.close();
  assert.equal(socket.send(bytes, { address: '10.0.2.2', port: 9 }), false);
  assert.equal(link.counter('udpNotSent'), 3);
});

test('bind › port 0 › an ephemeral one, another each time', () => {
  const link = introduced();
  const ports = [listening(link, 0), listening(link, 0)].map(({ socket }) => socket.local.port);
  for (const port of ports) assert(port >= ephemeralPortMin);
  assert.notEqual(ports[0], ports[1]);
});

test('bind › port 0, but random ports are taken › the next free one', () => {
  const noIp = { route: () => null };
  const nothing = {
    primary: IPV4_ANY,
    isOurs: () => false,
    isShared: () => false,
    isMulticast: () => false,
    join: () => false,
    leave() {},
  };
  const noEntropy = { fill: (out: Uint8Array) => out.fill(0xff) };
  const udp = new Udp(noIp, nothing, noEntropy, () => {});
  const last = ephemeralPortMin + (0xffff % (ephemeralPortMax - ephemeralPortMin + 1));
  const ports = Array.from({ length: 3 }, () => {
    const opened = udp.open(0, { datagram() {} });
    return opened.ok ? opened.value.port : 0;
  });
  assert.deepEqual(ports, [last, ephemeralPortMin, ephemeralPortMin + 1]);
});

test('bind › a port in use, or free again › refused, or given', () => {
  const link = introduced();
  const { socket } = listening(link, 7);
  const again = link.stack.udp.bind(7, { receive() {} });
  assert.deepEqual(again, { ok: false, error: { kind: 'port in use', port: 7 } });
  socket.close();
  socket.close();
  assert.equal(link.stack.udp.bind(7, { receive() {} }).ok, true);
});

test('bind › one past the bound › refused', () => {
  const link = introduced();
  for (let i = 0; i < udpSocketsMax; i++) {
    assert.equal(link.stack.udp.open(0, { datagram() {} }).ok, true);
  }
  assert.deepEqual(link.stack.udp.open(0, { datagram() {} }), {
    ok: false,
    error: { kind: 'not permitted', port: 0 },
  });
});

test('closing one socket while it is told › the next datagram finds the port closed', () => {
  const link = introduced();
  let count = 0;
  const bound = link.stack.udp.bind(7, {
    receive() {
      count += 1;
      if (bound.ok) bound.value.close();
    },
  });
  for (let i = 0; i < 2; i++) link.sendIpv4({ payload: datagram(7, Uint8Array.of(1)) });
  assert.equal(count, 1);
});

test('sent › more than the MTU › fragments that make the datagram', () => {
  const link = introduced();
  const { socket } = listening(link);
  const payload = Uint8Array.from({ length: 4_000 }, (_, i) => i);
  assert.equal(socket.send(payload, { address: '10.0.2.2', port: 9 }), true);
  link.wait(1);
  const packets = link.takeIpv4();
  assert.deepEqual(
    packets.map((packet) => [packet.fragmentOffset, packet.payload.length, packet.moreFragments]),
    [
      [0, 1_480, true],
      [185, 1_480, true],
      [370, 1_048, false],
    ],
  );
  const whole = Uint8Array.from(packets.flatMap((packet) => [...packet.payload]));
  const parsed = parseUdp(whole, pseudoHeaderSum(OURS, PEER, 17, whole.length));
  assert(parsed.ok);
  assert.deepEqual(parsed.value.payload, payload);
});

test('sent › larger than the MTU, the neighbour unknown › all fragments wait for it', () => {
  const link = new TestLink();
  link.configure();
  const { socket } = listening(link);
  assert.equal(socket.send(new Uint8Array(65_507), { address: '10.0.2.2', port: 9 }), true);
  link.sendArp({ operation: 2 });
  assert.equal(link.takeIpv4().length, 45);
});

const GROUP = ip('239.1.2.3');
const GROUP_MAC = Uint8Array.of(1, 0, 0x5e, 1, 2, 3);

function toGroup(link: TestLink, port = 7, group = GROUP, mac = GROUP_MAC): void {
  const payload = datagram(port, Uint8Array.of(9), group);
  link.sendIpv4({ payload, destination: group }, mac);
}

test('join › what is sent to the group › received from then on, until left or closed', () => {
  const link = introduced();
  const { got, socket } = listening(link);
  const other = listening(link, 8);
  toGroup(link);
  assert.equal(socket.join('239.1.2.3'), true);
  assert.equal(socket.join('239.1.2.3'), true);
  toGroup(link);
  toGroup(link, 8);
  assert.deepEqual([got.length, other.got.length], [1, 0], 'only who joined');
  socket.leave('239.1.2.3');
  socket.leave('239.1.2.3');
  toGroup(link);
  socket.join('239.1.2.3');
  toGroup(link);
  assert.equal(got.length, 2);
  socket.close();
  assert.equal(socket.join('239.1.2.3'), false);
  toGroup(link);
  assert.equal(link.counter('ipv4NotJoined'), 3);
  assert.deepEqual(
    link.takeIpv4().filter((packet) => packet.protocol === 1),
    [],
    'no port unreachable about groups',
  );
});

test('join › another group with the same link address › not received', () => {
  const link = introduced();
  const { got, socket } = listening(link);
  socket.join('239.1.2.3');
  toGroup(link, 7, ip('238.129.2.3'));
  assert.deepEqual(got, []);
  assert.equal(link.counter('ipv4NotJoined'), 1);
});

test('join › no group, no address, one past the bound › refused', () => {
  const link = introduced();
  const { socket } = listening(link);
  for (const text of ['10.0.2.2', '255.255.255.255', '240.0.0.1', 'all', '0.0.0.0', '::1']) {
    assert.equal(socket.join(text), false, text);
  }
  for (let i = 1; i <= igmpGroupsMax; i++) assert.equal(socket.join(`239.0.0.${i}`), true);
  assert.equal(socket.join('239.0.1.0'), false);
  socket.leave('239.0.0.9');
  assert.equal(socket.join('239.0.1.0'), true);
});

test('sent › to a group › to its link address, with TTL 1', () => {
  const link = introduced();
  const { socket } = listening(link);
  socket.send(Uint8Array.of(1), { address: '239.1.2.3', port: 9 });
  link.wait(1);
  assert.deepEqual(link.heard[0]?.subarray(0, 6), GROUP_MAC);
  assert.equal(link.takeIpv4()[0]?.ttl, 1);
});
