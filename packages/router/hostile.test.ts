/** What hosts outside may try: forged sources and handshakes, ways back. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { datagramsMax, fragmentBytesMax, natSessionsMin } from './limits.ts';
import { parseForwards } from './nat/forwards.ts';
import {
  HOST,
  INSIDE,
  icmp,
  ip,
  OTHER,
  OUTSIDE,
  packet,
  REMOTE,
  TestNetwork,
  tcp,
  udp,
} from './test-network.ts';

const SYN = 0x02;
const SYN_ACK = 0x12;
const ACK = 0x10;

const forwardsOf = (text: string) => {
  const parsed = parseForwards(text);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
};
const FORWARDS = forwardsOf('tcp:80=192.168.7.10:80,udp:53=192.168.7.10:53');
/** That nobody outside has. */
const FORGED = [INSIDE, OTHER, OUTSIDE, ip('127.0.0.1'), ip('224.0.0.1'), ip('198.51.100.255')];

for (const filtering of ['address-and-port-dependent', 'endpoint-independent'] as const) {
  test(`${filtering} › a forged source › nothing comes in, nobody is told`, () => {
    const network = new TestNetwork({ nat: { forwards: FORWARDS, filtering } });
    network.out(udp(HOST, 5000, REMOTE, 53));
    for (const source of FORGED) {
      const sent = [
        udp(source, 67, OUTSIDE, 53),
        udp(source, 67, OUTSIDE, 5000),
        tcp(source, 67, OUTSIDE, 80, { flags: SYN }),
        tcp(source, 67, OUTSIDE, 81, { flags: SYN }),
        { ...udp(source, 67, OUTSIDE, 53, new Uint8Array(16)), moreFragments: true },
      ];
      for (const repr of sent) assert.deepEqual(network.in(repr), []);
    }
    assert.equal(network.counter('natSessions'), 1);
    const forged = network.counter('dropSpoofed') + network.counter('dropMartian');
    assert.equal(forged, 5 * FORGED.length);
    network.wait(10_000);
    assert.deepEqual(network.outside.take(), []);
  });
}

test('a forged source of a session that hairpins › not let in from outside', () => {
  const network = new TestNetwork({ nat: { forwards: FORWARDS } });
  network.out(udp(OTHER, 6000, OUTSIDE, 53));
  assert.equal(network.inside.take().length, 1);
  assert.deepEqual(network.in(udp(OUTSIDE, 6000, OUTSIDE, 53)), []);
  assert.equal(network.counter('dropMartian'), 1);
});

test('a forged error › its source is no address of the inside', () => {
  const network = new TestNetwork();
  const [sent] = network.out(udp(HOST, 5000, REMOTE, 53));
  const body = packet(sent!);
  assert.deepEqual(network.in(icmp(INSIDE, OUTSIDE, { type: 3, code: 1, body })), []);
  assert.equal(network.in(icmp(REMOTE, OUTSIDE, { type: 3, code: 1, body })).length, 1);
  assert.equal(network.counter('dropSpoofed'), 1);
});

test('an error with its last hop › counted, not handed on', () => {
  const network = new TestNetwork();
  const [sent] = network.out(udp(HOST, 5000, REMOTE, 53));
  const error = icmp(REMOTE, OUTSIDE, { type: 3, code: 1, body: packet(sent!) });
  assert.deepEqual(network.in({ ...error, ttl: 1 }), []);
  assert.equal(network.counter('dropTtl'), 1);
});

test('one network on both sides › whom the outside link has may be there', () => {
  const network = new TestNetwork();
  const none = { dnsServers: [], domain: null, mtuBytes: null };
  const addresses = [{ address: ip('192.168.7.200'), prefixBits: 24 }];
  network.outsideStack.configure({ addresses, gateway: null, ...none });
  network.wait(4_000);
  network.outside.heard.length = 0;
  let heard = 0;
  assert.ok(network.outsideStack.udp.open(68, { datagram: () => heard++ }).ok);
  network.in(udp(ip('192.168.7.50'), 67, ip('192.168.7.200'), 68));
  assert.equal(heard, 1);
});

test('a SYN from outside, answered › established only when its sender saw the answer', () => {
  const network = new TestNetwork({ nat: { forwards: FORWARDS } });
  const isEstablished = () => network.router.tables(9).sessions[0]?.isEstablished;
  const back = (flags: number, ack: number) =>
    network.in(tcp(REMOTE, 999, OUTSIDE, 80, { flags, ack }));
  back(SYN, 0);
  // Of another connection, as its server sees it: no SYN that one could acknowledge.
  network.out(tcp(HOST, 80, REMOTE, 999, { flags: ACK, seq: 0xffffffff }));
  back(ACK, 1);
  assert.equal(isEstablished(), false);
  network.out(tcp(HOST, 80, REMOTE, 999, { flags: SYN_ACK, seq: 0xffffffff }));
  assert.equal(isEstablished(), false);
  for (const ack of [0xffffffff, 0x7fffffff, 0x1_0000, 0xffff]) {
    assert.equal(back(ACK, ack).length, 1);
    assert.equal(isEstablished(), ack === 0xffff, `${ack}`);
  }
});

test('SYNs from nobody, answered by a server › leave room for others, and go', () => {
  const network = new TestNetwork({ nat: { forwards: FORWARDS, sessionsMax: natSessionsMin } });
  for (let port = 1; port <= 2 * natSessionsMin; port++) {
    assert.equal(network.in(tcp(REMOTE, port, OUTSIDE, 80, { flags: SYN })).length, 1);
    assert.equal(network.out(tcp(HOST, 80, REMOTE, port, { flags: SYN_ACK })).length, 1);
  }
  assert.equal(network.out(udp(HOST, 5000, REMOTE, 53)).length, 1);
  assert.equal(network.counter('natDropHostFull'), 0);
  network.wait(301_000);
  assert.equal(network.counter('natSessions'), 0);
});

for (const protocol of ['tcp', 'udp'] as const) {
  test(`${protocol} › those outside fill their share of the table › the host keeps its own`, () => {
    const network = new TestNetwork({ nat: { forwards: FORWARDS, sessionsMax: natSessionsMin } });
    network.out(udp(HOST, 6000, REMOTE, 54));
    for (let port = 1; port <= natSessionsMin; port++) {
      if (protocol === 'udp') network.in(udp(REMOTE, port, OUTSIDE, 53));
      else if (network.in(tcp(REMOTE, port, OUTSIDE, 80, { flags: SYN })).length === 1) {
        network.out(tcp(HOST, 80, REMOTE, port, { flags: SYN_ACK }));
        network.in(tcp(REMOTE, port, OUTSIDE, 80, { flags: ACK, ack: 2 }));
      }
    }
    const isFull = network.counter(protocol === 'udp' ? 'natHostEvicted' : 'natDropHostFull');
    assert.equal(isFull, natSessionsMin / 2);
    assert.equal(network.counter('natHosts'), 1);
    for (let port = 5000; port < 5000 + natSessionsMin / 2 - 1; port++) {
      assert.equal(network.out(udp(HOST, port, REMOTE, 53)).length, 1);
    }
    assert.equal(network.in(udp(REMOTE, 54, OUTSIDE, 6000)).length, 1);
    assert.equal(network.counter('natSessions'), natSessionsMin);
    network.wait(7_600_000);
    assert.equal(network.counter('natSessions') + network.counter('natHosts'), 0);
  });
}

test('fragments of nobody from outside › what leaves in fragments goes on', () => {
  const network = new TestNetwork();
  const { payload } = udp(HOST, 5000, REMOTE, 53, new Uint8Array(1_016));
  const later = { source: HOST, fragmentOffset: 128, identification: 7 };
  // One that waits for its first, and one whose first has gone.
  assert.deepEqual(network.out({ ...later, payload: payload!.slice(0, 8), identification: 8 }), []);
  const first = { source: HOST, payload: payload!, moreFragments: true };
  assert.equal(network.out({ ...first, identification: 7 }).length, 1);
  for (let identification = 1; identification <= 2 * datagramsMax; identification++) {
    const stray = { source: REMOTE, destination: OUTSIDE, fragmentOffset: 1, identification };
    network.outside.sendIpv4({ ...stray, payload: new Uint8Array(1_400) });
    if (identification % 32 === 0) network.wait();
  }
  assert.equal(network.out({ ...later, payload: payload!.slice(0, 8) }).length, 1);
  assert.equal(network.out({ ...first, identification: 8 }).length, 2);
  assert.equal(network.counter('fragments'), 4);
});

test('as many bytes of fragments as may wait › kept; one more fragment › dropped', () => {
  const network = new TestNetwork();
  const payload = new Uint8Array(1_480);
  const most = Math.floor(fragmentBytesMax / 1_514);
  for (let i = 0; i <= most; i++) {
    network.outside.sendIpv4({
      ...{ source: REMOTE, destination: OUTSIDE, payload },
      ...{ identification: i >> 5, fragmentOffset: 185 * (1 + (i & 31)), moreFragments: true },
    });
    if (i % 32 === 0) network.wait();
  }
  network.wait();
  assert.equal(network.counter('fragmentsHeld'), most);
  assert.equal(network.counter('dropFragment'), 1);
});

test('the outside address changes › what waited by the old one is forgotten', () => {
  const network = new TestNetwork();
  network.in(tcp(REMOTE, 1, OUTSIDE, 80, { flags: SYN }));
  network.in({ ...udp(REMOTE, 1, OUTSIDE, 80), fragmentOffset: 1 });
  const none = { dnsServers: [], domain: null, mtuBytes: null };
  const addresses = [{ address: ip('198.51.100.3'), prefixBits: 24 }];
  network.outsideStack.configure({ addresses, gateway: null, ...none });
  assert.equal(network.counter('dropFragment'), 1);
  network.wait(10_000);
  assert.equal(network.counter('synsAnswered'), 0);
});

test('a fragment that would end beyond 65,535 bytes › malformed', () => {
  const network = new TestNetwork();
  const beyond = (fragmentOffset: number, bytes: number) =>
    network.out({ source: HOST, fragmentOffset, payload: new Uint8Array(bytes) });
  beyond(8_189, 4);
  assert.equal(network.counter('fragmentsHeld'), 0);
  beyond(8_189, 3);
  assert.equal(network.counter('fragmentsHeld'), 1);
  assert.equal(network.counter('dropMalformed'), 1);
});

test('no translation, from outside › only hosts of the inside are reached, nothing turns back', () => {
  const network = new TestNetwork({ nat: null });
  const strangers = [
    udp(REMOTE, 7, INSIDE, 8),
    udp(REMOTE, 7, ip('192.168.7.255'), 8),
    udp(REMOTE, 7, ip('10.1.2.3'), 8),
    udp(OTHER, 7, HOST, 8),
    udp(INSIDE, 7, HOST, 8),
  ];
  for (const repr of strangers) {
    assert.deepEqual(network.in(repr), []);
    assert.deepEqual(network.outside.take(), []);
  }
  assert.equal(network.counter('forwardedOut'), 0);
  assert.equal(network.counter('dropNotOurs'), 2);
  assert.equal(network.counter('dropMartian'), 1);
  assert.equal(network.counter('dropSpoofed'), 2);
});
