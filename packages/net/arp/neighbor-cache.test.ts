import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4AddressOf } from '../ip-address.ts';
import { neighborQueuePacketsMax, neighborsMax, waitingPacketOverheadBytes } from '../limits.ts';
import { ip, OURS, PEER, STATIC, TestLink } from '../test-link.ts';
import { ARP_REPLY, ARP_REQUEST, MAC_BROADCAST } from '../wire/index.ts';

const OTHER_MAC = Uint8Array.of(0x52, 0x54, 0, 9, 9, 9);

/** Sends one datagram of one byte to `to`. */
function sendTo(link: TestLink, to = PEER, byte = 1): void {
  const opened = link.stack.udp.open(0, { datagram() {} });
  assert(opened.ok);
  opened.value.send(Uint8Array.of(byte), to, 9);
  opened.value.close();
}

/** Link addresses that datagrams went to. */
const stationsOf = (link: TestLink): string[] =>
  link.heard
    .splice(0)
    .filter((frame) => frame[13] === 0)
    .map((frame) => frame.subarray(0, 6).join(':'));

test('configured › announces twice, two seconds apart (RFC 5227 §2.3)', () => {
  const link = new TestLink();
  link.stack.configure({
    addresses: [{ address: OURS, prefixBits: 24 }],
    gateway: null,
    dnsServers: [],
    domain: null,
    mtuBytes: null,
  });
  link.wait(1_000);
  assert.deepEqual(
    link.takeArp().map((arp) => [arp.operation, arp.senderAddress, arp.targetAddress]),
    [[ARP_REQUEST, OURS, OURS]],
  );
  link.wait(10_000);
  assert.equal(link.takeArp().length, 1);
});

test('a request for our address › is answered to its sender, who is learned', () => {
  const link = new TestLink();
  link.configure();
  link.sendArp({}, MAC_BROADCAST);
  const [reply] = link.takeArp();
  assert.deepEqual(reply, {
    operation: ARP_REPLY,
    senderMac: link.stack.device.mac,
    senderAddress: OURS,
    targetMac: link.peer.mac,
    targetAddress: PEER,
  });
  sendTo(link);
  link.wait(1);
  assert.equal(link.takeIpv4().length, 1);
});

test('requests for others, probes, foreign or group senders › neither answered nor learned', () => {
  const link = new TestLink();
  link.configure();
  link.sendArp({ targetAddress: ip('10.0.2.77') }, MAC_BROADCAST);
  link.sendArp({ senderAddress: ip('192.168.1.1'), targetAddress: ip('10.0.2.77') });
  link.sendArp({ senderMac: MAC_BROADCAST });
  link.sendArp({ senderMac: new Uint8Array(6) });
  assert.deepEqual(link.takeArp(), []);
  // A probe (RFC 5227 §2.1.1) is answered, but there is nobody to learn.
  link.sendArp({ senderAddress: ip('0.0.0.0') }, MAC_BROADCAST);
  assert.equal(link.takeArp().length, 1);
  sendTo(link);
  link.wait(1);
  assert.deepEqual(
    link.takeArp().map((arp) => arp.operation),
    [ARP_REQUEST],
  );
  assert.equal(link.counter('arpBadSender'), 2);
  assert.equal(link.counter('arpForeign'), 1);
});

test('malformed › counted', () => {
  const link = new TestLink();
  link.configure();
  link.sendEthernet(0x0806, new Uint8Array(28));
  assert.equal(link.counter('arpMalformed'), 1);
});

test('a reply that nobody asked for › makes no entry', () => {
  const link = new TestLink();
  link.configure();
  link.sendArp({ operation: ARP_REPLY });
  sendTo(link);
  link.wait(1);
  assert.equal(link.takeArp().length, 1, 'still has to ask');
});

test('unknown › asks, keeps packets up to the bound, sends them in order', () => {
  const link = new TestLink();
  link.configure();
  for (let i = 0; i <= neighborQueuePacketsMax; i++) sendTo(link, PEER, i);
  link.wait(1);
  const [request, ...more] = link.takeArp();
  assert.deepEqual([request?.operation, more.length], [ARP_REQUEST, 0]);
  link.sendArp({ operation: ARP_REPLY });
  const sent = link.takeIpv4().map((packet) => packet.payload[8]);
  const kept = Array.from({ length: neighborQueuePacketsMax }, (_, i) => i + 1);
  assert.deepEqual(sent, kept, 'one past the bound drops the oldest');
  assert.equal(link.counter('arpQueueDropped'), 1);
  assert.equal(link.stack.memory.usedBytes, 0);
});

test('unknown › many neighbours’ packets, of all bytes that may wait, and more › dropped', () => {
  const link = new TestLink();
  link.configure();
  const { bytesMax } = link.stack.memory.account('neighborPackets');
  const cost = waitingPacketOverheadBytes + 34 + 8 + 1_400;
  const fit = Math.floor(bytesMax / cost);
  const opened = link.stack.udp.open(0, { datagram() {} });
  assert(opened.ok);
  for (let i = 0; i < fit; i++) {
    opened.value.send(new Uint8Array(1_400), ipv4AddressOf(ip('10.0.2.100') + (i % 100)), 9);
  }
  assert.equal(link.stack.memory.usedBytes, fit * cost);
  assert.equal(link.counter('arpQueueDropped'), 0);
  opened.value.send(new Uint8Array(1_400), PEER, 9);
  assert.equal(link.counter('arpQueueDropped'), 1);
  assert(link.stack.memory.account('received').take(link.stack.memory.bytesMax), 'all of it goes');
  assert.equal(link.stack.memory.account('neighborPackets').usedBytes, 0);
  link.wait(1);
});

test('no answer › three requests a second apart, then the packets are dropped', () => {
  const link = new TestLink();
  link.configure();
  link.wait(1_000);
  const before = link.counter('arpGaveUp');
  sendTo(link, ip('10.0.2.3'));
  link.wait(10_000);
  assert.equal(link.takeArp().length, 3);
  assert.deepEqual([link.counter('arpGaveUp') - before, link.counter('arpQueueDropped')], [1, 1]);
  sendTo(link, ip('10.0.2.3'));
  link.wait(1);
  assert.equal(link.takeArp().length, 1, 'the next packet asks again');
});

test('configured › asks for the gateway at once, and again only when it is used', () => {
  const link = new TestLink();
  link.stack.configure(STATIC);
  link.wait(1);
  const [announcement, request, ...more] = link.takeArp();
  assert.equal(announcement?.targetAddress, OURS);
  assert.deepEqual([request?.operation, request?.targetAddress], [ARP_REQUEST, PEER]);
  assert.equal(more.length, 0);
  link.sendArp({ operation: ARP_REPLY });
  sendTo(link, ip('93.184.216.34'));
  link.wait(1);
  assert.equal(link.takeIpv4().length, 1, 'waits for nothing');
});

test('off our link › asks for the gateway', () => {
  const link = new TestLink();
  link.configure();
  sendTo(link, ip('93.184.216.34'));
  link.wait(1);
  assert.deepEqual(
    link.takeArp().map((arp) => arp.targetAddress),
    [PEER],
  );
});

test('a gateway outside of our prefix › asked for, and its answer taken', () => {
  const link = new TestLink();
  const gateway = ip('10.99.0.1');
  link.stack.configure({
    ...STATIC,
    addresses: [{ address: OURS, prefixBits: 32 }],
    gateway,
  });
  link.wait(3_000);
  link.takeArp();
  sendTo(link, PEER);
  link.wait(1);
  assert.deepEqual(
    link.takeArp().map((arp) => [arp.senderAddress, arp.targetAddress]),
    [[OURS, gateway]],
  );
  link.sendArp({ operation: ARP_REPLY, senderAddress: gateway });
  assert.equal(link.takeIpv4().length, 1);
});

test('requests from more addresses than there are entries › memory stays bounded', () => {
  const link = new TestLink();
  link.stack.configure({
    ...STATIC,
    addresses: [{ address: ip('10.1.0.1'), prefixBits: 16 }],
    gateway: null,
  });
  for (let i = 0; i < 5_000; i++) {
    const stranger = ipv4AddressOf(ip('10.1.1.0') + i);
    link.sendArp({ senderAddress: stranger, targetAddress: ip('10.1.0.1') });
  }
  assert.equal(link.counter('arpEvicted'), 5_000 - neighborsMax);
  assert(link.world.timers.size < neighborsMax + 10, `${link.world.timers.size} timers`);
});

test('after its lifetime › used on, asked for directly, and kept when it answers', () => {
  const link = new TestLink();
  link.introduce();
  link.wait(61_000);
  sendTo(link);
  link.wait(1);
  const frames = link.heard.map((frame) => [frame[13], frame.subarray(0, 6).join(':')]);
  const station = link.peer.mac.join(':');
  assert.deepEqual(frames, [
    [0, station],
    [6, station],
  ]);
  link.heard.length = 0;
  link.sendArp({ operation: ARP_REPLY });
  link.wait(5_000);
  assert.deepEqual(link.takeArp(), []);
});

test('after its lifetime › no answer › the last request goes to all, then it is unknown', () => {
  const link = new TestLink();
  link.introduce();
  link.wait(61_000);
  sendTo(link);
  link.wait(4_000);
  const stations = link.heard
    .splice(0)
    .filter((f) => f[13] === 6)
    .map((f) => f[0]);
  assert.deepEqual(stations, [0x52, 0x52, 0xff]);
  sendTo(link);
  link.wait(1);
  assert.deepEqual(link.takeIpv4(), []);
});

test('another station claims a neighbour › asked, and the answer decides', () => {
  const link = new TestLink();
  link.introduce();
  link.wait(2_000);
  link.sendArp({ operation: ARP_REPLY, senderMac: OTHER_MAC });
  assert.deepEqual(
    link.heard.splice(0).map((f) => [f[0], f[13]]),
    [[0xff, 6]],
  );
  sendTo(link);
  link.wait(1);
  assert.deepEqual(stationsOf(link), [link.peer.mac.join(':')], 'used on meanwhile');
  link.sendArp({ operation: ARP_REPLY, senderMac: OTHER_MAC });
  sendTo(link);
  link.wait(1);
  // The peer's port gets it too: the switch doesn't know OTHER_MAC.
  assert.deepEqual(stationsOf(link), [OTHER_MAC.join(':')]);
  assert.equal(link.counter('arpUnsolicited'), 1);
});

test('another station claims a neighbour just confirmed › ignored', () => {
  const link = new TestLink();
  link.introduce();
  link.sendArp({ operation: ARP_REPLY, senderMac: OTHER_MAC });
  assert.deepEqual(link.heard, []);
  sendTo(link);
  link.wait(1);
  assert.deepEqual(stationsOf(link), [link.peer.mac.join(':')]);
});

test('another station uses our address › we say once in ten seconds that it is ours', () => {
  const link = new TestLink();
  link.configure();
  for (let i = 0; i < 5; i++) link.sendArp({ senderAddress: OURS, senderMac: OTHER_MAC });
  assert.equal(link.takeArp().length, 1);
  assert.equal(link.counter('arpConflicts'), 5);
  link.wait(10_000);
  link.sendArp({ senderAddress: OURS, senderMac: OTHER_MAC });
  assert.equal(link.takeArp().length, 1);
});

test('two addresses › each is announced, and defended', () => {
  const link = new TestLink();
  const second = ip('10.0.2.99');
  const addresses = [...STATIC.addresses, { address: second, prefixBits: 24 }];
  link.stack.configure({ ...STATIC, addresses });
  link.wait(100_000);
  const announced = link.takeArp().filter((arp) => arp.senderAddress === arp.targetAddress);
  assert.deepEqual(
    announced.map((arp) => arp.targetAddress),
    [OURS, second, OURS, second],
  );
  link.sendArp({ senderAddress: second, senderMac: OTHER_MAC });
  assert.deepEqual(
    link.takeArp().map((arp) => arp.senderAddress),
    [second],
  );
});

test('a fixed address › conflicts again and again › defended for ever (RFC 5227 §2.4 (c))', () => {
  const link = new TestLink();
  link.configure();
  for (let i = 0; i < 20; i++) {
    link.sendArp({ senderAddress: OURS, senderMac: OTHER_MAC });
    link.wait(1_000);
  }
  assert.equal(link.takeArp().length, 2);
  assert.deepEqual(link.stack.addresses(), ['10.0.2.15/24']);
});

test('our own frame comes back › ignored', () => {
  const link = new TestLink();
  link.configure();
  link.sendArp({ senderAddress: OURS, senderMac: link.stack.device.mac });
  assert.equal(link.counter('arpConflicts'), 0);
});

test('full › strangers are evicted before the neighbour that we talk to', () => {
  const link = new TestLink();
  link.stack.configure({
    addresses: [{ address: ip('10.1.0.1'), prefixBits: 16 }],
    gateway: null,
    dnsServers: [],
    domain: null,
    mtuBytes: null,
  });
  const friend = ip('10.1.0.2');
  link.sendArp({ senderAddress: friend, targetAddress: ip('10.1.0.1') });
  sendTo(link, friend);
  for (let i = 0; i < neighborsMax; i++) {
    const stranger = ipv4AddressOf(friend + 1 + i);
    link.sendArp({ senderAddress: stranger, targetAddress: ip('10.1.0.1') });
  }
  assert.equal(link.counter('arpEvicted'), 1);
  link.heard.length = 0;
  sendTo(link, friend);
  link.wait(1);
  assert.deepEqual(link.takeArp(), []);
});

test('full › packets to many that never answer › the neighbour that did stays (RFC 6583)', () => {
  const link = new TestLink();
  link.stack.configure({
    addresses: [{ address: ip('10.1.0.1'), prefixBits: 16 }],
    gateway: null,
    dnsServers: [],
    domain: null,
    mtuBytes: null,
  });
  const friend = ip('10.1.0.2');
  link.sendArp({ senderAddress: friend, targetAddress: ip('10.1.0.1') });
  sendTo(link, friend);
  link.wait(10);
  for (let i = 0; i < 2 * neighborsMax; i++) sendTo(link, ipv4AddressOf(friend + 1 + i));
  assert.ok(link.counter('arpEvicted') >= neighborsMax);
  link.wait(100);
  link.heard.length = 0;
  sendTo(link, friend);
  link.wait(1);
  assert.deepEqual(link.takeArp(), []);
});

test('the transmit queue is full › the request is lost, and repeated', () => {
  const link = new TestLink({ queueFramesMax: 1, bitsPerSecond: 100_000 });
  link.configure();
  sendTo(link, ip('10.0.2.3'));
  sendTo(link);
  assert.equal(link.counter('ipv4TransmitFull'), 1);
  link.sendArp({});
  link.wait(5_000);
  assert(link.takeArp().length >= 2);
});

test('the transmit queue is full when the answer comes › what has no room is dropped, and counted', () => {
  const link = new TestLink({ queueFramesMax: 1, bitsPerSecond: 1_000_000 });
  link.configure();
  const before = link.counter('arpTransmitFull');
  for (let i = 0; i < 3; i++) {
    sendTo(link, ip('10.0.2.3'), i);
    link.wait(100);
  }
  link.sendArp({ operation: ARP_REPLY, senderAddress: ip('10.0.2.3') });
  link.wait(100);
  assert.deepEqual(
    link.takeIpv4().map((packet) => packet.payload[8]),
    [0],
  );
  assert.equal(link.counter('arpTransmitFull') - before, 2);
});
