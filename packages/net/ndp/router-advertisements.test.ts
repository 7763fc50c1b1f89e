import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIpAddress } from '../ip-family.ts';
import {
  dnsslNamesMax,
  ipv6AddressesMax,
  ipv6RoutesMax,
  ndpOptionsMax,
  onLinkPrefixesMax,
  rdnssServersMax,
  routersMax,
} from '../ipv6/limits.ts';
import { Ipv6TestLink, ip6, prefixOption, ROUTER } from '../ipv6/test-link.ts';
import { formatIpv6Address } from '../ipv6-text.ts';
import { ip, STATIC } from '../test-link.ts';
import type { NdpOption } from '../wire/index.ts';

const REMOTE = ip6('2001:db8:ffff::1');
const ROUTER_2 = ip6('fe80::a');

function started(): Ipv6TestLink {
  const link = new Ipv6TestLink().start();
  link.wait(3_000);
  return link;
}

/** The neighbour that packets to `to` are first sent to: whom we ask for, or know. */
function hopTo(link: Ipv6TestLink, to = REMOTE): string {
  const hop = link.stack.ipv6!.nextHop(to);
  return hop === null ? 'none' : formatIpv6Address(hop);
}

const addresses = (link: Ipv6TestLink): number => link.stack.addresses().length;
const route = (more: Partial<Extract<NdpOption, { kind: 'route' }>>): NdpOption => ({
  kind: 'route',
  prefixBits: 48,
  preference: 0,
  lifetimeSeconds: 1_800,
  prefix: ip6('2001:db8:ffff::'),
  ...more,
});

test('advertised › an address, a router, and no more questions', () => {
  const link = started();
  link.advertise();
  assert.match(link.stack.addresses()[1]!, /^2001:db8:0:1:[0-9a-f:]+\/64$/);
  assert.equal(hopTo(link), 'fe80::1');
  assert.equal(hopTo(link, ip6('2001:db8:0:1::9')), '2001:db8:0:1::9', 'on the link');
  link.wait(2_000);
  link.takeNdp();
  link.wait(600_000);
  assert.deepEqual(link.takeNdp(), []);
});

test('the same secret, prefix and link address › the same address after every boot', () => {
  const boot = (secret: Uint8Array | null) => {
    const link = new Ipv6TestLink().start({ secret });
    link.advertise();
    return link.stack.addresses();
  };
  const secret = new Uint8Array(16).fill(9);
  assert.deepEqual(boot(secret), boot(secret));
  assert.notDeepEqual(boot(secret), boot(new Uint8Array(16).fill(8)));
  const link = started();
  link.advertise({ options: [prefixOption(), prefixOption({ prefix: ip6('2001:db8:0:2::') })] });
  const [, a, b] = link.stack.addresses().map((text) => text.split(':').slice(4).join(':'));
  assert.notEqual(a, b, 'another network, another identifier');
});

const useless: readonly [string, Partial<Extract<NdpOption, { kind: 'prefix' }>>][] = [
  ['not autonomous', { isAutonomous: false }],
  ['not of 64 bits', { prefixBits: 63, prefix: ip6('2001:db8:0:2::') }],
  ['link-local', { prefix: ip6('fe80::') }],
  ['of a group', { prefix: ip6('ff05::') }],
  ['preferred for longer than valid', { preferredSeconds: 100, validSeconds: 99 }],
  ['not valid any more', { preferredSeconds: 0, validSeconds: 0 }],
];
for (const [name, option] of useless) {
  test(`advertised › a prefix ${name} › no address`, () => {
    const link = started();
    link.advertise({ options: [prefixOption(option)] });
    assert.equal(addresses(link), 1);
  });
}

test('a prefix that isn’t on the link › an address, but its hosts are reached by the router', () => {
  const link = started();
  link.advertise({ options: [prefixOption({ isOnLink: false })] });
  assert.equal(addresses(link), 2);
  assert.equal(hopTo(link, ip6('2001:db8:0:1::9')), 'fe80::1');
});

test('lifetimes › deprecated, then gone, with its prefix and the router', () => {
  const link = started();
  link.advertise({
    lifetimeSeconds: 300,
    options: [prefixOption({ preferredSeconds: 100, validSeconds: 200 })],
  });
  const source = () => link.stack.ipv6!.sourceAndAge(REMOTE);
  assert.equal(source()?.isDeprecated, false);
  link.wait(101_000);
  assert.equal(source()?.isDeprecated, true);
  link.wait(100_000);
  assert.equal(addresses(link), 1);
  assert.equal(hopTo(link, ip6('2001:db8:0:1::9')), 'fe80::1');
  link.takeNdp();
  link.wait(100_000);
  assert.equal(hopTo(link), 'none');
  assert.ok(
    link.takeNdp().some((line) => line.includes('router solicitation')),
    'asks again',
  );
});

test('infinite lifetimes › never end', () => {
  const link = started();
  const forever = 0xffffffff;
  link.advertise({
    options: [prefixOption({ preferredSeconds: forever, validSeconds: forever })],
  });
  link.wait(40 * 86_400_000);
  assert.equal(addresses(link), 2);
});

test('two-hour rule › an advertisement can’t end an address that is in use', () => {
  const link = started();
  const validFor = (seconds: number, preferredSeconds = Math.min(seconds, 10)): void =>
    link.advertise({ options: [prefixOption({ validSeconds: seconds, preferredSeconds })] });
  validFor(86_400);
  validFor(0);
  link.wait(7_190_000);
  assert.equal(addresses(link), 2, 'two hours, not less');
  validFor(5);
  link.wait(11_000);
  assert.equal(addresses(link), 1, 'less than two hours were left, and stay');
  validFor(100);
  validFor(8_000);
  link.wait(7_990_000);
  assert.equal(addresses(link), 2, 'longer is believed');
  link.wait(11_000);
  assert.equal(addresses(link), 1);
});

test('parameters › hop limit, times and MTU are taken when sane, else ignored', () => {
  const link = started();
  link.advertise({
    hopLimit: 17,
    options: [prefixOption(), { kind: 'mtu', mtuBytes: 1_400 }, link.linkAddress()],
  });
  assert.equal(link.stack.ip.route(REMOTE)?.mtuBytes, 1_400);
  link.takeIpv6();
  link.sendIcmpv6({}, { source: REMOTE, destination: link.global });
  assert.equal(link.takeIpv6().find(({ icmp }) => icmp?.type === 129)?.ip.hopLimit, 17);
  for (const mtuBytes of [0, 1_279, 1_501, 0xffffffff]) {
    link.advertise({ options: [{ kind: 'mtu', mtuBytes }] });
    assert.equal(link.stack.ip.route(REMOTE)?.mtuBytes, 1_400);
  }
  link.advertise({ options: [{ kind: 'mtu', mtuBytes: 1_280 }] });
  assert.equal(link.stack.ip.route(REMOTE)?.mtuBytes, 1_280);
  link.advertise({ retransmitMillis: 1, reachableMillis: 0xffffffff });
  link.advertise({ hopLimit: 0 });
});

test('routers › by preference; one that is silent comes last; none when all have ended', () => {
  const link = started();
  link.advertise({ preference: -1 });
  link.advertise({ preference: 1, options: [] }, { source: ROUTER_2 });
  assert.equal(hopTo(link), 'fe80::a');
  const opened = link.stack.udp.open(0, { datagram() {} });
  assert.ok(opened.ok);
  opened.value.send(Uint8Array.of(1), REMOTE, 9);
  link.wait(5_000);
  assert.equal(hopTo(link), 'fe80::1', 'the better one didn’t answer');
  link.advertise({ preference: 1, options: [] }, { source: ROUTER_2 });
  assert.equal(hopTo(link), 'fe80::a', 'it spoke');
  link.advertise({ lifetimeSeconds: 0, options: [] }, { source: ROUTER_2 });
  assert.equal(hopTo(link), 'fe80::1');
  link.advertise({ lifetimeSeconds: 0 });
  assert.equal(hopTo(link), 'none');
});

test('routes (RFC 4191) › the longest prefix, then preference; ended by lifetime 0', () => {
  const link = started();
  link.advertise({ preference: 1 });
  link.advertise({ lifetimeSeconds: 0, options: [route({})] }, { source: ROUTER_2 });
  assert.equal(hopTo(link), 'fe80::a');
  assert.equal(hopTo(link, ip6('2001:db8:fffe::1')), 'fe80::1');
  link.advertise({ options: [route({ preference: 1 })] });
  assert.equal(hopTo(link), 'fe80::1');
  link.advertise({ options: [route({ prefixBits: 56 })] }, { source: ROUTER_2 });
  assert.equal(hopTo(link), 'fe80::a', 'longer counts more than preferred');
  link.advertise(
    { options: [route({ prefixBits: 56, lifetimeSeconds: 0 })] },
    { source: ROUTER_2 },
  );
  assert.equal(hopTo(link), 'fe80::1');
  const none = { prefixBits: 0, prefix: ip6('::') };
  link.advertise({ lifetimeSeconds: 0, options: [route({ lifetimeSeconds: 0 })] });
  link.advertise({ lifetimeSeconds: 0, options: [route({ ...none, preference: 1 })] });
  assert.equal(hopTo(link, ip6('2001:db8:fffe::1')), 'fe80::1', 'a default route by an option');
});

test('DNS (RFC 8106) › servers and domains, beside DHCP’s, until they end', () => {
  const link = started();
  let told = 0;
  link.stack.onNames(() => told++);
  link.stack.configure({
    ...STATIC,
    dnsServers: [ip('10.0.2.3')],
    domain: 'example.com',
  });
  const servers = [ip6('2001:db8::53'), ip6('::'), ip6('ff02::1'), ip6('fe80::53')];
  link.advertise({
    options: [
      { kind: 'dns servers', lifetimeSeconds: 60, servers },
      { kind: 'search list', lifetimeSeconds: 30, names: ['example.com', 'lab.example.org'] },
    ],
  });
  const names = () => {
    const { servers: list, searchDomains } = link.stack.names;
    return [list.map(formatIpAddress).join(' '), searchDomains.join(' ')];
  };
  assert.deepEqual(names(), ['10.0.2.3 2001:db8::53 fe80::53', 'example.com lab.example.org']);
  assert.ok(told >= 2);
  link.wait(31_000);
  assert.deepEqual(names()[1], 'example.com');
  link.wait(31_000);
  assert.deepEqual(names()[0], '10.0.2.3');
});

test('bounds › what is over each is ignored and counted', () => {
  const many = <T>(count: number, make: (i: number) => T): T[] =>
    Array.from({ length: count }, (_, i) => make(i));
  const cases: readonly [number, (i: number) => NdpOption][] = [
    [
      onLinkPrefixesMax,
      (i) =>
        prefixOption({ isAutonomous: false, prefix: ip6(`2001:db8:${(i + 1).toString(16)}::`) }),
    ],
    [ipv6RoutesMax, (i) => route({ prefix: ip6(`2001:db8:${(i + 1).toString(16)}::`) })],
    [
      rdnssServersMax,
      (i) => ({ kind: 'dns servers', lifetimeSeconds: 9, servers: [ip6(`2001:db8::${i + 1}`)] }),
    ],
    [dnsslNamesMax, (i) => ({ kind: 'search list', lifetimeSeconds: 9, names: [`d${i}.example`] })],
  ];
  for (const [max, make] of cases) {
    const link = started();
    link.advertise({ options: many(max, make) });
    assert.equal(link.counter('raTableFull'), 0, `${max} fit`);
    link.advertise({ options: [make(max)] });
    assert.equal(link.counter('raTableFull'), 1, `${max} and one more`);
  }
  const link = started();
  link.advertise({ options: many(ndpOptionsMax, () => link.linkAddress()) });
  assert.equal(link.counter('raIgnoredOptions'), 0);
  link.advertise({ options: many(ndpOptionsMax + 1, () => link.linkAddress()) });
  assert.equal(link.counter('raIgnoredOptions'), 1);
});

test('bounds › addresses: as many as fit, the next prefix is ignored', () => {
  const link = started();
  for (let i = 1; i < ipv6AddressesMax + 2; i++) {
    const prefix = ip6(`2001:db8:${i.toString(16)}::`);
    link.advertise({ options: [prefixOption({ prefix })] });
  }
  assert.equal(addresses(link), ipv6AddressesMax);
  assert.equal(link.counter('slaacFull'), 2);
});

test('bounds › routers: the next one is ignored, unless it is preferred to one of them', () => {
  const link = started();
  for (let i = 0; i < routersMax; i++) {
    link.advertise({ options: [] }, { source: ip6(`fe80::${i + 1}`) });
  }
  assert.equal(link.counter('raTableFull'), 0);
  link.advertise({ options: [] }, { source: ip6('fe80::99') });
  assert.equal(link.stack.ipv6!.routers.isRouter(ip6('fe80::99')), false);
  link.advertise({ preference: 1, options: [] }, { source: ip6('fe80::98') });
  assert.equal(hopTo(link), 'fe80::98');
  assert.equal(link.counter('raTableFull'), 2);
});

test('fixed address › no router is asked, and none believed', () => {
  const address = ip6('2001:db8:0:1::15');
  const fixed = { address, prefixBits: 64, gateway: ROUTER };
  const link = new Ipv6TestLink().start({ fixed });
  link.wait(60_000);
  assert.ok(!link.takeNdp().some((line) => line.includes('router solicitation')));
  assert.equal(link.stack.addresses()[1], '2001:db8:0:1::15/64');
  assert.equal(hopTo(link), 'fe80::1');
  assert.equal(hopTo(link, ip6('2001:db8:0:1::9')), '2001:db8:0:1::9');
  link.advertise({}, { source: ROUTER_2 });
  assert.equal(addresses(link), 2);
  assert.equal(hopTo(link), 'fe80::1');
});

test('a device with small frames › no IPv6', () => {
  const link = new Ipv6TestLink({ mtuBytes: 1_279 });
  assert.equal(link.stack.startIpv6({ secret: null, fixed: null }), false);
  assert.ok(new Ipv6TestLink({ mtuBytes: 1_280 }).start());
});
