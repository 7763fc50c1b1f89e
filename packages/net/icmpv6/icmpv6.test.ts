import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IcmpError } from '../icmp-error.ts';
import { PROTOCOL_TCP } from '../ip.ts';
import { icmpv6ErrorsBurst, icmpv6ErrorsPerSecond } from '../ipv6/limits.ts';
import { Ipv6TestLink, ip6 } from '../ipv6/test-link.ts';
import { IPV6_ANY, type Ipv6Address } from '../ipv6-address.ts';
import { emitFragmentHeader, emitIpv6, emitUdp, pseudoHeaderSum } from '../wire/index.ts';

const HOST = ip6('2001:db8:9::9');

/** Told of errors about protocol 6, and believes `believes`. */
function listening(believes = true): { link: Ipv6TestLink; errors: IcmpError[] } {
  const link = new Ipv6TestLink();
  const errors: IcmpError[] = [];
  link.stack.registerTransport(
    PROTOCOL_TCP,
    { packet() {} },
    {
      icmpError(error) {
        errors.push({ ...error, transport: error.transport.slice() });
        return believes;
      },
    },
  );
  return { link: link.online(), errors };
}

function udp(source: Ipv6Address, destination: Ipv6Address, port = 9): Uint8Array {
  const bytes = new Uint8Array(12);
  const payload = new Uint8Array(4);
  const sum = pseudoHeaderSum(source, destination, 17, 12);
  emitUdp(bytes, 0, { sourcePort: 1_000, destinationPort: port, payload }, sum);
  return bytes;
}

/** A packet that we might have sent. */
function quoted(
  link: Ipv6TestLink,
  payload: Uint8Array,
  more: { nextHeader?: number; source?: Ipv6Address } = {},
): Uint8Array {
  const bytes = new Uint8Array(40 + payload.length);
  emitIpv6(bytes, 0, {
    trafficClass: 0,
    flowLabel: 0,
    nextHeader: PROTOCOL_TCP,
    hopLimit: 1,
    source: link.global,
    destination: HOST,
    payload,
    ...more,
  });
  return bytes;
}

const errorTo = (link: Ipv6TestLink, type: number, code: number, body: Uint8Array, word = 0) =>
  link.sendIcmpv6({ type, code, word, body }, { source: HOST, destination: link.global });

test('UDP to a closed port › port unreachable with the packet, from the address asked', () => {
  const link = new Ipv6TestLink().online();
  const payload = udp(HOST, link.global);
  link.sendIpv6({ nextHeader: 17, source: HOST, destination: link.global, payload });
  const [heard] = link.takeIpv6();
  assert.deepEqual([heard?.icmp?.type, heard?.icmp?.code], [1, 4]);
  assert.ok(heard!.ip.source.equals(link.global));
  assert.deepEqual(heard!.icmp!.body.slice(40), payload);
});

test('UDP without a checksum › dropped: only IPv4 allows that (RFC 8200 §8.1)', () => {
  const link = new Ipv6TestLink().online();
  const payload = udp(HOST, link.global);
  payload.fill(0, 6, 8);
  link.sendIpv6({ nextHeader: 17, source: HOST, destination: link.global, payload });
  assert.equal(link.counter('udpBadChecksum'), 1);
  assert.deepEqual(link.takeIpv6(), []);
});

test('errors › to nobody, groups, about groups or errors › none', () => {
  const link = new Ipv6TestLink().online();
  const group = ip6('ff02::1');
  link.sendIpv6({ nextHeader: 17, source: HOST, destination: group, payload: udp(HOST, group) });
  link.sendIpv6({ nextHeader: 99, source: HOST, destination: group });
  link.sendIpv6({ nextHeader: 99, source: IPV6_ANY, destination: group });
  const before = link.counter('icmpv6ErrorsSent');
  // An option that isn't known, before an error: RFC 4443 §2.4 (e.1).
  const error = new Uint8Array(16);
  error.set([58, 0, 0x9e, 0, 1, 2, 0, 0, 1]);
  link.sendIpv6({ nextHeader: 60, source: HOST, destination: link.global, payload: error });
  assert.deepEqual([before, link.counter('icmpv6ErrorsSent')], [0, 0]);
  assert.ok(link.counter('icmpv6ErrorsWithheld') >= 3);
  assert.deepEqual(link.takeIpv6(), []);
});

test('errors › as many as the burst, and one more; later again (RFC 4443 §2.4 (f))', () => {
  const link = new Ipv6TestLink().online();
  const ask = (): void => {
    const payload = udp(HOST, link.global);
    link.sendIpv6({ nextHeader: 17, source: HOST, destination: link.global, payload });
  };
  for (let i = 0; i < icmpv6ErrorsBurst + 1; i++) ask();
  assert.equal(link.counter('icmpv6ErrorsSent'), icmpv6ErrorsBurst);
  assert.equal(link.counter('icmpv6ErrorsWithheld'), 1);
  link.wait(1_000 / icmpv6ErrorsPerSecond);
  ask();
  assert.equal(link.counter('icmpv6ErrorsSent'), icmpv6ErrorsBurst + 1);
});

test('errors › about a large packet › at most 1280 bytes', () => {
  const link = new Ipv6TestLink().online();
  const payload = new Uint8Array(1_400);
  link.sendIpv6({ nextHeader: 99, source: HOST, destination: link.global, payload });
  assert.equal(link.takeIpv6()[0]?.ip.payload.length, 1_240);
});

const kinds: readonly [number, number, string][] = [
  [1, 0, 'unreachable'],
  [1, 4, 'port unreachable'],
  [2, 0, 'fragmentation needed'],
  [3, 0, 'time exceeded'],
  [4, 0, 'parameter problem'],
  [4, 1, 'protocol unreachable'],
];
for (const [type, code, kind] of kinds) {
  test(`an error › type ${type} code ${code} › '${kind}' to its transport`, () => {
    const { link, errors } = listening();
    const transport = Uint8Array.from({ length: 2_000 }, (_, i) => i);
    errorTo(link, type, code, quoted(link, transport).subarray(0, 500), type === 2 ? 1_400 : 0);
    const [error] = errors;
    assert.equal(error?.kind, kind);
    assert.equal(error.mtuBytes, type === 2 ? 1_400 : 0);
    assert.deepEqual(error.transport, transport.slice(0, 460));
    assert.notEqual(typeof error.source, 'number');
  });
}

test('an error › about a first fragment › found behind its header; about another › stray', () => {
  const { link, errors } = listening();
  for (const offset of [0, 8]) {
    const payload = new Uint8Array(32);
    emitFragmentHeader(payload, 0, {
      nextHeader: PROTOCOL_TCP,
      offset,
      isMore: true,
      identification: 1,
    });
    errorTo(link, 1, 0, quoted(link, payload, { nextHeader: 44 }));
  }
  assert.equal(errors.length, 1);
  assert.equal(errors[0]?.transport.length, 24);
  assert.equal(link.counter('icmpv6ErrorsStray'), 1);
});

test('an error › cut short, about somebody else, or no larger than said › stray', () => {
  const { link, errors } = listening();
  const whole = quoted(link, new Uint8Array(8));
  for (let count = 0; count < whole.length; count++) {
    errorTo(link, 1, 0, whole.subarray(0, count));
  }
  errorTo(link, 1, 0, whole.with(0, 0x45));
  errorTo(link, 1, 0, quoted(link, new Uint8Array(8), { source: HOST }));
  errorTo(link, 1, 0, quoted(link, new Uint8Array(8), { nextHeader: 99 }));
  errorTo(link, 2, 0, quoted(link, new Uint8Array(8)), 48);
  errorTo(link, 2, 0, quoted(link, new Uint8Array(1_240)).subarray(0, 100), 600);
  assert.deepEqual(errors, []);
  assert.equal(link.counter('icmpv6ErrorsStray'), whole.length + 5);
});

test('packet too big › believed › the way’s MTU, 1280 at least; not believed › nothing', () => {
  for (const [told, believes, expected] of [
    [1_400, true, 1_400],
    [1_400, false, 1_500],
    [600, true, 1_280],
    [0, true, 1_280],
  ] as const) {
    const { link } = listening(believes);
    const route = link.stack.ip.route(HOST)!;
    errorTo(link, 2, 0, quoted(link, new Uint8Array(1_460)).subarray(0, 100), told);
    assert.equal(route.mtuBytes, expected, `${told}`);
    link.wait(601_000);
    assert.equal(
      link.stack.ip.route(HOST)!.mtuBytes,
      believes ? expected : 1_500,
      'kept by holders',
    );
  }
});

test('messages of other types › ignored, counted', () => {
  const link = new Ipv6TestLink().online();
  for (const type of [0, 5, 127, 129, 138, 200, 255]) {
    link.sendIcmpv6({ type }, { source: HOST, destination: link.global });
  }
  assert.equal(link.counter('icmpv6Ignored'), 7);
  assert.deepEqual(link.takeIpv6(), []);
});
