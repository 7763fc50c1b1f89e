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

const LONG = Uint8Array.from({ length: 50 }, (_, i) => i);

test('received › fragments, the last first › one packet, with the first one’s options', () => {
  const { link, got } = recorded();
  const options = Uint8Array.of(1, 1, 1, 0);
  link.sendIpv4({ protocol: 6, payload: LONG.subarray(24), fragmentOffset: 3 });
  link.sendIpv4({ protocol: 6, payload: LONG.subarray(0, 24), moreFragments: true, options });
  assert.deepEqual(got, [`10.0.2.2 > 10.0.2.15: ${LONG.join()}`]);
  link.sendIpv4({ protocol: 6, payload, dontFragment: true });
  assert.equal(link.counter('ipv4Fragments'), 2);
  assert.equal(got[1], PLAIN);
});

test('received › fragments that differ in source, identification or protocol › never joined', () => {
  const { link, got } = recorded();
  const first = { protocol: 6, payload: LONG.subarray(0, 24), moreFragments: true };
  const second = { protocol: 6, payload: LONG.subarray(24), fragmentOffset: 3 };
  link.sendIpv4(first);
  link.sendIpv4({ ...second, source: ip('10.0.2.3') });
  link.sendIpv4({ ...second, identification: 9 });
  link.sendIpv4({ ...second, protocol: 17 });
  assert.deepEqual(got, []);
  link.sendIpv4(second);
  assert.equal(got.length, 1);
});

test('received › a TCP header cut in two › refused (RFC 1858, RFC 3128)', () => {
  const { link, got } = recorded();
  link.sendIpv4({ protocol: 6, payload: LONG.subarray(0, 16), moreFragments: true });
  link.sendIpv4({ protocol: 6, payload: LONG.subarray(8), fragmentOffset: 1 });
  link.sendIpv4({ protocol: 6, payload: LONG.subarray(16), fragmentOffset: 2 });
  assert.equal(link.counter('ipv4TinyFragments'), 2);
  assert.deepEqual(got, []);
});

test('received › a packet longer than any, by its fragments › refused (the ping of death)', () => {
  const { link, got } = recorded();
  const options = new Uint8Array(40).fill(1);
  const last = { protocol: 1, fragmentOffset: 8_189, payload: new Uint8Array(3) };
  link.sendIpv4({ ...last, payload: new Uint8Array(4) });
  assert.equal(link.counter('reassemblyMalformed'), 1);
  // It fits with a plain header, and not with the first fragment's.
  for (let at = 0; at < 8_189; at += 175) {
    const count = Math.min(1_400, (8_189 - at) * 8);
    const bytes = new Uint8Array(count);
    const repr = { protocol: 1, fragmentOffset: at, moreFragments: true, payload: bytes };
    link.sendIpv4(at === 0 ? { ...repr, options } : repr);
  }
  link.sendIpv4(last);
  assert.deepEqual([link.counter('reassemblyDone'), link.counter('ipv4Malformed')], [1, 1]);
  assert.deepEqual(got, []);
});

test('received › source routes, complete or not › refused (RFC 7126 §4.3)', () => {
  const { link, got } = recorded();
  for (const kind of [131, 137]) {
    const options = Uint8Array.of(1, kind, 7, 8, 10, 0, 2, 15);
    link.sendIpv4({ protocol: 6, payload, options });
  }
  assert.equal(link.counter('ipv4SourceRouted'), 2);
  link.sendIpv4({ protocol: 6, payload, options: Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0) });
  link.sendIpv4({ protocol: 6, payload, options: Uint8Array.of(148, 4, 0, 0, 0, 131, 7, 9) });
  assert.deepEqual(got, [PLAIN, PLAIN], 'record route, router alert, and what follows the end');
});

test('received › sources that no host has › dropped (RFC 1122 §3.2.1.3)', () => {
  const { link, got } = recorded();
  const martians: [string, readonly string[]][] = [
    ['ipv4SourceNone', ['0.0.0.0', '0.1.2.3']],
    ['ipv4SourceLoopback', ['127.0.0.1']],
    ['ipv4SourceMulticast', ['224.0.0.1', '239.255.255.255']],
    ['ipv4SourceReserved', ['240.0.0.1', '255.255.255.254']],
    ['ipv4SourceBroadcast', ['255.255.255.255', '10.0.2.255']],
    ['ipv4SourceOurs', ['10.0.2.15']],
  ];
  for (const [counter, sources] of martians) {
    for (const text of sources) link.sendIpv4({ protocol: 6, payload, source: ip(text) });
    assert.equal(link.counter(counter), sources.length, counter);
  }
  assert.deepEqual(got, []);
  assert.deepEqual(link.takeIpv4(), [], 'nobody is told');
});

test('received › for others, for groups, in a frame for all › not ours', () => {
  const { link, got } = recorded();
  link.sendIpv4({ protocol: 6, payload, destination: ip('10.0.2.16') });
  link.sendIpv4({ protocol: 6, payload, destination: ip('127.0.0.1') });
  assert.equal(link.counter('ipv4NotOurs'), 2);
  link.sendIpv4({ protocol: 6, payload, destination: ip('224.0.0.2') });
  assert.equal(link.counter('ipv4NotJoined'), 1);
  link.sendIpv4({ protocol: 6, payload }, MAC_BROADCAST);
  assert.equal(link.counter('ipv4LinkBroadcast'), 1);
  link.sendIpv4({ protocol: 6, payload }, Uint8Array.of(0x52, 0x54, 0, 1, 1, 1));
  assert.equal(link.counter('linkOtherStation'), 1);
  link.sendEthernet(0x86dd, new Uint8Array(40));
  assert.equal(link.counter('linkUnknownType'), 1);
  assert.deepEqual(got, []);
});

test('received › TCP to a broadcast address › dropped (RFC 9293 §3.9.2.3)', () => {
  const { link, got } = recorded();
  for (const text of ['255.255.255.255', '10.0.2.255', '224.0.0.1']) {
    link.sendIpv4({ protocol: 6, payload, destination: ip(text) }, MAC_BROADCAST);
  }
  assert.equal(link.counter('ipv4GroupForTcp'), 3);
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

test('route › by the table › the gateway, source and MTU of the longest prefix', () => {
  const link = new TestLink();
  const second = { address: ip('10.9.0.1'), prefixBits: 16 };
  link.stack.configure({
    ...STATIC,
    addresses: [...STATIC.addresses, second],
    routes: [
      { prefix: ip('172.16.0.0'), prefixBits: 12, gateway: ip('10.9.0.2'), mtuBytes: 1_400 },
      { prefix: ip('172.16.5.0'), prefixBits: 24, gateway: ip('10.0.2.3'), source: ip('10.9.0.1') },
      { prefix: ip('192.0.2.0'), prefixBits: 24, gateway: null },
    ],
  });
  link.wait(10_000);
  const way = (text: string): unknown[] => {
    link.heard.length = 0;
    emit(link, ip(text), 17, new Uint8Array(8));
    const route = link.stack.ip.route(ip(text));
    const asked = link.takeArp()[0]?.targetAddress;
    return [route?.source, route?.mtuBytes, asked];
  };
  assert.deepEqual(way('8.8.8.8'), [OURS, 1_500, PEER]);
  assert.deepEqual(way('172.16.9.9'), [second.address, 1_400, ip('10.9.0.2')]);
  assert.deepEqual(way('172.16.5.9'), [second.address, 1_500, ip('10.0.2.3')]);
  assert.deepEqual(way('192.0.2.7'), [OURS, 1_500, ip('192.0.2.7')]);
  assert.deepEqual(way('10.9.3.3'), [second.address, 1_500, ip('10.9.3.3')]);
});

test('route › from a second address › keeps that source, and the default one is found again', () => {
  const link = new TestLink();
  const second = { address: ip('10.0.2.99'), prefixBits: 24 };
  link.stack.configure({ ...STATIC, addresses: [...STATIC.addresses, second] });
  assert.equal(link.stack.ip.route(PEER, second.address)?.source, second.address);
  assert.equal(link.stack.ip.route(PEER)?.source, OURS);
  assert.equal(link.stack.ip.route(PEER, OURS)?.source, OURS);
});

test('sent › more than fits › fragments of whole words, and identifications that don’t repeat', () => {
  const { link } = recorded();
  const route = link.stack.ip.route(PEER)!;
  for (const count of [0, 1_480, 1_481, 2_960, 2_961, 65_515]) {
    const bytes = Uint8Array.from({ length: count }, (_, i) => i * 5);
    assert.equal(route.output.sendDatagram(route, 17, bytes), true);
    link.wait(1);
    const packets = link.takeIpv4();
    assert.equal(packets.length, Math.max(1, Math.ceil(count / 1_480)));
    assert.deepEqual(
      packets.flatMap((packet) => [...packet.payload]),
      [...bytes],
    );
    assert.equal(packets.at(-1)?.moreFragments, false);
  }
  assert.throws(() => route.output.sendDatagram(route, 17, new Uint8Array(65_516)));
  assert.throws(() => route.output.sendDatagram(route, 6, new Uint8Array(1)), /assert/i);
});

test('sent › identifications › a sequence of its own for each destination (RFC 7739)', () => {
  const { link } = recorded();
  link.sendArp({ senderAddress: ip('10.0.2.3') });
  const next = (to: Ipv4Address): number => {
    emit(link, to, 17, new Uint8Array(8));
    return link.takeIpv4()[0]!.identification;
  };
  const [first, other] = [next(PEER), next(ip('10.0.2.3'))];
  assert.notEqual(first, other);
  assert.equal(next(PEER), (first + 1) & 0xffff);
  assert.equal(next(ip('10.0.2.3')), (other + 1) & 0xffff);
});
