import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIpAddress } from '../ip-family.ts';
import { rdnssServersMax } from '../ipv6/limits.ts';
import { Ipv6TestLink, ip6, ROUTER } from '../ipv6/test-link.ts';
import {
  DHCPV6_REPLY,
  type Dhcpv6Repr,
  dhcpv6Empty,
  duidOf,
  emitDhcpv6,
  emitUdp,
  parseDhcpv6,
  parseUdp,
  pseudoHeaderSum,
} from '../wire/index.ts';

/** A router has said that DHCPv6 has more. */
function told(flags = { isOther: true }): Ipv6TestLink {
  const link = new Ipv6TestLink().start();
  link.wait(2_000);
  link.heard.length = 0;
  link.advertise(flags);
  return link;
}

/** Requests heard, each checked for what must not change. */
function requests(link: Ipv6TestLink): Dhcpv6Repr[] {
  return link.takeIpv6().flatMap(({ ip }) => {
    if (ip.nextHeader !== 17) return [];
    assert.ok(ip.destination.equals(ip6('ff02::1:2')) && ip.source.equals(link.linkLocal));
    const sum = pseudoHeaderSum(ip.source, ip.destination, 17, ip.payload.length);
    const udp = parseUdp(ip.payload, sum);
    assert.ok(udp.ok && udp.value.sourcePort === 546 && udp.value.destinationPort === 547);
    const parsed = parseDhcpv6(udp.value.payload);
    assert.ok(parsed.ok && parsed.value.type === 11);
    assert.deepEqual(parsed.value.requested, [23, 24, 32, 83]);
    assert.deepEqual(parsed.value.clientId, duidOf(link.stack.device.mac));
    return [parsed.value];
  });
}

function reply(link: Ipv6TestLink, transaction: number, more: Partial<Dhcpv6Repr> = {}): void {
  const message = new Uint8Array(512);
  const bytes = emitDhcpv6(message, {
    ...dhcpv6Empty(DHCPV6_REPLY, transaction),
    clientId: duidOf(link.stack.device.mac),
    serverId: duidOf(link.peer.mac),
    dnsServers: [ip6('2001:db8::53')],
    searchList: ['example.org'],
    ...more,
  });
  const datagram = new Uint8Array(8 + bytes);
  const sum = pseudoHeaderSum(ROUTER, link.linkLocal, 17, datagram.length);
  const payload = message.subarray(0, bytes);
  emitUdp(datagram, 0, { sourcePort: 547, destinationPort: 546, payload }, sum);
  link.sendIpv6({ nextHeader: 17, source: ROUTER, payload: datagram });
}

const names = (link: Ipv6TestLink): string => {
  const { servers, searchDomains } = link.stack.names;
  return [...servers.map(formatIpAddress), ...searchDomains].join(' ');
};

test('told by a router › asks once, and the answer is used', () => {
  const link = told();
  link.wait(200);
  const [request, ...more] = requests(link);
  assert.deepEqual(more, []);
  reply(link, request!.transaction);
  assert.equal(names(link), '2001:db8::53 example.org');
  link.wait(3_600_000);
  assert.deepEqual(requests(link), []);
});

test('not told › never asks; told of managed addresses only › asks for the rest', () => {
  const link = told({ isOther: false });
  link.wait(60_000);
  assert.deepEqual(requests(link), []);
  link.advertise({ isManaged: true });
  link.wait(200);
  assert.equal(requests(link).length, 1);
});

test('no answer › again, ever more slowly, with the time that it has taken', () => {
  const link = told();
  link.wait(20_000);
  const list = requests(link);
  assert.ok(list.length >= 4 && list.length <= 6, `${list.length}`);
  assert.equal(new Set(list.map(({ transaction }) => transaction)).size, 1);
  const elapsed = list.map((request) => request.elapsed!);
  assert.ok(elapsed[1]! >= 80 && elapsed.at(-1)! > elapsed[1]!, `${elapsed}`);
  link.wait(40_000_000);
  const many = requests(link).length;
  assert.ok(many >= 15 && many <= 25, `${many}`);
});

test('the answer gets old › asked again: after a day, when it says so, but never too soon', () => {
  for (const [refreshSeconds, before, after] of [
    [null, 86_300, 200],
    [3_600, 3_500, 200],
    [1, 590, 20],
  ] as const) {
    const link = told();
    link.wait(200);
    reply(link, requests(link)[0]!.transaction, { refreshSeconds });
    link.wait(before * 1_000);
    assert.deepEqual(requests(link), []);
    link.wait(after * 1_000);
    assert.ok(requests(link).length > 0, `${refreshSeconds}`);
    assert.equal(names(link), '2001:db8::53 example.org', 'kept meanwhile');
  }
});

test('the answer never gets old › never asked again', () => {
  const link = told();
  link.wait(200);
  reply(link, requests(link)[0]!.transaction, { refreshSeconds: 0xffffffff });
  link.wait(100 * 86_400_000);
  assert.deepEqual(requests(link), []);
});

const foreign: readonly [string, Partial<Dhcpv6Repr>][] = [
  ['another exchange', { transaction: 0 }],
  ['another client', { clientId: Uint8Array.of(0, 3, 0, 1, 1, 2, 3, 4, 5, 6) }],
  ['no client', { clientId: null }],
  ['no server', { serverId: null }],
  ['another message', { type: 2 }],
  ['an error', { status: 1 }],
];
for (const [name, more] of foreign) {
  test(`answer › of ${name} › not believed`, () => {
    const link = told();
    link.wait(200);
    reply(link, requests(link)[0]!.transaction, more);
    assert.equal(names(link), '');
    assert.equal(link.counter('dhcpv6Foreign'), 1);
  });
}

test('answer › nobody asked for › not believed', () => {
  const link = told();
  link.wait(200);
  const { transaction } = requests(link)[0]!;
  reply(link, transaction);
  reply(link, transaction, { dnsServers: [] });
  assert.equal(names(link), '2001:db8::53 example.org');
});

test('bounds › more servers than are kept, and some that can’t be', () => {
  const link = told();
  link.wait(200);
  const good = Array.from({ length: rdnssServersMax + 1 }, (_, i) => ip6(`2001:db8::${i + 1}`));
  const dnsServers = [ip6('::'), ip6('ff02::1'), ...good];
  reply(link, requests(link)[0]!.transaction, { dnsServers, searchList: [] });
  assert.equal(link.stack.names.servers.length, rdnssServersMax);
});
