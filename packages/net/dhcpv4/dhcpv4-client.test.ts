import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeU32be } from '#core';
import type { Ipv4Address } from '../ip.ts';
import { formatIpv4Address, IPV4_ANY } from '../ip-address.ts';
import type { NetConfiguration } from '../net-stack.ts';
import { ip, OURS, PEER, TestLink } from '../test-link.ts';
import {
  DHCPV4_ACK,
  DHCPV4_DISCOVER,
  DHCPV4_NAK,
  DHCPV4_OFFER,
  DHCPV4_REQUEST,
  type Dhcpv4Option,
  type Dhcpv4Repr,
  dhcpv4Bytes,
  dhcpv4MessageType,
  dhcpv4Option,
  dhcpv4OptionI32,
  emitDhcpv4,
  emitUdp,
  MAC_BROADCAST,
  parseDhcpv4,
  parseUdp,
  pseudoHeaderSum,
} from '../wire/index.ts';

const ALL = ip('255.255.255.255');

interface Heard {
  readonly message: Dhcpv4Repr;
  readonly type: number | null;
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeU32be(bytes, 0, value);
  return bytes;
}

/** A client that has started, and a server played by the test. */
class Exchange {
  readonly link = new TestLink();
  readonly events: (NetConfiguration | null)[] = [];
  xid = 0;

  constructor(hostName?: string) {
    this.link.stack.onConfiguration((configuration) => this.events.push(configuration));
    this.link.stack.startDhcp(hostName);
    this.link.wait(1);
  }

  take(): Heard[] {
    return this.link.takeIpv4().map(({ source, destination, payload }) => {
      const udp = parseUdp(payload, pseudoHeaderSum(source, destination, 17, payload.length));
      assert(udp.ok);
      assert.deepEqual([udp.value.sourcePort, udp.value.destinationPort], [68, 67]);
      const parsed = parseDhcpv4(udp.value.payload);
      assert(parsed.ok);
      assert(udp.value.payload.length >= 300, 'BOOTP relays want 300 bytes');
      this.xid = parsed.value.xid;
      return { message: parsed.value, type: dhcpv4MessageType(parsed.value), source, destination };
    });
  }

  types(): (number | null)[] {
    return this.take().map((heard) => heard.type);
  }

  reply(
    type: number,
    change: Partial<Dhcpv4Repr> = {},
    options: readonly Dhcpv4Option[] = grant(3600),
    sourcePort = 67,
  ): void {
    const yourAddress = type === DHCPV4_NAK ? IPV4_ANY : OURS;
    const repr: Dhcpv4Repr = {
      operation: 2,
      xid: this.xid,
      seconds: 0,
      broadcast: false,
      clientAddress: IPV4_ANY,
      yourAddress,
      serverAddress: IPV4_ANY,
      relayAddress: IPV4_ANY,
      clientMac: this.link.stack.device.mac,
      options: [{ code: 53, value: Uint8Array.of(type) }, ...options],
      ...change,
    };
    const payload = new Uint8Array(dhcpv4Bytes(repr));
    emitDhcpv4(payload, repr);
    const bytes = new Uint8Array(8 + payload.length);
    const sum = pseudoHeaderSum(PEER, ALL, 17, bytes.length);
    emitUdp(bytes, 0, { sourcePort, destinationPort: 68, payload }, sum);
    this.link.sendIpv4({ destination: ALL, payload: bytes }, MAC_BROADCAST);
  }

  /** Through to BOUND; forgets what was heard. */
  bind(options: readonly Dhcpv4Option[] = grant(3600)): void {
    this.take();
    this.reply(DHCPV4_OFFER);
    this.take();
    this.reply(DHCPV4_ACK, {}, options);
    this.link.sendArp({});
    this.link.wait(3_000);
    this.link.heard.length = 0;
  }

  addresses(): string[] {
    return this.link.stack.addresses();
  }
}

const grant = (seconds: number): Dhcpv4Option[] => [
  { code: dhcpv4Option.serverIdentifier, value: u32(PEER) },
  { code: dhcpv4Option.leaseSeconds, value: u32(seconds) },
  { code: dhcpv4Option.netmask, value: u32(ip('255.255.255.0')) },
  { code: dhcpv4Option.router, value: u32(PEER) },
];

test('start › a DISCOVER at once, from nobody to all', () => {
  const x = new Exchange('web');
  const [first, ...more] = x.take();
  assert(first !== undefined && more.length === 0);
  assert.deepEqual([first.type, first.source, first.destination], [DHCPV4_DISCOVER, IPV4_ANY, ALL]);
  assert.equal(first.message.broadcast, false);
  const codes = first.message.options.map((option) => option.code);
  assert.deepEqual(codes, [53, 61, 57, 55, 12]);
});

test('OFFER, ACK › REQUEST names both, then everything in the lease is used', () => {
  const x = new Exchange();
  x.take();
  x.reply(DHCPV4_OFFER);
  const [request] = x.take();
  assert(request !== undefined);
  assert.equal(request.type, DHCPV4_REQUEST);
  assert.equal(dhcpv4OptionI32(request.message, dhcpv4Option.requestedAddress), OURS);
  assert.equal(dhcpv4OptionI32(request.message, dhcpv4Option.serverIdentifier), PEER);
  x.reply(DHCPV4_ACK, {}, [
    ...grant(3600),
    { code: dhcpv4Option.dnsServers, value: Uint8Array.of(10, 0, 2, 3, 127, 0, 0, 1, 10, 0, 2, 4) },
    { code: dhcpv4Option.domain, value: Uint8Array.from(Buffer.from('example.org\0')) },
    { code: dhcpv4Option.mtu, value: Uint8Array.of(5, 0) },
  ]);
  assert.deepEqual(x.events, [
    {
      addresses: [{ address: OURS, prefixBits: 24 }],
      gateway: PEER,
      dnsServers: [ip('10.0.2.3'), ip('10.0.2.4')],
      domain: 'example.org',
      mtuBytes: 1280,
    },
  ]);
  assert.equal(x.link.stack.ip.route(PEER)?.mtuBytes, 1280);
});

test('options that make no sense › left out: netmask with holes, tiny MTU, odd domain, martian gateway', () => {
  const x = new Exchange();
  x.bind([
    ...grant(3600).slice(0, 2),
    { code: dhcpv4Option.netmask, value: u32(ip('255.0.255.0')) },
    { code: dhcpv4Option.router, value: u32(ip('127.0.0.1')) },
    { code: dhcpv4Option.mtu, value: Uint8Array.of(0, 68) },
    { code: dhcpv4Option.domain, value: Uint8Array.from(Buffer.from('a b\n')) },
  ]);
  assert.deepEqual(x.events, [
    {
      addresses: [{ address: OURS, prefixBits: 8 }],
      gateway: null,
      dnsServers: [],
      domain: null,
      mtuBytes: null,
    },
  ]);
});

test('no answer › DISCOVER again after 0.25 s, doubled up to 64 s, each ± a quarter', () => {
  const x = new Exchange();
  const times: number[] = [];
  x.take();
  for (let i = 0; i < 20_000; i++) {
    x.link.wait(10);
    for (const type of x.types()) {
      assert.equal(type, DHCPV4_DISCOVER);
      times.push(i / 100);
    }
  }
  const waits = times.map((time, i) => time - (times[i - 1] ?? 0));
  assert(waits.length >= 9, `${waits.length}`);
  waits.forEach((wait, i) => {
    const expected = Math.min(64, 0.25 * 2 ** i);
    assert(Math.abs(wait - expected) <= expected / 4 + 0.02, `${wait}`);
  });
});

test('SELECTING › offers of others, without server, from another port, malformed › ignored', () => {
  const x = new Exchange();
  x.take();
  x.reply(DHCPV4_OFFER, { xid: x.xid ^ 1 });
  x.reply(DHCPV4_OFFER, { clientMac: x.link.peer.mac });
  x.reply(DHCPV4_OFFER, { operation: 1 });
  x.reply(DHCPV4_OFFER, { yourAddress: IPV4_ANY });
  x.reply(DHCPV4_OFFER, {}, []);
  x.reply(DHCPV4_OFFER, {}, grant(3600), 6767);
  x.reply(DHCPV4_ACK);
  x.reply(DHCPV4_NAK);
  x.reply(0, { options: [] });
  assert.deepEqual(x.types(), []);
  assert.equal(x.link.counter('dhcpIgnored'), 9);
});

test('garbage on port 68 › counted', () => {
  const x = new Exchange();
  const bytes = new Uint8Array(9);
  emitUdp(
    bytes,
    0,
    { sourcePort: 67, destinationPort: 68, payload: Uint8Array.of(2) },
    pseudoHeaderSum(PEER, ALL, 17, 9),
  );
  x.link.sendIpv4({ destination: ALL, payload: bytes }, MAC_BROADCAST);
  assert.equal(x.link.counter('dhcpMalformed'), 1);
});

test('REQUESTING › ACK of another server, without lease time, with a lease too short › ignored', () => {
  const x = new Exchange();
  x.take();
  x.reply(DHCPV4_OFFER);
  const other = { code: dhcpv4Option.serverIdentifier, value: u32(ip('10.0.2.9')) };
  x.reply(DHCPV4_ACK, {}, [other, ...grant(3600).slice(1)]);
  x.reply(DHCPV4_NAK, {}, [other]);
  x.reply(DHCPV4_ACK, {}, grant(3600).slice(0, 1));
  x.reply(DHCPV4_ACK, {}, grant(1));
  x.reply(DHCPV4_OFFER);
  assert.deepEqual(x.addresses(), []);
  x.reply(DHCPV4_ACK);
  assert.deepEqual(x.addresses(), ['10.0.2.15/24']);
});

test('REQUESTING › no answer › four requests, then from the beginning', () => {
  const x = new Exchange();
  x.take();
  x.reply(DHCPV4_OFFER);
  x.link.wait(70_000);
  const types = x.types();
  assert.deepEqual(types.slice(0, 5), [3, 3, 3, 3, 1]);
});

test('REQUESTING › NAK › begins again, later each time', () => {
  const x = new Exchange();
  x.take();
  const waits: number[] = [];
  for (let i = 0; i < 4; i++) {
    x.reply(DHCPV4_OFFER);
    assert.deepEqual(x.types(), [DHCPV4_REQUEST]);
    x.reply(DHCPV4_NAK, {}, grant(0).slice(0, 1));
    let wait = 0;
    while (x.types().length === 0) {
      x.link.wait(100);
      wait += 100;
    }
    waits.push(wait);
  }
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000]);
});

test('BOUND › renews from its address with the server at half time, and keeps quiet on success', () => {
  const x = new Exchange();
  x.bind(grant(3600));
  x.link.wait(1_790_000);
  x.link.sendArp({});
  x.take();
  x.link.wait(10_000);
  const [renewal, ...more] = x.take();
  assert(renewal !== undefined && more.length === 0);
  assert.deepEqual([renewal.source, renewal.destination], [OURS, PEER]);
  assert.equal(renewal.message.clientAddress, OURS);
  assert.equal(dhcpv4OptionI32(renewal.message, dhcpv4Option.requestedAddress), null);
  assert.equal(dhcpv4OptionI32(renewal.message, dhcpv4Option.serverIdentifier), null);
  x.reply(DHCPV4_ACK);
  x.link.wait(1_000_000);
  assert.deepEqual(x.types(), []);
  assert.equal(x.events.length, 1, 'nothing changed, nobody is told');
});

test('RENEWING, REBINDING › no answer › broadcasts from T2, and gives up at the end', () => {
  const x = new Exchange();
  x.bind(grant(3600));
  const destinations: string[] = [];
  for (let i = 0; i < 359; i++) {
    x.link.sendArp({});
    x.link.wait(10_000);
    for (const heard of x.take()) destinations.push(formatIpv4Address(heard.destination));
  }
  assert.deepEqual(x.addresses(), ['10.0.2.15/24']);
  const direct = destinations.filter((text) => text === '10.0.2.2').length;
  const broadcast = destinations.filter((text) => text === '255.255.255.255').length;
  assert(direct >= 4 && broadcast >= 2, destinations.join());
  x.link.wait(30_000);
  assert.deepEqual([x.addresses(), x.events.length, x.events[1]], [[], 2, null]);
  assert.equal(x.types()[0], DHCPV4_DISCOVER);
});

test('RENEWING › NAK › the address is given up at once', () => {
  const x = new Exchange();
  x.bind(grant(60));
  x.link.wait(30_000);
  x.take();
  x.reply(DHCPV4_NAK, {}, grant(0).slice(0, 1));
  assert.deepEqual(x.addresses(), []);
  x.link.wait(600);
  assert.deepEqual(x.types(), [DHCPV4_DISCOVER]);
});

test('RENEWING › ACK with another address › it replaces the old one', () => {
  const x = new Exchange();
  x.bind(grant(60));
  x.link.wait(30_000);
  x.take();
  x.reply(DHCPV4_ACK, { yourAddress: ip('10.0.2.77') });
  assert.deepEqual(x.addresses(), ['10.0.2.77/24']);
});

test('T1 and T2 from the server › used when they make sense', () => {
  const x = new Exchange();
  x.bind([
    ...grant(3600),
    { code: dhcpv4Option.renewSeconds, value: u32(100) },
    { code: dhcpv4Option.rebindSeconds, value: u32(200) },
  ]);
  x.link.sendArp({});
  x.link.wait(98_000);
  assert.deepEqual(
    x.take().map((heard) => heard.destination),
    [PEER],
  );
  const y = new Exchange();
  y.bind([
    ...grant(3600),
    { code: dhcpv4Option.renewSeconds, value: u32(3600) },
    { code: dhcpv4Option.rebindSeconds, value: u32(0) },
  ]);
  y.link.wait(1_700_000);
  assert.deepEqual(y.types(), []);
});

test('a lease without end › is never renewed', () => {
  const x = new Exchange();
  x.bind(grant(-1));
  x.link.wait(1e9);
  assert.deepEqual([x.types(), x.addresses()], [[], ['10.0.2.15/24']]);
});

test('the transmit queue is full › counted, and sent by the timer', () => {
  const link = new TestLink({ queueFramesMax: 1, bitsPerSecond: 10_000_000 });
  const blocker = link.stack.device.reserve();
  assert(blocker !== null);
  link.stack.device.commit(1_000, [], null);
  link.stack.startDhcp();
  assert.equal(link.counter('dhcpNotSent'), 1);
  link.wait(400);
  assert.equal(link.counter('dhcpSent'), 1);
});
