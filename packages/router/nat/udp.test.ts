/** RFC 4787, by requirement. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok } from '../../core/result.ts';
import { natHostShare, natSessionsMin } from '../limits.ts';
import {
  HOST,
  ip,
  OTHER,
  OUTSIDE,
  packet,
  REMOTE,
  REMOTE2,
  seenIcmp,
  seenUdp,
  TestNetwork,
  udp,
} from '../test-network.ts';
import { formatForward, parseForwards } from './forwards.ts';

const forwardsOf = (text: string) => {
  const parsed = parseForwards(text);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
};

const sentPort = (network: TestNetwork, ...args: Parameters<typeof udp>): number =>
  seenUdp(network.out(udp(...args))[0]).sourcePort;

test('REQ-1 › one inside endpoint, several remote ones › the same outside port', () => {
  const network = new TestNetwork();
  const ports = [
    sentPort(network, HOST, 5000, REMOTE, 53),
    sentPort(network, HOST, 5000, REMOTE, 54),
    sentPort(network, HOST, 5000, REMOTE2, 53),
  ];
  assert.deepEqual(ports, [5000, 5000, 5000]);
  assert.equal(network.counter('natMappings'), 1);
  assert.equal(network.counter('natSessions'), 3);
  for (const [remote, port] of [
    [REMOTE, 53],
    [REMOTE, 54],
    [REMOTE2, 53],
  ] as const) {
    assert.equal(network.in(udp(remote, port, OUTSIDE, 5000)).length, 1);
  }
});

test('REQ-3 › a port that another host has › another one of the same range', () => {
  const network = new TestNetwork();
  for (const port of [53, 1024, 40_000]) {
    assert.equal(sentPort(network, HOST, port, REMOTE, 53), port);
    const other = sentPort(network, OTHER, port, REMOTE, 53);
    assert.notEqual(other, port);
    assert.equal(other < 1024, port < 1024);
    const [answer] = network.in(udp(REMOTE, 53, OUTSIDE, other));
    assert.equal(answer?.destination, OTHER);
    assert.equal(seenUdp(answer).destinationPort, port);
  }
  assert.equal(network.counter('natPortsPreserved'), 3);
  assert.equal(network.counter('natPortsOther'), 3);
});

test('REQ-3 › a port that the router uses itself › another one', () => {
  const network = new TestNetwork();
  assert.ok(network.outsideStack.udp.open(123, { datagram() {} }).ok);
  assert.notEqual(sentPort(network, HOST, 123, REMOTE, 123), 123);
});

test('a socket of the router on a port that an inside host has already › hears others', () => {
  const network = new TestNetwork();
  network.out(udp(HOST, 5000, REMOTE, 53));
  let heard = 0;
  assert.ok(network.outsideStack.udp.open(5000, { datagram: () => heard++ }).ok);
  assert.deepEqual(network.in(udp(REMOTE2, 53, OUTSIDE, 5000)), []);
  assert.equal(network.in(udp(REMOTE, 53, OUTSIDE, 5000)).length, 1);
  assert.equal(heard, 1);
});

test('more next hops than are kept, then another route › all go the new way', () => {
  const network = new TestNetwork();
  const far = (i: number) => ip(`198.51.${100 + (i >> 8)}.${i & 255}`);
  const none = { dnsServers: [], domain: null, mtuBytes: null };
  const addresses = [{ address: OUTSIDE, prefixBits: 16 }];
  network.outsideStack.configure({ addresses, gateway: null, ...none });
  network.wait(4_000);
  for (let i = 10; i < 290; i++) network.out(udp(HOST, 5000, far(i), 53));
  network.outsideStack.configure({
    addresses: [{ address: OUTSIDE, prefixBits: 24 }],
    gateway: ip('198.51.100.1'),
    ...none,
  });
  network.wait(4_000);
  network.outside.asked.length = 0;
  for (let i = 10; i < 290; i++) {
    // The broadcast address of the new prefix is no host's.
    assert.equal(network.out(udp(HOST, 5000, far(i), 53)).length, i === 255 ? 0 : 1);
  }
  // Of the old ways none is left, though sessions remember them; .100 is on the link still.
  const strangers = network.outside.asked.filter((address) => (address & 0xff00) !== 0x6400);
  assert.deepEqual(strangers, []);
  assert.equal(network.counter('dropUnresolved'), 0);
});

test('REQ-5, REQ-6 › five minutes after the last packet from inside › gone, whatever came in', () => {
  const network = new TestNetwork();
  network.out(udp(HOST, 5000, REMOTE, 53));
  for (let i = 0; i < 2; i++) {
    network.wait(200_000);
    assert.equal(network.in(udp(REMOTE, 53, OUTSIDE, 5000)).length, 1 - i);
  }
  assert.equal(network.counter('natSessions'), 0);
  assert.equal(network.counter('natSessionsExpired'), 1);
});

test('REQ-6 › packets from inside › keep it alive', () => {
  const network = new TestNetwork();
  for (let i = 0; i < 4; i++) {
    network.out(udp(HOST, 5000, REMOTE, 53));
    network.wait(290_000);
    assert.equal(network.in(udp(REMOTE, 53, OUTSIDE, 5000)).length, 1);
  }
});

test('REQ-8 › somebody who was never sent to › filtered; another port of a known host, too', () => {
  const network = new TestNetwork();
  network.out(udp(HOST, 5000, REMOTE, 53));
  assert.deepEqual(network.in(udp(REMOTE2, 53, OUTSIDE, 5000)), []);
  assert.deepEqual(network.in(udp(REMOTE, 54, OUTSIDE, 5000)), []);
  assert.equal(network.counter('natDropFiltered'), 2);
  assert.deepEqual(network.outside.take(), [], 'nothing is said about it');
});

test('REQ-8 › endpoint-independent filtering › anybody may send, and keeps nothing alive', () => {
  const network = new TestNetwork({ nat: { filtering: 'endpoint-independent' } });
  network.out(udp(HOST, 5000, REMOTE, 53));
  network.wait(200_000);
  assert.equal(network.in(udp(REMOTE2, 99, OUTSIDE, 5000)).length, 1);
  network.wait(101_000);
  assert.deepEqual(network.in(udp(REMOTE2, 99, OUTSIDE, 5000)), []);
  assert.equal(network.counter('natMappings'), 0);
});

test('REQ-9 › two inside hosts by their outside ends › each sees the other from outside', () => {
  const network = new TestNetwork();
  network.out(udp(HOST, 5000, REMOTE, 53));
  network.out(udp(OTHER, 6000, REMOTE, 53));
  // Each must send first to be sent to, as with a remote host.
  network.out(udp(HOST, 5000, OUTSIDE, 6000, 'first'));
  assert.deepEqual(network.inside.take(), []);
  assert.equal(network.counter('dropHairpin'), 1);
  network.out(udp(OTHER, 6000, OUTSIDE, 5000, 'second'));
  const seen = seenUdp(network.inside.take()[0]);
  assert.deepEqual(
    [seen.source, seen.sourcePort, seen.destination, seen.destinationPort, seen.body],
    [OUTSIDE, 6000, HOST, 5000, 'second'],
  );
  network.out(udp(HOST, 5000, OUTSIDE, 6000, 'third'));
  assert.equal(seenUdp(network.inside.take()[0]).body, 'third');
  assert.equal(network.counter('hairpinned'), 2);
  assert.deepEqual(network.outside.take(), [], 'nothing leaves');
});

test('no checksum › none after translation either (RFC 768)', () => {
  const network = new TestNetwork();
  const sent = udp(HOST, 5000, REMOTE, 53);
  sent.payload![6] = 0;
  sent.payload![7] = 0;
  const [seen] = network.out(sent);
  assert.deepEqual(seen?.payload.subarray(6, 8), new Uint8Array(2));
});

test('a wrong checksum › stays wrong: the receiver finds it', () => {
  const network = new TestNetwork();
  const sent = udp(HOST, 5000, REMOTE, 53);
  sent.payload![9]! ^= 1;
  assert.throws(() => seenUdp(network.out(sent)[0]));
});

test('every byte of a checksum › right after translation', () => {
  const network = new TestNetwork();
  // Bodies whose sums go through all values near the ends of ones' complement.
  for (let i = 0; i < 600; i++) {
    const body = Uint8Array.of(i >> 8, i, 0xff - (i >> 8), 0xff - i, i * 7, i * 13);
    seenUdp(network.out(udp(HOST, 5000 + (i % 3), REMOTE, 53, body))[0]);
    seenUdp(network.in(udp(REMOTE, 53, OUTSIDE, 5000 + (i % 3), body))[0]);
  }
});

test('the outside address changes › all mappings go', () => {
  const network = new TestNetwork();
  network.out(udp(HOST, 5000, REMOTE, 53));
  network.outsideStack.configure({
    addresses: [{ address: ip('198.51.100.9'), prefixBits: 24 }],
    gateway: ip('198.51.100.1'),
    ...{ dnsServers: [], domain: null, mtuBytes: null },
  });
  network.wait(4_000);
  assert.equal(network.counter('natSessions'), 0);
  assert.equal(network.out(udp(HOST, 5000, REMOTE, 53)).at(-1)?.source, ip('198.51.100.9'));
});

test('no outside address › the sender hears that there is no way', () => {
  const network = new TestNetwork();
  network.outsideStack.configure(null);
  network.out(udp(HOST, 5000, REMOTE, 53));
  assert.deepEqual([3, 0], [seenIcmp(network.inside.take()[0]).type, 0]);
  assert.equal(network.counter('dropNoRoute'), 1);
});

test('a source of another network › dropped as forged (RFC 2827)', () => {
  const network = new TestNetwork();
  assert.deepEqual(network.out(udp(ip('10.1.2.3'), 5000, REMOTE, 53)), []);
  assert.equal(network.counter('dropSpoofed'), 1);
});

for (const [name, source, destination] of [
  ['loopback', ip('127.0.0.1'), REMOTE],
  ['a group', ip('224.0.0.5'), REMOTE],
  ['to loopback', HOST, ip('127.0.0.1')],
  ['to a reserved address', HOST, ip('240.0.0.1')],
  ['to nobody', HOST, ip('0.0.0.1')],
  ["the router's own", ip('192.168.7.1'), REMOTE],
] as const) {
  test(`martian addresses › ${name} › dropped`, () => {
    const network = new TestNetwork();
    network.inside.sendIpv4(udp(source, 1, destination, 2));
    network.wait();
    assert.deepEqual(network.outside.take(), []);
    assert.equal(network.counter('dropMartian'), 1);
  });
}

test('from outside for an inside address › dropped', () => {
  const network = new TestNetwork();
  assert.deepEqual(network.in(udp(REMOTE, 53, HOST, 5000)), []);
  assert.equal(network.counter('dropNotOurs'), 1);
});

test("a host's share of sessions › full, one of its own goes; others aren't touched", () => {
  const sessionsMax = natSessionsMin;
  const network = new TestNetwork({ nat: { sessionsMax } });
  const share = sessionsMax * natHostShare;
  network.out(udp(OTHER, 9000, REMOTE, 53));
  for (let i = 0; i < share; i++) {
    network.out(udp(HOST, 5000 + i, REMOTE, 53));
    network.wait(10);
  }
  assert.equal(network.counter('natHostEvicted'), 0);
  network.out(udp(HOST, 5000, REMOTE, 53));
  network.out(udp(HOST, 4000, REMOTE, 53));
  assert.equal(network.counter('natHostEvicted'), 1);
  assert.deepEqual(network.in(udp(REMOTE, 53, OUTSIDE, 5001)), [], 'used longest ago');
  for (const port of [5000, 5002, 4000, 9000]) {
    assert.equal(network.in(udp(REMOTE, 53, OUTSIDE, port)).length, 1, `${port}`);
  }
});

test('the whole table › full, the one used longest ago goes', () => {
  const sessionsMax = natSessionsMin;
  const network = new TestNetwork({ nat: { sessionsMax } });
  for (let i = 0; i < sessionsMax; i++) {
    network.out(udp(ip(`192.168.7.${20 + (i % 4)}`), 5000 + i, REMOTE, 53));
    network.wait(10);
  }
  assert.equal(network.counter('natEvicted'), 0);
  assert.equal(network.counter('natSessions'), sessionsMax);
  network.out(udp(HOST, 4000, REMOTE, 53));
  assert.equal(network.counter('natEvicted'), 1);
  assert.equal(network.counter('natSessions'), sessionsMax);
  assert.deepEqual(network.in(udp(REMOTE, 53, OUTSIDE, 5000)), []);
  assert.equal(network.in(udp(REMOTE, 53, OUTSIDE, 5001)).length, 1);
});

test('a host whose only session is evicted for its next one › has the next one', () => {
  const network = new TestNetwork({ nat: { sessionsMax: natSessionsMin } });
  for (let i = 0; i < natSessionsMin; i++) {
    network.out(udp(ip(`192.168.7.${20 + i}`), 5000, REMOTE, 53));
  }
  assert.equal(sentPort(network, ip('192.168.7.20'), 5000, REMOTE2, 53), 5000);
  assert.equal(network.in(udp(REMOTE2, 53, OUTSIDE, 5000))[0]?.destination, ip('192.168.7.20'));
});

test('port forward › anybody reaches the inside host; answers come from the port', () => {
  const forwards = forwardsOf('udp:5000-5002=192.168.7.11:53,udp:99=192.168.7.10');
  const network = new TestNetwork({ nat: { forwards } });
  const seen = seenUdp(network.in(udp(REMOTE, 1234, OUTSIDE, 5001))[0]);
  assert.deepEqual([seen.destination, seen.destinationPort], [OTHER, 54]);
  assert.equal(sentPort(network, OTHER, 54, REMOTE, 1234), 5001);
  // Also to whom it speaks first.
  assert.equal(sentPort(network, OTHER, 55, REMOTE2, 53), 5002);
  assert.equal(seenUdp(network.in(udp(REMOTE2, 7, OUTSIDE, 99))[0]).destinationPort, 99);
  // Others don't get the port.
  assert.notEqual(sentPort(network, HOST, 5000, REMOTE, 53), 5000);
});

test('port forward › by another inside host › hairpins', () => {
  const network = new TestNetwork({ nat: { forwards: forwardsOf('udp:5000=192.168.7.11:53') } });
  network.out(udp(HOST, 777, OUTSIDE, 5000, 'q'));
  const seen = seenUdp(network.inside.take()[0]);
  assert.deepEqual([seen.source, seen.sourcePort, seen.destinationPort], [OUTSIDE, 777, 53]);
  network.out(udp(OTHER, 53, OUTSIDE, 777, 'a'));
  const answer = seenUdp(network.inside.take()[0]);
  assert.deepEqual(
    [answer.source, answer.sourcePort, answer.destination, answer.destinationPort, answer.body],
    [OUTSIDE, 5000, HOST, 777, 'a'],
  );
});

test('forwards as text › read and written; mistakes are told', () => {
  const texts = ['tcp:80=10.0.0.2:8080', 'udp:5-9=10.0.0.2:100'];
  assert.deepEqual(forwardsOf(texts.join()).map(formatForward), texts);
  assert.deepEqual(parseForwards(''), ok([]));
  const wrong = [
    ...['tcp:0=10.0.0.2', 'tcp:65536=10.0.0.2', 'sctp:1=10.0.0.2', 'tcp:9-5=10.0.0.2', 'tcp:1'],
    ...['tcp:1=10.0.0', 'tcp:1=224.0.0.1', 'tcp:1-9=10.0.0.2:65530', 'tcp:1=10.0.0.2:0', ','],
    ...['tcp:1=10.0.0.2,tcp:1=10.0.0.3', 'tcp:1-5=10.0.0.2,tcp:5=10.0.0.3'],
    'tcp:1=10.0.0.2:80,tcp:2=10.0.0.2:80',
  ];
  for (const text of wrong) assert.ok(!parseForwards(text).ok, text);
  const many = (count: number) =>
    Array.from({ length: count }, (_, i) => `tcp:${i + 1}=10.0.0.2`).join();
  assert.ok(parseForwards(many(256)).ok && !parseForwards(many(257)).ok);
});

/** A datagram's fragments of 8 * `units` bytes. */
function fragments(whole: ReturnType<typeof udp>, units: number) {
  const payload = whole.payload!;
  const pieces = [];
  for (let at = 0; at < payload.length; at += 8 * units) {
    pieces.push({
      ...whole,
      fragmentOffset: at / 8,
      moreFragments: at + 8 * units < payload.length,
      payload: payload.subarray(at, at + 8 * units),
    });
  }
  return pieces;
}

for (const order of ['in order', 'the last first'] as const) {
  test(`REQ-14 › fragments, ${order} › translated, both ways`, () => {
    const network = new TestNetwork();
    const body = 'x'.repeat(400);
    const send = (pieces: ReturnType<typeof fragments>) =>
      order === 'in order' ? pieces : pieces.reverse();
    const whole = (pieces: { fragmentOffset: number; payload: Uint8Array }[]) => {
      const sorted = [...pieces].sort((a, b) => a.fragmentOffset - b.fragmentOffset);
      return Uint8Array.from(sorted.flatMap(({ payload }) => [...payload]));
    };
    const out = send(fragments(udp(HOST, 5000, REMOTE, 53, body), 10)).flatMap((piece) =>
      network.out(piece),
    );
    assert.equal(out.length, 6);
    assert.ok(out.every(({ source }) => source === OUTSIDE));
    assert.equal(seenUdp({ ...out[0]!, payload: whole(out) }).body, body);
    const back = send(fragments(udp(REMOTE, 53, OUTSIDE, 5000, body), 10)).flatMap((piece) =>
      network.in(piece),
    );
    assert.equal(back.length, 6);
    assert.equal(seenUdp({ ...back[0]!, payload: whole(back) }).destinationPort, 5000);
    if (order !== 'in order') assert.equal(network.counter('fragmentsHeld'), 10);
  });
}

test('fragments whose first never comes › forgotten after 30 seconds', () => {
  const network = new TestNetwork();
  network.out(udp(HOST, 5000, REMOTE, 53));
  const [, later] = fragments(udp(REMOTE, 53, OUTSIDE, 5000, 'x'.repeat(100)), 5);
  assert.deepEqual(network.in(later!), []);
  network.wait(31_000);
  assert.equal(network.counter('dropFragment'), 1);
});

test('fragments of a datagram that is filtered › dropped, the later ones too', () => {
  const network = new TestNetwork();
  network.out(udp(HOST, 5000, REMOTE, 53));
  for (const piece of fragments(udp(REMOTE2, 53, OUTSIDE, 5000, 'x'.repeat(100)), 5).reverse()) {
    assert.deepEqual(network.in(piece), []);
  }
  assert.equal(network.counter('dropFragment'), 2);
});

test("fragments for the router's own socket, the last first › delivered", () => {
  const network = new TestNetwork();
  const got: string[] = [];
  const receiver = { datagram: (b: Uint8Array) => got.push(new TextDecoder().decode(b)) };
  assert.ok(network.outsideStack.udp.open(7, receiver).ok);
  const body = 'y'.repeat(100);
  for (const piece of fragments(udp(REMOTE, 53, OUTSIDE, 7, body), 5).reverse()) network.in(piece);
  assert.deepEqual(got, [body]);
});

test('a packet with options › translated, its options kept; source routes are refused', () => {
  const network = new TestNetwork();
  const recordRoute = Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0);
  const [seen] = network.out({ ...udp(HOST, 5000, REMOTE, 53), options: recordRoute });
  assert.deepEqual(seen?.options, recordRoute);
  assert.equal(seenUdp(seen).sourcePort, 5000);
  const sourceRoute = Uint8Array.of(131, 7, 4, 10, 0, 0, 1, 0);
  assert.deepEqual(network.out({ ...udp(HOST, 1, REMOTE, 53), options: sourceRoute }), []);
  assert.equal(network.counter('dropSourceRouted'), 1);
  const broken = Uint8Array.of(7, 1, 0, 0);
  network.out({ ...udp(HOST, 1, REMOTE, 53), options: broken });
  assert.equal(seenIcmp(network.inside.take()[0]).type, 12);
});

test('too large for the outside › fragmentation needed with DF, fragments without', () => {
  const network = new TestNetwork({ outside: { mtuBytes: 600 } });
  const large = udp(HOST, 5000, REMOTE, 53, new Uint8Array(1_000).fill(65));
  assert.deepEqual(network.out({ ...large, dontFragment: true }), []);
  const error = seenIcmp(network.inside.take()[0]);
  assert.deepEqual([error.type, error.code, error.word1], [3, 4, 600]);
  assert.deepEqual(
    error.body.subarray(0, 28),
    packet({ ...large, dontFragment: true }).subarray(0, 28),
  );
  const pieces = network.out(large);
  assert.deepEqual(
    pieces.map(({ fragmentOffset, moreFragments }) => [fragmentOffset, moreFragments]),
    [
      [0, true],
      [72, false],
    ],
  );
  const payload = Uint8Array.from(pieces.flatMap((piece) => [...piece.payload]));
  assert.equal(seenUdp({ ...pieces[0]!, payload }).body.length, 1_000);
});
