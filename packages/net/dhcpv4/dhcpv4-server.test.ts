import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIpv4Address, IPV4_ANY, IPV4_BROADCAST, type Ipv4Address } from '../index.ts';
import {
  dhcpClientIdentifierBytesMax,
  dhcpDeclinedHold,
  dhcpOfferHold,
  dhcpReplyBytesMin,
  dhcpServerAddressesMax,
} from '../limits.ts';
import { ip, OURS } from '../test-link.ts';
import {
  DHCPV4_ACK,
  DHCPV4_DECLINE,
  DHCPV4_DISCOVER,
  DHCPV4_INFORM,
  DHCPV4_NAK,
  DHCPV4_OFFER,
  DHCPV4_RELEASE,
  DHCPV4_REQUEST,
  type Dhcpv4Option,
  type Dhcpv4Repr,
  dhcpv4Bytes,
  dhcpv4Option,
  dhcpv4OptionBytes,
  dhcpv4OptionI32,
  dhcpv4U32,
  emitDhcpv4,
} from '../wire/index.ts';
import { Dhcpv4Server } from './dhcpv4-server.ts';
import { LeaseTable } from './lease-table.ts';
import { macOf, SERVE, ServerLink, text } from './test-server.ts';

const A = macOf(1);
const B = macOf(2);
const FIRST = ip('10.0.2.100');
const SECOND = ip('10.0.2.101');
const server: Dhcpv4Option = { code: dhcpv4Option.serverIdentifier, value: dhcpv4U32(OURS) };
const asking = (address: Ipv4Address): Dhcpv4Option => ({
  code: dhcpv4Option.requestedAddress,
  value: dhcpv4U32(address),
});
const named = (name: string): Dhcpv4Option => ({
  code: dhcpv4Option.hostName,
  value: text(name),
});
const identified = (...bytes: number[]): Dhcpv4Option => ({
  code: dhcpv4Option.clientIdentifier,
  value: Uint8Array.from(bytes),
});
const octets = (message: Dhcpv4Repr, code: number): number[] => [
  ...(dhcpv4OptionBytes(message, code) ?? []),
];

test('DISCOVER, REQUEST › OFFER and ACK to all, with all that the network has', () => {
  const x = new ServerLink();
  const [offer, ...more] = x.discover(A);
  assert(offer !== undefined && more.length === 0);
  assert.deepEqual([offer.type, offer.destination], [DHCPV4_OFFER, IPV4_BROADCAST]);
  assert.equal(offer.message.yourAddress, FIRST);
  const [ack] = x.request(A, FIRST, [named('Web')]);
  assert(ack !== undefined);
  assert.deepEqual([ack.type, ack.destination], [DHCPV4_ACK, IPV4_BROADCAST]);
  const { message } = ack;
  assert.deepEqual([message.xid, [...message.clientMac]], [0x1234567, [...A]]);
  assert.equal(dhcpv4OptionI32(message, dhcpv4Option.serverIdentifier), OURS);
  assert.equal(dhcpv4OptionI32(message, dhcpv4Option.leaseSeconds), 3_600);
  assert.equal(dhcpv4OptionI32(message, dhcpv4Option.renewSeconds), 1_800);
  assert.equal(dhcpv4OptionI32(message, dhcpv4Option.rebindSeconds), 3_150);
  assert.equal(dhcpv4OptionI32(message, dhcpv4Option.netmask), ip('255.255.255.0'));
  assert.equal(dhcpv4OptionI32(message, dhcpv4Option.router), OURS);
  assert.equal(dhcpv4OptionI32(message, dhcpv4Option.broadcast), ip('10.0.2.255'));
  assert.deepEqual(octets(message, dhcpv4Option.dnsServers), [10, 0, 2, 15, 10, 0, 2, 3]);
  assert.deepEqual(octets(message, dhcpv4Option.mtu), [5, 0x78]);
  assert.deepEqual(octets(message, dhcpv4Option.domain), [...text('internal')]);
  const search = text('\x08internal\0\x03lan\x08internal\0');
  assert.deepEqual(octets(message, dhcpv4Option.domainSearch), [...search]);
  assert.deepEqual(
    x.server.leases(),
    [{ address: '10.0.2.100', mac: '02:00:00:00:00:01', hostName: 'web', state: 'bound' }].map(
      (lease) => ({ ...lease, secondsLeft: 3_599 }),
    ),
  );
  assert.deepEqual([x.server.addressOf('WEB'), x.server.nameOf(FIRST)], [FIRST, 'web']);
  assert.equal(x.server.stationOf(FIRST), '02:00:00:00:00:01');
  assert.equal(x.server.addressOfStation('02:00:00:00:00:01'), FIRST);
  assert.equal(x.server.addressOfStation('02:00:00:00:00:02'), null);
  assert.equal(x.changes, 1);
});

test('a parameter list › only what it asks for; a client identifier › comes back (RFC 6842)', () => {
  const x = new ServerLink();
  const list = { code: dhcpv4Option.parameterList, value: Uint8Array.of(3, 1, 200) };
  const [offer] = x.discover(A, [list, identified(1, 2, 3)]);
  assert.deepEqual(
    offer?.message.options.map(({ code }) => code),
    [53, 54, 51, 58, 59, 61, 1, 3],
  );
  assert.deepEqual(octets(offer!.message, dhcpv4Option.clientIdentifier), [1, 2, 3]);
});

test('more than the client takes › the last options are left out, the reply fits', () => {
  const searchDomains = Array.from({ length: 6 }, (_, i) => `${'x'.repeat(60)}.${i}x`);
  const serve = { ...SERVE, searchDomains };
  const x = new ServerLink({ serve });
  const [offer] = x.discover(A);
  assert(offer !== undefined && dhcpv4Bytes(offer.message) <= dhcpReplyBytesMin);
  assert.equal(dhcpv4OptionBytes(offer.message, dhcpv4Option.domainSearch), null);
  assert.notEqual(dhcpv4OptionBytes(offer.message, dhcpv4Option.domain), null);
  const large = { code: dhcpv4Option.messageBytesMax, value: Uint8Array.of(5, 220) };
  const [larger] = x.discover(A, [large]);
  assert.equal(dhcpv4OptionBytes(larger!.message, dhcpv4Option.domainSearch)?.length, 6 * 65);
  const small = { code: dhcpv4Option.messageBytesMax, value: Uint8Array.of(0, 10) };
  assert.equal(x.discover(A, [small]).length, 1, 'less than 576 is nobody');
});

test('a client that comes back › its own address, by identifier or by station', () => {
  const x = new ServerLink();
  assert.equal(x.bind(A, [identified(9, 9)]), FIRST);
  assert.equal(x.bind(B), SECOND);
  assert.equal(x.bind(macOf(3), [identified(9, 9)]), FIRST, 'another station, the same client');
  assert.equal(x.discover(A)[0]?.message.yourAddress, ip('10.0.2.102'), 'another client');
  x.link.wait(3_700_000);
  assert.equal(x.discover(macOf(4))[0]?.message.yourAddress, ip('10.0.2.103'));
  assert.equal(x.bind(B), SECOND, 'an ended lease is kept in mind');
  assert.equal(x.bind(B, [identified(1, ...B)]), SECOND, 'its station is its identifier');
});

test('a wish › is granted when it is free and in the pool, else another one is offered', () => {
  const x = new ServerLink();
  assert.equal(x.discover(A, [asking(ip('10.0.2.105'))])[0]?.message.yourAddress, ip('10.0.2.105'));
  assert.equal(x.discover(B, [asking(ip('10.0.2.105'))])[0]?.message.yourAddress, FIRST);
  assert.equal(x.discover(macOf(3), [asking(OURS)])[0]?.message.yourAddress, SECOND);
  assert.equal(x.discover(macOf(4), [asking(ip('8.8.8.8'))]).length, 1);
});

test('the pool is full › silence, counted; one address ends › the longest free one is given', () => {
  const x = new ServerLink();
  for (let i = 1; i <= 10; i++) x.bind(macOf(i));
  assert.deepEqual([x.discover(macOf(11)), x.counter('dhcpServerPoolFull')], [[], 1]);
  const release = (mac: Uint8Array, address: Ipv4Address): void => {
    x.send(DHCPV4_RELEASE, mac, [server], { clientAddress: address }, OURS);
  };
  release(macOf(5), ip('10.0.2.104'));
  release(macOf(3), ip('10.0.2.102'));
  assert.equal(x.counter('dhcpServerReleases'), 2);
  assert.equal(x.bind(macOf(11)), ip('10.0.2.104'));
  assert.equal(x.bind(macOf(12)), ip('10.0.2.102'));
  assert.equal(x.discover(macOf(5)).length, 0);
});

test('an offer › is kept for a while, then anybody’s; a late REQUEST for a free one is granted', () => {
  const x = new ServerLink();
  for (let i = 1; i <= 10; i++) x.discover(macOf(i));
  assert.deepEqual(x.discover(macOf(11)), []);
  x.link.wait(dhcpOfferHold / 1_000);
  assert.equal(x.request(macOf(2), SECOND)[0]?.type, DHCPV4_ACK);
  assert.equal(x.bind(macOf(11)), FIRST);
  assert.equal(x.request(macOf(1), FIRST)[0]?.type, DHCPV4_NAK);
});

test('REQUEST for another server’s offer › ours is free again, nothing is said', () => {
  const x = new ServerLink();
  x.discover(A);
  const other = { code: dhcpv4Option.serverIdentifier, value: dhcpv4U32(ip('10.0.2.99')) };
  assert.deepEqual(x.send(DHCPV4_REQUEST, A, [asking(ip('10.0.2.50')), other]), []);
  assert.deepEqual([x.counter('dhcpServerIgnored'), x.server.leases()[0]?.state], [1, 'ended']);
  x.bind(A);
  assert.deepEqual(x.send(DHCPV4_REQUEST, A, [asking(ip('10.0.2.50')), other]), []);
  assert.equal(x.server.leases()[0]?.state, 'bound', 'a lease isn’t given up by it');
});

test('renewal › to the client itself, extended; rebinding and rebooting too', () => {
  const x = new ServerLink();
  x.bind(A);
  x.link.wait(1_800_000);
  const [ack] = x.send(DHCPV4_REQUEST, A, [], { clientAddress: FIRST }, OURS);
  assert.deepEqual([ack?.type, ack?.destination], [DHCPV4_ACK, FIRST]);
  assert.deepEqual([ack?.message.clientAddress, ack?.message.yourAddress], [FIRST, FIRST]);
  assert(x.server.leases()[0]!.secondsLeft >= 3_599);
  const [again] = x.send(DHCPV4_REQUEST, A, [], { clientAddress: FIRST });
  assert.deepEqual([again?.type, again?.destination], [DHCPV4_ACK, FIRST]);
  const [rebooted] = x.send(DHCPV4_REQUEST, A, [asking(FIRST)]);
  assert.deepEqual([rebooted?.type, rebooted?.destination], [DHCPV4_ACK, IPV4_BROADCAST]);
});

test('a server that was started anew › lets clients go on; refuses what can’t be', () => {
  const x = new ServerLink();
  const going = { clientAddress: ip('10.0.2.107') };
  assert.equal(x.send(DHCPV4_REQUEST, A, [], going, OURS)[0]?.type, DHCPV4_ACK);
  const naks: [Uint8Array, Ipv4Address][] = [
    [B, ip('10.0.2.107')],
    [B, ip('10.0.2.50')],
    [B, ip('192.168.1.5')],
    [B, OURS],
    [A, FIRST],
  ];
  for (const [mac, address] of naks) {
    const [nak, ...more] = x.send(DHCPV4_REQUEST, mac, [asking(address)]);
    assert(nak !== undefined && more.length === 0);
    assert.deepEqual([nak.type, nak.destination], [DHCPV4_NAK, IPV4_BROADCAST]);
    assert.equal(nak.message.yourAddress, IPV4_ANY);
    assert.deepEqual(
      nak.message.options.map(({ code }) => code),
      [53, 54],
    );
  }
  assert.equal(x.counter('dhcpServerNaks'), naks.length);
});

test('a lease › ends by itself: name and address are free', () => {
  const x = new ServerLink();
  x.bind(A, [named('web'), { code: dhcpv4Option.leaseSeconds, value: dhcpv4U32(60) }]);
  x.link.wait(59_900);
  assert.equal(x.server.addressOf('web'), FIRST);
  x.link.wait(200);
  assert.deepEqual([x.server.addressOf('web'), x.server.nameOf(FIRST)], [null, null]);
  const station = '02:00:00:00:00:01';
  assert.deepEqual([x.server.addressOfStation(station), x.server.stationOf(FIRST)], [null, null]);
  assert.deepEqual(x.server.leases()[0], {
    ...{ address: '10.0.2.100', mac: '02:00:00:00:00:01', hostName: null },
    ...{ state: 'ended', secondsLeft: 0 },
  });
});

test('a lease time › as asked for, within 10 s and what we give; without end is not to be had', () => {
  const x = new ServerLink();
  const given = [1, 60, 7_200, -1].map((seconds) => {
    const [offer] = x.discover(A, [{ code: dhcpv4Option.leaseSeconds, value: dhcpv4U32(seconds) }]);
    return dhcpv4OptionI32(offer!.message, dhcpv4Option.leaseSeconds);
  });
  assert.deepEqual(given, [10, 60, 3_600, 3_600]);
});

test('DECLINE › the address is nobody’s for ten minutes, its client gets another one', () => {
  const x = new ServerLink();
  x.bind(A);
  x.send(DHCPV4_DECLINE, A, [server, asking(FIRST)]);
  assert.deepEqual([x.counter('dhcpServerDeclines'), x.server.leases()[0]?.state], [1, 'declined']);
  assert.equal(x.server.stationOf(FIRST), null);
  assert.equal(x.bind(A), SECOND);
  assert.equal(x.send(DHCPV4_REQUEST, B, [asking(FIRST)])[0]?.type, DHCPV4_NAK);
  const C = macOf(3);
  const [renewed] = x.send(DHCPV4_REQUEST, C, [], { clientAddress: FIRST }, OURS);
  assert.equal(renewed?.type, DHCPV4_ACK, 'the one that was found to have it');
  x.send(DHCPV4_DECLINE, C, [server, asking(FIRST)]);
  x.link.wait(dhcpDeclinedHold / 1_000);
  assert.equal(x.send(DHCPV4_REQUEST, B, [asking(FIRST)])[0]?.type, DHCPV4_ACK);
});

test('DECLINE and RELEASE of what isn’t the sender’s › ignored', () => {
  const x = new ServerLink();
  x.bind(A);
  x.bind(B);
  const other = { code: dhcpv4Option.serverIdentifier, value: dhcpv4U32(ip('10.0.2.99')) };
  x.send(DHCPV4_DECLINE, B, [server, asking(FIRST)]);
  x.send(DHCPV4_DECLINE, A, [server]);
  x.send(DHCPV4_DECLINE, A, [other, asking(FIRST)]);
  x.send(DHCPV4_RELEASE, B, [server], { clientAddress: FIRST }, OURS);
  x.send(DHCPV4_RELEASE, A, [], { clientAddress: FIRST }, OURS);
  x.send(DHCPV4_RELEASE, macOf(9), [server], { clientAddress: FIRST }, OURS);
  assert.equal(x.counter('dhcpServerIgnored'), 6);
  assert.deepEqual(
    x.server.leases().map(({ state }) => state),
    ['bound', 'bound'],
  );
});

test('INFORM › everything but a lease, to the sender; from elsewhere › ignored', () => {
  const x = new ServerLink();
  const [ack] = x.send(DHCPV4_INFORM, A, [], { clientAddress: ip('10.0.2.7') }, OURS);
  assert.deepEqual([ack?.type, ack?.destination], [DHCPV4_ACK, ip('10.0.2.7')]);
  assert.equal(ack?.message.yourAddress, IPV4_ANY);
  assert.equal(dhcpv4OptionI32(ack!.message, dhcpv4Option.leaseSeconds), null);
  assert.equal(dhcpv4OptionI32(ack!.message, dhcpv4Option.router), OURS);
  assert.deepEqual(x.send(DHCPV4_INFORM, A, [], { clientAddress: ip('192.0.2.7') }, OURS), []);
  assert.deepEqual(x.send(DHCPV4_INFORM, A), []);
  assert.deepEqual([x.counter('dhcpServerInforms'), x.server.leases()], [1, []]);
});

test('fixed leases › by station whatever the identifier, in no other hands, with their name', () => {
  const fixed = [
    { mac: A, address: FIRST, hostName: 'db' },
    { mac: B, address: ip('10.0.2.7') },
  ];
  const x = new ServerLink({ fixed, reserved: [SECOND] });
  assert.equal(x.discover(macOf(3), [asking(FIRST)])[0]?.message.yourAddress, ip('10.0.2.102'));
  assert.equal(x.bind(A, [identified(1, 1), named('other')]), FIRST);
  assert.equal(x.bind(A, [identified(2, 2)]), FIRST, 'a boot loader, then its system');
  assert.equal(x.bind(B, [named('seven')]), ip('10.0.2.7'));
  assert.equal(x.server.addressOf('other'), null);
  assert.equal(x.server.addressOf('db'), FIRST);
  assert.equal(x.server.addressOf('seven'), ip('10.0.2.7'));
  assert.equal(x.send(DHCPV4_REQUEST, A, [asking(ip('10.0.2.103'))])[0]?.type, DHCPV4_NAK);
});

test('host names › the first label in lower case; what none is, is counted; the last taker has it', () => {
  const x = new ServerLink();
  const nameAfter = (name: string): string | null => {
    x.bind(A, [named(name)]);
    return x.server.nameOf(FIRST);
  };
  assert.equal(nameAfter('Web-1.example.org'), 'web-1');
  assert.equal(nameAfter('web\0'), 'web');
  for (const bad of ['-x', 'a b', 'x'.repeat(64), '12', '', 'é', '..']) {
    assert.equal(nameAfter(bad), null, bad);
  }
  assert.equal(x.counter('dhcpServerBadNames'), 6 * 1);
  nameAfter('web');
  x.bind(B, [named('WEB')]);
  assert.deepEqual([x.server.addressOf('web'), x.server.nameOf(FIRST)], [SECOND, null]);
  x.send(DHCPV4_RELEASE, A, [server], { clientAddress: FIRST }, OURS);
  assert.equal(x.server.addressOf('web'), SECOND);
});

test('names of fixed leases, and reserved ones › nobody else’s, whoever comes first', () => {
  const fixed = [{ mac: A, address: FIRST, hostName: 'DB' }];
  const x = new ServerLink({ fixed, reservedNames: ['localhost', 'Gateway'] });
  const other = x.bind(B, [named('db')]);
  assert.deepEqual([x.server.addressOf('db'), x.server.nameOf(other)], [null, null]);
  x.bind(A);
  assert.deepEqual([x.server.addressOf('Db'), x.server.nameOf(FIRST)], [FIRST, 'db']);
  x.bind(B, [named('web')]);
  for (const name of ['db', 'LOCALHOST', 'gateway.lan']) {
    x.bind(B, [named(name)]);
    assert.equal(x.server.nameOf(other), null, name);
  }
  assert.deepEqual([x.server.addressOf('db'), x.counter('dhcpServerTakenNames')], [FIRST, 4]);
  assert.deepEqual([x.server.addressOf('localhost'), x.server.addressOf('web')], [null, null]);
  const twice = { mac: B, address: SECOND, hostName: 'db' };
  assert.throws(() => new ServerLink({ fixed: [...fixed, twice] }));
});

test('RELEASE, REQUEST from another address than they name › ignored', () => {
  const x = new ServerLink();
  x.bind(A, [named('web')]);
  x.bind(B);
  const from = (source: Ipv4Address, type: number): unknown => {
    const to = source === IPV4_ANY ? IPV4_BROADCAST : OURS;
    return x.send(type, A, [server], { clientAddress: FIRST }, to, 68, source);
  };
  for (const source of [SECOND, IPV4_ANY, ip('10.0.2.7')]) from(source, DHCPV4_RELEASE);
  assert.deepEqual(from(SECOND, DHCPV4_REQUEST), []);
  assert.deepEqual([x.counter('dhcpServerReleases'), x.server.addressOf('web')], [0, FIRST]);
  assert.equal(x.counter('dhcpServerIgnored'), 4);
  from(FIRST, DHCPV4_RELEASE);
  assert.deepEqual([x.counter('dhcpServerReleases'), x.server.addressOf('web')], [1, null]);
});

test('what is kept in mind of fixed and declined addresses › isn’t given to others', () => {
  const fixed = [{ mac: A, address: FIRST }];
  const pool = { first: FIRST, last: SECOND };
  const x = new ServerLink({ fixed, pool });
  x.bind(A);
  x.send(DHCPV4_RELEASE, A, [server], { clientAddress: FIRST }, OURS);
  x.bind(B);
  assert.deepEqual(x.discover(macOf(3)), [], 'a fixed one that is free is free for one alone');
  const y = new ServerLink();
  y.bind(A);
  y.send(DHCPV4_DECLINE, A, [server, asking(FIRST)]);
  assert.equal(y.send(DHCPV4_REQUEST, A, [asking(FIRST)])[0]?.type, DHCPV4_NAK);
});

test('what makes no sense › counted, and nothing said', () => {
  const x = new ServerLink();
  assert.deepEqual(x.sendBytes(new Uint8Array(300)), []);
  assert.deepEqual(x.sendBytes(Uint8Array.of(1)), []);
  assert.deepEqual(x.send(DHCPV4_DISCOVER, A, [], { operation: 2 }), []);
  assert.deepEqual(x.discover(new Uint8Array(6)), []);
  assert.deepEqual(x.discover(Uint8Array.of(1, 0, 0x5e, 0, 0, 1)), []);
  assert.deepEqual(x.discover(A, [identified(1)]), []);
  const long = { code: dhcpv4Option.clientIdentifier, value: new Uint8Array(256).fill(7) };
  assert.equal(long.value.length, dhcpClientIdentifierBytesMax + 1);
  assert.deepEqual(x.discover(A, [long]), []);
  assert.equal(x.counter('dhcpServerMalformed'), 7);
  assert.deepEqual(x.send(DHCPV4_DISCOVER, A, [], { relayAddress: ip('10.0.9.1') }), []);
  assert.equal(x.counter('dhcpServerRelayed'), 1);
  for (const type of [null, 0, DHCPV4_OFFER, DHCPV4_ACK, DHCPV4_NAK, 9]) x.send(type, A);
  x.send(DHCPV4_REQUEST, A);
  x.send(DHCPV4_DISCOVER, A, [], {}, IPV4_BROADCAST, 1068);
  assert.deepEqual([x.replies(), x.counter('dhcpServerIgnored')], [[], 8]);
  assert.deepEqual(x.server.leases(), []);
  const longest = { ...long, value: new Uint8Array(255).fill(7) };
  assert.equal(x.discover(A, [longest]).length, 1);
});

test('any bytes › never a throw; what is well-formed and what isn’t is counted', () => {
  const x = new ServerLink();
  const { random } = x.link.world;
  const options = [server, asking(FIRST), named('web'), identified(1, 2, 3)];
  const repr = x.discover(A, options)[0]!.message;
  for (let i = 0; i < 3_000; i++) {
    const bytes = new Uint8Array(dhcpv4Bytes(repr));
    emitDhcpv4(bytes, { ...repr, operation: 1, yourAddress: IPV4_ANY });
    bytes[242] = 1 + random.below(8);
    for (let change = random.below(4); change > 0; change--) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
    x.sendBytes(bytes.subarray(0, random.below(5) === 0 ? random.below(bytes.length) : undefined));
  }
  const { counters } = x.server;
  assert(counters.dhcpServerMalformed > 300 && counters.dhcpServerOffers > 100);
});

test('stop › silence; start again › all leases are still there', () => {
  const x = new ServerLink();
  x.bind(A);
  x.server.stop();
  assert.deepEqual(x.discover(B), []);
  assert(x.server.start());
  assert.deepEqual([x.bind(B), x.bind(A, [named('web')])], [SECOND, FIRST]);
  x.server.stop();
  x.link.wait(3_600_000);
  assert.deepEqual([x.server.nameOf(FIRST), x.server.addressOf('web')], [null, null], 'it is over');
});

test('settings › a pool of 1024 is the largest, and lies in the prefix without its ends', () => {
  const x = new ServerLink();
  const { udp } = x.link.stack;
  const make = (first: string, last: string, prefixBits = 16): Dhcpv4Server =>
    new Dhcpv4Server({
      ...{ udp, timers: x.link.world.timers, logger: x.logger },
      serve: { ...SERVE, prefixBits },
      pool: { first: ip(first), last: ip(last) },
    });
  assert.equal(dhcpServerAddressesMax, 1_024);
  make('10.0.4.0', '10.0.7.255');
  const wrong: [string, string, number?][] = [
    ['10.0.4.0', '10.0.8.0'],
    ['10.0.2.2', '10.0.2.1'],
    ['10.0.2.0', '10.0.2.9', 24],
    ['10.0.2.250', '10.0.2.255', 24],
    ['10.1.0.1', '10.1.0.9'],
  ];
  for (const [first, last, bits] of wrong) assert.throws(() => make(first, last, bits), first);
  const twice = { mac: A, address: ip('10.0.2.7') };
  assert.throws(() => new LeaseTable({ first: FIRST, last: FIRST }, [twice, twice], []));
});

test('any order of messages from many clients › no address is two clients’, nothing leaks', () => {
  const x = new ServerLink();
  const { random } = x.link.world;
  const types = [DHCPV4_DISCOVER, DHCPV4_REQUEST, DHCPV4_REQUEST, DHCPV4_RELEASE, DHCPV4_DECLINE];
  /** Who was last told that an address is its, and until when. */
  const granted = new Map<Ipv4Address, { readonly client: number; readonly until: number }>();
  for (let i = 0; i < 2_000; i++) {
    const client = 1 + random.below(20);
    const address = (FIRST + random.below(11)) as Ipv4Address;
    const type = random.pick(types);
    const isAddressed = type === DHCPV4_RELEASE || random.below(3) === 0;
    const options = [asking(address), named(`h${random.below(6)}`)];
    if (random.below(2) === 0 || type !== DHCPV4_REQUEST) options.push(server);
    const change = isAddressed ? { clientAddress: address } : {};
    const [reply] = x.send(type, macOf(client), options, change);
    const now = x.link.world.timers.now / 1e6;
    if (type === DHCPV4_RELEASE || type === DHCPV4_DECLINE) {
      if (granted.get(address)?.client === client) granted.delete(address);
    }
    if (reply !== undefined && reply.type !== DHCPV4_NAK) {
      const { yourAddress } = reply.message;
      const holder = granted.get(yourAddress);
      const isFree = holder === undefined || holder.client === client || holder.until <= now;
      assert(isFree, `${formatIpv4Address(yourAddress)} at ${i}`);
      if (reply.type === DHCPV4_ACK) granted.set(yourAddress, { client, until: now + 3_600 });
    }
    x.link.wait(random.below(60_000));
  }
  assert(x.counter('dhcpServerAcks') > 50 && x.counter('dhcpServerNaks') > 50);
  assert(x.server.leases().length <= 10);
});
