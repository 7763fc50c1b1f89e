import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IcmpError } from '../icmp-error.ts';
import { PROTOCOL_TCP } from '../ip.ts';
import { icmpErrorsBurst, icmpErrorsPerSecond, reassemblyTimeout } from '../limits.ts';
import { ip, ipv4Packet, OURS, PEER, STATIC, TestLink } from '../test-link.ts';
import {
  emitIcmpv4,
  type Icmpv4Repr,
  MAC_BROADCAST,
  parseIcmpv4,
  parseIpv4,
} from '../wire/index.ts';

function introduced(): TestLink {
  const link = new TestLink();
  link.introduce();
  return link;
}

function message(repr: Partial<Icmpv4Repr>): Uint8Array {
  const whole = { type: 8, code: 0, word0: 7, word1: 9, body: Uint8Array.of(1, 2, 3), ...repr };
  const bytes = new Uint8Array(8 + whole.body.length);
  emitIcmpv4(bytes, 0, whole);
  return bytes;
}

function takeIcmp(link: TestLink): Icmpv4Repr[] {
  return link.takeIpv4().map((packet) => {
    const parsed = parseIcmpv4(packet.payload);
    assert(parsed.ok && packet.protocol === 1);
    return parsed.value;
  });
}

test('echo › request › the same identifier, sequence and data', () => {
  const link = introduced();
  link.sendIpv4({ protocol: 1, payload: message({}) });
  const body = Uint8Array.of(1, 2, 3);
  assert.deepEqual(takeIcmp(link), [{ type: 0, code: 0, word0: 7, word1: 9, body }]);
});

test('echo › from an unknown station, as large as the MTU › answered after ARP', () => {
  const link = new TestLink();
  link.configure();
  const payload = message({ body: new Uint8Array(1472).fill(0x5a) });
  link.sendIpv4({ protocol: 1, payload });
  link.sendArp({ operation: 2 });
  assert.deepEqual(takeIcmp(link)[0]?.body, new Uint8Array(1472).fill(0x5a));
});

test('echo › to all, with a wrong checksum, too short, unknown type › no answer', () => {
  const link = introduced();
  link.sendIpv4(
    { protocol: 1, payload: message({}), destination: ip('10.0.2.255') },
    MAC_BROADCAST,
  );
  const wrong = message({});
  wrong[4] = 1;
  link.sendIpv4({ protocol: 1, payload: wrong });
  link.sendIpv4({ protocol: 1, payload: wrong.subarray(0, 7) });
  link.sendIpv4({ protocol: 1, payload: message({ type: 13 }) });
  link.sendIpv4({ protocol: 1, payload: message({ type: 5 }) });
  assert.deepEqual(takeIcmp(link), []);
  assert.deepEqual(
    ['icmpEchoIgnored', 'icmpMalformed', 'icmpIgnored', 'icmpRedirects'].map((it) =>
      link.counter(it),
    ),
    [1, 2, 1, 1],
  );
});

const datagram = Uint8Array.of(0, 1, 0, 2, 0, 12, 0, 0, 9, 9, 9, 9);

test('echo › the largest packet, in fragments › the same data, in fragments', () => {
  const link = introduced();
  const body = Uint8Array.from({ length: 65_507 }, (_, i) => i * 3);
  const whole = message({ body });
  for (let at = 0; at < whole.length; at += 1_480) {
    link.sendIpv4({
      protocol: 1,
      fragmentOffset: at / 8,
      moreFragments: at + 1_480 < whole.length,
      payload: whole.subarray(at, at + 1_480),
    });
  }
  const packets = link.takeIpv4();
  assert.equal(packets.length, 45);
  assert.equal(new Set(packets.map((packet) => packet.identification)).size, 1);
  const reply = Uint8Array.from(packets.flatMap((packet) => [...packet.payload]));
  packets.forEach(({ fragmentOffset, moreFragments, dontFragment }, i) => {
    assert.deepEqual([fragmentOffset, moreFragments, dontFragment], [i * 185, i < 44, false]);
  });
  const parsed = parseIcmpv4(reply);
  assert(parsed.ok);
  assert.deepEqual(parsed.value, { type: 0, code: 0, word0: 7, word1: 9, body });
});

test('echo › large, while the transmit queue takes few frames › not answered, and counted', () => {
  const link = new TestLink({ queueFramesMax: 3, bitsPerSecond: 1_000_000 });
  link.introduce();
  const whole = message({ body: new Uint8Array(9_000) });
  for (let at = 0; at < whole.length; at += 1_480) {
    const moreFragments = at + 1_480 < whole.length;
    const payload = whole.subarray(at, at + 1_480);
    link.sendIpv4({ protocol: 1, fragmentOffset: at / 8, moreFragments, payload });
  }
  assert.deepEqual([link.counter('icmpEchoAnswered'), link.counter('icmpEchoIgnored')], [0, 1]);
});

test('UDP to a closed port › port unreachable with the packet up to 576 bytes (RFC 1812)', () => {
  const link = introduced();
  const options = Uint8Array.of(1, 1, 1, 0);
  link.sendIpv4({ payload: datagram, options });
  const [error] = takeIcmp(link);
  assert.deepEqual([error?.type, error?.code], [3, 3]);
  assert.deepEqual(error?.body, ipv4Packet({ payload: datagram, options }));
  const long = new Uint8Array(1_000);
  long.set([0, 1, 0, 2, 3, 232]);
  link.sendIpv4({ payload: long });
  const [second] = takeIcmp(link);
  assert.deepEqual(second?.body, ipv4Packet({ payload: long }).subarray(0, 576 - 28));
});

test('an unknown protocol › protocol unreachable', () => {
  const link = introduced();
  link.sendIpv4({ protocol: 132, payload: datagram });
  const [error] = takeIcmp(link);
  assert.deepEqual([error?.type, error?.code], [3, 2]);
});

test('what came to all › no error (RFC 1122 §3.2.2)', () => {
  const link = introduced();
  link.sendIpv4({ payload: datagram, destination: ip('10.0.2.255') }, MAC_BROADCAST);
  link.sendIpv4(
    { payload: datagram, protocol: 132, destination: ip('255.255.255.255') },
    MAC_BROADCAST,
  );
  assert.deepEqual(takeIcmp(link), []);
});

test('many › errors up to the burst, then as many as time allows', () => {
  const link = introduced();
  // A millisecond passes with each.
  const gained = Math.floor((icmpErrorsBurst * 2 * icmpErrorsPerSecond) / 1_000);
  for (let i = 0; i < icmpErrorsBurst * 2; i++) link.sendIpv4({ payload: datagram });
  assert.ok(Math.abs(takeIcmp(link).length - icmpErrorsBurst - gained) <= 1);
  assert.ok(link.counter('icmpErrorsWithheld') >= icmpErrorsBurst - gained - 1);
  link.wait(60_000);
  for (let i = 0; i < icmpErrorsBurst; i++) link.sendIpv4({ payload: datagram });
  assert.equal(takeIcmp(link).length, icmpErrorsBurst, 'never more than the burst');
});

/** A stack whose TCP remembers errors, and a packet of its own for the peer to complain about. */
function withErrors(): { link: TestLink; errors: IcmpError[]; sent: Uint8Array } {
  const link = new TestLink();
  const errors: IcmpError[] = [];
  link.stack.registerTransport(
    PROTOCOL_TCP,
    { packet() {} },
    {
      icmpError: (error) => errors.push({ ...error, transport: error.transport.slice() }) > 0,
    },
  );
  link.introduce();
  const payload = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);
  return {
    link,
    errors,
    sent: ipv4Packet({
      protocol: 6,
      source: OURS,
      destination: PEER,
      dontFragment: true,
      payload: Uint8Array.from([...payload, ...new Uint8Array(1_400)]),
    }),
  };
}

test('an error about our packet › its kind, addresses and transport bytes, to its transport', () => {
  const { link, errors, sent } = withErrors();
  const kinds: [number, number, string][] = [
    [3, 0, 'unreachable'],
    [3, 1, 'unreachable'],
    [3, 2, 'protocol unreachable'],
    [3, 3, 'port unreachable'],
    [3, 4, 'fragmentation needed'],
    [11, 0, 'time exceeded'],
    [12, 0, 'parameter problem'],
  ];
  for (const [type, code, kind] of kinds) {
    const body = sent.subarray(0, 29);
    link.sendIpv4({ protocol: 1, payload: message({ type, code, word1: 1280, body }) });
    const error = errors.pop();
    assert(error !== undefined);
    assert.equal(error.kind, kind);
    assert.equal(error.mtuBytes, kind === 'fragmentation needed' ? 1280 : 0);
    assert.deepEqual([error.source, error.destination], [OURS, PEER]);
    assert.deepEqual(error.transport, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9));
  }
});

test('an error about a packet cut off, not ours, of no transport › stray', () => {
  const { link, errors, sent } = withErrors();
  const bodies = [
    new Uint8Array(0),
    sent.subarray(0, 19),
    sent.subarray(0, 27),
    ipv4Packet({ protocol: 6, payload: new Uint8Array(8) }),
    ipv4Packet({ protocol: 132, source: OURS, payload: new Uint8Array(8) }),
  ];
  for (const body of bodies) link.sendIpv4({ protocol: 1, payload: message({ type: 3, body }) });
  assert.deepEqual(errors, []);
  assert.equal(link.counter('icmpErrorsStray'), bodies.length);
  assert.equal(parseIpv4(sent).ok, true);
});

test('fragmentation needed › believed by the transport › the path’s MTU, until it is forgotten', () => {
  const { link, sent } = withErrors();
  const complain = (word1: number, body = sent): number => {
    link.sendIpv4({ protocol: 1, payload: message({ type: 3, code: 4, word1, body }) });
    return link.stack.ip.route(PEER)?.mtuBytes ?? 0;
  };
  assert.equal(complain(1_400), 1_400);
  assert.equal(complain(1_420), 1_400, 'a report never raises it');
  assert.equal(complain(0), 1_006, 'the plateau below our packet of 1,429 (RFC 1191 §7)');
  assert.equal(complain(68), 552, 'no smaller than that');
  link.wait(601_000);
  link.sendArp({});
  link.stack.configure({ ...STATIC, mtuBytes: 1_499 });
  assert.equal(link.stack.ip.route(PEER)?.mtuBytes, 1_499);
});

test('fragmentation needed › not smaller than our packet, about one that may be cut › stray', () => {
  const { link, errors, sent } = withErrors();
  const may = ipv4Packet({
    protocol: 6,
    source: OURS,
    destination: PEER,
    payload: new Uint8Array(1_400),
  });
  for (const [word1, body] of [
    [1_429, sent],
    [65_535, sent],
    [1_280, may],
  ] as const) {
    link.sendIpv4({ protocol: 1, payload: message({ type: 3, code: 4, word1, body }) });
  }
  assert.deepEqual(errors, []);
  assert.equal(link.counter('icmpErrorsStray'), 3);
  assert.equal(link.stack.ip.route(PEER)?.mtuBytes, 1_500);
});

test('fragmentation needed › not believed by the transport › nothing changes', () => {
  const link = new TestLink();
  link.stack.registerTransport(PROTOCOL_TCP, { packet() {} }, { icmpError: () => false });
  link.introduce();
  const body = ipv4Packet({
    protocol: 6,
    source: OURS,
    destination: PEER,
    dontFragment: true,
    payload: new Uint8Array(1_400),
  });
  link.sendIpv4({ protocol: 1, payload: message({ type: 3, code: 4, word1: 1_280, body }) });
  assert.equal(link.stack.ip.route(PEER)?.mtuBytes, 1_500);
});

test('an error about UDP › the socket of that port hears of it, but not of what only delays', () => {
  const { link } = withErrors();
  const told: string[] = [];
  const bound = link.stack.udp.bind(1, {
    receive() {},
    unreachable: (to) => told.push(`${to.address}:${to.port}`),
  });
  assert(bound.ok);
  const body = ipv4Packet({ source: OURS, destination: PEER, payload: datagram });
  const complain = (type: number, code: number): void =>
    link.sendIpv4({ protocol: 1, payload: message({ type, code, body }) });
  complain(3, 3);
  complain(3, 1);
  complain(11, 0);
  complain(12, 0);
  complain(3, 4);
  assert.deepEqual(told, ['10.0.2.2:2', '10.0.2.2:2']);
  bound.value.close();
  complain(3, 3);
  assert.equal(told.length, 2);
  assert.equal(link.counter('udpErrors'), 5);
});

test('the rest of a datagram doesn’t come › time exceeded, code 1, when its start came', () => {
  const link = introduced();
  const first = { identification: 1, moreFragments: true, payload: new Uint8Array(16) };
  link.sendIpv4(first);
  link.sendIpv4({ ...first, identification: 2, fragmentOffset: 2 });
  link.wait(reassemblyTimeout / 1_000);
  link.sendArp({ operation: 2 });
  const [error, ...more] = takeIcmp(link);
  assert.deepEqual([error?.type, error?.code, more.length], [11, 1, 0]);
  assert.deepEqual(error?.body, ipv4Packet(first));
});

test('the rest of an ICMP error doesn’t come › no error about it', () => {
  const link = introduced();
  const error = message({ type: 3, body: new Uint8Array(56) });
  link.sendIpv4({ protocol: 1, moreFragments: true, payload: error.subarray(0, 32) });
  link.wait(reassemblyTimeout / 1_000);
  assert.deepEqual(takeIcmp(link), []);
  assert.equal(link.counter('icmpErrorsWithheld'), 1);
});

test('options that run past their end › parameter problem that points at them', () => {
  const link = introduced();
  link.sendIpv4({ payload: datagram, options: Uint8Array.of(1, 7, 40, 4) });
  const [error] = takeIcmp(link);
  assert.deepEqual([error?.type, error?.code, error?.word0], [12, 0, 21 << 8]);
  assert.equal(link.counter('ipv4BadOptions'), 1);
});
