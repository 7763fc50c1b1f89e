import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Ipv4Address, PROTOCOL_TCP, type TransportInput } from '../ip.ts';
import { formatIpv4Address, ipv4AddressOf } from '../ip-address.ts';
import { routesMax } from '../limits.ts';
import { ip, ipv4Packet, OURS, PEER, STATIC, TestLink } from '../test-link.ts';
import { MAC_BROADCAST } from '../wire/index.ts';

/** Protocol 6, as a transport that only remembers. */
class Recorder implements TransportInput {
  readonly got: string[] = [];
  packet(frame: Uint8Array, at: number, end: number, from: Ipv4Address, to: Ipv4Address): void {
    const text = frame.subarray(at, end).join();
    this.got.push(`${formatIpv4Address(from)} > ${formatIpv4Address(to)}: ${text}`);
  }
}

function recorded(link = new TestLink()): { link: TestLink; got: string[] } {
  const recorder = new Recorder();
  link.stack.registerTransport(PROTOCOL_TCP, recorder);
  link.introduce();
  return { link, got: recorder.got };
}

const payload = Uint8Array.of(1, 2, 3);
const PLAIN = '10.0.2.2 > 10.0.2.15: 1,2,3';

test('received › plain, padded, with options › to its transport without padding', () => {
  const { link, got } = recorded();
  link.sendIpv4({ protocol: 6, payload });
  const padded = new Uint8Array(46);
  padded.set(ipv4Packet({ protocol: 6, payload }));
  link.sendEthernet(0x0800, padded);
  link.sendIpv4({ protocol: 6, payload, options: Uint8Array.of(1, 1, 1, 0) });
  assert.deepEqual(got, [PLAIN, PLAIN, PLAIN]);
  assert.equal(link.counter('ipv4Received'), 3);
});

test('received › each thing that is wrong › dropped and counted by reason', () => {
  const { link, got } = recorded();
  const packet = ipv4Packet({ protocol: 6, payload });
  const changed = (at: number, value: number): Uint8Array => {
    const b = packet.slice();
    b[at] = value;
    return b;
  };
  link.sendEthernet(0x0800, changed(10, packet[10]! ^ 0x40));
  assert.equal(link.counter('ipv4BadChecksum'), 1);
  link.sendEthernet(0x0800, changed(0, 0x55));
  link.sendEthernet(0x0800, changed(0, 0x44));
  link.sendEthernet(0x0800, changed(3, 19));
  link.sendEthernet(0x0800, changed(2, 1));
  assert.equal(
    link.counter('ipv4Malformed'),
    3,
    'a longer total length has a wrong checksum first',
  );
  assert.equal(link.counter('ipv4BadChecksum'), 2);
  // One byte cut off, in a frame that is long enough to be looked at.
  link.sendEthernet(0x0800, ipv4Packet({ protocol: 6, payload }).subarray(0, 22));
  assert.equal(link.counter('ipv4Malformed'), 4);
  link.sendEthernet(0x0800, packet.subarray(0, 19));
  assert.equal(link.counter('linkShort'), 1);
  assert.deepEqual(got, []);
});

test('received › fragments › dropped and counted', () => {
  const { link, got } = recorded();
  link.sendIpv4({ protocol: 6, payload, moreFragments: true });
  link.sendIpv4({ protocol: 6, payload, fragmentOffset: 1 });
  link.sendIpv4({ protocol: 6, payload, dontFragment: true });
  assert.equal(link.counter('ipv4Fragments'), 2);
  assert.deepEqual(got, [PLAIN]);
});

test('received › sources that no host has › dropped (RFC 1122 §3.2.1.3)', () => {
  const { link, got } = recorded();
  const martians = [
    '0.0.0.0',
    '127.0.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '10.0.2.255',
    '10.0.2.15',
  ];
  for (const text of martians) link.sendIpv4({ protocol: 6, payload, source: ip(text) });
  assert.equal(link.counter('ipv4Martian'), martians.length);
  assert.deepEqual(got, []);
});

test('received › for others, for groups, in a frame for all › not ours', () => {
  const { link, got } = recorded();
  link.sendIpv4({ protocol: 6, payload, destination: ip('10.0.2.16') });
  link.sendIpv4({ protocol: 6, payload, destination: ip('224.0.0.1') });
  link.sendIpv4({ protocol: 6, payload }, MAC_BROADCAST);
  assert.equal(link.counter('ipv4NotOurs'), 3);
  link.sendIpv4({ protocol: 6, payload }, Uint8Array.of(0x52, 0x54, 0, 1, 1, 1));
  assert.equal(link.counter('linkOtherStation'), 1);
  link.sendEthernet(0x86dd, new Uint8Array(40));
  assert.equal(link.counter('linkUnknownType'), 1);
  assert.deepEqual(got, []);
});

test('received › TCP to a broadcast address › dropped (RFC 9293 §3.9.2.3)', () => {
  const { link, got } = recorded();
  for (const text of ['255.255.255.255', '10.0.2.255']) {
    link.sendIpv4({ protocol: 6, payload, destination: ip(text) }, MAC_BROADCAST);
  }
  assert.equal(link.counter('ipv4GroupForTcp'), 2);
  assert.deepEqual(got, []);
});

test('received › before we have an address › nothing but UDP for DHCP', () => {
  const link = new TestLink();
  const recorder = new Recorder();
  link.stack.registerTransport(PROTOCOL_TCP, recorder);
  link.sendIpv4({ protocol: 6, payload });
  link.sendIpv4({ protocol: 6, payload, destination: ip('0.0.0.0') });
  link.stack.startDhcp();
  link.sendIpv4({ protocol: 6, payload });
  assert.deepEqual(recorder.got, []);
});

test('received › for a second address › delivered', () => {
  const { link, got } = recorded();
  const second = { address: ip('10.0.2.99'), prefixBits: 24 };
  link.stack.configure({ ...STATIC, addresses: [...STATIC.addresses, second] });
  link.sendIpv4({ protocol: 6, payload, destination: second.address });
  assert.deepEqual(got, ['10.0.2.2 > 10.0.2.99: 1,2,3']);
});

/** Sends `bytes` as protocol `protocol` through the template. */
function emit(link: TestLink, to: Ipv4Address, protocol: number, bytes: Uint8Array): boolean {
  const route = link.stack.ip.route(to);
  const frame = route === null ? null : route.output.begin();
  if (route === null || frame === null) return false;
  frame.set(bytes, route.transportAt);
  route.output.finish(route, protocol, bytes.length, [], null);
  link.wait(1);
  return true;
}

test('sent › every protocol and length › a header that verifies', () => {
  const { link } = recorded();
  for (const protocol of [1, 6, 17, 255]) {
    for (const count of [0, 1, 1480]) {
      assert(emit(link, PEER, protocol, new Uint8Array(count).fill(protocol)));
      const [packet] = link.takeIpv4();
      assert.deepEqual([packet?.protocol, packet?.payload.length], [protocol, count]);
      assert.deepEqual([packet?.source, packet?.destination, packet?.ttl], [OURS, PEER, 64]);
      assert.equal(packet?.dontFragment, protocol === 6);
      assert.equal(packet?.identification === 0, protocol === 6);
    }
  }
});

test('sent › parts › follow the head and count in the length', () => {
  const { link } = recorded();
  const route = link.stack.ip.route(PEER)!;
  const frame = route.output.begin()!;
  frame.set([1, 2], route.transportAt);
  route.output.finish(route, 6, 2, [Uint8Array.of(3), Uint8Array.of(4, 5)], null);
  link.wait(1);
  assert.deepEqual(
    link.takeIpv4().map((packet) => packet.payload.join()),
    ['1,2,3,4,5'],
  );
});

test('sent › more than the MTU, which a lease may have lowered meanwhile › dropped', () => {
  const { link } = recorded();
  const route = link.stack.ip.route(PEER)!;
  route.output.begin();
  route.output.finish(route, 6, 1481, [], null);
  link.wait(1);
  assert.deepEqual(link.takeIpv4(), []);
  assert.equal(link.stack.counters().ipv4TooLarge, 1);
});

test('sent › without begin › refused by assertion', () => {
  const { link } = recorded();
  const route = link.stack.ip.route(PEER)!;
  assert.throws(() => route.output.finish(route, 6, 1, [], null), /begin/);
});

test('route › off our link without a gateway, to ourselves, to what no host has › none', () => {
  const link = new TestLink();
  assert.equal(link.stack.ip.route(PEER), null, 'not configured');
  link.stack.configure({ ...STATIC, gateway: null });
  for (const text of ['10.0.3.1', '10.0.2.15', '127.0.0.1', '0.0.0.0', '240.0.0.1']) {
    assert.equal(link.stack.ip.route(ip(text)), null, text);
  }
  assert.equal(link.stack.ip.route(PEER, ip('10.0.2.44')), null, 'from an address not ours');
  assert.equal(link.stack.ip.route(PEER, ip('0.0.0.0')), null, 'from nobody, not to all');
});

test('route › the same destination › one route, shared', () => {
  const { link } = recorded();
  assert.equal(link.stack.ip.route(PEER), link.stack.ip.route(PEER, OURS));
});

test('route › more destinations than the cache holds › old ones still work', () => {
  const { link } = recorded();
  const first = link.stack.ip.route(PEER)!;
  for (let i = 0; i < routesMax; i++) {
    assert.notEqual(link.stack.ip.route(ipv4AddressOf(ip('93.0.0.1') + i)), null);
  }
  first.output.begin();
  first.output.finish(first, 6, 0, [], null);
  link.wait(1);
  assert.equal(link.takeIpv4().length, 1);
  assert.notEqual(link.stack.ip.route(PEER), first);
});

test('route › groups › link addresses that follow from them (RFC 1112 §6.4)', () => {
  const { link } = recorded();
  const stations = ['255.255.255.255', '10.0.2.255', '239.129.2.3'].map((text) => {
    emit(link, ip(text), 17, new Uint8Array(8));
    return link.heard.pop()?.subarray(0, 6).join(':');
  });
  assert.deepEqual(stations, [
    '255:255:255:255:255:255',
    '255:255:255:255:255:255',
    '1:0:94:1:2:3',
  ]);
});

test('our address changes › routes from the old one send nothing', () => {
  const { link } = recorded();
  const route = link.stack.ip.route(PEER)!;
  link.stack.configure({ ...STATIC, addresses: [{ address: ip('10.0.2.16'), prefixBits: 24 }] });
  route.output.begin();
  route.output.finish(route, 6, 0, [], null);
  link.wait(1);
  assert.deepEqual(link.takeIpv4(), []);
  assert.equal(link.counter('ipv4NoRoute'), 1);
});

test('a smaller MTU › routes have it; larger than the device’s › the device’s', () => {
  const link = new TestLink();
  link.stack.configure({ ...STATIC, mtuBytes: 1280 });
  assert.equal(link.stack.ip.route(PEER)?.mtuBytes, 1280);
  link.stack.configure({ ...STATIC, mtuBytes: 9000 });
  assert.equal(link.stack.ip.route(PEER)?.mtuBytes, 1500);
});

test('the transmit queue is full › begin has nothing, and listeners hear of room', () => {
  const link = new TestLink({ queueFramesMax: 1, bitsPerSecond: 1_000_000 });
  link.configure();
  link.sendArp({});
  link.wait(100);
  let ready = 0;
  link.stack.onTransmitReady(() => {
    ready += 1;
  });
  assert(link.stack.udp.open(0, { datagram() {} }).ok);
  const route = link.stack.ip.route(PEER)!;
  route.output.begin();
  route.output.finish(route, 6, 100, [], null);
  assert.equal(route.output.begin(), null);
  link.wait(100);
  assert.equal(ready, 1);
  assert.notEqual(route.output.begin(), null);
});
