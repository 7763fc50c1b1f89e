import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IcmpError } from '../icmp-error.ts';
import { PROTOCOL_TCP } from '../ip.ts';
import { icmpErrorsBurst } from '../limits.ts';
import { ip, ipv4Packet, OURS, PEER, TestLink } from '../test-link.ts';
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
    [link.counter('icmpEchoIgnored'), link.counter('icmpMalformed'), link.counter('icmpIgnored')],
    [1, 2, 2],
  );
});

const datagram = Uint8Array.of(0, 1, 0, 2, 0, 12, 0, 0, 9, 9, 9, 9);

test('UDP to a closed port › port unreachable with header and 8 bytes (RFC 792)', () => {
  const link = introduced();
  const options = Uint8Array.of(1, 1, 1, 0);
  link.sendIpv4({ payload: datagram, options });
  const [error] = takeIcmp(link);
  assert.deepEqual([error?.type, error?.code, error?.body.length], [3, 3, 24 + 8]);
  assert.deepEqual(error?.body, ipv4Packet({ payload: datagram, options }).subarray(0, 32));
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
  for (let i = 0; i < icmpErrorsBurst * 2; i++) link.sendIpv4({ payload: datagram });
  assert.equal(takeIcmp(link).length, icmpErrorsBurst);
  assert.equal(link.counter('icmpErrorsWithheld'), icmpErrorsBurst);
  link.wait(200);
  for (let i = 0; i < icmpErrorsBurst; i++) link.sendIpv4({ payload: datagram });
  assert.equal(takeIcmp(link).length, 2);
});

/** A stack whose TCP remembers errors, and a packet of its own for the peer to complain about. */
function withErrors(): { link: TestLink; errors: IcmpError[]; sent: Uint8Array } {
  const link = new TestLink();
  const errors: IcmpError[] = [];
  link.stack.registerTransport(
    PROTOCOL_TCP,
    { packet() {} },
    { icmpError: (error) => errors.push({ ...error, transport: error.transport.slice() }) },
  );
  link.introduce();
  const payload = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);
  return {
    link,
    errors,
    sent: ipv4Packet({ protocol: 6, source: OURS, destination: PEER, payload }),
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
    link.sendIpv4({ protocol: 1, payload: message({ type, code, word1: 1280, body: sent }) });
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

test('an error about UDP › counted, nothing more', () => {
  const { link } = withErrors();
  const body = ipv4Packet({ source: OURS, destination: PEER, payload: datagram });
  link.sendIpv4({ protocol: 1, payload: message({ type: 3, code: 3, body }) });
  assert.equal(link.counter('udpErrors'), 1);
});
