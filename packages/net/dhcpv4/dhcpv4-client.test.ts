import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIpv4Address, IPV4_ANY } from '../ip-address.ts';
import { configuredRoutesMax, dhcpFuzzShare, dnsServersMax, ntpServersMax } from '../limits.ts';
import { ip, OURS, PEER, TestLink } from '../test-link.ts';
import {
  DHCPV4_ACK,
  DHCPV4_DISCOVER,
  DHCPV4_NAK,
  DHCPV4_OFFER,
  DHCPV4_REQUEST,
  dhcpv4Option,
  dhcpv4OptionI32,
  dhcpv4U32,
  emitUdp,
  MAC_BROADCAST,
  pseudoHeaderSum,
} from '../wire/index.ts';

import { ALL, Exchange, grant } from './test-exchange.ts';

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
    { code: dhcpv4Option.broadcast, value: dhcpv4U32(ip('10.0.2.0')) },
    { code: dhcpv4Option.ntpServers, value: dhcpv4U32(ip('10.0.2.5')) },
    { code: dhcpv4Option.domainSearch, value: Uint8Array.of(1, 97, 0, 1, 98, 0xc0, 0) },
  ]);
  assert.deepEqual(x.events, [
    {
      addresses: [{ address: OURS, prefixBits: 24, broadcast: ip('10.0.2.0') }],
      gateway: PEER,
      routes: [],
      dnsServers: [ip('10.0.2.3'), ip('10.0.2.4')],
      domain: 'example.org',
      searchDomains: ['a', 'b.a'],
      ntpServers: [ip('10.0.2.5')],
      mtuBytes: 1280,
    },
  ]);
  assert.equal(x.link.stack.ip.route(PEER)?.mtuBytes, 1280);
});

test('options that make no sense › left out: netmask with holes, tiny MTU, odd domain, martian gateway', () => {
  const x = new Exchange();
  x.bind([
    ...grant(3600).slice(0, 2),
    { code: dhcpv4Option.netmask, value: dhcpv4U32(ip('255.0.255.0')) },
    { code: dhcpv4Option.router, value: dhcpv4U32(ip('127.0.0.1')) },
    { code: dhcpv4Option.mtu, value: Uint8Array.of(0, 68) },
    { code: dhcpv4Option.domain, value: Uint8Array.from(Buffer.from('a b\n')) },
    { code: dhcpv4Option.broadcast, value: dhcpv4U32(ip('11.0.0.0')) },
    { code: dhcpv4Option.ntpServers, value: dhcpv4U32(ip('224.0.1.1')) },
    { code: dhcpv4Option.domainSearch, value: Uint8Array.of(1, 97) },
    { code: dhcpv4Option.classlessRoutes, value: Uint8Array.of(33, 0, 0, 0, 0) },
  ]);
  assert.deepEqual(x.events, [
    {
      addresses: [{ address: OURS, prefixBits: 8 }],
      gateway: null,
      routes: [],
      dnsServers: [],
      domain: null,
      searchDomains: [],
      ntpServers: [],
      mtuBytes: null,
    },
  ]);
});

test('more name and time servers than are taken › the rest is ignored', () => {
  const x = new Exchange();
  const value = Uint8Array.from({ length: 4 * (dnsServersMax + 1) }, (_, i) =>
    i % 4 === 0 ? 10 : i,
  );
  x.bind([
    ...grant(3600),
    { code: dhcpv4Option.dnsServers, value },
    { code: dhcpv4Option.ntpServers, value },
  ]);
  const [told] = x.events;
  assert.deepEqual(
    [told?.dnsServers.length, told?.ntpServers?.length],
    [dnsServersMax, ntpServersMax],
  );
});

test('classless routes › replace the router, the usable ones (RFC 3442)', () => {
  const x = new Exchange();
  x.bind([
    ...grant(3600),
    {
      code: dhcpv4Option.classlessRoutes,
      value: Uint8Array.from([
        ...[0, 10, 0, 2, 9],
        ...[24, 192, 0, 2, 10, 0, 2, 3],
        ...[16, 172, 16, 0, 0, 0, 0],
        ...[8, 11, 127, 0, 0, 1],
        ...[0, 0, 0, 0, 0],
      ]),
    },
  ]);
  const configuration = x.events[0];
  assert.equal(configuration?.gateway, null);
  assert.deepEqual(configuration.routes, [
    { prefix: IPV4_ANY, prefixBits: 0, gateway: ip('10.0.2.9') },
    { prefix: ip('192.0.2.0'), prefixBits: 24, gateway: ip('10.0.2.3') },
    { prefix: ip('172.16.0.0'), prefixBits: 16, gateway: null },
  ]);
});

test('classless routes › as many as are taken, and one more › the rest is ignored', () => {
  const x = new Exchange();
  const value = Uint8Array.from(
    Array.from({ length: configuredRoutesMax + 1 }, (_, i) => [24, 192, 0, i, 10, 0, 2, 3]).flat(),
  );
  x.bind([...grant(3600), { code: dhcpv4Option.classlessRoutes, value }]);
  assert.equal(x.events[0]?.routes?.length, configuredRoutesMax);
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
  const other = { code: dhcpv4Option.serverIdentifier, value: dhcpv4U32(ip('10.0.2.9')) };
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
  x.link.wait(1_800_000 * (1 - dhcpFuzzShare) - 4_000);
  assert.deepEqual(x.types(), []);
  x.link.sendArp({});
  x.link.wait(1_800_000 * dhcpFuzzShare + 4_000);
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
  assert.equal(x.types().pop(), DHCPV4_DISCOVER);
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

test('RENEWING › NAK or ACK of another server › ignored; REBINDING › taken', () => {
  const x = new Exchange();
  x.bind(grant(60));
  const other = [
    { code: dhcpv4Option.serverIdentifier, value: dhcpv4U32(ip('10.0.2.9')) },
    ...grant(600).slice(1),
  ];
  x.link.wait(30_000);
  x.take();
  x.reply(DHCPV4_NAK, {}, other);
  x.reply(DHCPV4_ACK, {}, other);
  assert.equal(x.link.counter('dhcpIgnored'), 2);
  x.link.wait(25_000);
  assert.deepEqual(x.take().pop()?.destination, ALL);
  x.reply(DHCPV4_ACK, {}, other);
  x.link.wait(200_000);
  assert.deepEqual([x.types(), x.addresses()], [[], ['10.0.2.15/24']]);
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
    { code: dhcpv4Option.renewSeconds, value: dhcpv4U32(100) },
    { code: dhcpv4Option.rebindSeconds, value: dhcpv4U32(200) },
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
    { code: dhcpv4Option.renewSeconds, value: dhcpv4U32(3600) },
    { code: dhcpv4Option.rebindSeconds, value: dhcpv4U32(0) },
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
