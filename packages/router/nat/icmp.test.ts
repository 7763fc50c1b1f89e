/** RFC 5508, by requirement. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hot, readU16be } from '#core';
import { type Ipv4Repr, parseIpv4 } from '#net/wire';
import {
  GATEWAY,
  HOST,
  INSIDE,
  icmp,
  ip,
  OTHER,
  OUTSIDE,
  packet,
  REMOTE,
  REMOTE2,
  seenIcmp,
  seenUdp,
  TestNetwork,
  tcp,
  udp,
} from '../test-network.ts';

/** An error about `sent`, with as much of it as `bytes` says. */
const about = (
  source: Parameters<typeof icmp>[0],
  destination: Parameters<typeof icmp>[1],
  sent: Partial<Ipv4Repr>,
  bytes = 548,
  repr: Partial<Parameters<typeof icmp>[2]> = { type: 3, code: 1, word0: 0, word1: 0 },
) => icmp(source, destination, { ...repr, body: packet(sent).subarray(0, bytes) });

/** The packet that an error quotes, whose sum is good. */
function quoted(repr: Ipv4Repr | undefined): Ipv4Repr {
  const { body } = seenIcmp(repr);
  const whole = new Uint8Array(readU16be(body, 2));
  whole.set(body.subarray(0, whole.length));
  const parsed = parseIpv4(whole);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
}

test('REQ-1 › echo of two hosts with one identifier › told apart', () => {
  const network = new TestNetwork();
  const ids = [HOST, OTHER].map((host) => {
    const [seen] = network.out(icmp(host, REMOTE, { word0: 7 }));
    return seenIcmp(seen).word0;
  });
  assert.equal(ids[0], 7);
  assert.notEqual(ids[1], 7);
  for (const [i, host] of [HOST, OTHER].entries()) {
    const [reply] = network.in(icmp(REMOTE, OUTSIDE, { type: 0, word0: ids[i]! }));
    assert.deepEqual([reply?.destination, seenIcmp(reply).word0], [host, 7]);
  }
});

test('REQ-2 › a query without traffic › forgotten after 60 seconds', () => {
  const network = new TestNetwork();
  network.out(icmp(HOST, REMOTE, { word0: 7 }));
  network.wait(59_000);
  assert.equal(network.in(icmp(REMOTE, OUTSIDE, { type: 0, word0: 7 })).length, 1);
  network.wait(2_000);
  assert.equal(network.counter('natSessions'), 0);
  assert.deepEqual(network.in(icmp(REMOTE, OUTSIDE, { type: 0, word0: 7 })), []);
});

test('the outside address pinged from inside › answers', () => {
  const network = new TestNetwork();
  const body = Uint8Array.from({ length: 57 }, (_, i) => i);
  network.out(icmp(HOST, OUTSIDE, { word0: 3, word1: 4, body }));
  const [reply, ...more] = network.inside.take();
  assert.deepEqual([reply?.source, reply?.destination, reply?.ttl], [OUTSIDE, HOST, 64]);
  assert.deepEqual(seenIcmp(reply), { type: 0, code: 0, word0: 3, word1: 4, body });
  assert.deepEqual([more.length, network.counter('pinged')], [0, 1]);
  assert.equal(network.counter('natSessions'), 0);
});

test('timestamps › as echo', () => {
  const network = new TestNetwork();
  const body = new Uint8Array(12);
  const [seen] = network.out(icmp(HOST, REMOTE, { type: 13, word0: 8, body }));
  assert.equal(seen?.source, OUTSIDE);
  assert.equal(network.in(icmp(REMOTE, OUTSIDE, { type: 14, word0: 8, body })).length, 1);
});

test('a reply that nobody asked for, a redirect, a router advertisement › stay inside', () => {
  const network = new TestNetwork();
  for (const type of [0, 5, 9, 14, 40]) {
    assert.deepEqual(network.out(icmp(HOST, REMOTE, { type })), [], `${type}`);
  }
  assert.equal(network.counter('natDropIcmpType'), 4);
});

test('a reply from another host › not for the inside', () => {
  const network = new TestNetwork();
  network.out(icmp(HOST, REMOTE, { word0: 7 }));
  assert.deepEqual(network.in(icmp(REMOTE2, OUTSIDE, { type: 0, word0: 7 })), []);
  assert.equal(network.counter('natDropFiltered'), 1);
});

const kinds: readonly [string, (from: typeof HOST, port: number) => Partial<Ipv4Repr>][] = [
  ['UDP', (from, port) => udp(from, port, REMOTE, 53)],
  ['TCP', (from, port) => tcp(from, port, REMOTE, 80, { flags: 2 })],
  ['echo', (from, port) => icmp(from, REMOTE, { word0: port })],
];
for (const [name, make] of kinds) {
  for (const bytes of [28, 548]) {
    test(`REQ-4 › an error about ${name}, ${bytes} bytes › as the sender knows its packet`, () => {
      const network = new TestNetwork();
      // The port is another one, so that it is seen to be changed.
      network.out(make(OTHER, 5000));
      const sent = make(HOST, 5000);
      const [seen] = network.out(sent);
      assert.ok(seen !== undefined);
      const error = about(GATEWAY, OUTSIDE, seen, bytes);
      const [heard] = network.in(error);
      assert.deepEqual([heard?.source, heard?.destination, heard?.ttl], [GATEWAY, HOST, 63]);
      const { source, destination, payload } = quoted(heard);
      assert.deepEqual([source, destination], [HOST, REMOTE]);
      const shown = Math.min(payload.length, bytes - 20);
      assert.deepEqual(payload.subarray(0, shown), sent.payload!.subarray(0, shown));
      assert.equal(network.counter('natSessions'), 2, 'an error ends no session');
    });
  }
}

test('REQ-5 › an error of an inside host › from the outside address, about what was sent', () => {
  const network = new TestNetwork();
  network.out(udp(OTHER, 5000, REMOTE, 53));
  const port = seenUdp(network.out(udp(HOST, 5000, REMOTE, 53))[0]).sourcePort;
  const sent = udp(REMOTE, 53, OUTSIDE, port, 'answer');
  const [got] = network.in(sent);
  const [heard] = network.out(
    about(HOST, REMOTE, got!, 548, { type: 3, code: 3, word0: 0, word1: 0 }),
  );
  assert.deepEqual([heard?.source, heard?.destination], [OUTSIDE, REMOTE]);
  const back = quoted(heard);
  assert.deepEqual([back.source, back.destination], [REMOTE, OUTSIDE]);
  assert.deepEqual(back.payload, sent.payload);
  assert.equal(seenUdp(back).destinationPort, port);
});

test('REQ-5 › of a router inside › the same', () => {
  const network = new TestNetwork();
  network.out(udp(HOST, 5000, REMOTE, 53));
  const [got] = network.in(udp(REMOTE, 53, OUTSIDE, 5000));
  const [heard] = network.out(about(ip('192.168.7.99'), REMOTE, got!));
  assert.equal(heard?.source, OUTSIDE);
});

test('REQ-7 › an error about a hairpinned packet › goes to the inside sender', () => {
  const network = new TestNetwork();
  network.out(udp(HOST, 5000, REMOTE, 53));
  network.out(udp(OTHER, 6000, REMOTE, 53));
  network.out(udp(OTHER, 6000, OUTSIDE, 5000));
  network.inside.take();
  const sent = udp(HOST, 5000, OUTSIDE, 6000, 'to the other');
  network.out(sent);
  const [got] = network.inside.take();
  assert.equal(got?.destination, OTHER);
  network.out(about(OTHER, OUTSIDE, got!, 548, { type: 3, code: 3, word0: 0, word1: 0 }));
  const [heard] = network.inside.take();
  assert.deepEqual([heard?.source, heard?.destination], [OUTSIDE, HOST]);
  const back = quoted(heard);
  assert.deepEqual([back.source, back.destination], [HOST, OUTSIDE]);
  assert.deepEqual(back.payload, sent.payload);
});

test('fragmentation needed › its MTU reaches the sender', () => {
  const network = new TestNetwork();
  const [seen] = network.out({ ...udp(HOST, 5000, REMOTE, 53), dontFragment: true });
  const [heard] = network.in(
    about(GATEWAY, OUTSIDE, seen!, 548, { type: 3, code: 4, word0: 0, word1: 1_300 }),
  );
  assert.equal(seenIcmp(heard).word1, 1_300);
});

const strays: readonly [string, (seen: Ipv4Repr) => Partial<Ipv4Repr>][] = [
  ['a packet of no session', () => about(GATEWAY, OUTSIDE, udp(OUTSIDE, 999, REMOTE, 53))],
  [
    'a packet to another host',
    (seen) => about(GATEWAY, OUTSIDE, { ...seen, destination: REMOTE2 }),
  ],
  ['a packet of another host', (seen) => about(GATEWAY, OUTSIDE, { ...seen, source: REMOTE2 })],
  ['too little of a packet', (seen) => about(GATEWAY, OUTSIDE, seen, 27)],
  ['nothing', (seen) => about(GATEWAY, OUTSIDE, seen, 0)],
  [
    'a packet whose header is damaged',
    (seen) => {
      const error = about(GATEWAY, OUTSIDE, seen);
      error.payload![9]! ^= 1;
      error.payload![2] = 0;
      error.payload![3] = 0;
      const sum = 0xffff - hot.checksum(error.payload!, 0, error.payload!.length, 0);
      error.payload!.set([sum >> 8, sum & 0xff], 2);
      return error;
    },
  ],
  [
    'a packet, itself damaged',
    (seen) => {
      const error = about(GATEWAY, OUTSIDE, seen);
      error.payload![30]! ^= 1;
      return error;
    },
  ],
  [
    'an error',
    () => about(GATEWAY, OUTSIDE, about(OUTSIDE, REMOTE, udp(REMOTE, 53, OUTSIDE, 5000))),
  ],
];
for (const [name, make] of strays) {
  test(`REQ-3 › an error about ${name} › not passed on`, () => {
    const network = new TestNetwork();
    const [seen] = network.out(udp(HOST, 5000, REMOTE, 53));
    assert.deepEqual(network.in(make(seen!)), []);
    assert.equal(network.counter('natErrorsTranslated'), 0);
  });
}

test('an error of an inside host about nothing that came in › stays inside', () => {
  const network = new TestNetwork();
  network.out(udp(HOST, 5000, REMOTE, 53));
  assert.deepEqual(network.out(about(HOST, REMOTE, udp(REMOTE, 53, HOST, 5001))), []);
  assert.deepEqual(network.out(about(HOST, REMOTE2, udp(REMOTE, 53, HOST, 5000))), []);
  assert.deepEqual(network.out(about(HOST, OUTSIDE, udp(REMOTE, 53, HOST, 5000))), []);
  assert.equal(network.counter('natDropErrorStray'), 3);
});

test('an error about a packet of the router itself › its own socket hears of it', () => {
  const network = new TestNetwork();
  let told = 0;
  const opened = network.outsideStack.udp.open(700, { datagram() {}, unreachable: () => told++ });
  assert.ok(opened.ok);
  opened.value.send(new Uint8Array(4), REMOTE, 7);
  network.wait();
  const [seen] = network.outside.take();
  network.in(about(REMOTE, OUTSIDE, seen!, 548, { type: 3, code: 3, word0: 0, word1: 0 }));
  assert.equal(told, 1);
});

test('no error about an error, a later fragment, a group or many (RFC 1812 §4.3.2.7)', () => {
  const network = new TestNetwork();
  const quiet = [
    about(HOST, REMOTE, udp(REMOTE, 53, HOST, 5000)),
    { ...udp(HOST, 1, REMOTE, 2), fragmentOffset: 10 },
    udp(HOST, 1, ip('224.0.0.9'), 2),
  ];
  for (const repr of quiet) network.out({ ...repr, ttl: 1 });
  assert.deepEqual(network.inside.take(), []);
  network.inside.sendIpv4({ ...udp(HOST, 1, REMOTE, 2), ttl: 1 }, new Uint8Array(6).fill(255));
  network.wait();
  assert.deepEqual(network.inside.take(), [], 'a frame for all stations');
});

test('traceroute › every hop is heard', () => {
  const network = new TestNetwork();
  const sent = udp(HOST, 5000, REMOTE, 33_434);
  network.out({ ...sent, ttl: 1 });
  assert.equal(network.inside.take()[0]?.source, INSIDE);
  const [seen] = network.out({ ...sent, ttl: 2 });
  assert.equal(seen?.ttl, 1);
  const [second] = network.in(
    about(GATEWAY, OUTSIDE, seen!, 548, { type: 11, code: 0, word0: 0, word1: 0 }),
  );
  assert.deepEqual([second?.source, seenIcmp(second).type], [GATEWAY, 11]);
  const [third] = network.in(
    about(REMOTE, OUTSIDE, seen!, 548, { type: 3, code: 3, word0: 0, word1: 0 }),
  );
  assert.deepEqual([third?.source, seenIcmp(third).code], [REMOTE, 3]);
});
