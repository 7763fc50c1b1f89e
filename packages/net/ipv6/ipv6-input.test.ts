/** Packets for us and others, extension headers, fragments: RFC 8200, 5095, 5722, 6946, 6980. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ipv6Address } from '../ipv6-address.ts';
import { IPV6_ANY } from '../ipv6-address.ts';
import {
  emitFragmentHeader,
  emitIcmpv6,
  emitOptionsHeader,
  emitRoutingHeader,
  groupMacOfIpv6,
  PROTOCOL_ICMPV6,
  pseudoHeaderSum,
} from '../wire/index.ts';
import { extensionHeadersMax, extensionOptionsMax } from './limits.ts';
import { Ipv6TestLink, ip6, NEIGHBOR, ROUTER } from './test-link.ts';

const HOST = ip6('2001:db8:9::9');

function written(emit: (to: Uint8Array) => number): Uint8Array {
  const to = new Uint8Array(4_096);
  return to.slice(0, emit(to));
}

const joined = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** Our neighbour and router are known, so errors and answers leave at once. */
function online(): Ipv6TestLink {
  const link = new Ipv6TestLink().online();
  link.sendNdp({ type: 135, target: link.linkLocal, options: [link.linkAddress()] });
  link.heard.length = 0;
  return link;
}

/** An echo request, whole with its checksum. */
function echo(source: Ipv6Address, destination: Ipv6Address, count = 8): Uint8Array {
  const body = Uint8Array.from({ length: count }, (_, i) => i);
  const sum = pseudoHeaderSum(source, destination, PROTOCOL_ICMPV6, 8 + count);
  return written((to) => emitIcmpv6(to, 0, { type: 128, code: 0, word: 1, body }, sum));
}

const optionsHeader = (nextHeader: number, types: readonly number[] = [], count = 2): Uint8Array =>
  written((to) =>
    emitOptionsHeader(to, 0, {
      nextHeader,
      options: types.map((type) => ({ type, value: new Uint8Array(count) })),
    }),
  );
const routing = (segmentsLeft: number, type = 0, nextHeader = PROTOCOL_ICMPV6): Uint8Array =>
  written((to) =>
    emitRoutingHeader(to, 0, {
      nextHeader,
      type,
      segmentsLeft,
      data: new Uint8Array(20),
    }),
  );
const fragment = (
  offset: number,
  isMore: boolean,
  payload: Uint8Array,
  identification = 7,
  nextHeader = PROTOCOL_ICMPV6,
): Uint8Array =>
  joined(
    written((to) => emitFragmentHeader(to, 0, { nextHeader, offset, isMore, identification })),
    payload,
  );

/** "129/0" for an echo reply, "4/1 @40" for an error with its pointer. */
function answers(link: Ipv6TestLink): string[] {
  return link.takeIpv6().flatMap(({ icmp, ndp }) => {
    if (icmp === null || ndp !== null) return [];
    const { type, code, word } = icmp;
    return [type >= 128 ? `${type}/${code}` : `${type}/${code} @${word}`];
  });
}

function send(link: Ipv6TestLink, nextHeader: number, payload: Uint8Array): string[] {
  link.sendIpv6({ nextHeader, payload, source: HOST, destination: link.global });
  return answers(link);
}

const ours = (link: Ipv6TestLink, count = 8): Uint8Array => echo(HOST, link.global, count);

test('received › plain, again, and from another › answered each', () => {
  const link = online();
  for (const source of [HOST, HOST, NEIGHBOR, ip6('2001:db8:9::8')]) {
    const payload = echo(source, link.global);
    link.sendIpv6({ source, destination: link.global, payload });
    const [heard] = link.takeIpv6();
    assert.equal(heard?.icmp?.type, 129);
    assert.ok(heard.ip.destination.equals(source) && heard.ip.source.equals(link.global));
  }
});

const dropped: readonly [string, Parameters<Ipv6TestLink['sendIpv6']>[0], string][] = [
  ['from a group', { source: ip6('ff02::1') }, 'ipv6BadSource'],
  ['from ::1', { source: ip6('::1') }, 'ipv6BadSource'],
  ['from an IPv4-mapped address', { source: ip6('::ffff:10.0.0.1') }, 'ipv6BadSource'],
  ['from nobody to one of us', { source: IPV6_ANY }, 'ipv6BadSource'],
  ['to another host', { destination: ip6('2001:db8:0:1::77') }, 'ipv6NotOurs'],
  ['to ::1', { destination: ip6('::1') }, 'ipv6NotOurs'],
  ['to a group that we are not in', { destination: ip6('ff02::77') }, 'ipv6NotJoined'],
  ['to a group of the interface', { destination: ip6('ff01::1') }, 'ipv6NotJoined'],
  ['without a next header', { nextHeader: 59 }, 'ipv6NoNextHeader'],
  ['with a bad checksum', { payload: Uint8Array.of(128, 0, 1, 1, 0, 0, 0, 0) }, 'icmpv6Malformed'],
  ['ICMPv6 too short', { payload: Uint8Array.of(128, 0, 1) }, 'icmpv6Malformed'],
];
for (const [name, repr, counter] of dropped) {
  test(`received › ${name} › ${counter}`, () => {
    const link = online();
    link.sendIpv6({ payload: echo(NEIGHBOR, link.linkLocal), ...repr });
    assert.equal(link.counter(counter), 1);
    assert.deepEqual(link.takeIpv6(), []);
  });
}

test('received › from an address of ours › dropped', () => {
  const link = online();
  link.sendIpv6({ source: link.global });
  assert.equal(link.counter('ipv6SourceOurs'), 1);
});

test('received › cut short, another version, a stray frame › malformed, or of another station', () => {
  const link = online();
  const cut = (b: Uint8Array): void => link.sendEthernet(0x86dd, b);
  const whole = new Uint8Array(48);
  whole.set([0x60, 0, 0, 0, 0, 8, 58, 64]);
  for (let count = 20; count < 48; count++) cut(whole.subarray(0, count));
  cut(whole.with(0, 0x40));
  cut(whole.with(0, 0xe0));
  assert.equal(link.counter('ipv6Malformed'), 30);
  link.sendEthernet(0x86dd, whole, Uint8Array.of(2, 9, 9, 9, 9, 9));
  assert.equal(link.counter('linkOtherStation'), 1);
  link.sendIpv6({ destination: link.linkLocal }, groupMacOfIpv6(ip6('ff02::1')));
  assert.equal(link.counter('ipv6NotOurs'), 1, 'one host’s address in a frame for many');
});

test('echo to all nodes › not answered', () => {
  const link = online();
  link.sendIcmpv6({}, { destination: ip6('ff02::1') });
  assert.equal(link.counter('icmpv6EchoIgnored'), 1);
});

test('extension headers › options that may be skipped, and those that may not', () => {
  const link = online();
  const then = (types: readonly number[]): string[] =>
    send(link, 60, joined(optionsHeader(58, types), ours(link)));
  assert.deepEqual(then([]), ['129/0']);
  assert.deepEqual(then([5, 0x1e]), ['129/0'], '00: skipped');
  assert.deepEqual(then([0x5e]), [], '01: dropped');
  assert.deepEqual(then([0x9e]), ['4/2 @42'], '10: told');
  assert.deepEqual(then([0x1e, 0xde]), ['4/2 @46'], '11: told, as it was for us alone');
  assert.equal(link.counter('ipv6BadOption'), 3);
  const group = { destination: ip6('ff02::1'), source: NEIGHBOR };
  for (const [type, expected] of [
    [0xde, []],
    [0x9e, ['4/2 @42']],
  ] as const) {
    link.sendIpv6({ ...group, nextHeader: 60, payload: optionsHeader(58, [type]) });
    assert.deepEqual(answers(link), expected, 'to a group');
  }
});

test('extension headers › hop-by-hop only comes first', () => {
  const link = online();
  assert.deepEqual(send(link, 0, joined(optionsHeader(58, [5]), ours(link))), ['129/0']);
  const late = joined(optionsHeader(0), optionsHeader(58), ours(link));
  assert.deepEqual(send(link, 60, late), ['4/1 @40']);
});

test('routing header › segments left › told, whatever its type; none left › passed over', () => {
  const link = online();
  assert.deepEqual(send(link, 43, joined(routing(0), ours(link))), ['129/0']);
  assert.deepEqual(send(link, 43, joined(routing(1), ours(link))), ['4/0 @42']);
  assert.deepEqual(send(link, 43, joined(routing(1, 4), ours(link))), ['4/0 @42']);
  assert.equal(link.counter('ipv6Routed'), 2);
});

test('a next header that nobody knows › told where it stands', () => {
  const link = online();
  assert.deepEqual(send(link, 99, new Uint8Array(8)), ['4/1 @6']);
  assert.deepEqual(send(link, 60, joined(optionsHeader(51), new Uint8Array(8))), ['4/1 @40']);
  assert.equal(link.counter('ipv6UnknownHeader'), 2);
});

test('extension headers › every truncation › dropped, counted', () => {
  const whole = joined(
    optionsHeader(43, [5]),
    routing(0, 0, 44),
    fragment(8, false, new Uint8Array(0)),
  );
  for (let count = 0; count < whole.length; count++) {
    const link = online();
    assert.deepEqual(send(link, 0, whole.subarray(0, count)), []);
    const counted = link.counter('ipv6BadHeader') + link.counter('ipv6BadFragment');
    assert.equal(counted, 1, `${count}`);
  }
});

test('bounds › headers and options: as many as allowed, and one more', () => {
  const link = online();
  const chain = (count: number): Uint8Array =>
    joined(
      ...Array.from({ length: count }, (_, i) => optionsHeader(i === count - 1 ? 58 : 60)),
      ours(link),
    );
  assert.deepEqual(send(link, 60, chain(extensionHeadersMax)), ['129/0']);
  assert.deepEqual(send(link, 60, chain(extensionHeadersMax + 1)), []);
  assert.equal(link.counter('ipv6TooManyHeaders'), 1);
  const options = (count: number): Uint8Array =>
    joined(optionsHeader(58, new Array(count).fill(5), 6), ours(link));
  // Two bytes for the header, eight for each: a padding option of six bytes comes last.
  assert.deepEqual(send(link, 60, options(extensionOptionsMax - 1)), ['129/0']);
  assert.deepEqual(send(link, 60, options(extensionOptionsMax)), []);
  assert.equal(link.counter('ipv6BadOption'), 1);
  const long = (count: number): Uint8Array =>
    joined(optionsHeader(60, [5], 244), optionsHeader(58, [5], count), ours(link));
  assert.deepEqual(send(link, 60, joined(optionsHeader(60), long(252))), ['129/0']);
  assert.deepEqual(send(link, 60, joined(optionsHeader(60), optionsHeader(60), long(252))), []);
  assert.equal(link.counter('ipv6TooManyHeaders'), 2);
});

/** The fragments of an echo of `count` bytes, by pieces of `size`. */
function fragments(link: Ipv6TestLink, count: number, size: number): Uint8Array[] {
  const whole = ours(link, count);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < whole.length; at += size) {
    const end = Math.min(whole.length, at + size);
    pieces.push(fragment(at, end < whole.length, whole.subarray(at, end)));
  }
  return pieces;
}

test('fragments › in any order › put together, and answered in fragments', () => {
  const link = online();
  const pieces = fragments(link, 3_000, 1_000);
  for (const piece of pieces.toReversed()) {
    link.sendIpv6({ nextHeader: 44, payload: piece, source: HOST, destination: link.global });
  }
  const sent = link.takeIpv6().filter(({ ip }) => ip.nextHeader === 44);
  assert.deepEqual(
    sent.map(({ ip }) => ip.payload.length),
    [1_456, 1_456, 120],
  );
  const reply = joined(...sent.map(({ ip }) => ip.payload.subarray(8)));
  assert.equal(reply[0], 129);
  assert.deepEqual(reply.subarray(8), ours(link, 3_000).subarray(8));
  assert.ok(sent.every(({ ip }) => ip.source.equals(link.global)));
});

test('fragments › with options before and behind the fragment header › put together', () => {
  const link = online();
  const whole = joined(optionsHeader(58), ours(link, 24));
  for (const [at, end] of [
    [0, 16],
    [16, whole.length],
  ] as const) {
    const piece = fragment(at, end < whole.length, whole.subarray(at, end), 1, 60);
    const payload = joined(optionsHeader(44, [5]), piece);
    link.sendIpv6({ nextHeader: 0, payload, source: HOST, destination: link.global });
  }
  assert.deepEqual(answers(link), ['129/0']);
});

test('fragments › headers before them differ › those of the first one count', () => {
  const link = online();
  const [first, second] = fragments(link, 100, 64);
  const withOptions = (piece: Uint8Array): Uint8Array => joined(optionsHeader(44, [5]), piece);
  assert.deepEqual(send(link, 44, first!), []);
  assert.deepEqual(send(link, 0, withOptions(second!)), ['129/0'], 'more before the last');
  assert.deepEqual(send(link, 0, withOptions(first!)), []);
  assert.deepEqual(send(link, 44, second!), ['129/0'], 'more before the first');
  // Far more before the last than the whole packet has.
  const far = joined(optionsHeader(44, [5, 5], 200), fragment(64, false, Uint8Array.of(0)));
  for (const [identification, upper] of [6, 17, 58].entries()) {
    const head = new Uint8Array(64).fill(upper);
    send(link, 44, fragment(0, true, head, identification, upper));
    far[far.length - 2] = identification;
    send(link, 0, far);
  }
});

test('fragments › beyond 65,535 with the headers of the first one › dropped', () => {
  const link = online();
  const options = optionsHeader(44, [5]);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < 65_528; at += 1_024) {
    const end = Math.min(at + 1_024, 65_528);
    pieces.push(fragment(at, end < 65_528, new Uint8Array(end - at).fill(130)));
  }
  assert.deepEqual(send(link, 0, joined(options, pieces[0]!)), []);
  for (const piece of pieces.slice(1)) send(link, 44, piece);
  assert.equal(link.counter('reassemblyDone'), 1);
  assert.equal(link.counter('ipv6BadFragment'), 1);
});

test('fragments › an atomic one among those of the same number › by itself (RFC 6946)', () => {
  const link = online();
  const [first] = fragments(link, 100, 64);
  assert.deepEqual(send(link, 44, first!), []);
  assert.deepEqual(send(link, 44, fragment(0, false, ours(link))), ['129/0']);
});

test('fragments › overlapping › everything of the datagram is dropped (RFC 5722)', () => {
  const link = online();
  const [first, second] = fragments(link, 100, 64);
  send(link, 44, first!);
  send(link, 44, fragment(56, true, new Uint8Array(16)));
  assert.deepEqual(send(link, 44, second!), []);
  assert.ok(link.counter('reassemblyOverlaps') >= 1);
});

test('fragments › odd lengths, beyond 65,535, without their headers › told', () => {
  const link = online();
  assert.deepEqual(send(link, 44, fragment(0, true, new Uint8Array(15).fill(128))), ['4/0 @4']);
  assert.deepEqual(send(link, 44, fragment(65_528, false, new Uint8Array(16))), ['4/0 @42']);
  assert.deepEqual(send(link, 44, fragment(0, true, new Uint8Array(0))), ['4/3 @0']);
  const headless = fragment(0, true, optionsHeader(58), 9, 60);
  assert.deepEqual(send(link, 44, headless), ['4/3 @0']);
  assert.equal(link.counter('ipv6BadFragment'), 4);
});

test('fragments › the rest doesn’t come › told after the first one’s time', () => {
  const link = online();
  const [first, second] = fragments(link, 100, 64);
  send(link, 44, first!);
  link.wait(31_000);
  assert.deepEqual(answers(link), ['3/1 @0']);
  send(link, 44, second!);
  link.wait(61_000);
  assert.deepEqual(answers(link), [], 'not without the first');
});

test('fragments › of neighbour discovery › dropped (RFC 6980)', () => {
  const link = online();
  const message = new Uint8Array(32);
  message[0] = 135;
  const source = ROUTER;
  for (const piece of [
    fragment(0, true, message.subarray(0, 24)),
    fragment(24, false, message.subarray(24)),
  ]) {
    link.sendIpv6({ nextHeader: 44, payload: piece, source, hopLimit: 255 });
  }
  assert.equal(link.counter('ipv6FragmentedControl'), 1);
  const before = link.counter('ndpMalformed');
  link.sendIpv6({ nextHeader: 44, payload: fragment(0, false, message), source, hopLimit: 255 });
  assert.equal(link.counter('ipv6FragmentedControl'), 2, 'one alone with a fragment header too');
  assert.equal(link.counter('ndpMalformed'), before);
});
