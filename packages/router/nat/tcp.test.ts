/** RFC 5382 and RFC 7857, by requirement. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heldSynsMax, natSessionsMin } from '../limits.ts';
import {
  HOST,
  ip,
  OTHER,
  OUTSIDE,
  packet,
  REMOTE,
  REMOTE2,
  seenIcmp,
  seenTcp,
  type TcpParts,
  TestNetwork,
  tcp,
} from '../test-network.ts';
import { parseForwards } from './forwards.ts';

const FIN = 0x11;
const SYN = 0x02;
const RST = 0x04;
const SYN_ACK = 0x12;
const ACK = 0x10;
const HOUR = 3_600_000;

const sent = (network: TestNetwork, flags: number, port = 5000, from = HOST, to = REMOTE) =>
  network.out(tcp(from, port, to, 80, { flags }));
const got = (network: TestNetwork, flags: number, port = 5000, from = REMOTE) =>
  network.in(tcp(from, 80, OUTSIDE, port, { flags }));

function opened(network = new TestNetwork(), port = 5000, from = HOST): TestNetwork {
  assert.equal(seenTcp(sent(network, SYN, port, from)[0]).source, OUTSIDE);
  assert.equal(seenTcp(got(network, SYN_ACK, port)[0]).destination, from);
  sent(network, ACK, port, from);
  return network;
}

test('a connection › translated with right sums, port kept', () => {
  const network = opened();
  const data = { body: Uint8Array.of(1, 2, 3) };
  const [out] = network.out(tcp(HOST, 5000, REMOTE, 80, data));
  assert.deepEqual([seenTcp(out).sourcePort, out?.payload.subarray(20)], [5000, data.body]);
  const [back] = network.in(tcp(REMOTE, 80, OUTSIDE, 5000, data));
  assert.deepEqual([seenTcp(back).destinationPort, back?.ttl], [5000, 63]);
  assert.equal(network.router.tables(9).sessions[0]?.state, 'syn-out syn-in');
});

test('REQ-1 › one inside endpoint, two servers › the same outside port', () => {
  const network = opened();
  assert.equal(seenTcp(sent(network, SYN, 5000, HOST, REMOTE2)[0]).sourcePort, 5000);
});

test('REQ-2 › simultaneous open › the SYN from outside passes', () => {
  const network = new TestNetwork();
  sent(network, SYN);
  assert.equal(seenTcp(got(network, SYN)[0]).flags, SYN);
  assert.equal(network.router.tables(9).sessions[0]?.isEstablished, true);
});

test('REQ-3 › filtering › of other remote endpoints nothing comes in', () => {
  const network = opened();
  assert.deepEqual(got(network, ACK, 5000, REMOTE2), []);
  assert.deepEqual(network.in(tcp(REMOTE, 81, OUTSIDE, 5000, { flags: ACK })), []);
});

test('REQ-4 › an unsolicited SYN › silence for six seconds, then port unreachable', () => {
  const network = new TestNetwork();
  const syn = tcp(REMOTE, 80, OUTSIDE, 5000, { flags: SYN });
  network.in(syn);
  network.in(syn);
  network.wait(5_900);
  assert.deepEqual(network.outside.take(), []);
  network.wait(200);
  const errors = network.outside.take();
  assert.equal(errors.length, 1);
  const { type, code, body } = seenIcmp(errors[0]);
  assert.deepEqual([type, code], [3, 3]);
  assert.deepEqual(body, packet(syn));
});

test('REQ-4 › then the inside host opens it › the SYN is forgotten', () => {
  const network = new TestNetwork();
  got(network, SYN);
  sent(network, SYN);
  network.wait(10_000);
  assert.deepEqual(network.outside.take(), []);
});

test('REQ-4 › as many SYNs as are held, and one more › nobody else is answered', () => {
  const network = new TestNetwork();
  for (let i = 0; i <= heldSynsMax; i++)
    network.in(tcp(REMOTE, 80, OUTSIDE, 100 + i, { flags: SYN }));
  assert.equal(network.counter('synsHeld'), heldSynsMax);
  assert.equal(network.counter('dropSyn'), 1);
  network.wait(7_000);
  assert.equal(network.counter('synsAnswered'), heldSynsMax);
});

test('REQ-5 › open and idle › kept for two hours and four minutes', () => {
  const network = opened();
  network.wait(2 * HOUR + 230_000);
  assert.equal(got(network, ACK).length, 1);
  network.wait(2 * HOUR + 250_000);
  assert.equal(network.counter('natSessions'), 0);
});

test('REQ-5 › half open › gone after four minutes', () => {
  const network = new TestNetwork();
  sent(network, SYN);
  network.wait(235_000);
  assert.equal(network.counter('natSessions'), 1);
  network.wait(10_000);
  assert.equal(network.counter('natSessions'), 0);
});

test('REQ-5 › finished by both › gone four minutes later; by one › still open', () => {
  const network = opened();
  sent(network, FIN);
  network.wait(HOUR);
  assert.equal(got(network, ACK).length, 1, 'the other side still sends');
  got(network, FIN);
  sent(network, ACK);
  network.wait(200_000);
  assert.equal(got(network, FIN).length, 1, 'a repetition');
  network.wait(250_000);
  assert.equal(network.counter('natSessions'), 0);
});

test('RFC 7857 §2.3 › a reset › passes; nothing more › gone four minutes later', () => {
  const network = opened();
  assert.equal(seenTcp(got(network, RST)[0]).flags, RST);
  network.wait(239_000);
  assert.equal(network.counter('natSessions'), 1);
  network.wait(2_000);
  assert.equal(network.counter('natSessions'), 0);
});

test('RFC 7857 §2.3 › a forged reset › both go on, and so does the session', () => {
  const network = opened();
  got(network, RST);
  sent(network, ACK);
  got(network, ACK);
  network.wait(HOUR);
  assert.equal(got(network, ACK).length, 1);
  assert.equal(network.router.tables(9).sessions[0]?.isEstablished, true);
});

test('a reset, then one side only › still ends', () => {
  const network = opened();
  got(network, RST);
  sent(network, ACK);
  sent(network, ACK);
  network.wait(245_000);
  assert.equal(network.counter('natSessions'), 0);
});

test('ports used again after the end › a new connection', () => {
  const network = opened();
  sent(network, FIN);
  got(network, FIN);
  opened(network);
  network.wait(HOUR);
  assert.equal(got(network, ACK).length, 1);
});

test('a reset of no session › dropped; an acknowledgment › begins one (after a reboot)', () => {
  const network = new TestNetwork();
  assert.deepEqual(sent(network, RST), []);
  assert.equal(network.counter('natDropStrayReset'), 1);
  assert.equal(sent(network, ACK).length, 1);
  assert.equal(got(network, ACK).length, 1);
  assert.equal(network.router.tables(9).sessions[0]?.isEstablished, true);
});

test('from outside without a session › no answer, but to SYNs', () => {
  const network = new TestNetwork();
  for (const flags of [ACK, RST, FIN, SYN_ACK, 0, 0xff]) got(network, flags);
  network.wait(7_000);
  assert.deepEqual(network.outside.take(), []);
  assert.equal(network.counter('natDropNoMapping'), 6);
});

test('port forward › anybody may open; of others only SYNs begin', () => {
  const parsed = parseForwards('tcp:8080=192.168.7.11:80');
  assert.ok(parsed.ok);
  const network = new TestNetwork({ nat: { forwards: parsed.value } });
  const from = (flags: number) => network.in(tcp(REMOTE, 999, OUTSIDE, 8080, { flags, ack: 2 }));
  assert.deepEqual(from(ACK), []);
  const seen = seenTcp(from(SYN)[0]);
  assert.deepEqual([seen.destination, seen.destinationPort], [OTHER, 80]);
  const [answer] = network.out(tcp(OTHER, 80, REMOTE, 999, { flags: SYN_ACK }));
  assert.deepEqual([seenTcp(answer).source, seenTcp(answer).sourcePort], [OUTSIDE, 8080]);
  assert.equal(from(ACK).length, 1);
  assert.equal(network.router.tables(9).sessions[0]?.isEstablished, true);
});

test('a port of the router itself › its own', () => {
  const network = new TestNetwork({ nat: { isOwnTcpPort: (port) => port === 22 } });
  const seen: number[] = [];
  network.outsideStack.registerTransport(6, { packet: (frame, at) => seen.push(frame[at + 3]!) });
  got(network, SYN, 22);
  got(network, SYN, 23);
  assert.deepEqual(seen, [22]);
  assert.notEqual(seenTcp(sent(network, SYN, 22)[0]).sourcePort, 22);
});

test('established connections fill the table › a new one is refused, none of them goes', () => {
  const network = new TestNetwork({ nat: { sessionsMax: natSessionsMin } });
  for (let i = 0; i < natSessionsMin; i++)
    opened(network, 5000 + i, ip(`192.168.7.${20 + (i % 4)}`));
  assert.deepEqual(sent(network, SYN, 4000), []);
  assert.equal(network.counter('natDropTableFull'), 1);
  assert.equal(network.counter('natHosts'), 4);
  for (let i = 0; i < natSessionsMin; i++) assert.equal(got(network, ACK, 5000 + i).length, 1);
  assert.deepEqual(sent(network, SYN, 4000, ip('192.168.7.20')), []);
  assert.equal(network.counter('natDropTableFull'), 2);
});

test('connections that close › make room for new ones', () => {
  const network = new TestNetwork({ nat: { sessionsMax: natSessionsMin } });
  for (let i = 0; i < 3 * natSessionsMin; i++) {
    opened(network, 5000 + i, ip(`192.168.7.${20 + (i % 4)}`));
    sent(network, FIN, 5000 + i, ip(`192.168.7.${20 + (i % 4)}`));
    got(network, FIN, 5000 + i);
  }
  assert.equal(network.counter('natEvicted'), 2 * natSessionsMin);
});

const mssOf = (options: number[], more: Partial<TcpParts> = {}) => {
  const network = new TestNetwork({ outside: { mtuBytes: 1_400 }, router: { clampsMss: true } });
  const parts = { flags: SYN, options: Uint8Array.from(options), ...more };
  const [seen] = network.out(tcp(HOST, 5000, REMOTE, 80, parts));
  seenTcp(seen);
  return [...seen!.payload.subarray(20, 20 + options.length)];
};

test('MSS clamping › a larger offer is lowered to what the links carry', () => {
  const [high, low] = [1_360 >> 8, 1_360 & 0xff];
  assert.deepEqual(mssOf([2, 4, 0x05, 0xb4]), [2, 4, high, low]);
  assert.deepEqual(mssOf([1, 2, 4, 0x05, 0xb4, 1, 1, 0]), [1, 2, 4, high, low, 1, 1, 0]);
  assert.deepEqual(mssOf([2, 4, 2, 0]), [2, 4, 2, 0], 'small already');
  assert.deepEqual(mssOf([2, 4, 0x05, 0xb4], { flags: ACK }), [2, 4, 0x05, 0xb4], 'no SYN');
  assert.deepEqual(mssOf([0, 2, 4, 0xff]), [0, 2, 4, 0xff], 'after the end');
  assert.deepEqual(mssOf([8, 0, 0, 0]), [8, 0, 0, 0], 'a length of nothing');
  assert.deepEqual(mssOf([1, 1, 1, 2]), [1, 1, 1, 2], 'cut off');
});

test('too short for a TCP header › dropped', () => {
  const network = new TestNetwork();
  const whole = tcp(HOST, 5000, REMOTE, 80, {});
  assert.deepEqual(network.out({ ...whole, payload: whole.payload!.subarray(0, 19) }), []);
  assert.equal(network.counter('dropShortTransport'), 1);
});
