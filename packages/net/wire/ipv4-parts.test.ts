/** Header options, IGMP, and the DHCP options with formats of their own: fields and faults. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hot, writeU16be } from '#core';
import { ip } from '../test-link.ts';
import {
  checkIpv4Options,
  DOMAIN_SEARCH_NAMES_MAX,
  formatClasslessRoutes,
  hasIpv4Option,
  parseClasslessRoutes,
  parseDomainSearch,
  parseIgmp,
  parseIpv4Options,
} from './index.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));

test('classless routes › the examples of RFC 3442 › prefixes of any length', () => {
  const examples: [string, string][] = [
    ['00 0a000001', '0.0.0.0/0 via 10.0.0.1'],
    ['08 0a 0a000001', '10.0.0.0/8 via 10.0.0.1'],
    ['18 0a0000 0a000001', '10.0.0.0/24 via 10.0.0.1'],
    ['10 0a11 0a000001', '10.17.0.0/16 via 10.0.0.1'],
    ['18 0a1b81 0a000001', '10.27.129.0/24 via 10.0.0.1'],
    ['19 0a e5 00 80 0a000001', '10.229.0.128/25 via 10.0.0.1'],
    ['20 0ac67a2f 0a000001', '10.198.122.47/32 via 10.0.0.1'],
    // Bits after the prefix, which should be zero.
    ['09 0aff 00000000', '10.128.0.0/9 via 0.0.0.0'],
  ];
  for (const [bytes, text] of examples) {
    const parsed = parseClasslessRoutes(hex(bytes));
    assert(parsed.ok);
    assert.equal(formatClasslessRoutes(parsed.value), text);
  }
});

test('classless routes › none, a prefix over 32 bits, cut off › a fault', () => {
  for (const bytes of ['', '21 0a0000000a 0a000001', '18 0a0000 0a0000', '00 0a000001 08']) {
    assert.equal(parseClasslessRoutes(hex(bytes)).ok, false, bytes);
  }
});

const name = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));

test('domain search › the example of RFC 3397 §2 › names, one of them compressed', () => {
  const parsed = parseDomainSearch(name('\x03eng\x05apple\x03com\0\x09marketing\xc0\x04'));
  assert(parsed.ok);
  assert.deepEqual(parsed.value, ['eng.apple.com', 'marketing.apple.com']);
});

test('domain search › as many names as are read, and one more › the rest is ignored', () => {
  for (const count of [DOMAIN_SEARCH_NAMES_MAX, DOMAIN_SEARCH_NAMES_MAX + 1]) {
    const parsed = parseDomainSearch(name('\x01a\0'.repeat(count)));
    assert(parsed.ok);
    assert.equal(parsed.value.length, DOMAIN_SEARCH_NAMES_MAX);
  }
});

test('domain search › pointers ahead, to themselves, past the end; odd letters; too long › a fault', () => {
  const label = `\x3f${'a'.repeat(63)}`;
  const faults = [
    '\x01a\xc0\x04\0',
    '\x01a\xc0\x02',
    '\xc0\x00',
    '\x01a\0\x01b\xc0\x03',
    '\x01a\0\xc0',
    '\x01a',
    '\x05ab',
    '\x01 \0',
    '\x01.\0',
    '\x40a\0',
    `${label.repeat(4)}\0`,
  ];
  for (const bytes of faults) assert.equal(parseDomainSearch(name(bytes)).ok, false, bytes);
  // 255 bytes with all lengths are the most.
  const most = `${label.repeat(3)}\x3d${'a'.repeat(61)}\0`;
  assert.equal(parseDomainSearch(name(most)).ok, true);
  assert.equal(parseDomainSearch(name(most.replace('\x3d', '\x3ea'))).ok, false);
});

/** The message with its checksum, which stands as 0000 in `text`. */
function igmp(text: string): Uint8Array {
  const b = hex(text);
  writeU16be(b, 2, 0xffff - hot.checksum(b, 0, b.length, 0));
  return b;
}

test('igmp › a query of each version › told by length and code (RFC 3376 §7.1)', () => {
  const queries: [string, number][] = [
    ['11 00 0000 00000000', 1],
    ['11 64 0000 00000000', 2],
    ['11 64 0000 00000000 02 7d 0000', 3],
  ];
  for (const [bytes, version] of queries) {
    const parsed = parseIgmp(igmp(bytes));
    assert(parsed.ok && parsed.value.kind === 'query', bytes);
    assert.equal(parsed.value.version, version);
  }
  assert.equal(parseIgmp(hex('11 64 ee9b 00000000')).ok, true, 'a checksum from elsewhere');
});

test('igmp › a report › records with sources; auxiliary data skipped', () => {
  const records = '04 01 0001 ef010203 0a000001 00000000 03 00 0000 ef010204';
  const parsed = parseIgmp(igmp(`22 00 0000 0000 0002 ${records}`));
  assert(parsed.ok && parsed.value.kind === 'records');
  assert.deepEqual(parsed.value.records, [
    { type: 4, group: ip('239.1.2.3'), sources: [ip('10.0.0.1')] },
    { type: 3, group: ip('239.1.2.4'), sources: [] },
  ]);
});

test('igmp › short, between the lengths of versions, counts past the end, unknown › a fault', () => {
  const faults = [
    '11 64 0000 000000',
    '11 64 0000 00000000 00',
    '11 64 0000 00000000 0000 00',
    '11 64 0000 00000000 00 00 0001',
    '11 64 0000 00000000 00 00 0001 0a0000',
    '22 00 0000 0000 0001',
    '22 00 0000 0000 0001 04 00 0001 ef010203',
    '22 00 0000 0000 0001 04 01 0000 ef010203',
    '13 00 0000 00000000',
  ];
  for (const bytes of faults) {
    const parsed = parseIgmp(igmp(bytes));
    assert(!parsed.ok && parsed.error.kind !== 'checksum', bytes);
  }
  const wrong = parseIgmp(hex('11 64 ee9a 00000000'));
  assert(!wrong.ok && wrong.error.kind === 'checksum');
});

test('ipv4 options › kinds and values, up to the end of the list', () => {
  const b = hex('01 94 04 0000 07 03 04 00 83 03 04 00');
  assert.equal(checkIpv4Options(b), null);
  const parsed = parseIpv4Options(b);
  assert(parsed.ok);
  assert.deepEqual(
    parsed.value.map(({ kind, value }) => [kind, value.length]),
    [
      [148, 2],
      [7, 1],
    ],
  );
  assert.deepEqual(
    [148, 7, 131, 1].map((kind) => hasIpv4Option(b, kind)),
    [true, true, false, true],
  );
});

test('ipv4 options › length 0, 1, past the end, none › a fault at the option; 44 bytes › refused', () => {
  for (const bytes of ['01 07 00 00', '01 07 01 00', '01 07 04 00', '01 07']) {
    assert.equal(checkIpv4Options(hex(bytes))?.kind, 'field', bytes);
    const fault = checkIpv4Options(hex(bytes));
    assert(fault?.kind === 'field' && fault.offset === 1);
  }
  assert.equal(parseIpv4Options(new Uint8Array(40)).ok, true);
  assert.equal(parseIpv4Options(new Uint8Array(44)).ok, false);
});
