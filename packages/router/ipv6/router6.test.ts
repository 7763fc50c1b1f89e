/** RFC 6092 and RFC 4890, by recommendation. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readU16be, writeU16be } from '#core';
import type { Ipv6Repr } from '#net/wire';
import { natSessionsMin } from '../limits.ts';
import { formatRule, parseRules } from './rules.ts';
import {
  GATEWAY6,
  HOST6,
  INSIDE6,
  icmp6,
  ip6,
  OTHER6,
  OUTSIDE6,
  packet6,
  REMOTE6,
  REMOTE6B,
  seenIcmp6,
  TestNetwork6,
  tcp6,
  udp6,
} from './test-network6.ts';

const SYN = 0x02;
const SYN_ACK = 0x12;
const ACK = 0x10;
const RST = 0x04;
const FIN = 0x11;

const rulesOf = (text: string) => {
  const parsed = parseRules(text);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return { rules: parsed.value };
};

test('UDP from inside › forwarded as it is, one hop less; the answer comes back', () => {
  const network = new TestNetwork6();
  const sent = udp6(HOST6, 5000, REMOTE6, 53);
  const [seen] = network.out6(sent);
  assert.deepEqual([seen?.hopLimit, seen?.payload], [63, sent.payload]);
  assert.ok(seen?.source.equals(HOST6));
  assert.equal(network.in6(udp6(REMOTE6, 53, HOST6, 5000)).length, 1);
  assert.equal(network.counter6('flows'), 1);
});

test('ping and the router itself › answered', () => {
  const network = new TestNetwork6();
  assert.equal(network.out6(icmp6(HOST6, REMOTE6, {})).length, 1);
  assert.equal(seenIcmp6(network.in6(icmp6(REMOTE6, HOST6, { type: 129 }))[0]).type, 129);
  network.out6(icmp6(HOST6, INSIDE6, {}));
  assert.equal(seenIcmp6(network.heardInside[0]).type, 129);
  network.in6(icmp6(REMOTE6, OUTSIDE6, {}));
  assert.equal(seenIcmp6(network.heardOutside[0]).type, 129);
});

test('from outside, not asked for › dropped without a word', () => {
  const network = new TestNetwork6();
  network.out6(udp6(HOST6, 5000, REMOTE6, 53));
  const strangers = [
    udp6(REMOTE6, 54, HOST6, 5000),
    udp6(REMOTE6B, 53, HOST6, 5000),
    udp6(REMOTE6, 53, HOST6, 5001),
    udp6(REMOTE6, 53, OTHER6, 5000),
    icmp6(REMOTE6, HOST6, {}),
    tcp6(REMOTE6, 80, HOST6, 5000, ACK),
  ];
  for (const repr of strangers) assert.deepEqual(network.in6(repr), []);
  assert.equal(network.counter6('dropFiltered'), strangers.length);
  assert.deepEqual(network.heardOutside, []);
});

test('an unsolicited SYN › prohibited, after six seconds; asked for meanwhile › not', () => {
  const network = new TestNetwork6();
  network.in6(tcp6(REMOTE6, 80, HOST6, 5000, SYN));
  network.in6(tcp6(REMOTE6B, 80, HOST6, 5000, SYN));
  network.out6(tcp6(HOST6, 5000, REMOTE6B, 80, SYN));
  network.wait(5_900);
  assert.deepEqual(network.heardOutside.splice(0), []);
  network.wait(200);
  const [error, ...more] = network.heardOutside;
  assert.deepEqual([seenIcmp6(error).type, seenIcmp6(error).code, more.length], [1, 1, 0]);
  assert.ok(error?.destination.equals(REMOTE6));
});

test('rules › let in what they name, and answers out', () => {
  const network = new TestNetwork6(
    rulesOf('tcp:[2001:db8:7::10]:80-81,udp:*:53,ping:[2001:db8:7::10]'),
  );
  assert.equal(network.in6(tcp6(REMOTE6, 999, HOST6, 80, SYN)).length, 1);
  assert.equal(network.out6(tcp6(HOST6, 80, REMOTE6, 999, SYN_ACK)).length, 1);
  assert.equal(network.in6(tcp6(REMOTE6, 999, HOST6, 81, SYN)).length, 1);
  assert.equal(network.in6(udp6(REMOTE6, 999, OTHER6, 53)).length, 1);
  assert.equal(network.in6(icmp6(REMOTE6, HOST6, {})).length, 1);
  assert.equal(network.out6(icmp6(HOST6, REMOTE6, { type: 129 })).length, 1);
  for (const repr of [
    tcp6(REMOTE6, 998, HOST6, 80, ACK),
    tcp6(REMOTE6, 998, HOST6, 82, SYN),
    tcp6(REMOTE6, 998, OTHER6, 80, SYN),
    udp6(REMOTE6, 998, OTHER6, 54),
    icmp6(REMOTE6, OTHER6, {}),
  ]) {
    assert.deepEqual(network.in6(repr), []);
  }
});

test('rules › a SYN, answered › established only when its sender saw the answer', () => {
  const network = new TestNetwork6(rulesOf('tcp:[2001:db8:7::10]:80'));
  const isEstablished = () => network.router6.tables(9).flows[0]?.isEstablished;
  network.in6(tcp6(REMOTE6, 999, HOST6, 80, SYN));
  network.out6(tcp6(HOST6, 80, REMOTE6, 999, SYN_ACK));
  for (const [ack, is] of [
    [0, false],
    [1, false],
    [2, true],
  ] as const) {
    assert.equal(network.in6(tcp6(REMOTE6, 999, HOST6, 80, ACK, ack)).length, 1);
    assert.equal(isEstablished(), is);
  }
});

test("a forged source that is the router's › dropped, on both sides", () => {
  const network = new TestNetwork6(rulesOf('udp:*:53'));
  assert.deepEqual(network.out6(udp6(INSIDE6, 5000, REMOTE6, 53)), []);
  assert.deepEqual(network.in6(udp6(OUTSIDE6, 5000, HOST6, 53)), []);
  assert.equal(network.counter6('dropMartian'), 2);
  assert.equal(network.counter6('flows'), 0);
});

test('rules as text › read and written; mistakes are told', () => {
  const texts = ['tcp:[2001:db8::1]:80-90', 'udp:*:53', 'ping:*', 'ping:[2001:db8::1]'];
  const parsed = parseRules(texts.join());
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value.map(formatRule), texts);
  assert.deepEqual(parseRules(''), { ok: true, value: [] });
  const wrong = [
    ...['tcp:*', 'tcp:*:0', 'tcp:*:9-5', 'tcp:*:65536', 'sctp:*:1', 'ping:*:1', 'tcp:[x]:1', ','],
    ...['tcp:2001:db8::1:80', 'tcp:[ff02::1]:80', 'tcp:[10.0.0.1]:80'],
  ];
  for (const text of wrong) assert.ok(!parseRules(text).ok, text);
  const many = (count: number) => Array.from({ length: count }, () => 'ping:*').join();
  assert.ok(parseRules(many(256)).ok && !parseRules(many(257)).ok);
});

test('TCP › open for two hours and four minutes; closed, for four minutes', () => {
  const network = new TestNetwork6();
  network.out6(tcp6(HOST6, 5000, REMOTE6, 80, SYN));
  network.in6(tcp6(REMOTE6, 80, HOST6, 5000, SYN_ACK));
  network.wait(7_430_000);
  assert.equal(network.in6(tcp6(REMOTE6, 80, HOST6, 5000, ACK)).length, 1);
  network.out6(tcp6(HOST6, 5000, REMOTE6, 80, FIN));
  network.in6(tcp6(REMOTE6, 80, HOST6, 5000, FIN));
  network.wait(241_000);
  assert.equal(network.counter6('flows'), 0);
  assert.deepEqual(network.out6(tcp6(HOST6, 5000, REMOTE6, 80, RST)), []);
});

test('UDP › five minutes after the last packet from inside › closed', () => {
  const network = new TestNetwork6();
  network.out6(udp6(HOST6, 5000, REMOTE6, 53));
  network.wait(200_000);
  assert.equal(network.in6(udp6(REMOTE6, 53, HOST6, 5000)).length, 1);
  network.wait(101_000);
  assert.deepEqual(network.in6(udp6(REMOTE6, 53, HOST6, 5000)), []);
});

test('hop limit of 1 › time exceeded, both ways', () => {
  const network = new TestNetwork6();
  assert.deepEqual(network.out6({ ...udp6(HOST6, 5000, REMOTE6, 53), hopLimit: 1 }), []);
  const [error] = network.heardInside.splice(0);
  assert.deepEqual([seenIcmp6(error).type, seenIcmp6(error).code], [3, 0]);
  assert.ok(error?.source.equals(INSIDE6));
  network.out6(udp6(HOST6, 5000, REMOTE6, 53));
  network.in6({ ...udp6(REMOTE6, 53, HOST6, 5000), hopLimit: 1 });
  assert.equal(seenIcmp6(network.heardOutside[0]).type, 3);
});

test('too big for the outside › told so, with its MTU', () => {
  const network = new TestNetwork6({ rules: [] }, { mtuBytes: 1_300 });
  network.out6(udp6(HOST6, 5000, REMOTE6, 53, new Uint8Array(1_400)));
  const error = seenIcmp6(network.heardInside[0]);
  assert.deepEqual([error.type, error.word], [2, 1_300]);
  assert.equal(network.counter6('dropTooLarge'), 1);
});

test('errors about flows › pass, both ways; about others › not', () => {
  const network = new TestNetwork6();
  const sent = udp6(HOST6, 5000, REMOTE6, 53);
  network.out6(sent);
  const about = (body: Uint8Array) => ({ type: 2, word: 1_280, body });
  const error = icmp6(GATEWAY6, HOST6, about(packet6(sent)));
  assert.equal(seenIcmp6(network.in6(error)[0]).word, 1_280);
  const [answer] = network.in6(udp6(REMOTE6, 53, HOST6, 5000));
  assert.equal(network.out6(icmp6(HOST6, REMOTE6, about(packet6(answer!)))).length, 1);
  const pinged = icmp6(HOST6, REMOTE6, {});
  network.out6(pinged);
  assert.equal(network.in6(icmp6(GATEWAY6, HOST6, about(packet6(pinged)))).length, 1);
  const strays = [
    packet6(udp6(HOST6, 5001, REMOTE6, 53)),
    packet6(udp6(OTHER6, 5000, REMOTE6, 53)),
    packet6(sent).subarray(0, 47),
    new Uint8Array(0),
    packet6(icmp6(HOST6, REMOTE6, { word: 0x80001 })),
  ];
  for (const body of strays) {
    assert.deepEqual(network.in6(icmp6(GATEWAY6, HOST6, about(body))), []);
  }
  assert.deepEqual(network.in6(icmp6(GATEWAY6, OTHER6, about(packet6(sent)))), []);
  assert.equal(network.counter6('dropIcmp'), strays.length + 1);
});

test('messages of the link › stay on it', () => {
  const network = new TestNetwork6();
  for (const type of [129, 130, 133, 134, 135, 136, 137, 143, 200]) {
    assert.deepEqual(network.out6(icmp6(HOST6, REMOTE6, { type })), [], `${type}`);
    assert.deepEqual(network.in6(icmp6(REMOTE6, HOST6, { type })), [], `${type}`);
  }
});

test('addresses of a link, nobody, ourselves, others › not forwarded', () => {
  const network = new TestNetwork6();
  const wrong: Partial<Ipv6Repr>[] = [
    udp6(ip6('fe80::99'), 1, REMOTE6, 53),
    udp6(ip6('::'), 1, REMOTE6, 53),
    udp6(ip6('ff02::1'), 1, REMOTE6, 53),
    udp6(ip6('::1'), 1, REMOTE6, 53),
    udp6(ip6('2001:db8:8::1'), 1, REMOTE6, 53),
    udp6(REMOTE6, 1, REMOTE6B, 53),
  ];
  for (const repr of wrong) assert.deepEqual(network.out6(repr), []);
  assert.deepEqual(
    ['dropScope', 'dropMartian', 'dropSpoofed'].map((name) => network.counter6(name)),
    [1, 3, 2],
  );
  network.heardInside.length = 0;
  assert.deepEqual(network.in6(udp6(OTHER6, 53, HOST6, 5000)), [], "the inside's from outside");
  assert.deepEqual(network.in6(udp6(REMOTE6, 53, ip6('2001:db8:9::1'), 5000)), []);
  assert.deepEqual(network.in6(udp6(REMOTE6, 53, INSIDE6, 5000)), []);
  assert.equal(network.counter6('dropSpoofed'), 3);
  assert.equal(network.counter6('dropNotOurs'), 2);
});

test('the inside host is silent › the sender hears that it is not there', () => {
  const network = new TestNetwork6({ ...rulesOf('udp:*:53') });
  network.out6(udp6(HOST6, 5000, REMOTE6, 53));
  network.answers6 = false;
  const sent = udp6(REMOTE6, 53, ip6('2001:db8:7::77'), 53);
  network.in6(sent);
  network.wait(6_000);
  const error = seenIcmp6(network.heardOutside[0]);
  assert.deepEqual([error.type, error.code], [1, 3]);
  assert.equal(network.counter6('dropUnresolved'), 1);
});

/** A datagram in fragments of 8 * `units` bytes. */
function fragments(whole: ReturnType<typeof udp6>, units: number, id = 9): Partial<Ipv6Repr>[] {
  const pieces: Partial<Ipv6Repr>[] = [];
  for (let at = 0; at < whole.payload.length; at += 8 * units) {
    const data = whole.payload.subarray(at, at + 8 * units);
    const payload = new Uint8Array(8 + data.length);
    payload[0] = 17;
    writeU16be(payload, 2, at + (at + 8 * units < whole.payload.length ? 1 : 0));
    payload[7] = id;
    payload.set(data, 8);
    pieces.push({ ...whole, nextHeader: 44, payload });
  }
  return pieces;
}

for (const order of ['in order', 'the last first']) {
  test(`fragments, ${order} › pass with their flow; of no flow › dropped`, () => {
    const network = new TestNetwork6();
    const sort = (pieces: Partial<Ipv6Repr>[]) =>
      order === 'in order' ? pieces : pieces.reverse();
    const body = new Uint8Array(200);
    const pass = (pieces: Partial<Ipv6Repr>[], by: 'in6' | 'out6') =>
      sort(pieces).flatMap((piece) => network[by](piece)).length;
    assert.equal(pass(fragments(udp6(HOST6, 5000, REMOTE6, 53, body), 10), 'out6'), 3);
    assert.equal(pass(fragments(udp6(REMOTE6, 53, HOST6, 5000, body), 10), 'in6'), 3);
    assert.equal(network.counter6('flows'), 1);
    assert.equal(pass(fragments(udp6(REMOTE6, 54, HOST6, 5000, body), 10, 8), 'in6'), 0);
    assert.equal(network.counter6('dropFragment'), 2);
  });
}

test('extension headers › passed over; routing headers and endless chains › dropped', () => {
  const network = new TestNetwork6();
  const whole = udp6(HOST6, 5000, REMOTE6, 53);
  const chained = (headers: readonly number[][], first: number) => ({
    ...whole,
    nextHeader: first,
    payload: Uint8Array.from([...headers.flat(), ...whole.payload]),
  });
  assert.equal(network.out6(chained([[17, 0, 1, 4, 0, 0, 0, 0]], 60)).length, 1);
  assert.equal(network.in6(udp6(REMOTE6, 53, HOST6, 5000)).length, 1);
  assert.deepEqual(network.out6(chained([[17, 0, 0, 1, 0, 0, 0, 0]], 43)), []);
  assert.equal(network.counter6('dropSourceRouted'), 1);
  const endless = Array.from({ length: 12 }, () => [60, 0, 1, 4, 0, 0, 0, 0]);
  assert.deepEqual(network.out6(chained(endless, 60)), []);
  assert.deepEqual(network.out6(chained([[17, 9, 1, 4, 0, 0, 0, 0]], 60)), []);
  assert.equal(network.counter6('dropMalformed'), 2);
  assert.deepEqual(network.out6({ ...whole, payload: whole.payload.subarray(0, 7) }), []);
  assert.equal(network.counter6('dropShortTransport'), 1);
});

test('another protocol from inside › its answers come back', () => {
  const network = new TestNetwork6();
  const esp = { nextHeader: 50, payload: new Uint8Array(40) };
  assert.equal(network.out6(esp).length, 1);
  assert.equal(network.in6({ ...esp, source: REMOTE6, destination: HOST6 }).length, 1);
  assert.deepEqual(network.in6({ ...esp, source: REMOTE6B, destination: HOST6 }), []);
});

test('no firewall › everything passes that may be forwarded', () => {
  const network = new TestNetwork6(null);
  assert.equal(network.in6(udp6(REMOTE6, 53, HOST6, 5000)).length, 1);
  assert.equal(network.out6(icmp6(HOST6, REMOTE6, { type: 129 })).length, 1);
  assert.equal(network.counter6('forwardedIn'), 1);
});

test("a station's share of flows › full, one of its own goes; established ones never", () => {
  const network = new TestNetwork6({ rules: [], flowsMax: natSessionsMin });
  const share = natSessionsMin / 2;
  for (let i = 0; i < share; i++) network.out6(udp6(HOST6, 5000 + i, REMOTE6, 53));
  assert.equal(network.counter6('flowsHostEvicted'), 0);
  network.out6(udp6(ip6('2001:db8:7::99'), 5000, REMOTE6, 53));
  assert.equal(network.counter6('flowsHostEvicted'), 1, 'another address, the same station');
  assert.deepEqual(network.in6(udp6(REMOTE6, 53, HOST6, 5000)), []);
  for (let i = 0; i < share; i++) {
    network.out6(tcp6(HOST6, 5000 + i, REMOTE6, 80, SYN));
    network.in6(tcp6(REMOTE6, 80, HOST6, 5000 + i, SYN_ACK));
  }
  assert.deepEqual(network.out6(udp6(HOST6, 1, REMOTE6, 53)), []);
  assert.equal(network.counter6('flowsDropHostFull'), 1);
  assert.equal(readU16be(packet6({}), 4), 0);
});
